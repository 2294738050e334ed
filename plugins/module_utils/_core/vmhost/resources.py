# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a VM host has, as people and programs are shown it: the figures of capacity, and what they can't count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from ..capacity import figures as capacity
from ..capacity.figures import CapacityInput, HostFigures, MachineFigures, NumaNodeFigures, ResourceFigure
from ..capacity.storage import PoolSpace
from .found import VmHostState


def count_resources(reading: VmHostState, ratios: Optional[Mapping[str, str]] = None) -> HostFigures:
    """The figures of a VM host as it was found; `ratios` by "cpu", "memory" and "storage", each 1 where not set."""
    return capacity.count_capacity(
        CapacityInput(
            project=reading.project,
            instances=reading.instances,
            volumes=tuple(reading.volumes.values()),
            machines=reading.machines,
            pools=reading.pools,
            state=reading.state,
            ratios=ratios or {},
        )
    )


def build_resources_view(reading: VmHostState, ratios: Mapping[str, str]) -> dict[str, Any]:
    """Everything that the VM host has, by kind, for people and programs; without a project there is nothing of ours."""
    seen = count_resources(reading, ratios)
    return {
        "cores": _build_figure_view(seen.cores, ratios["cpu"]),
        "memory": {
            **_build_figure_view(seen.memory, ratios["memory"]),
            "used": _over(reading, lambda each: each.memory_used),
            "hugepages": {**_pages(seen.hugepages), "size": _over(reading, lambda each: each.hugepages_size, max)},
        },
        "uncounted": list(seen.uncounted) if reading.project else [],
        "storage_pools": [_pool(space, ratios["storage"]) for space in seen.pools.values()],
        "networks": [_network(network.name, network.type, network.managed, reading) for network in reading.networks],
        "numa_nodes": [row for room in seen.rooms for row in _nodes(room)],
        "members": [_member(room, ratios) for room in seen.rooms] if reading.server.clustered else [],
    }


def _over(
    reading: VmHostState, of: Callable[[Any], int], combine: Callable[[Iterable[int]], int] = sum
) -> Optional[int]:
    known = [machine.resources for machine in reading.machines]
    return None if not known or None in known else combine([of(each) for each in known])


def _build_figure_view(figure: ResourceFigure, ratio: str) -> dict[str, Any]:
    return {
        "total": figure.total,
        "overcommit": ratio,
        "limit": figure.limit,
        "ours": figure.ours,
        "others": figure.others,
        "free": figure.free,
        "overcommitted": figure.overcommitted,
    }


def _pages(figure: ResourceFigure) -> dict[str, Any]:
    return {"total": figure.total, "ours": figure.ours, "free": figure.free}


def _pool(space: PoolSpace, ratio: str) -> dict[str, Any]:
    known = space.ours is not None and space.total is not None
    return {
        "name": space.name,
        "driver": space.driver,
        "status": space.status,
        "total": space.total,
        "used": space.used,
        "overcommit": ratio,
        "ours": space.ours,
        "others": space.others,
        "free": space.free,
        "overcommitted": max(0, (space.ours or 0) - (space.total or 0)) if known else None,
        "same_filesystem": list(space.beside),
    }


def _network(name: str, kind: str, managed: bool, reading: VmHostState) -> dict[str, Any]:
    devices = [device for instance in reading.instances for device in instance.expanded_devices.values()]
    ours = sum(
        device.get("type") == "nic" and name in (device.get("network"), device.get("parent")) for device in devices
    )
    return {
        "name": name,
        "type": kind,
        "managed": managed,
        "ours": ours if reading.project else None,
        "others": None,
    }


def _member(room: MachineFigures, ratios: Mapping[str, str]) -> dict[str, Any]:
    return {
        "member": room.machine.member,
        "status": room.machine.status,
        "cores": _build_figure_view(room.cores, ratios["cpu"]),
        "memory": {**_build_figure_view(room.memory, ratios["memory"]), "hugepages": _pages(room.hugepages)},
        "storage_pools": [_pool(space, ratios["storage"]) for space in room.pools.values()],
    }


def _nodes(room: MachineFigures) -> list[dict[str, Any]]:
    read = room.machine.resources.nodes if room.machine.resources else ()
    return [_node(room.machine.member, node, each) for node, each in zip(room.nodes, read)]


def _node(member: str, node: NumaNodeFigures, read: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "member": member,
        "numa_node": node.number,
        "vms": list(node.vms),
        "cores": {
            "total": len(node.cores),
            "list": list(node.cores),
            "ours": node.pinned_count,
            "others": None,
            "free": len(node.cores) - node.pinned_count,
        },
        "memory": {"total": read["memory"], "used": read["memory_used"]},
        "hugepages": read["hugepages"],
        "interfaces": read["interfaces"],
    }
