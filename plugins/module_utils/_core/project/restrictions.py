# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a confined project forbids of a VM, and the key of the project with which its admin opens that.

Every row of docs/reference/confined.md is decided here; its test asks LXD the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import TenantryError, Unsupported
from ..units import is_true

Devices = Mapping[str, Mapping[str, str]]

_LOWLEVEL = "restricted.virtual-machines.lowlevel"
# LXD looks whether these are there, whatever their value (5.0.2).
_LOWLEVEL_KEYS = ("limits.memory.hugepages", "boot.host_shutdown_timeout")

# Kinds of devices that LXD forbids in a confined project unless `restricted.devices.<kind>` allows them.
_CLOSED = {
    "gpu": "the graphics cards of the host",
    "infiniband": "the InfiniBand of the host",
    "pci": "every PCI device of the host",
    "proxy": "ports of the host",
    "usb": "every USB device of the host",
}
# And those that LXD has for containers only: no key gives one to a VM.
_CONTAINERS = ("unix-block", "unix-char", "unix-hotplug")


def check(config: Mapping[str, str], devices: Devices, project: Mapping[str, str]) -> None:
    """Raise Unsupported for the first thing that the project (its config) forbids, naming the key that opens it."""
    if not is_true(project.get("restricted")):
        return
    _check_config(config, project)
    for name, device in devices.items():
        kind = device.get("type", "")
        if kind == "nic":
            _check_nic(name, device, project)
        elif kind == "disk":
            _check_disk(name, device, project)
        elif kind in _CONTAINERS:
            raise Unsupported(
                f"device {name} of type {kind}: LXD has these for containers only",
                "give a VM a disk with disks, or a device of type usb or pci",
            )
        elif kind in _CLOSED and project.get(f"restricted.devices.{kind}") != "allow":
            raise _forbidden(f"device {name} of type {kind}", f"restricted.devices.{kind}", _CLOSED[kind])


def check_target(target: str, project: Mapping[str, str]) -> None:
    """Raise Unsupported where a VM may not be told which member of a cluster it is made on."""
    if not is_true(project.get("restricted")):
        return
    key = "restricted.cluster.target"
    if project.get(key) != "allow":
        # Of a group too (5.0.2).
        raise _forbidden(f"target {target}", key, "every member of the cluster, one by one")
    groups = _names(project.get("restricted.cluster.groups", ""))
    if target.startswith("@") and groups and target[1:] not in groups:
        more = ",".join([*groups, target[1:]])
        raise _forbidden(f"target {target}", "restricted.cluster.groups", "the members of that group", more)


def _check_config(config: Mapping[str, str], project: Mapping[str, str]) -> None:
    raw = [key for key in config if key.startswith("raw.") or key in _LOWLEVEL_KEYS]
    if raw and project.get(_LOWLEVEL) != "allow":
        option = "hugepages" if raw[0] == "limits.memory.hugepages" else f"config {raw[0]}"
        raise _forbidden(option, _LOWLEVEL, "the whole host to the holder of the certificate")
    key = "restricted.snapshots"
    if config.get("snapshots.schedule") and project.get(key) != "allow":
        # LXD takes the schedule and then never makes a snapshot, without a word (5.0.2).
        raise _forbidden("config snapshots.schedule", key, "room in the storage pools without a limit of its own")


def _check_disk(name: str, device: Mapping[str, str], project: Mapping[str, str]) -> None:
    key, source = "restricted.devices.disk", device.get("source", "")
    # LXD takes the drive with cloud-init's texts for harmless (5.0.2).
    if source == "cloud-init:config" or (device.get("path") == "/" and device.get("pool")):
        return
    mode = project.get(key) or "managed"
    if mode == "block":
        raise _forbidden(f"disk {name}", key, "further disks", "managed")
    if device.get("pool"):
        return
    if mode != "allow":
        raise _forbidden(f"device {name}, a disk without a storage pool", key, "files of the host")
    paths = _names(project.get(f"{key}.paths", ""))
    if paths and not any(source == path or source.startswith(path.rstrip("/") + "/") for path in paths):
        more = ",".join([*paths, source])
        raise _forbidden(f"device {name}, a disk from {source}", f"{key}.paths", "that path of the host", more)


def _check_nic(name: str, device: Mapping[str, str], project: Mapping[str, str]) -> None:
    mode = project.get("restricted.devices.nic") or "managed"
    if mode == "block":
        raise _forbidden(f"interface {name}", "restricted.devices.nic", "the networks it may reach", "managed")
    if mode == "managed" and not device.get("network"):
        raise _forbidden(f"interface {name} with a parent", "restricted.devices.nic", "every network of the host")
    parent = device.get("parent")
    if parent and parent not in (access(project) or (parent,)):
        more = with_access(parent, project)
        raise _forbidden(f"interface {name}: parent {parent}", "restricted.networks.access", "that network", more)


def access(project: Mapping[str, str]) -> tuple[str, ...]:
    """The networks and parents that the project may use; empty where it may use all that `restricted.devices.nic` lets.

    LXD looks at the key only while the project is restricted.
    """
    if not is_true(project.get("restricted")):
        return ()
    return _names(project.get("restricted.networks.access", ""))


def _names(said: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in said.split(",") if name.strip())


def with_access(name: str, project: Mapping[str, str]) -> str:
    """The value of `restricted.networks.access` that lets one more in."""
    return ",".join([*access(project), name])


def _forbidden(what: str, key: str, exposure: str, value: str = "allow") -> TenantryError:
    return Unsupported(
        f"{what}: the project is confined, and that forbids it",
        f"the admin may set {key}: {value} on the project, which opens {exposure}",
    )
