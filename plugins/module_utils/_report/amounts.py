# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbers for people, and the bars that are drawn of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from .._core.capacity.figures import UNSAID, capacity

UNKNOWN = "?"
# A bar is drawn on a field so wide, whatever its size on the screen.
WIDTH = 1000
_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_FACTOR = 1024


def size(count: Optional[int]) -> str:
    """Bytes with three digits that count."""
    if count is None:
        return UNKNOWN
    value, step = float(count), 0
    while abs(value) >= _FACTOR and step < len(_STEPS) - 1:
        value, step = value / _FACTOR, step + 1
    whole = value == int(value) or abs(value) >= 100
    return f"{value:.0f} {_STEPS[step]}" if whole else f"{value:.1f} {_STEPS[step]}"


def number(count: Optional[int]) -> str:
    """A count."""
    return UNKNOWN if count is None else f"{count:,}".replace(",", "\u202f")


@dataclasses.dataclass(frozen=True)
class Bar:
    """Where a bar's parts end, of WIDTH; a mark is None where it would be at the end, or nowhere."""

    ours: int
    others: int
    over: int
    total_mark: Optional[int]
    limit_mark: Optional[int]


@dataclasses.dataclass(frozen=True)
class Amount:
    """One resource as words and as a bar. `state`: "unknown", "over", "full" or "fine".

    `left_out`: of so many hosts nobody knows it, and they are not in this sum.
    """

    total: str
    ours: str
    others: str
    free: str
    limit: str
    ratio: str
    overcommitted: str
    state: str
    sort: int
    free_sort: int
    ends: Optional[Bar]
    left_out: int


def amount(figure: Optional[Mapping[str, Any]], words: Callable[[Optional[int]], str]) -> Amount:
    """A row's figure; None is a resource that nobody could look at."""
    said = figure or {}
    total, ours, free = said.get("total"), said.get("ours"), said.get("free")
    return Amount(
        total=words(total),
        ours=words(ours),
        others=words(said["others"]) if said.get("others") else "",
        free=words(free),
        limit=words(said["limit"]) if said.get("limit") is not None else "",
        ratio=str(said.get("overcommit") or UNSAID),
        overcommitted=words(said["overcommitted"]) if said.get("overcommitted") else "",
        state=_state(total, ours, free, most_of(said)),
        sort=-1 if ours is None else ours,
        free_sort=-1 if free is None else free,
        ends=_bar(said),
        left_out=said.get("left_out") or 0,
    )


def most_of(figure: Mapping[str, Any]) -> Optional[int]:
    """How much may be promised by ratio and limit; None where nobody knows."""
    most, limit = _by_ratio(figure), figure.get("limit")
    return most if most is None or limit is None else min(most, limit)


def _by_ratio(figure: Mapping[str, Any]) -> Optional[int]:
    if figure.get("total") is None:
        return None
    # A sum over hosts with ratios of their own says the most itself.
    most: int = figure.get("most") or capacity(figure["total"], str(figure.get("overcommit") or UNSAID))
    return most


def _state(total: Optional[int], ours: Optional[int], free: Optional[int], most: Optional[int]) -> str:
    if total is None or ours is None or most is None:
        return "unknown"
    if ours > most:
        return "over"
    return "full" if free == 0 and total > 0 else "fine"


def _bar(figure: Mapping[str, Any]) -> Optional[Bar]:
    total, ours = figure.get("total"), figure.get("ours")
    if not total or ours is None:
        return None
    others, limit = figure.get("others") or 0, figure.get("limit")
    ratio_most = _by_ratio(figure) or 0
    scale = max(total, ratio_most, ours)

    def at(count: int) -> int:
        part: int = count * WIDTH // scale
        return min(WIDTH, part)

    return Bar(
        ours=at(min(ours, ratio_most)),
        others=at(ours + others) if others else at(ours),
        over=at(ours) if ours > ratio_most else 0,
        total_mark=at(total) if total < scale else None,
        limit_mark=at(limit) if limit is not None and limit < scale else None,
    )


def together(figures: Iterable[Optional[Mapping[str, Any]]]) -> dict[str, Any]:
    """The same resource of several hosts as one figure; what can't be known of a host is left out of every sum."""
    every = [each or {} for each in figures]
    known = [each for each in every if None not in (each.get("total"), each.get("ours"), each.get("free"))]
    if not known:
        return {}
    summed: dict[str, Any] = {key: sum(each.get(key) or 0 for each in known) for key in ("total", "ours", "free")}
    summed["most"] = sum(most_of(each) or 0 for each in known)
    summed["others"] = sum(each.get("others") or 0 for each in known)
    summed["overcommitted"] = sum(each.get("overcommitted") or 0 for each in known)
    summed["left_out"] = len(every) - len(known)
    return summed
