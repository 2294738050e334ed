# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cores of a VM host's machines and the VMs that are pinned to them, by NUMA node and for whole machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from .._core.capacity.allocation import compute_memory

# The number of colours for VMs; where they don't suffice, the names beside the cores tell VMs apart.
_HUES = 8


@dataclasses.dataclass(frozen=True)
class Core:
    """One core of the host and the VMs that are pinned to it; `hue` is 0 for none, -1 for several."""

    number: int
    vms: tuple[str, ...]
    hue: int


@dataclasses.dataclass(frozen=True)
class PinnedVm:
    """A VM that is pinned to cores of a node."""

    name: str
    cores: str
    hue: int


@dataclasses.dataclass(frozen=True)
class Node:
    """A NUMA node, or a whole machine (`number` is None)."""

    member: str
    number: Optional[int]
    cores: tuple[Core, ...]
    taken: int
    pinned: tuple[PinnedVm, ...]
    memory: Optional[int]
    used: Optional[int]
    allocated: int
    hugepages: int
    interfaces: tuple[Mapping[str, Any], ...]


def read_nodes(row: Mapping[str, Any]) -> list[Node]:
    """Return every NUMA node of every machine."""
    hues = _hues(row)
    return [_node(node, row, hues) for node in (row.get("resources") or {}).get("numa_nodes") or ()]


def merge_nodes(nodes: Sequence[Node]) -> list[Node]:
    """Return the machines, each with the cores of all its nodes."""
    machines: dict[str, list[Node]] = {}
    for node in nodes:
        machines.setdefault(node.member, []).append(node)
    return [_whole(member, parts) for member, parts in machines.items()]


def find_unpinned(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the VMs that may run on any core; a VM on a member that doesn't answer is unknown, and left out."""
    on_nodes = {name for node in (row.get("resources") or {}).get("numa_nodes") or () for name in node["vms"]}
    return [vm for vm in row.get("vms") or () if vm["name"] not in on_nodes and vm["cores"] is not None]


def format_ranges(cores: Iterable[int]) -> str:
    """Return cores as text: "0-3, 8"."""
    found: list[list[int]] = []
    for core in sorted(set(cores)):
        if found and core == found[-1][1] + 1:
            found[-1][1] = core
        else:
            found.append([core, core])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in found)


def _hues(row: Mapping[str, Any]) -> dict[str, int]:
    """Choose a colour for each VM on a node, the same in both views."""
    names = {name for node in (row.get("resources") or {}).get("numa_nodes") or () for name in node["vms"]}
    return {name: place % _HUES + 1 for place, name in enumerate(sorted(names))}


def _node(node: Mapping[str, Any], row: Mapping[str, Any], hues: Mapping[str, int]) -> Node:
    cores = node["cores"]["list"]
    vms = {vm["name"]: vm for vm in row.get("vms") or () if vm["name"] in node["vms"]}
    # A VM that is bound to the node and pinned to no core runs on all of its cores.
    on = {name: set(vm["pinned_cores"] or cores) & set(cores) for name, vm in vms.items()}
    return Node(
        member=node["member"],
        number=node["numa_node"],
        cores=tuple(_core(core, on, hues) for core in cores),
        taken=sum(any(core in its for its in on.values()) for core in cores),
        pinned=tuple(PinnedVm(name, format_ranges(its), hues[name]) for name, its in sorted(on.items())),
        memory=node["memory"]["total"],
        used=node["memory"]["used"],
        allocated=sum(_share(vm, row, node) for vm in vms.values()),
        hugepages=node["hugepages"] or 0,
        interfaces=tuple(node.get("interfaces") or ()),
    )


def _core(number: int, on: Mapping[str, set[int]], hues: Mapping[str, int]) -> Core:
    vms = tuple(sorted(name for name, cores in on.items() if number in cores))
    return Core(number, vms, hues[vms[0]] if len(vms) == 1 else -len(vms[:1]))


def _share(vm: Mapping[str, Any], row: Mapping[str, Any], node: Mapping[str, Any]) -> int:
    """Return the part of a VM's memory on this node: the same part as that of its cores."""
    memory = compute_memory(vm["memory"], True, _machine_memory(row, node["member"])) or 0
    pinned = vm["pinned_cores"]
    if pinned:
        return memory * len(set(pinned) & set(node["cores"]["list"])) // len(pinned)
    nodes = [each for each in row["resources"]["numa_nodes"] if vm["name"] in each["vms"]]
    return memory // max(1, len(nodes))


def _machine_memory(row: Mapping[str, Any], member: str) -> Optional[int]:
    """Return the memory of the node's machine, to which a limit in percent refers."""
    parts = [each for each in row["resources"]["members"] if each["member"] == member] or [row["resources"]]
    total: Optional[int] = parts[0]["memory"]["total"]
    return total


def _whole(member: str, parts: Sequence[Node]) -> Node:
    cores = sorted((core for part in parts for core in part.cores), key=lambda core: core.number)
    on: dict[str, list[int]] = {}
    hues = {vm.name: vm.hue for part in parts for vm in part.pinned}
    for core in cores:
        for name in core.vms:
            on.setdefault(name, []).append(core.number)
    return Node(
        member=member,
        number=None,
        cores=tuple(cores),
        taken=sum(part.taken for part in parts),
        pinned=tuple(PinnedVm(name, format_ranges(its), hues[name]) for name, its in sorted(on.items())),
        memory=sum(part.memory or 0 for part in parts),
        used=sum(part.used or 0 for part in parts),
        allocated=sum(part.allocated for part in parts),
        hugepages=sum(part.hugepages for part in parts),
        interfaces=tuple(port for part in parts for port in part.interfaces),
    )
