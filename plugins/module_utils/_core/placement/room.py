# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The room on each machine while VMs are being placed: what is left of it, and what a VM would lack there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from ..capacity import figures as capacity
from ..capacity.allocation import round_to_pages
from ..capacity.figures import CapacityInput, HostFigures, MachineFigures
from ..capacity.storage import PoolSpace
from ..errors import Invalid
from ..units import is_true
from ..vm.host import VmHostReading
from ..vmhost.found import select_counted_volumes
from .demand import Demand
from .pinning import choose_cores, satisfies_pinning

# More than any machine has: where nobody knows how much there is, or nothing limits it.
PLENTY = 1 << 62
# Shares are compared as whole numbers, in parts of this.
_SCALE = 1 << 40

CORES, MEMORY, HUGEPAGES, DISK, COUNT = "cores", "memory", "hugepages", "storage", "instances"


class Budget:
    """Bytes that several disks are paid from: a filesystem, or a limit of the project."""

    __slots__ = ("remaining",)

    def __init__(self, left: Optional[int]) -> None:
        self.remaining = PLENTY if left is None else left


class HostLedger:
    """One VM host: its figures, and what the project's limits leave to all its machines together."""

    def __init__(self, host: VmHostReading) -> None:
        self.host, self.name = host, host.name
        self.wrong: Optional[Invalid] = None
        self.known = bool(host.machines) and not host.unread
        self.figures: Optional[HostFigures] = None
        try:
            for kind, text in host.ratios.items():
                capacity.parse_ratio(text, f"{host.name}: {kind}_overcommit")
            self.figures = capacity.count_capacity(_build_capacity_input(host)) if self.known else None
        except Invalid as wrong:
            self.wrong = wrong
        self.cores = self.memory = self.count = PLENTY
        rooms = sorted(self.figures.rooms, key=lambda room: room.machine.member) if self.figures else [None]
        self.places = [MachineLedger(self, room) for room in rooms]
        self.reset()

    def reset(self) -> None:
        """Everything as it was found."""
        limits = self.figures.limits if self.figures else {}
        left = {key: limit.remaining for key, limit in limits.items()}
        self.cores, self.memory = left.get("cpu", PLENTY), left.get("memory", PLENTY)
        self.count = min(left.get("instances", PLENTY), left.get("virtual-machines", PLENTY))
        shared: dict[str, Budget] = {}
        bounds = {key: Budget(count) for key, count in left.items() if key == "disk" or key.startswith("disk.pool.")}
        for place in self.places:
            place.reset(shared, bounds)

    @property
    def default_pool(self) -> Optional[str]:
        """The storage pool of a disk that says none: the registry's, or the only one there is."""
        pools = [pool.name for pool in self.host.listings.pools] if self.host.listings else self.pools
        return self.host.default_storage_pool or (pools[0] if len(pools) == 1 else None)

    @property
    def pools(self) -> list[str]:
        """All storage pools."""
        return list(self.figures.pools) if self.figures else []


def _build_capacity_input(host: VmHostReading) -> CapacityInput:
    return CapacityInput(
        project=host.project,
        instances=tuple(host.instances.values()),
        volumes=tuple(select_counted_volumes(host.project, host.volumes).values()),
        machines=host.machines,
        pools=host.listings.pools if host.listings else (),
        state=host.state,
        ratios=host.ratios,
    )


class MachineLedger:
    """One machine that VMs may go to; `room` None where nothing of the host could be read."""

    __slots__ = (
        "book",
        "budgets",
        "cores",
        "default_pool",
        "hugepages",
        "index",
        "label",
        "member",
        "memory",
        "most_cores",
        "most_memory",
        "ordinary",
        "page",
        "pins",
        "room",
        "used_cores",
        "used_memory",
        "vms",
    )

    def __init__(self, book: HostLedger, room: Optional[MachineFigures]) -> None:
        self.book, self.room, self.index = book, room, 0
        clustered = book.host.server.clustered and room is not None
        self.member = room.machine.member if room else ""
        self.label = f"{book.name}/{self.member}" if clustered else book.name
        self.default_pool = book.default_pool
        self.page = room.machine.resources.hugepages_size if room and room.machine.resources else 0
        self.most_cores = self.most_memory = self.used_cores = self.used_memory = self.vms = 0
        self.cores = self.memory = self.ordinary = self.hugepages = PLENTY
        self.pins: dict[int, int] = {}
        self.budgets: dict[str, tuple[Budget, ...]] = {}

    @property
    def named_member(self) -> str:
        """The member to say to LXD: none where there is no cluster, or where the project may name none."""
        config = self.book.host.project.config
        closed = is_true(config.get("restricted")) and config.get("restricted.cluster.target") != "allow"
        return self.member if self.book.host.server.clustered and not closed else ""

    def reset(self, shared: dict[str, Budget], bounds: Mapping[str, Budget]) -> None:
        """Everything as it was found; `shared`: the budgets of pools that all members have in common."""
        room = self.room
        if room is None:
            return
        self.cores, self.memory = _or_plenty(room.cores.remaining), _or_plenty(room.memory.remaining)
        self.ordinary, self.hugepages = _or_plenty(room.ordinary), _or_plenty(room.hugepages.remaining)
        self.most_cores, self.used_cores = room.cores.most or 0, room.cores.ours or 0
        self.most_memory, self.used_memory = room.memory.most or 0, room.memory.ours or 0
        self.vms = room.instances
        self.pins = {core: count for node in room.nodes for core, count in node.pins.items()}
        self.budgets = {}
        for space in room.pools.values():
            limits = [bounds[key] for key in ("disk", f"disk.pool.{space.name}") if key in bounds]
            self.budgets[space.name] = (self._find_budget(space, shared), *limits)

    def _find_budget(self, space: PoolSpace, shared: dict[str, Budget]) -> Budget:
        if space.shared:
            return shared.setdefault(space.name, Budget(space.left))
        beside = [self.budgets[name][0] for name in space.beside if name in self.budgets]
        return beside[0] if beside else Budget(space.left)

    def share(self) -> int:
        """How much of what may be allocated is, of cores or of memory, whichever is more."""
        cores = self.used_cores * _SCALE // self.most_cores if self.most_cores else 0
        memory = self.used_memory * _SCALE // self.most_memory if self.most_memory else 0
        return max(cores, memory)

    def lacks(self, ask: Demand) -> str:
        """What there is too little of; empty where the VM fits."""
        book = self.book
        if ask.cores > self.cores or ask.cores > book.cores:
            return CORES
        huge = round_to_pages(ask.hugepages, self.page) if ask.hugepages else 0
        if ask.memory > self.memory or ask.memory > book.memory or ask.memory - ask.hugepages > self.ordinary:
            return MEMORY
        if huge > self.hugepages:
            return HUGEPAGES
        if ask.at is None and book.count < 1:
            return COUNT
        return "" if self._holds(ask.disks) else DISK

    def _holds(self, disks: Mapping[Optional[str], int]) -> bool:
        asked: dict[Budget, int] = {}
        for pool, count in disks.items():
            for budget in self.budgets.get(pool or self.default_pool or "", ()):
                asked[budget] = asked.get(budget, 0) + count
                if asked[budget] > budget.remaining:
                    return False
        return True

    def take(self, ask: Demand) -> tuple[int, ...]:
        """Allocate it; returns the cores that were chosen for it."""
        book = self.book
        self.cores, book.cores = self.cores - ask.cores, book.cores - ask.cores
        self.memory, book.memory = self.memory - ask.memory, book.memory - ask.memory
        self.ordinary -= max(0, ask.memory - ask.hugepages)
        self.hugepages -= round_to_pages(ask.hugepages, self.page)
        self.used_cores, self.used_memory = self.used_cores + ask.cores, self.used_memory + ask.memory
        for pool, count in ask.disks.items():
            for budget in self.budgets.get(pool or self.default_pool or "", ()):
                budget.remaining -= count
        if ask.at is None:
            self.vms += 1
            book.count -= 1
        return self._pin(ask)

    def _pin(self, ask: Demand) -> tuple[int, ...]:
        for node in self.room.nodes if self.room and ask.numa_nodes else ():
            for core in node.cores if node.number in ask.numa_nodes else ():
                self.pins[core] = self.pins.get(core, 0) + 1
        if not ask.pinned and ask.pinning is None:
            return ()
        for core in ask.own:
            self.pins[core] = self.pins.get(core, 1) - 1
        chosen = ask.pinned
        if ask.pinning is not None:
            nodes = self.room.nodes if self.room else ()
            # What fulfils the wish stays, whatever is less used by now.
            has_them = satisfies_pinning(ask.pinning, ask.own, nodes)
            chosen = ask.own if has_them else choose_cores(ask.pinning, nodes, self.pins, ask.own) or ()
        for core in chosen:
            self.pins[core] = self.pins.get(core, 0) + 1
        return chosen if ask.pinning is not None else ()


def _or_plenty(left: Optional[int]) -> int:
    return PLENTY if left is None else left


def build_ledgers(hosts: Sequence[VmHostReading]) -> list[HostLedger]:
    """The books of all hosts and, numbered by their labels, the places in them."""
    books = [HostLedger(host) for host in sorted(hosts, key=lambda each: each.name)]
    places = sorted((place for book in books for place in book.places), key=lambda each: each.label)
    for index, place in enumerate(places):
        place.index = index
    return books
