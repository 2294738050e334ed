# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The refusal of a VM that fits nowhere: for each VM host, what was asked and what is free there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ..capacity.allocation import round_to_pages
from ..errors import NoRoom, NotFound, TenantryError
from .constraints import Objection
from .demand import Demand
from .room import CORES, COUNT, DISK, HUGEPAGES, MEMORY, PLENTY, MachineLedger

_HINT = (
    "make VMs smaller, give the task more VM hosts, or raise cpu_overcommit or memory_overcommit with "
    "tenantry.lxd.lxd_vmhost"
)

# A sentence for each VM host, as long as somebody can read them; `hosts` of the error has all.
_MOST = 20


def no_room_error(ask: Demand, reasons: Sequence[tuple[str, Objection]]) -> TenantryError:
    """Nothing is a candidate; the error is what all reasons agree on."""
    if not reasons:
        return NotFound(f"VM {ask.name}: no VM host is a candidate", "widen vmhosts, pool, zone or host_tags")
    kinds = {against.error for _label, against in reasons}
    kind = kinds.pop() if len(kinds) == 1 else NotFound
    hints = dict.fromkeys(against.hint for _label, against in reasons if against.hint)
    if len(reasons) == 1:
        label, against = reasons[0]
        return kind(f"VM {ask.name} on {label}: {against.text}", against.hint)
    more = f"; and {len(reasons) - _MOST} more" if len(reasons) > _MOST else ""
    said = "; ".join(f"{label}: {against.text}" for label, against in reasons[:_MOST]) + more
    return kind(f"VM {ask.name}: no VM host fits: {said}", next(iter(hints), ""))


class FailureLedger:
    """What each place had free before anything of this task was allocated, which refusals show beside what is left.

    VMs of one group share the figures of their candidates: many VMs without room on many hosts are told in little.
    """

    def __init__(self, places: Iterable[MachineLedger]) -> None:
        self._first = {place.index: _free(place) for place in places}
        self._now: dict[int, dict[str, Any]] = {}
        self._shared: dict[int, list[dict[str, Any]]] = {}

    def no_room_error(
        self,
        ask: Demand,
        places: Sequence[MachineLedger],
        full: Mapping[int, str],
        others: Sequence[tuple[str, Objection]],
    ) -> TenantryError:
        """Every candidate lacks something (`full`); `others`: the problems of those that are none."""
        hosts = self._shared.setdefault(id(places), [self._row(place) for place in places])
        said = [f"{place.label}: {self._short(ask, place, full[place.index])}" for place in places[:_MOST]]
        said += [f"{label}: {against.text}" for label, against in others[: max(0, _MOST - len(said))]]
        more = len(places) + len(others) - len(said)
        said += [f"and {more} more, in hosts"] if more else []
        if len(said) == 1:
            what = f"VM {ask.name} on {places[0].label}: no room: {said[0].split(': ', 1)[1]}"
        else:
            what = f"VM {ask.name}: no VM host has room: {'; '.join(said)}"
        return NoRoom(what, _HINT, asked=_list_demands(ask, places[0]), hosts=hosts)

    def _row(self, place: MachineLedger) -> dict[str, Any]:
        if place.index not in self._now:
            member = place.member if place.book.host.server.clustered else None
            free, left = self._first[place.index], _free(place)
            self._now[place.index] = {"vmhost": place.book.name, "member": member, "free": free, "left": left}
        return self._now[place.index]

    def _short(self, ask: Demand, place: MachineLedger, lacking: str) -> str:
        key = f"storage pool {_short_pool(ask, place)}" if lacking == DISK else lacking
        row, asked = self._row(place), _list_demands(ask, place)
        free, left = row["free"].get(key), row["left"].get(key)
        more = "more asked" if ask.at else "asked"
        said = f"{_format_count(key, asked.get(key))} {more}, {_format_count(key, free)} free"
        if free is not None and left is not None and left < free:
            said += f", {_format_count(key, left)} beside the other VMs of this task"
        return said


def _format_count(key: str, count: Optional[int]) -> str:
    if count is None:
        return "unknown"
    if key == CORES:
        return f"{count} core{'' if count == 1 else 's'}"
    if key == COUNT:
        return f"{count} more instance{'' if count == 1 else 's'}"
    what = {MEMORY: "memory", HUGEPAGES: "hugepages"}.get(key, f"in {key}")
    # Cut and not rounded: what is declared to be free is.
    return f"{count * 100 // 2**30 / 100:.2f} GiB {what}"


def _list_demands(ask: Demand, place: MachineLedger) -> dict[str, int]:
    asked = {CORES: ask.cores, MEMORY: ask.memory}
    if ask.hugepages:
        asked[HUGEPAGES] = round_to_pages(ask.hugepages, place.page)
    if ask.at is None:
        asked[COUNT] = 1
    for pool, count in ask.disks.items():
        key = f"storage pool {pool or place.default_pool}"
        asked[key] = asked.get(key, 0) + count
    return asked


def _free(place: MachineLedger) -> dict[str, Optional[int]]:
    book = place.book
    found: dict[str, Optional[int]] = {
        CORES: min(place.cores, book.cores),
        MEMORY: min(place.memory, place.ordinary, book.memory),
        HUGEPAGES: place.hugepages,
        COUNT: book.count,
    }
    for pool, budgets in place.budgets.items():
        found[f"storage pool {pool}"] = min(budget.remaining for budget in budgets)
    return {key: None if count is not None and count >= PLENTY // 2 else count for key, count in found.items()}


def _short_pool(ask: Demand, place: MachineLedger) -> str:
    """The first storage pool that holds too little; several on one filesystem may do so only together."""
    asked: dict[str, int] = {}
    for pool, count in ask.disks.items():
        name = pool or place.default_pool or ""
        asked[name] = asked.get(name, 0) + count
    short = [name for name, count in asked.items() if any(p.remaining < count for p in place.budgets.get(name, ()))]
    return min(short or asked, default="")
