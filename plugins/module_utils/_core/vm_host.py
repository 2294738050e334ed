# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one VM host holds that a compose needs to know, and what else to read before planning."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from .model import Image, Instance, Network, Project, Server, StoragePool, Volume
from .vm import Wanted
from .vm_devices import Disk


@dataclasses.dataclass(frozen=True)
class Listings:
    """What a VM may refer to: read only when something is to be made, to say before any write what isn't there."""

    networks: tuple[Network, ...]
    pools: tuple[StoragePool, ...]
    profiles: Mapping[str, Mapping[str, Any]]
    images: tuple[Image, ...]


@dataclasses.dataclass(frozen=True)
class Host:
    """One VM host as found, and what its registry entry says for VMs that don't say it themselves.

    `unread`: check mode, where an earlier task would have made what there is to read; nothing of it can be looked up.
    """

    name: str
    owner: str
    project: Project
    server: Server
    instances: Mapping[str, Instance]
    volumes: Mapping[tuple[str, str], Volume]
    listings: Listings | None = None
    default_storage_pool: str | None = None
    default_network: str | None = None
    unread: bool = False


@dataclasses.dataclass(frozen=True)
class Needs:
    """What to read beyond the server, the project and its instances. `pools` None means all of them."""

    pools: frozenset[str] | None
    listings: bool


def needs(wanted: Sequence[Wanted], host: Host) -> Needs:
    """The listings behind a plan: volumes of pools with extra disks, and what new things refer to."""
    pools: set[str] = set()
    everywhere = listings = False
    for vm in wanted:
        instance = host.instances.get(vm.name)
        if vm.state == "absent":
            # Volumes of a VM whose deletion was cut short may lie in any pool.
            everywhere = True
            continue
        listings = listings or instance is None or not instance.whole or _brings_something(vm, instance)
        pools |= _pools(vm, host)
        # A disk that was detached says no pool any more.
        everywhere = everywhere or any(disk.delete_volume and not disk.pool for disk in vm.disks or ())
    return Needs(None if everywhere else frozenset(pools), listings)


def _pools(vm: Wanted, host: Host) -> set[str]:
    extra = [disk for disk in vm.disks or () if not disk.root]
    instance = host.instances.get(vm.name)
    devices = instance.expanded_devices if instance else {}
    found = {_pool(disk, devices.get(disk.name, {}), host) for disk in extra}
    return {pool for pool in found if pool}


def _pool(disk: Disk, device: Mapping[str, str], host: Host) -> str | None:
    """Where the volume of a further disk is; a device of that name with another volume says nothing of it."""
    attached_in = device.get("pool") if device.get("source") == disk.volume else None
    return attached_in or disk.pool or host.default_storage_pool


def _brings_something(vm: Wanted, instance: Instance) -> bool:
    """Whether the VM refers to something that it doesn't use yet."""
    devices = instance.expanded_devices
    new_disk = any(not disk.absent and disk.name not in devices for disk in vm.disks or () if not disk.root)
    new_nic = any(
        not nic.absent and (nic.name not in devices or nic.said.get("network") != devices[nic.name].get("network"))
        for nic in vm.interfaces or ()
    )
    new_other = any(device is not None and name not in devices for name, device in vm.devices.items())
    return new_disk or new_nic or new_other or vm.profiles not in (None, instance.profiles)
