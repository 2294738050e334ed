# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which machine each VM goes to: one answer for the whole list, the same each time, with its reasons.

The order in which hosts and VMs are given has no part in it: the largest VM goes first, then by name, and VM hosts are
taken by how much of them is allocated, then by name. What one VM is allocated is not there for the next. If somebody
would go without room that way, a few other orders are tried before the list is refused.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Optional

from ..errors import Invalid, TenantryError
from ..vm.cores import format_cpu_set
from ..vm.host import VmHostReading
from .candidates import HostFilters
from .constraints import Objection, find_host_objection, find_machine_objection, is_requested, target_not_found
from .demand import Demand
from .failures import FailureLedger, no_room_error
from .room import HostLedger, MachineLedger, build_ledgers

Order = Callable[[Demand], int]

STRATEGIES = ("spread", "pack")

# With so few candidates it is cheaper to look at each than to walk down the ranking of all.
_FEW = 8
# How often it is looked whether a VM fits a place until no further order is tried.
_PATIENCE = 1_000_000


@dataclasses.dataclass(frozen=True)
class PlacementChoice:
    """Where one VM goes. `member`: of a cluster; empty where there is none, or where the project leaves it to LXD.

    `cores`: those that were chosen for `pinned_cores` as a map. `against`: by reason, the other candidates (VM host, or
    VM host and member) that it speaks against; VMs of a kind share it.
    """

    host: str
    member: str
    cores: tuple[int, ...]
    reason: str
    against: Mapping[str, tuple[str, ...]]


@dataclasses.dataclass(frozen=True)
class Placements:
    """By the key of each ask: a choice, or why there is none; if anything is refused, nothing should be written."""

    chosen: Mapping[str, PlacementChoice]
    refused: Mapping[str, TenantryError]


class _Group:
    """VMs that the same places are candidates for."""

    def __init__(self, candidates: list[MachineLedger], reasons: list[tuple[str, Objection]]) -> None:
        self.candidates, self.reasons = candidates, reasons
        self.indices = frozenset(place.index for place in candidates)
        self.against: dict[str, tuple[str, ...]] = _by_reason((label, each.text) for label, each in reasons)


class _Shape:
    """VMs of a group that ask the same. `full`: places without room for one of them, and what they lack.

    While VMs are placed room only shrinks, so that a place that was too full for one is so for all that follow.
    """

    def __init__(self, group: _Group) -> None:
        self.group = group
        self.full: dict[int, str] = {}
        self.told: dict[tuple[int, int], Mapping[str, tuple[str, ...]]] = {}


def place_vms(asks: Sequence[Demand], hosts: Sequence[VmHostReading], strategy: str = "spread") -> Placements:
    """Choose a place for every VM. `spread`: where the least is allocated; `pack`: where the most is and it fits.

    Everything that is refused is refused at once: NoRoom with the figures of each VM host, or what stands against all
    of them. Raises Invalid for a strategy that is none.
    """
    if strategy not in STRATEGIES:
        raise Invalid(f"strategy: {strategy!r:.40} is none of {', '.join(STRATEGIES)}")
    search = _Search(asks, hosts)
    found = search.first(strategy)
    chosen = {ask.key: found.chosen[ask.key] for ask in asks if ask.key in found.chosen}
    refused = {**search.unfit, **found.refused}
    return Placements(chosen, {ask.key: refused[ask.key] for ask in asks if ask.key in refused})


class _Search:
    """All asks over all books, tried in one order after the other."""

    def __init__(self, asks: Sequence[Demand], hosts: Sequence[VmHostReading]) -> None:
        self.books = build_ledgers(hosts)
        self.places = sorted((each for book in self.books for each in book.places), key=lambda each: each.index)
        self.ledger = FailureLedger(self.places)
        self._by_name = {book.name: book for book in self.books}
        self.unfit: dict[str, TenantryError] = {}
        self._looks = 0
        self._groups: dict[object, _Group] = {}
        self._filters: dict[HostFilters, int] = {}
        self._seen: dict[int, int] = {}
        self.asks: list[tuple[Demand, _Group]] = []
        for ask in asks:
            group = self._group(ask)
            if group.candidates:
                self.asks.append((ask, group))
            else:
                self.unfit[ask.key] = no_room_error(ask, group.reasons)

    def _select_ledgers(self, filters: HostFilters) -> list[HostLedger]:
        if filters.vmhosts is None:
            return self.books
        return [self._by_name[name] for name in sorted(set(filters.vmhosts)) if name in self._by_name]

    def first(self, strategy: str) -> Placements:
        """The first try that places everybody; else what the very first one refuses."""
        orders: tuple[Order, ...] = (_by_size(self.places), _by_memory, _by_cores, _by_disk)
        found, without = self._try(orders[0], strategy)
        refused = self._refused(without)
        tries = [(order, strategy) for order in orders[1:]]
        tries += [(order, "pack") for order in orders[:2] if strategy != "pack"]
        for order, way in tries if without and not self._is_hopeless(without) else ():
            again, lacking = self._try(order, way)
            if not lacking:
                return Placements(again, {})
            if self._looks > _PATIENCE:
                break
        return Placements(found, refused)

    def _is_hopeless(self, without: Sequence[tuple[Demand, _Shape]]) -> bool:
        """Whether no order helps: one of them fits nowhere on its own, or all of them are more than there is."""
        self._reset()
        cores, memory = sum(each.cores for each in self.places), sum(each.memory for each in self.places)
        if sum(ask.cores for ask, _group in self.asks) > cores or sum(ask.memory for ask, _group in self.asks) > memory:
            return True
        return any(all(each.lacks(ask) for each in shape.group.candidates) for ask, shape in without)

    def _refused(self, without: Sequence[tuple[Demand, _Shape]]) -> dict[str, TenantryError]:
        """The errors of those that a try left without a place, told by the room as that try left it."""
        told = {}
        for ask, shape in without:
            group = shape.group
            told[ask.key] = self.ledger.no_room_error(ask, group.candidates, shape.full, group.reasons)
        return told

    def _reset(self) -> None:
        for book in self.books:
            book.reset()

    def _try(self, order: Order, way: str) -> tuple[dict[str, PlacementChoice], list[tuple[Demand, _Shape]]]:
        """Every VM in turn: the choices, and those for which there is no room."""
        self._reset()
        ranking = sorted(_rank(each, way) for each in self.places)
        shapes: dict[object, _Shape] = {}
        chosen: dict[str, PlacementChoice] = {}
        without: list[tuple[Demand, _Shape]] = []
        ordered = sorted(
            self.asks,
            # Who has no choice goes first: others may make room for it, and it for nobody.
            key=lambda each: (len(each[1].candidates) > 1, -order(each[0]), each[0].name, each[0].key),
        )
        for ask, group in ordered:
            key = (id(group), ask.cores, ask.memory, ask.hugepages, frozenset(ask.disks.items()))
            shape = shapes.get(key) or shapes.setdefault(key, _Shape(group))
            found = self._best(ask, shape, ranking, way)
            if found is None:
                without.append((ask, shape))
                continue
            at = bisect_left(ranking, _rank(found, way))
            del ranking[at]
            cores = found.take(ask)
            insort(ranking, _rank(found, way))
            chosen[ask.key] = _choice(ask, shape, found, cores, way)
        return chosen, without

    def _best(
        self, ask: Demand, shape: _Shape, ranking: Sequence[tuple[int, int, int]], way: str
    ) -> Optional[MachineLedger]:
        group, full = shape.group, shape.full
        few: Iterable[tuple[int, int, int]] = ranking
        if len(group.candidates) <= _FEW:
            few = sorted(_rank(each, way) for each in group.candidates)
        for rank in few:
            index = rank[2]
            if index in full or index not in group.indices:
                continue
            self._looks += 1
            lacking = self.places[index].lacks(ask)
            if not lacking:
                return self.places[index]
            full[index] = lacking
        return None

    def _group(self, ask: Demand) -> _Group:
        # Many VMs share one map of filters, which may name hundreds of hosts: it is compared once.
        filters = self._seen.get(id(ask.filters))
        if filters is None:
            filters = self._filters.setdefault(ask.filters, len(self._filters))
            self._seen[id(ask.filters)] = filters
        key = (
            *(
                filters,
                ask.target,
                ask.architecture,
                ask.image,
                ask.networks,
                ask.at,
                ask.pinned,
                ask.pinning,
                ask.numa_nodes,
            ),
            *(bool(ask.hugepages), ask.percent, frozenset(ask.disks)),
        )
        if key not in self._groups:
            self._groups[key] = _grouped(ask, self._select_ledgers(ask.filters))
        return self._groups[key]


def _grouped(ask: Demand, asked: Sequence[HostLedger]) -> _Group:
    candidates: list[MachineLedger] = []
    reasons: list[tuple[str, Objection]] = []
    for book in asked:
        wrong = find_host_objection(ask, book, len(asked) > 1)
        places = [each for each in book.places if is_requested(ask, each)]
        if wrong is None and not places:
            wrong = target_not_found(ask, book)
        if wrong is not None:
            reasons.append((book.name, wrong))
            continue
        for each in places:
            wrong = find_machine_objection(ask, each)
            if wrong is None:
                candidates.append(each)
            else:
                reasons.append((each.label, wrong))
    return _Group(candidates, reasons)


def _rank(place_: MachineLedger, way: str) -> tuple[int, int, int]:
    """The next place to try comes first: by what is allocated there, by how many instances, by name."""
    share = place_.share()
    return (-share, -place_.vms, place_.index) if way == "pack" else (share, place_.vms, place_.index)


def _by_size(places: Iterable[MachineLedger]) -> Order:
    """By the larger of its shares in all cores and in all memory there are."""
    known = list(places)
    cores, memory = sum(each.most_cores for each in known) or 1, sum(each.most_memory for each in known) or 1
    return lambda ask: max(ask.cores * memory, ask.memory * cores)


def _by_memory(ask: Demand) -> int:
    return ask.memory


def _by_cores(ask: Demand) -> int:
    return ask.cores


def _by_disk(ask: Demand) -> int:
    return sum(ask.disks.values())


def _by_reason(labelled: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for label, text in labelled:
        found.setdefault(text, []).append(label)
    return {text: tuple(labels) for text, labels in found.items()}


def _choice(ask: Demand, shape: _Shape, found: MachineLedger, cores: tuple[int, ...], way: str) -> PlacementChoice:
    key = (found.index, len(shape.full))
    if key not in shape.told:
        shape.told[key] = _explain_candidates(shape, found, way)
    reason = _reason(ask, shape, way) + (f"; pinned to {format_cpu_set(cores)}, the least used" if cores else "")
    if found.book.host.server.clustered and found.room and not found.named_member and ask.at is None:
        reason += "; LXD chooses the member, the project may name none"
    return PlacementChoice(found.book.name, found.named_member, cores, reason, shape.told[key])


def _explain_candidates(shape: _Shape, found: MachineLedger, way: str) -> Mapping[str, tuple[str, ...]]:
    rest = "as much or more of it is allocated" if way == "spread" else "as much or less of it is allocated"
    others = [each for each in shape.group.candidates if each is not found]
    dynamic = _by_reason(
        (each.label, f"too little free: {shape.full[each.index]}" if each.index in shape.full else rest)
        for each in others
    )
    return {**shape.group.against, **dynamic}


def _reason(ask: Demand, shape: _Shape, way: str) -> str:
    if ask.at is not None:
        return "it is there already"
    count = len(shape.group.candidates)
    if count == 1:
        return "the only candidate"
    which = "the least allocated" if way == "spread" else "the fullest with room"
    return f"{which} of {count} candidates"
