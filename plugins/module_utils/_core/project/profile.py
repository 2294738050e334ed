# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The profile default of a project: what an instance gets when nobody says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import Conflict, NotFound
from ..plan import Change, Request
from .config import bridged, resulting
from .found import Found, Profile
from .spec import Wanted

Devices = Mapping[str, Mapping[str, str]]

_NAME = "default"


def devices_of(profile: Profile | None) -> Devices:
    """A profile's devices; none of one that isn't there."""
    return (profile or {}).get("devices") or {}


def wanted_devices(wanted: Wanted, found: Found) -> dict[str, Mapping[str, str]]:
    """All devices of the profile afterwards: root disk and first interface as said, the others as they are."""
    devices = dict(devices_of(found.profile[0] if found.profile else None))
    said = wanted.default_profile
    if said and said.storage_pool:
        # LXD allows one root disk, whatever its name.
        name = next((name for name, device in devices.items() if device.get("path") == "/"), "root")
        kept = _kept(wanted, devices, name, "disk")
        devices[name] = {**kept, "type": "disk", "path": "/", "pool": said.storage_pool}
    if said and said.network:
        kept = _kept(wanted, devices, "eth0", "nic")
        # An interface of a managed network takes its kind and its parent from there, and LXD refuses both.
        kept = {key: value for key, value in kept.items() if key not in ("nictype", "parent")}
        wire = {"network": said.network}
        if bridged(resulting(wanted, found)):
            kept.pop("network", None)
            wire = {"nictype": "bridged", "parent": said.network}
        devices["eth0"] = {**kept, "type": "nic", **wire, "name": kept.get("name", "eth0")}
    return devices


def _kept(wanted: Wanted, devices: Devices, name: str, kind: str) -> dict[str, str]:
    found = dict(devices.get(name) or {})
    if found and found.get("type") != kind:
        raise Conflict(
            f"project {wanted.name}: device {name} of its profile default is a {found.get('type')}, not a {kind}",
            "rename or remove that device first",
        )
    return found


def check_places(wanted: Wanted, found: Found) -> None:
    """Raise NotFound for a storage pool or network that is said and isn't there, with those that are."""
    said = wanted.default_profile
    networks = [network.name for network in found.networks if network.managed]
    if said and said.storage_pool:
        _must_be(wanted, "default_profile.storage_pool", said.storage_pool, [pool.name for pool in found.pools])
    bridges = [network.name for network in found.networks if network.type == "bridge"]
    if said and said.network:
        _must_be(wanted, "default_profile.network", said.network, bridges if wanted.bridges else networks)
    for network in wanted.networks or ():
        _must_be(wanted, "networks", network, networks)
    for bridge in wanted.bridges or ():
        _must_be(wanted, "bridges", bridge, bridges)


def _must_be(wanted: Wanted, option: str, name: str, there: Iterable[str]) -> None:
    names = sorted(there)
    if name not in names:
        thing = "storage pool" if option.endswith("pool") else "bridge" if option == "bridges" else "managed network"
        known = ", ".join(names) or "none"
        raise NotFound(f"project {wanted.name}: {option}: there is no {thing} {name}", f"there: {known}", there=names)


def change(wanted: Wanted, found: Found, host: str) -> Change | None:
    """The change of the profile, to be made when the project is as it should be; None where it is right already."""
    before = devices_of(found.profile[0] if found.profile else None)
    after = wanted_devices(wanted, found)
    if after == before:
        return None
    changed = sorted(name for name in after if after[name] != before.get(name))
    return Change(
        "change",
        "profile",
        f"{wanted.name}/{_NAME}",
        (_request(wanted, found, after),),
        before={"devices": before},
        after={"devices": after},
        detail=", ".join(changed),
        host=host,
    )


def _request(wanted: Wanted, found: Found, devices: Devices) -> Request:
    path = ("profiles", _NAME)
    if found.profile:
        body, etag = found.profile
        put = {"description": body.get("description") or "", "config": body.get("config") or {}, "devices": devices}
        return Request("PUT", path, wanted.name, body=put, etag=etag)
    # LXD makes it with the project, a request before this one: empty, or we look again.
    flavour = "Incus" if found.server.flavour == "incus" else "LXD"
    put = {"description": f"Default {flavour} profile for project {wanted.name}", "config": {}, "devices": devices}
    return Request("PUT", path, wanted.name, body=put, expect={"config": {}, "devices": {}})
