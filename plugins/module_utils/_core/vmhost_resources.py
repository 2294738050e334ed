# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a VM host has and what of it is promised: counted from declared limits, stopped VMs too; unseen is None."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Optional

from . import units
from .errors import Invalid
from .model import Instance, StoragePool, Volume
from .view import cores, pinned
from .vmhost_found import Found

# What LXD gives a VM that says nothing: one core, 1 GiB of memory, and a disk of 10 GiB.
_VM_MEMORY = "1GiB"
_VM_DISK = "10GiB"


@dataclasses.dataclass(frozen=True)
class Promised:
    """What the instances of the project may use together; `uncounted` have no limit, or one that says no number."""

    cores: int
    memory: int
    uncounted: tuple[str, ...] = ()


def capacity(total: int, ratio: str) -> int:
    """How much may be promised of `total`: exact, rounded down."""
    return int(Fraction(ratio) * total)


def total_cores(found: Found) -> Optional[int]:
    """What LXD counts as cores (`limits.cpu`): threads; None while a machine doesn't answer."""
    return _sum(found, lambda resources: resources.threads)


def total_memory(found: Found) -> Optional[int]:
    """Bytes; None while a machine doesn't answer."""
    return _sum(found, lambda resources: resources.memory_total)


def promised(instances: Iterable[Instance], memory: Optional[int]) -> Promised:
    """The sum of limits; `memory` is the host's, of which LXD takes a percentage."""
    cpu, size, uncounted = 0, 0, []
    for instance in instances:
        count, limit = _cores_of(instance), _memory_of(instance, memory)
        cpu, size = cpu + (count or 0), size + (limit or 0)
        if count is None or limit is None:
            uncounted.append(instance.name)
    return Promised(cpu, size, tuple(sorted(uncounted)))


def resources(found: Found, cpu_ratio: str, memory_ratio: str) -> dict[str, Any]:
    """Everything that the VM host has, by kind, for people and programs; without a project there is nothing of ours."""
    memory = total_memory(found)
    sum_of_ours = promised(found.instances, memory) if found.project else None
    config: Mapping[str, str] = found.project.config if found.project else {}
    ours_cores = sum_of_ours.cores if sum_of_ours else None
    ours_memory = sum_of_ours.memory if sum_of_ours else None
    return {
        "cores": _counted(total_cores(found), ours_cores, cpu_ratio, config.get("limits.cpu")),
        "memory": {
            **_counted(memory, ours_memory, memory_ratio, config.get("limits.memory")),
            "used": _sum(found, lambda each: each.memory_used),
            "hugepages": {
                "total": _sum(found, lambda each: each.hugepages_total),
                "size": _sum(found, lambda each: each.hugepages_size, max),
            },
        },
        "uncounted": list(sum_of_ours.uncounted) if sum_of_ours else [],
        "storage_pools": [_pool(pool, found) for pool in found.pools],
        "networks": [_network(network.name, network.type, network.managed, found) for network in found.networks],
        "numa_nodes": _nodes(found),
    }


def _sum(found: Found, of: Callable[[Any], int], combine: Callable[[Iterable[int]], int] = sum) -> Optional[int]:
    known = [machine.resources for machine in found.machines]
    return None if not known or None in known else combine([of(each) for each in known])


def _cores_of(instance: Instance) -> Optional[int]:
    limit = instance.expanded_config.get("limits.cpu")
    # A container without a limit may use every core.
    return cores(limit) if limit or instance.is_vm else None


def _memory_of(instance: Instance, total: Optional[int]) -> Optional[int]:
    limit = instance.expanded_config.get("limits.memory") or (_VM_MEMORY if instance.is_vm else "")
    if limit.endswith("%") and limit[:-1].isdigit():
        return None if total is None else total * int(limit[:-1]) // 100
    return _size(limit)


def _size(text: Optional[str]) -> Optional[int]:
    try:
        return units.size(text, "") if text else None
    except Invalid:
        return None


def _counted(total: Optional[int], ours: Optional[int], ratio: str, limit: Optional[str]) -> dict[str, Any]:
    """One resource. What other projects have promised is seen by nobody but the admin, so it is in no figure here."""
    held = _size(limit)
    may = [each for each in (None if total is None else capacity(total, ratio), held) if each is not None]
    unknown = total is None or ours is None
    return {
        "total": total,
        "overcommit": ratio,
        "limit": held,
        "ours": ours,
        "others": None,
        "free": None if unknown else max(0, min(may) - (ours or 0)),
        "overcommitted": None if unknown else max(0, (ours or 0) - (total or 0)),
    }


def _pool(pool: StoragePool, found: Found) -> dict[str, Any]:
    ours = _promised_on(pool.name, found.instances, found.volumes.values()) if found.project else None
    measured = pool.total is not None and pool.used is not None
    return {
        "name": pool.name,
        "driver": pool.driver,
        "status": pool.status,
        "total": pool.total,
        "used": pool.used,
        "ours": ours,
        "others": None,
        "free": max(0, (pool.total or 0) - (pool.used or 0)) if measured else None,
        "overcommitted": None if ours is None or pool.total is None else max(0, ours - pool.total),
    }


def _promised_on(pool: str, instances: Iterable[Instance], volumes: Iterable[Volume]) -> int:
    roots = 0
    for instance in instances:
        for device in instance.expanded_devices.values():
            if device.get("type") == "disk" and device.get("path") == "/" and device.get("pool") == pool:
                # A container's disk without a size may grow until the pool is full: only what is said is promised.
                roots += _size(device.get("size") or (_VM_DISK if instance.is_vm else "")) or 0
    held = [volume for volume in volumes if volume.pool == pool]
    default = {"block": _VM_DISK}
    return roots + sum(_size(each.config.get("size") or default.get(each.content_type)) or 0 for each in held)


def _network(name: str, kind: str, managed: bool, found: Found) -> dict[str, Any]:
    devices = [device for instance in found.instances for device in instance.expanded_devices.values()]
    ours = sum(
        device.get("type") == "nic" and name in (device.get("network"), device.get("parent")) for device in devices
    )
    return {
        "name": name,
        "type": kind,
        "managed": managed,
        "ours": ours if found.project else None,
        "others": None,
    }


def _nodes(found: Found) -> list[dict[str, Any]]:
    nodes = []
    for machine in found.machines:
        here = [each for each in found.instances if len(found.machines) == 1 or each.location == machine.member]
        nodes += [_node(machine.member, node, here) for node in (machine.resources.nodes if machine.resources else ())]
    return nodes


def _node(member: str, node: Mapping[str, Any], instances: Sequence[Instance]) -> dict[str, Any]:
    """A NUMA node and the VMs mapped to it; one that is pinned nowhere uses any, and is counted in none."""
    there = set(node["cores"])
    mapped = {each.name: there & _mapped_cores(each, node) for each in instances}
    ours = set().union(*mapped.values()) if mapped else set()
    return {
        "member": member,
        "numa_node": node["numa_node"],
        "vms": sorted(name for name, its in mapped.items() if its),
        "cores": {
            "total": len(there),
            "list": sorted(there),
            "ours": len(ours),
            "others": None,
            "free": len(there - ours),
        },
        "memory": {"total": node["memory"], "used": node["memory_used"]},
        "hugepages": node["hugepages"],
    }


def _mapped_cores(instance: Instance, node: Mapping[str, Any]) -> set[int]:
    config = instance.expanded_config
    if str(node["numa_node"]) in config.get("limits.cpu.nodes", "").split(","):
        return set(node["cores"])
    return set(pinned(config.get("limits.cpu")) or ())
