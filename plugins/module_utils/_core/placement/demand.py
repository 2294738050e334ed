# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a VM asks of the VM host that it goes to, or of its own where it grows; nothing where it stays as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Optional

from ..capacity.allocation import DEFAULT_DISK, Allocation, compute_allocation, get_volume_size, parse_limit_size
from ..model import Instance
from ..vm.cores import PinningSpec
from ..vm.devices import DiskSpec
from ..vm.edits import InheritedKeys
from ..vm.host import VmHostReading
from ..vm.images import find_images
from ..vm.spec import VmSpec
from .candidates import HostFilters
from .pinning import has_pinned_cores

_SIZES = ("limits.cpu", "limits.cpu.nodes", "limits.memory", "limits.memory.hugepages")


@dataclasses.dataclass(frozen=True)
class Demand:
    """One VM to be placed, or (`at`: VM host and member) one that is there and grows by these amounts.

    `key` tells it from the others of the task. `hugepages`: the part of `memory` (bytes) that is of hugepages.
    `pinned`: the cores that are declared; `pinning`: so many are to be chosen; `own`: those that it has. `disks`: bytes
    by storage pool, None for the VM host's default one. `networks`: names that must be there. `target`: a member or
    "@group". `percent`: its memory is declared as a percentage. `image`: one of the server's own, by alias or
    fingerprint. `filters`, `architecture`: who is asked.
    """

    key: str
    name: str
    cores: int = 1
    memory: int = 1 << 30
    hugepages: int = 0
    pinned: tuple[int, ...] = ()
    pinning: Optional[PinningSpec] = None
    own: tuple[int, ...] = ()
    numa_nodes: tuple[int, ...] = ()
    disks: Mapping[Optional[str], int] = dataclasses.field(default_factory=dict)
    filters: HostFilters = dataclasses.field(default_factory=HostFilters)
    architecture: Optional[str] = None
    networks: frozenset[str] = frozenset()
    target: Optional[str] = None
    at: Optional[tuple[str, str]] = None
    percent: bool = False
    image: Optional[str] = None


def compute_demand(
    key: str,
    spec: VmSpec,
    hosts: Sequence[VmHostReading],
    filters: Optional[HostFilters] = None,
) -> Optional[Demand]:
    """What a VM asks; None where it asks for nothing, or where its own plan says why not.

    `hosts`: the one that it is on or is declared to be on, or those that it may be made on. Share one `filters` among
    the VMs that may go to the same hosts. Where profiles of one name say different things on different hosts, it is the
    most of them.
    """
    if spec.state == "absent" or not hosts:
        return None
    filters = filters or HostFilters(vmhosts=tuple(sorted(host.name for host in hosts)))
    instance = hosts[0].instances.get(spec.name) if len(hosts) == 1 else None
    if instance is not None:
        return _growth(key, spec, instance, hosts[0], filters)
    asked = hosts if spec.profiles else hosts[:1]
    promises = [_promise(spec, None, host) for host in asked]
    disks = _new_disks(spec, asked, hosts[0] if len(hosts) == 1 else None)
    memory = max(each.memory or 0 for each in promises)
    return Demand(
        key=key,
        name=spec.name,
        cores=max(each.cores or 1 for each in promises),
        memory=memory,
        hugepages=memory if any(each.hugepages for each in promises) else 0,
        pinned=promises[0].pinned if spec.pinning is None else (),
        pinning=spec.pinning,
        numa_nodes=promises[0].nodes,
        disks=disks,
        filters=filters,
        architecture=spec.architecture or _image_architecture(spec, hosts),
        networks=_networks(spec),
        target=spec.target,
        percent=any(each.memory is None for each in promises),
        image=spec.image.name if spec.image and spec.image.is_local else None,
    )


def _image_architecture(spec: VmSpec, hosts: Sequence[VmHostReading]) -> Optional[str]:
    """That of an image of the server's own; of one that LXD fetches it takes the one that fits."""
    if spec.image is None or not spec.image.is_local:
        return None
    for host in hosts:
        found = find_images(spec.image.name, host.listings.images) if host.listings else []
        if found:
            return found[0].architecture or None
    return None


def _growth(key: str, spec: VmSpec, instance: Instance, host: VmHostReading, filters: HostFilters) -> Optional[Demand]:
    if instance.is_unreachable or not instance.is_vm or instance.owner != host.owner:
        return None
    memory = _memory_of(instance, host)
    now, then = compute_allocation(instance, memory), _promise(spec, instance, host, memory)
    settled = has_pinned_cores(spec, instance)
    repinned = spec.pinning is None and then.pinned != now.pinned
    pinned_now = then.pinned if repinned else ()
    disks = _more_disks(spec, instance, host) if instance.is_complete else _remade_disks(spec, now, host)
    ask = Demand(
        key=key,
        name=spec.name,
        cores=max(0, (then.cores or 0) - (now.cores or 0)),
        memory=max(0, (then.memory or 0) - (now.memory or 0)),
        hugepages=max(0, then.hugepages - now.hugepages),
        pinned=pinned_now,
        pinning=None if settled else spec.pinning,
        own=now.pinned,
        numa_nodes=then.nodes if then.nodes != now.nodes else (),
        disks=disks,
        filters=filters,
        at=(host.name, instance.location or "none"),
    )
    asks = (ask.cores, ask.memory, ask.hugepages, ask.pinned, ask.pinning, ask.numa_nodes, ask.disks)
    return ask if any(asks) else None


def _memory_of(instance: Instance, host: VmHostReading) -> Optional[int]:
    machines = [each for each in host.machines if len(host.machines) == 1 or each.member == instance.location]
    return machines[0].resources.memory_total if machines and machines[0].resources else None


def _promise(
    spec: VmSpec, instance: Optional[Instance], host: VmHostReading, machine_memory: Optional[int] = None
) -> Allocation:
    """What the VM will be allocated, disks aside."""
    if instance is None:
        instance = _blank(spec.name, InheritedKeys.of(spec.profiles or (), host).config)
    elif spec.profiles not in (None, instance.profiles) and host.listings is not None:
        instance = InheritedKeys.of(spec.profiles or (), host).under(instance)
    config = dict(instance.expanded_config)
    for name in _SIZES:
        if name in spec.config:
            config[name] = spec.config[name] or ""
    if spec.pinning is not None:
        config["limits.cpu"] = str(spec.pinning.count)
    return compute_allocation(dataclasses.replace(instance, expanded_config=config), machine_memory)


def _blank(name: str, config: Mapping[str, str]) -> Instance:
    return Instance.from_api({"name": name, "type": "virtual-machine", "expanded_config": config})


def _networks(spec: VmSpec) -> frozenset[str]:
    said = [nic.said.get("network") for nic in spec.interfaces or () if not nic.absent]
    return frozenset(name for name in said if name)


def _new_disks(spec: VmSpec, hosts: Sequence[VmHostReading], only: Optional[VmHostReading]) -> dict[Optional[str], int]:
    """The disks of a VM that is to be made; a volume that is there already is allocated already."""
    found: dict[Optional[str], int] = {}
    roots = [_inherited_root(spec, host) for host in hosts]
    pool = spec.disks[0].pool if spec.disks else roots[0].get("pool")
    said = (spec.disks[0].size or DEFAULT_DISK) if spec.disks else 0
    found[pool] = said or max(parse_limit_size(root.get("size")) or DEFAULT_DISK for root in roots)
    for disk in spec.disks or ():
        if not disk.root and not disk.absent:
            found[disk.pool] = found.get(disk.pool, 0) + _more_of(disk, disk.pool, only)
    return found


def _inherited_root(spec: VmSpec, host: VmHostReading) -> Mapping[str, Optional[str]]:
    """The root disk of a VM whose task lists no disks: of `devices`, or of a profile."""
    said = [device for device in spec.devices.values() if device and device.get("path") == "/"]
    inherited = InheritedKeys.of(spec.profiles or (), host).devices.values()
    roots: list[Mapping[str, Optional[str]]] = [*said, *(device for device in inherited if device.get("path") == "/")]
    return roots[0] if roots else {}


def _more_disks(spec: VmSpec, instance: Instance, host: VmHostReading) -> dict[Optional[str], int]:
    found: dict[Optional[str], int] = {}
    devices = instance.expanded_devices
    for disk in spec.disks or ():
        if disk.absent:
            continue
        if disk.root:
            root = next((each for each in devices.values() if each.get("path") == "/"), {})
            pool: Optional[str] = root.get("pool")
            more = max(0, (disk.size or 0) - (parse_limit_size(root.get("size")) or DEFAULT_DISK))
        else:
            there = devices.get(disk.name, {})
            pool = there.get("pool") if there.get("source") == disk.volume else disk.pool
            more = _more_of(disk, pool, host)
        if more:
            found[pool] = found.get(pool, 0) + more
    return found


def _remade_disks(spec: VmSpec, now: Allocation, host: VmHostReading) -> dict[Optional[str], int]:
    """One that a crash left half made is made again, in the room that it has."""
    default = host.default_storage_pool
    new = _new_disks(spec, [host], host)
    more = {pool: max(0, count - now.disks.get(pool or default or "", 0)) for pool, count in new.items()}
    return {pool: count for pool, count in more.items() if count}


def _more_of(disk: DiskSpec, pool: Optional[str], host: Optional[VmHostReading]) -> int:
    """How much more a further disk asks than its volume has; one that isn't there yet asks for all of it."""
    there = host.volumes.get((pool or host.default_storage_pool or "", disk.volume)) if host else None
    if there is None:
        return disk.size or DEFAULT_DISK
    return max(0, (disk.size or 0) - get_volume_size(there))
