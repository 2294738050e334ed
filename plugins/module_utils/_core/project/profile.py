# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The profile `default` of a project, whose devices its instances get unless they have others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import Conflict, NotFound
from ..plan import Change, Request
from .config import build_config
from .reading import Profile, ProjectReading
from .restrictions import usable_bridges
from .spec import ProjectSpec

Devices = Mapping[str, Mapping[str, str]]

_NAME = "default"


def read_devices(profile: Profile | None) -> Devices:
    """Return the devices of a profile; none if it doesn't exist."""
    return (profile or {}).get("devices") or {}


def build_devices(spec: ProjectSpec, reading: ProjectReading) -> dict[str, Mapping[str, str]]:
    """Return all devices that the profile gets: root disk and first interface as declared, the others unchanged."""
    devices = dict(read_devices(reading.profile[0] if reading.profile else None))
    declared = spec.default_profile
    if declared and declared.storage_pool:
        # LXD permits one root disk, whatever its name.
        name = next((name for name, device in devices.items() if device.get("path") == "/"), "root")
        kept = _read_device(spec, devices, name, "disk")
        devices[name] = {**kept, "type": "disk", "path": "/", "pool": declared.storage_pool}
    if declared and declared.network:
        kept = _read_device(spec, devices, "eth0", "nic")
        # An interface on a managed network gets its type and parent from the network; LXD refuses both keys.
        kept = {key: value for key, value in kept.items() if key not in ("nictype", "parent")}
        attachment = {"network": declared.network}
        if usable_bridges(build_config(spec, reading)):
            kept.pop("network", None)
            attachment = {"nictype": "bridged", "parent": declared.network}
        devices["eth0"] = {**kept, "type": "nic", **attachment, "name": kept.get("name", "eth0")}
    return devices


def _read_device(spec: ProjectSpec, devices: Devices, name: str, kind: str) -> dict[str, str]:
    device = dict(devices.get(name) or {})
    if device and device.get("type") != kind:
        raise Conflict(
            f"project {spec.name}: device {name} of its profile default is a {device.get('type')}, not a {kind}",
            "rename or remove that device first",
        )
    return device


def check_names(spec: ProjectSpec, reading: ProjectReading) -> None:
    """Raise NotFound for a declared storage pool or network that doesn't exist; the hint lists those that do."""
    declared = spec.default_profile
    networks = [network.name for network in reading.networks if network.managed]
    if declared and declared.storage_pool:
        _check_exists(
            spec, "default_profile.storage_pool", declared.storage_pool, [pool.name for pool in reading.pools]
        )
    bridges = [network.name for network in reading.networks if network.type == "bridge"]
    if declared and declared.network:
        _check_exists(spec, "default_profile.network", declared.network, bridges if spec.bridges else networks)
    for network in spec.networks or ():
        _check_exists(spec, "networks", network, networks)
    for bridge in spec.bridges or ():
        _check_exists(spec, "bridges", bridge, bridges)


def _check_exists(spec: ProjectSpec, option: str, name: str, there: Iterable[str]) -> None:
    names = sorted(there)
    if name not in names:
        thing = "storage pool" if option.endswith("pool") else "bridge" if option == "bridges" else "managed network"
        known = ", ".join(names) or "none"
        raise NotFound(f"project {spec.name}: {option}: there is no {thing} {name}", f"existing: {known}", there=names)


def plan_profile(spec: ProjectSpec, reading: ProjectReading, host: str) -> Change | None:
    """Plan the change of the profile, which follows those of the project; None if nothing changes."""
    before = read_devices(reading.profile[0] if reading.profile else None)
    after = build_devices(spec, reading)
    if after == before:
        return None
    changed = sorted(name for name in after if after[name] != before.get(name))
    return Change(
        "change",
        "profile",
        f"{spec.name}/{_NAME}",
        (_request(spec, reading, after),),
        before={"devices": before},
        after={"devices": after},
        detail=", ".join(changed),
        host=host,
    )


def _request(spec: ProjectSpec, reading: ProjectReading, devices: Devices) -> Request:
    path = ("profiles", _NAME)
    if reading.profile:
        body, etag = reading.profile
        put = {"description": body.get("description") or "", "config": body.get("config") or {}, "devices": devices}
        return Request("PUT", path, spec.name, body=put, etag=etag)
    # LXD creates the profile with the project, one request earlier; if it isn't empty then, the plan is made again.
    flavour = "Incus" if reading.server.flavour == "incus" else "LXD"
    put = {"description": f"Default {flavour} profile for project {spec.name}", "config": {}, "devices": devices}
    return Request("PUT", path, spec.name, body=put, expect={"config": {}, "devices": {}})
