# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM's disks and interfaces: from options to LXD's devices, and what of them LXD changes on a running VM."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .. import units
from ..errors import Invalid
from . import nics as vm_nics

Device = Mapping[str, str]

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_DEVICE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})")
# LXD keeps a boot priority in 32 bits, and we may have to put another device before this one.
_HIGHEST = 1_000_000
NIC_TYPES = ("bridged", "macvlan", "sriov", "physical")

# Options of an interface that are numbers: LXD's key, and the least and the most that it takes.
_NUMBERS = {"vlan": ("vlan", 1, 4094), "mtu": ("mtu", 1280, 16384), "boot": ("boot.priority", 0, _HIGHEST)}
_FILTERS = {f"{what}_filter": f"security.{what}_filtering" for what in ("mac", "ipv4", "ipv6")}
# Keys of LXD's that an option of an interface says.
_NIC_KEYS = frozenset({*("type", "name", "network", "parent", "nictype", "boot.priority"), *vm_nics.OPTIONS})


@dataclasses.dataclass(frozen=True)
class DiskSpec:
    """One disk as said. The root disk is a device of the VM; any other is a volume of its own, named after the VM."""

    name: str
    root: bool
    absent: bool
    delete_volume: bool
    size: int | None
    pool: str | None
    config: Mapping[str, str | None]
    volume: str

    def device(self, pool: str) -> dict[str, str | None]:
        """The device that a VM without it gets."""
        place = {"path": "/"} if self.root else {"source": self.volume}
        size = {"size": units.format_size(self.size)} if self.root and self.size else {}
        return {"type": "disk", "pool": pool, **place, **size, **self.config}


@dataclasses.dataclass(frozen=True)
class InterfaceSpec:
    """One network interface as said."""

    name: str
    absent: bool
    said: Mapping[str, str | None]

    def device(self) -> dict[str, str | None]:
        """The device that a VM without it gets."""
        return {"type": "nic", "name": self.name, **self.said}


def parse_disks(vm: str, said: Sequence[Mapping[str, Any]] | None) -> tuple[DiskSpec, ...] | None:
    """The disks of one VM; the first is the root disk."""
    if said is None:
        return None
    found: list[DiskSpec] = []
    for position, disk in enumerate(said):
        name = disk.get("name") or ("root" if position == 0 else f"disk{position}")
        _check_device_name(name, "disks")
        if name in (other.name for other in found):
            raise Invalid(f"disks: two disks are called {name}", "give each a name of its own")
        found.append(_disk(vm, name, position == 0, disk))
    return tuple(found)


def _disk(vm: str, name: str, root: bool, said: Mapping[str, Any]) -> DiskSpec:
    absent = said.get("state") == "absent"
    if root and absent:
        raise Invalid("disks: the first disk is the root disk and can't be absent", "list the root disk first")
    size = None if said.get("size") is None else units.parse_size(said["size"], f"disks: size of {name}")
    if size is not None and size < 1:
        raise Invalid(f"disks: {name} has no size", "set a size such as 20GiB")
    config = units.to_texts(said.get("config") or {}, f"disks: config of {name}")
    taken = sorted(set(config) & {"type", "path", "pool", "source", "size", "boot.priority"})
    if taken:
        raise Invalid(f"disks: config of {name}: {taken[0]} has an option of its own", "use that option")
    if said.get("boot_priority") is not None:
        config["boot.priority"] = _number(said["boot_priority"], f"disks: boot_priority of {name}", 0, _HIGHEST)
    return DiskSpec(
        name, root, absent, bool(said.get("delete_volume")), size, said.get("storage_pool"), config, f"{vm}-{name}"
    )


def parse_interfaces(said: Sequence[Mapping[str, Any]] | None) -> tuple[InterfaceSpec, ...] | None:
    """The interfaces of one VM, each with a network that LXD manages or a parent on the host."""
    if said is None:
        return None
    found: list[InterfaceSpec] = []
    for position, nic in enumerate(said):
        name = nic.get("name") or f"eth{position}"
        _check_device_name(name, "interfaces")
        if name in (other.name for other in found):
            raise Invalid(f"interfaces: two interfaces are called {name}", "give each a name of its own")
        absent = nic.get("state") == "absent"
        found.append(InterfaceSpec(name, absent, {} if absent else _nic(name, nic)))
    return tuple(found)


def _nic(name: str, said: Mapping[str, Any]) -> dict[str, str | None]:
    where = f"interfaces: {name}"
    device = {**_nic_config(where, said.get("config") or {}), **_wire(where, said)}
    if said.get("mac") is not None:
        device["hwaddr"] = _mac(said["mac"], where)
    for option, (key, least, most) in _NUMBERS.items():
        if said.get(option) is not None:
            device[key] = _number(said[option], f"{where}: {option}", least, most)
    for family in (4, 6):
        if said.get(f"ipv{family}") is not None:
            device[f"ipv{family}.address"] = _address(said[f"ipv{family}"], family, where)
    for option, key in _FILTERS.items():
        if said.get(option) is not None:
            device[key] = units.to_text(said[option], f"{where}: {option}")
    return device


def _nic_config(where: str, said: Mapping[str, Any]) -> dict[str, str | None]:
    config = units.to_texts(said, f"{where}: config")
    # A null takes away what an option once said: not set, it would be kept.
    taken = sorted(key for key, value in config.items() if key in _NIC_KEYS and value is not None)
    if taken:
        raise Invalid(f"{where}: config: {taken[0]} has an option of its own", "use that option")
    return config


def _number(said: object, what: str, least: int, most: int) -> str:
    # Ansible lets a boolean pass for a number.
    if not isinstance(said, int) or isinstance(said, bool) or not least <= said <= most:
        raise Invalid(f"{what}: {said!r:.80} is out of range", f"a whole number, {least} to {most}")
    return str(said)


def _wire(where: str, said: Mapping[str, Any]) -> dict[str, str | None]:
    network, parent, kind = said.get("network"), said.get("parent"), said.get("type")
    if bool(network) == bool(parent):
        both = "both a network and a parent" if network else "neither a network nor a parent"
        raise Invalid(f"{where} has {both}", "set network: <managed by LXD>, or parent: <on the host> with type")
    if parent and kind not in NIC_TYPES:
        raise Invalid(f"{where}: a parent needs a type", f"one of {', '.join(NIC_TYPES)}")
    if network and kind:
        raise Invalid(f"{where}: type goes with parent; a network has its own", "leave type out")
    # A null takes the key away: LXD has either a network or a parent.
    if network:
        return {"network": network, "nictype": None, "parent": None}
    return {"nictype": kind, "parent": parent, "network": None}


def _mac(said: str, where: str) -> str:
    mac = said.lower().replace("-", ":")
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1:
        raise Invalid(f"{where}: {said!r} is not the MAC of one interface", "write it as 00:16:3e:12:34:56")
    return mac


def _address(said: str, family: int, where: str) -> str:
    try:
        if said == "none":
            return said
        address = ipaddress.ip_address(said)
    except ValueError:
        address = None
    if address is None or address.version != family:
        raise Invalid(
            f"{where}: {said!r} is not an IPv{family} address", "one address without a prefix length, or none"
        )
    return str(address)


def parse_other_devices(
    said: Mapping[str, Any],
    named_disks: Sequence[DiskSpec],
    named_interfaces: Sequence[InterfaceSpec],
) -> dict[str, Mapping[str, str | None] | None]:
    """LXD's devices that have no option of ours; None is one that should be gone."""
    disk_names, nic_names = {disk.name for disk in named_disks}, {nic.name for nic in named_interfaces}
    for name in sorted(disk_names & nic_names):
        raise Invalid(f"interfaces: {name} is also one of disks", "give one of them another name")
    taken = disk_names | nic_names
    found: dict[str, Mapping[str, str | None] | None] = {}
    for name, device in said.items():
        _check_device_name(name, "devices")
        if name in taken:
            raise Invalid(f"devices: {name} is also in disks or interfaces", "declare it in one place")
        if not isinstance(device, Mapping):
            raise Invalid(f"devices: {name} is not a map", "write LXD's keys, or {state: absent}")
        if device.get("state") == "absent":
            found[name] = None
        else:
            found[name] = units.to_texts(device, f"devices.{name}")
    return found


def _check_device_name(name: object, option: str) -> None:
    if not isinstance(name, str) or not _DEVICE_NAME.fullmatch(name):
        raise Invalid(f"{option}: {name!r} can't be a device name", "letters, digits, dots, dashes and underscores")


def check_kind(name: str, found: Device | None, option: str) -> None:
    """A device that is there already is what the option is for: another kind, or the root disk, is never changed so."""
    if found is None:
        return
    kind = "root disk" if found.get("path") == "/" else str(found.get("type"))
    if kind != {"disk": "disk", "interface": "nic"}[option]:
        raise Invalid(f"{option} {name}: the VM has a {kind} of that name", f"give the {option} another name")


def is_same_device(found: Device, said: Mapping[str, str | None]) -> bool:
    """Whether a device already is as said; keys that weren't said don't count."""
    for key, value in said.items():
        if key == "hwaddr":
            if (found.get(key) or "").lower() != (value or ""):
                return False
        elif not units.is_same_value(key, found.get(key), value):
            return False
    return True


def changed_device(found: Device | None, said: Mapping[str, str | None]) -> dict[str, str]:
    """The device with what was declared put over what was found; null removes a key."""
    both: dict[str, str | None] = {**(found or {}), **said}
    return {key: value for key, value in both.items() if value is not None}


# LXD 5.0 plugs no other kinds of devices into a running VM, and unplugs no others.
_HOT = ("nic", "proxy", "usb")


def is_live(before: Device | None, after: Device | None, networks: vm_nics.Networks) -> bool:
    """Whether LXD makes this change on a running VM, and not by taking away from the guest what it may be using.

    `networks`: those of LXD's by name, as far as they were read.
    """
    if before is None or after is None:
        return _is_hot(after or before or {})
    kind = before.get("type")
    if kind == "nic":
        return vm_nics.is_live(before, after, networks)
    keys = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    # Of a disk that isn't the root, LXD changes no limits while the VM runs.
    return (
        kind == "disk" and before.get("path") == "/" and keys <= {"size", "limits.read", "limits.write", "limits.max"}
    )


def _is_hot(device: Device) -> bool:
    if device.get("type") != "disk":
        return device.get("type") in _HOT
    # A folder of the host is shared by a daemon that starts with the VM.
    return bool(device.get("pool")) or device.get("source") == "cloud-init:config"
