# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a VM host has, what of it is allocated, and what is free: the one place where any of it is counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Optional

from ..errors import Invalid
from ..model import Instance, Machine, Project, StoragePool, Volume
from .allocation import Allocation, compute_allocation, parse_limit_size
from .storage import PoolSpace, build_pool_spaces, sum_spaces, sum_storage_allocations

DEFAULT_RATIO = "1"


@dataclasses.dataclass(frozen=True)
class CapacityInput:
    """What figures are made from: a VM host as it was read.

    `project` None: nobody could see it, so nothing is known of what is ours. `pools`: over all machines, for machines
    that carry none. `state`: `resources` of `GET /1.0/projects/<name>/state`. `ratios`: "cpu", "memory" and
    "storage" as text.
    """

    project: Optional[Project]
    instances: Sequence[Instance] = ()
    volumes: Sequence[Volume] = ()
    machines: Sequence[Machine] = ()
    pools: Sequence[StoragePool] = ()
    state: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ratios: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def most_in_storage(self, total: int) -> int:
        """How much may be allocated in a storage pool of this size."""
        return compute_capacity(total, self.ratios.get("storage") or DEFAULT_RATIO)


@dataclasses.dataclass(frozen=True)
class ResourceFigure:
    """One resource: `most` may be allocated of `total`, `ours` is. What nobody can know is None.

    `others`: at least so much is used by others; it takes nothing from `free`, since it is another number a moment
    later, and what others were allocated is told to nobody but the admin: the ratio says how much of it is for us.
    """

    total: Optional[int] = None
    most: Optional[int] = None
    ours: Optional[int] = None
    others: Optional[int] = None
    limit: Optional[int] = None
    free: Optional[int] = None

    @property
    def remaining(self) -> Optional[int]:
        """What the ratio leaves, whatever the project's limit."""
        return None if self.most is None or self.ours is None else max(0, self.most - self.ours)

    @property
    def overcommitted(self) -> Optional[int]:
        """By how much more is allocated than there is."""
        return None if self.total is None or self.ours is None else max(0, self.ours - self.total)


@dataclasses.dataclass(frozen=True)
class NumaNodeFigures:
    """A NUMA node: its cores, and how many VMs are pinned to each; one that is pinned nowhere counts in none."""

    number: int
    cores: tuple[int, ...]
    pins: Mapping[int, int]
    vms: tuple[str, ...]

    @property
    def pinned_count(self) -> int:
        """How many of its cores have a VM pinned to them."""
        return len(self.pins)


@dataclasses.dataclass(frozen=True)
class MachineFigures:
    """One machine. `memory.free` is for VMs without hugepages; `hugepages` are bytes, and never overcommitted.

    `known`: whether the machine answered; without that its figures are None.
    """

    machine: Machine
    known: bool
    cores: ResourceFigure
    memory: ResourceFigure
    hugepages: ResourceFigure
    ordinary: Optional[int]
    pools: Mapping[str, PoolSpace]
    nodes: tuple[NumaNodeFigures, ...]
    instances: int


@dataclasses.dataclass(frozen=True)
class ProjectLimit:
    """One of the project's limits, which LXD holds for all its instances together."""

    key: str
    most: int
    used: int

    @property
    def remaining(self) -> int:
        """What it leaves."""
        return max(0, self.most - self.used)


@dataclasses.dataclass(frozen=True)
class HostFigures:
    """A VM host as a whole and each of its machines. `uncounted`: instances without limits that could be counted."""

    cores: ResourceFigure
    memory: ResourceFigure
    hugepages: ResourceFigure
    pools: Mapping[str, PoolSpace]
    rooms: tuple[MachineFigures, ...]
    limits: Mapping[str, ProjectLimit]
    uncounted: tuple[str, ...]


def parse_ratio(text: str, what: str) -> Fraction:
    """An overcommit ratio, exactly; raises Invalid for what is none, and for none or less than nothing."""
    try:
        exact = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise Invalid(f"{what}: {text!r:.40} is no ratio", "a number such as 1 or 1.5") from None
    if exact <= 0:
        raise Invalid(f"{what}: {text} permits no allocation", "a number above 0, such as 1 or 1.5")
    return exact


def compute_capacity(total: int, ratio_text: str) -> int:
    """How much may be allocated of `total`: exact, rounded down."""
    return int(Fraction(ratio_text) * total)


def count_capacity(reading: CapacityInput) -> HostFigures:
    """Everything counted."""
    page = max((each.resources.hugepages_size for each in reading.machines if each.resources), default=0)
    alone = len(reading.machines) == 1
    memories = {each.member: each.resources.memory_total for each in reading.machines if each.resources}
    single = next(iter(memories.values()), None) if alone else None
    promises = [
        (each, compute_allocation(each, single if alone else memories.get(each.location), page))
        for each in reading.instances
    ]
    ours = [promise for _instance, promise in promises]
    limits = _limits(reading, ours)
    shared = sum_storage_allocations(ours, reading.volumes)
    rooms = tuple(
        _room(
            machine,
            [pair for pair in promises if alone or pair[0].location == machine.member],
            [each for each in reading.volumes if alone or each.location == machine.member],
            shared,
            reading,
        )
        for machine in reading.machines
    )
    return HostFigures(
        cores=_over_all(rooms, lambda room: room.cores, _sum_of(ours, "cores", reading), limits.get("cpu")),
        memory=_over_all(rooms, lambda room: room.memory, _sum_of(ours, "memory", reading), limits.get("memory")),
        hugepages=_over_all(rooms, lambda room: room.hugepages, _sum_of(ours, "hugepages", reading), None),
        pools=_pools(reading, rooms, shared, limits),
        rooms=tuple(_capped(room, limits) for room in rooms),
        limits=limits,
        uncounted=tuple(sorted(instance.name for instance, promise in promises if not promise.counted)),
    )


def read_project_limits(reading: CapacityInput) -> dict[str, ProjectLimit]:
    """The project's limits alone, by their names without the prefix, and what is used under them."""
    return _limits(reading, [compute_allocation(each) for each in reading.instances])


def _sum_of(promises: Iterable[Allocation], key: str, reading: CapacityInput) -> Optional[int]:
    return None if reading.project is None else sum(getattr(promise, key) or 0 for promise in promises)


def _room(
    machine: Machine,
    promises: Sequence[tuple[Instance, Allocation]],
    volumes: Sequence[Volume],
    shared: Mapping[str, int],
    reading: CapacityInput,
) -> MachineFigures:
    here = [promise for _instance, promise in promises]
    alone = len(reading.machines) == 1
    found, blind = machine.resources, reading.project is None
    cores, memory, huge = (_sum_of(here, key, reading) for key in ("cores", "memory", "hugepages"))
    running = sum(promise.memory or 0 for instance, promise in promises if instance.status != "Stopped")
    own = {
        **sum_storage_allocations(here, volumes),
        **{pool.name: shared.get(pool.name, 0) for pool in machine.pools if pool.shared},
    }
    ordinary = _ordinary(machine, memory, huge, reading.ratios.get("memory"))
    return MachineFigures(
        machine=machine,
        known=found is not None,
        cores=_figure(found.threads if found else None, cores, reading.ratios.get("cpu")),
        memory=_with_ordinary(
            _figure(
                found.memory_total if found else None,
                memory,
                reading.ratios.get("memory"),
                max(0, found.memory_used - running) if found and not blind else None,
            ),
            ordinary,
        ),
        hugepages=_figure(found.hugepages_total if found else None, huge, DEFAULT_RATIO),
        ordinary=ordinary,
        pools=build_pool_spaces(
            machine.pools or (reading.pools if alone else ()), None if blind else own, reading.most_in_storage
        ),
        nodes=tuple(_node(node, promises) for node in (found.nodes if found else ())),
        instances=len(here),
    )


def _figure(
    total: Optional[int], ours: Optional[int], by: Optional[str], others: Optional[int] = None
) -> ResourceFigure:
    most = None if total is None else compute_capacity(total, by or DEFAULT_RATIO)
    free = None if most is None or ours is None else max(0, most - ours)
    return ResourceFigure(total, most, ours, others, None, free)


def _with_ordinary(figure: ResourceFigure, ordinary: Optional[int]) -> ResourceFigure:
    return figure if ordinary is None else dataclasses.replace(figure, free=min(figure.free or 0, ordinary))


def _ordinary(machine: Machine, memory: Optional[int], huge: Optional[int], by: Optional[str]) -> Optional[int]:
    """Memory left for VMs without hugepages: what the host set aside as hugepages is no memory to anybody else."""
    found = machine.resources
    if found is None or memory is None or huge is None:
        return None
    return max(
        0, compute_capacity(max(0, found.memory_total - found.hugepages_total), by or DEFAULT_RATIO) - (memory - huge)
    )


def _node(node: Mapping[str, Any], promises: Sequence[tuple[Instance, Allocation]]) -> NumaNodeFigures:
    there = set(node["cores"])
    pins: dict[int, int] = {}
    vms = []
    for instance, promise in promises:
        # One that is mapped to the node runs on any of its cores.
        its = there if node["numa_node"] in promise.nodes else there & set(promise.pinned)
        for core in its:
            pins[core] = pins.get(core, 0) + 1
        if its:
            vms.append(instance.name)
    return NumaNodeFigures(node["numa_node"], tuple(sorted(there)), pins, tuple(sorted(vms)))


def _limits(reading: CapacityInput, ours: Sequence[Allocation]) -> dict[str, ProjectLimit]:
    """The project's limits and what is used under them: as LXD counts it where it was asked, never less than we do."""
    if reading.project is None:
        return {}
    disks = sum_storage_allocations(ours, reading.volumes)
    used = {
        "cpu": sum(each.cores or 0 for each in ours),
        "memory": sum(each.memory or 0 for each in ours),
        "disk": sum(disks.values()),
        "instances": len(reading.instances),
        "virtual-machines": sum(each.is_vm for each in reading.instances),
        **{f"disk.pool.{pool}": count for pool, count in disks.items()},
    }
    found = {}
    for key, value in reading.project.config.items():
        kind = key[len("limits.") :] if key.startswith("limits.") else ""
        most = parse_limit_size(value)
        if most is not None and (kind in used or kind.startswith("disk.pool.")):
            usage = (reading.state.get(kind) or {}).get("Usage") or 0
            found[kind] = ProjectLimit(key, most, max(used.get(kind, 0), usage))
    return found


def _over_all(
    rooms: Sequence[MachineFigures],
    of: Callable[[MachineFigures], ResourceFigure],
    ours: Optional[int],
    limit: Optional[ProjectLimit],
) -> ResourceFigure:
    """One resource over all machines: what one has too much of is no room on another."""
    parts = [of(room) for room in rooms]

    def total(key: str) -> Optional[int]:
        known = [getattr(part, key) for part in parts]
        return None if not known or None in known else sum(known)

    return _under(ResourceFigure(total("total"), total("most"), ours, total("others"), None, total("free")), limit)


def _under(figure: ResourceFigure, limit: Optional[ProjectLimit]) -> ResourceFigure:
    if limit is None:
        return figure
    free = None if figure.free is None else min(figure.free, limit.remaining)
    return dataclasses.replace(figure, limit=limit.most, free=free)


def _capped(room: MachineFigures, limits: Mapping[str, ProjectLimit]) -> MachineFigures:
    """The same machine under the limits of the project, which all machines share."""
    if not limits:
        return room
    pools = {name: space.capped(find_pool_limit(limits, name)) for name, space in room.pools.items()}
    cores, memory = _under(room.cores, limits.get("cpu")), _under(room.memory, limits.get("memory"))
    return dataclasses.replace(room, cores=cores, memory=memory, pools=pools)


def find_pool_limit(limits: Mapping[str, ProjectLimit], pool: str) -> Optional[int]:
    """What the project's limits leave of a storage pool; None where there is none."""
    left = [limits[key].remaining for key in ("disk", f"disk.pool.{pool}") if key in limits]
    return min(left) if left else None


def _pools(
    reading: CapacityInput, rooms: Sequence[MachineFigures], ours: Mapping[str, int], limits: Mapping[str, ProjectLimit]
) -> dict[str, PoolSpace]:
    names = list(dict.fromkeys([pool.name for pool in reading.pools] + [name for room in rooms for name in room.pools]))
    whole = build_pool_spaces(reading.pools, None if reading.project is None else ours, reading.most_in_storage)
    found = {}
    for name in names:
        parts = [room.pools[name] for room in rooms if name in room.pools]
        space = sum_spaces(parts) if len(parts) == len(rooms) and parts else whole.get(name) or sum_spaces(parts)
        found[name] = space.capped(find_pool_limit(limits, name))
    return found
