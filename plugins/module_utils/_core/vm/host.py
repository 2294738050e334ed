# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one VM host holds that a compose needs to know, and what else to read before planning."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ..model import Image, Instance, Machine, Network, Project, Server, StoragePool, Volume
from .devices import DiskSpec, InterfaceSpec, is_same_device
from .spec import VmSpec


@dataclasses.dataclass(frozen=True)
class VmHostListings:
    """What a VM may refer to: read only when something is to be made, to say before any write what isn't there."""

    networks: tuple[Network, ...]
    pools: tuple[StoragePool, ...]
    profiles: Mapping[str, Mapping[str, Any]]
    images: tuple[Image, ...]


@dataclasses.dataclass(frozen=True)
class VmHostReading:
    """One VM host as found, and what its registry entry says for VMs that don't say it themselves.

    `machines` are read only when something is to be placed or grows, `state` (the project's limits and usage as LXD
    counts them) with them. `ratios`: the overcommit ratios in force, by "cpu", "memory" and "storage", as decimal
    text.
    `zone`, `pool` and `tags` are the registry entry's, to choose hosts by.

    `volumes`: the custom volumes, anybody's, in the storage pools of `read_pools`, which are those that were read.

    `addresses`: of networks that give static addresses, the bridge's own as "10.0.0.1/24".

    `unread`: check mode, where an earlier task would have made what there is to read; nothing of it can be looked up.
    """

    name: str
    owner: str
    project: Project
    server: Server
    instances: Mapping[str, Instance]
    volumes: Mapping[tuple[str, str], Volume]
    listings: VmHostListings | None = None
    default_storage_pool: str | None = None
    default_network: str | None = None
    unread: bool = False
    machines: tuple[Machine, ...] = ()
    state: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ratios: Mapping[str, str] = dataclasses.field(default_factory=dict)
    zone: str | None = None
    pool: str | None = None
    tags: frozenset[str] = frozenset()
    addresses: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    read_pools: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class HostReadingNeeds:
    """What to read beyond the server, the project and its instances. `pools` None means all of them.

    `addressed`: the networks that give static addresses, whose own addresses say which there can be.
    """

    pools: frozenset[str] | None
    listings: bool
    addressed: frozenset[str] = frozenset()


def find_reading_needs(wanted: Sequence[VmSpec], host: VmHostReading) -> HostReadingNeeds:
    """The listings behind a plan: volumes of pools with extra disks, and what new things refer to."""
    pools: set[str] = set()
    everywhere = listings = False
    for vm in wanted:
        instance = host.instances.get(vm.name)
        if vm.state == "absent":
            # Volumes of a VM whose deletion was interrupted may lie in any pool.
            everywhere = True
            continue
        listings = listings or instance is None or not instance.is_complete or _refers_to_new_objects(vm, instance)
        pools |= _pools(vm, host)
        # A disk that was detached says no pool any more.
        everywhere = everywhere or any(disk.delete_volume and not disk.pool for disk in vm.disks or ())
    addressed = frozenset(name for vm in wanted if vm.state != "absent" for name in _find_addressed_networks(vm, host))
    return HostReadingNeeds(None if everywhere else frozenset(pools), listings, addressed)


def _pools(vm: VmSpec, host: VmHostReading) -> set[str]:
    extra = [disk for disk in vm.disks or () if not disk.root]
    instance = host.instances.get(vm.name)
    devices = instance.expanded_devices if instance else {}
    found = {_pool(disk, devices.get(disk.name, {}), host) for disk in extra}
    return {pool for pool in found if pool}


def _pool(disk: DiskSpec, device: Mapping[str, str], host: VmHostReading) -> str | None:
    """Where the volume of a further disk is; a device of that name with another volume says nothing of it."""
    attached_in = device.get("pool") if device.get("source") == disk.volume else None
    return attached_in or disk.pool or host.default_storage_pool


def _is_changed(nic: InterfaceSpec, devices: Mapping[str, Mapping[str, str]]) -> bool:
    return not nic.absent and (nic.name not in devices or not is_same_device(devices[nic.name], nic.said))


def _find_addressed_networks(vm: VmSpec, host: VmHostReading) -> list[str]:
    """The networks of new or changed interfaces with a static address."""
    instance = host.instances.get(vm.name)
    devices = instance.expanded_devices if instance else {}
    changed = [{**devices.get(nic.name, {}), **nic.said} for nic in vm.interfaces or () if _is_changed(nic, devices)]
    static = [nic for nic in changed if nic.get("ipv4.address") or nic.get("ipv6.address")]
    return [str(nic.get("network") or nic.get("parent")) for nic in static]


def _refers_to_new_objects(vm: VmSpec, instance: Instance) -> bool:
    """Whether the VM refers to something that it doesn't use yet."""
    devices = instance.expanded_devices
    new_disk = any(not disk.absent and disk.name not in devices for disk in vm.disks or () if not disk.root)
    new_nic = any(_is_changed(nic, devices) for nic in vm.interfaces or ())
    new_other = any(
        device is not None and (name not in devices or not is_same_device(devices[name], device))
        for name, device in vm.devices.items()
    )
    return new_disk or new_nic or new_other or vm.profiles not in (None, instance.profiles)
