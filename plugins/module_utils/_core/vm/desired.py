# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bodies that LXD gets for a VM, and which of their differences a running one takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

from ..errors import Invalid
from ..model import OWNER, Instance, Server
from ..plan import KNOWN_AFTER_APPLY
from ..project.restrictions import usable_bridges
from ..units import format_size, is_same_value, parse_size
from . import checks as vm_checks
from . import devices as vm_devices
from . import nics as vm_nics
from .edits import InheritedKeys, InstanceBody, InstanceEdit
from .host import VmHostReading
from .spec import VmSpec

Devices = Mapping[str, Mapping[str, str]]

# LXD 5.0 takes these on a running VM; of the rest it refuses some and takes others only for the next start.
_LIVE_CONFIG = re.compile(r"(user|cloud-init|snapshots)\..*|boot\.(?!mode$).*|cluster\.evacuate|security\.devlxd")

# LXD's own defaults, written down: a project with limits refuses a VM that doesn't say.
_DEFAULTS = {"limits.cpu": "1", "limits.memory": "1GiB"}


def new(spec: VmSpec, host: VmHostReading) -> InstanceBody:
    """A VM that isn't there yet; everything it refers to is looked up here."""
    profiles = spec.profiles or ()
    inherited = InheritedKeys.of(profiles, host)
    config = {key: value for key, value in _said_config(spec, host.server).items() if value}
    for key, value in _DEFAULTS.items():
        if key not in inherited.config:
            config.setdefault(key, value)
    config[OWNER] = host.owner
    devices = _new_devices(spec, host, inherited.devices)
    _check_root({**inherited.devices, **devices}, "devices")
    vm_checks.check_references(spec, {**inherited.config, **config}, devices, host, {**inherited.devices, **devices})
    source = vm_checks.image_source(spec.image, host)
    instance = Instance(
        name=spec.name,
        type="virtual-machine",
        status="Stopped",
        location=spec.target or "none",
        description=spec.description or "",
        architecture=spec.architecture or "",
        config=config,
        devices=devices,
        expanded_config={**inherited.config, **config},
        expanded_devices={**inherited.devices, **devices},
        profiles=tuple(profiles),
        last_used_at="",
    )
    return InstanceBody(instance, (), source)


def _said_config(spec: VmSpec, server: Server) -> dict[str, str | None]:
    config = {**spec.config, **spec.annotations}
    if spec.secure_boot is not None:
        if server.has("instance_boot_mode"):
            config["boot.mode"] = "uefi-secureboot" if spec.secure_boot else "uefi-nosecureboot"
        else:
            config["security.secureboot"] = "true" if spec.secure_boot else "false"
    return config


def _new_devices(
    spec: VmSpec, host: VmHostReading, inherited: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    disks, interfaces = spec.disks, spec.interfaces
    if not disks and not any(device.get("path") == "/" for device in inherited.values()):
        disks = vm_devices.parse_disks(spec.name, [{}])
    if interfaces is None and not any(device.get("type") == "nic" for device in inherited.values()):
        interfaces = vm_devices.parse_interfaces([_default_interface(host)])
    roots = [name for name, device in inherited.items() if device.get("path") == "/"]
    said: dict[str, Mapping[str, str | None]] = {
        # A VM has one root disk: what is declared of it goes over a profile's, whatever that one is called.
        **{
            roots[0] if disk.root and roots else disk.name: disk.device(pool_of(disk, host))
            for disk in disks or ()
            if not disk.absent
        },
        **{nic.name: nic.device() for nic in interfaces or () if not nic.absent},
        **{name: device for name, device in spec.devices.items() if device is not None},
    }
    devices = {name: vm_devices.changed_device(None, device) for name, device in said.items()}
    boot = spec.boot or (None if spec.image else "network")
    for name, device in _boot_order(boot, {**inherited, **devices}).items():
        devices[name] = vm_devices.changed_device(device, {})
    return devices


def _default_interface(host: VmHostReading) -> dict[str, str]:
    if host.unread and not host.default_network:
        return {"network": KNOWN_AFTER_APPLY}
    if not host.default_network:
        raise Invalid(
            "interfaces: not set, and the VM host has no default_network",
            "set interfaces (an empty list for none), or default_network with tenantry.lxd.lxd_vmhost",
        )
    if host.default_network in usable_bridges(host.project.config):
        return {"parent": host.default_network, "type": "bridged"}
    return {"network": host.default_network}


def pool_of(disk: vm_devices.DiskSpec, host: VmHostReading) -> str:
    """The storage pool of a new disk: the said one, the VM host's default, or the only one there is."""
    pools = [pool.name for pool in host.listings.pools] if host.listings else []
    pool = disk.pool or host.default_storage_pool or (pools[0] if len(pools) == 1 else None)
    if pool is None and host.unread:
        return KNOWN_AFTER_APPLY
    if pool is None:
        raise Invalid(
            f"disk {disk.name}: no storage_pool is set, and the VM host has no default_storage_pool",
            f"set storage_pool; existing: {', '.join(sorted(pools)) or 'none'}",
        )
    return pool


def _priority(device: Mapping[str, str]) -> int:
    # LXD gives the root disk a 1 of its own.
    return int(device.get("boot.priority") or (1 if device.get("path") == "/" else 0))


def _boot_order(boot: str | None, devices: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """The devices whose boot.priority must change for the said order; empty where it holds already."""
    nics = {name: device for name, device in devices.items() if device.get("type") == "nic"}
    root = {name: device for name, device in devices.items() if device.get("path") == "/"}
    if boot is None or not nics or not root:
        return {}
    best_nic = max(sorted(nics), key=lambda name: (_priority(nics[name]), name == min(nics)))
    first, second = (nics[best_nic], root) if boot == "network" else (next(iter(root.values())), nics)
    highest = max(_priority(device) for device in second.values())
    if _priority(first) > highest:
        return {}
    name = best_nic if boot == "network" else next(iter(root))
    return {name: {**first, "boot.priority": str(highest + 9)}}


def build_update(spec: VmSpec, instance: Instance, host: VmHostReading) -> InstanceBody:
    """What differs between a VM and what was declared of it."""
    inherited, then = None, instance
    if spec.profiles not in (None, instance.profiles) and host.listings is not None:
        inherited = InheritedKeys.of(spec.profiles or (), host)
        then = inherited.under(instance)
    edits = [*_config_edits(spec, instance, then, host.server), *_device_edits(spec, instance, then, host)]
    if spec.description is not None and spec.description != instance.description:
        edits.append(InstanceEdit("description", "description", spec.description, True))
    if spec.profiles is not None and spec.profiles != instance.profiles:
        edits.append(InstanceEdit("profiles", "profiles", spec.profiles, False))
    body = InstanceBody(instance, tuple(edits), inherited=inherited)
    if edits:
        _check_root(body.instance.expanded_devices, "profiles" if inherited else "devices")
        # Only what changes is looked up: what a VM has had all along may have been allowed by somebody else.
        brought = {edit.key: edit.value for edit in edits if edit.where == "devices" and edit.value}
        keys = {edit.key: edit.value for edit in edits if edit.where == "config" and edit.value}
        vm_checks.check_references(spec, keys, brought, host, body.instance.expanded_devices)
    return body


def _check_root(devices: Mapping[str, Mapping[str, str]], option: str) -> None:
    """LXD 5.0 takes the root disk off a VM that doesn't run when it is told to."""
    roots = sorted(name for name, device in devices.items() if device.get("path") == "/")
    if len(roots) != 1:
        number = f"two root disks, {' and '.join(roots)}" if roots else "no root disk"
        raise Invalid(f"{option}: the VM would have {number}", "declare the root disk as the first entry of disks")


def _config_edits(spec: VmSpec, instance: Instance, then: Instance, server: Server) -> list[InstanceEdit]:
    """Edits of `then`, which has the said profiles; whether they are live is for the instance as it runs to say."""
    edits = []
    for key, value in sorted(_said_config(spec, server).items()):
        if value is None:
            if key in instance.config:
                edits.append(InstanceEdit("config", key, None, _is_live(key, instance, None)))
        elif not is_same_value(key, then.expanded_config.get(key), value):
            edits.append(InstanceEdit("config", key, value, _is_live(key, instance, value)))
    return edits


def _is_live(key: str, instance: Instance, value: str | None) -> bool:
    if key == "limits.cpu":
        before = instance.expanded_config.get(key) or "1"
        # A guest takes another core; giving one back is refused by most.
        return before.isdigit() and str(value).isdigit() and int(str(value)) >= int(before)
    return _LIVE_CONFIG.fullmatch(key) is not None


def _device_edits(spec: VmSpec, instance: Instance, then: Instance, host: VmHostReading) -> list[InstanceEdit]:
    found, runs_with = then.expanded_devices, instance.expanded_devices
    after: dict[str, Optional[Mapping[str, str]]] = {}
    for disk in spec.disks or ():
        name, device = _disk(disk, found, runs_with, host)
        after[name] = device
    for nic in spec.interfaces or ():
        vm_devices.check_kind(nic.name, found.get(nic.name), "interface")
        after[nic.name] = None if nic.absent else _merge_devices(found.get(nic.name), nic.said, nic.device())
    for name, said in spec.devices.items():
        after[name] = None if said is None else _merge_devices(found.get(name), said, said)
    for name, device in after.items():
        if device is None and name in found and name not in instance.devices:
            raise Invalid(f"device {name} comes with a profile", "it can't be taken from the VM alone; change profiles")
    planned = {name: device for name, device in {**found, **after}.items() if device is not None}
    after.update(_boot_order(spec.boot, planned))
    changes = {
        name: device
        for name, device in sorted(after.items())
        if device != found.get(name) and (device is not None or name in instance.devices)
    }
    waiting = _waiting(changes, runs_with, host)
    return [InstanceEdit("devices", name, device, name not in waiting) for name, device in changes.items()]


def _waiting(changes: Mapping[str, Optional[Mapping[str, str]]], runs_with: Devices, host: VmHostReading) -> set[str]:
    """The changes of devices that a running VM doesn't take."""
    networks = {network.name: network for network in host.listings.networks} if host.listings else {}
    nics = vm_nics.select_nics(runs_with)
    waiting = set()
    for name, device in changes.items():
        # A root disk that a profile gave and that comes from the VM itself now: LXD never has two.
        new_root = name not in runs_with and device is not None and device.get("path") == "/"
        if new_root or not vm_devices.is_live(runs_with.get(name), device, networks):
            waiting.add(name)
    for name in sorted(changes):
        device = changes[name]
        if name not in runs_with and device is not None and device.get("type") == "nic":
            if vm_nics.is_plugged(name, nics, changes):
                nics[name] = device
            else:
                waiting.add(name)
    return waiting


def _merge_devices(
    found: Mapping[str, str] | None, said: Mapping[str, str | None], device: Mapping[str, str | None]
) -> Mapping[str, str]:
    if found is None:
        return vm_devices.changed_device(None, device)
    return found if vm_devices.is_same_device(found, said) else vm_devices.changed_device(found, said)


def _disk(
    disk: vm_devices.DiskSpec, found: Devices, runs_with: Devices, host: VmHostReading
) -> tuple[str, Mapping[str, str] | None]:
    if not disk.root:
        there = found.get(disk.name)
        vm_devices.check_kind(disk.name, there, "disk")
        attached = there is not None and there.get("source") == disk.volume
        _check_pool(disk, there if attached else None)
        if disk.absent:
            return disk.name, None
        if not attached:
            place = disk.device(pool_of(disk, host))
            return disk.name, vm_devices.changed_device(there, {**place, "path": None})
        return disk.name, _merge_devices(there, disk.config, {})
    # Profiles that change may take the root device away, and the disk stays.
    name, there = next(((name, each) for name, each in found.items() if each.get("path") == "/"), (disk.name, None))
    old = there or next((each for each in runs_with.values() if each.get("path") == "/"), {})
    _check_pool(disk, old)
    said = dict(disk.config)
    if disk.size is not None:
        check_growth(disk.name, old.get("size"), disk.size)
        said["size"] = format_size(disk.size)
    return name, _merge_devices(there, said, disk.device(old.get("pool") or pool_of(disk, host)))


def _check_pool(disk: vm_devices.DiskSpec, there: Mapping[str, str] | None) -> None:
    if disk.pool and there and there.get("pool") != disk.pool:
        raise Invalid(
            f"disk {disk.name} is in storage pool {there.get('pool')}, not {disk.pool}",
            "set the pool that it is in; this module moves no disks",
        )


def check_growth(name: str, found: str | None, wanted: int) -> None:
    """A disk only grows: LXD refuses to shrink a block volume, and a filesystem would lose its end."""
    if found and parse_size(found, f"disk {name}") > wanted:
        raise Invalid(
            f"disk {name} has {found}, more than the {format_size(wanted)} declared", "a disk is never shrunk"
        )
