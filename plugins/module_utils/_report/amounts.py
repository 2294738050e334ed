# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Amounts of a resource as text, and as the bars that the pages draw."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Optional

from .._core.capacity.figures import DEFAULT_RATIO, compute_capacity

UNKNOWN = "?"
# The width of every bar in units of its drawing, whatever its size on the screen.
WIDTH = 1000
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_FACTOR = 1024


def size(count: Optional[int]) -> str:
    """Return a number of bytes with three significant digits, such as "1.5 GiB"."""
    if count is None:
        return UNKNOWN
    value, step = float(count), 0
    while abs(value) >= _FACTOR and step < len(_UNITS) - 1:
        value, step = value / _FACTOR, step + 1
    whole = value == int(value) or abs(value) >= 100
    return f"{value:.0f} {_UNITS[step]}" if whole else f"{value:.1f} {_UNITS[step]}"


def number(count: Optional[int]) -> str:
    """Return a count with its thousands grouped."""
    return UNKNOWN if count is None else f"{count:,}".replace(",", "\u202f")


@dataclasses.dataclass(frozen=True)
class Bar:
    """Where the parts of a bar end, out of WIDTH; a mark is None if it is at the end, or unknown."""

    ours: int
    others: int
    over: int
    total_mark: Optional[int]
    limit_mark: Optional[int]


@dataclasses.dataclass(frozen=True)
class Amount:
    """One resource as text and as a bar. `state` is "unknown", "over", "full" or "fine".

    `left_out`: the number of VM hosts that are not in this sum, because their figure is unknown.
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
    """Return the amount for a figure of a row; None is a resource that could not be read."""
    known = figure or {}
    total, ours, free = known.get("total"), known.get("ours"), known.get("free")
    return Amount(
        total=words(total),
        ours=words(ours),
        others=words(known["others"]) if known.get("others") else "",
        free=words(free),
        limit=words(known["limit"]) if known.get("limit") is not None else "",
        ratio=str(known.get("overcommit") or DEFAULT_RATIO),
        overcommitted=words(known["overcommitted"]) if known.get("overcommitted") else "",
        state=_state(total, ours, free, allocatable(known)),
        sort=-1 if ours is None else ours,
        free_sort=-1 if free is None else free,
        ends=_bar(known),
        left_out=known.get("left_out") or 0,
    )


def allocatable(figure: Mapping[str, Any]) -> Optional[int]:
    """Return how much may be allocated by ratio and limit; None if it is unknown."""
    most, limit = _by_ratio(figure), figure.get("limit")
    return most if most is None or limit is None else min(most, limit)


def _by_ratio(figure: Mapping[str, Any]) -> Optional[int]:
    if figure.get("total") is None:
        return None
    # A sum over VM hosts with different ratios has the key `most` itself.
    most: int = figure.get("most") or compute_capacity(figure["total"], str(figure.get("overcommit") or DEFAULT_RATIO))
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


def sum_figures(figures: Iterable[Optional[Mapping[str, Any]]]) -> dict[str, Any]:
    """Sum one resource over several VM hosts; a VM host whose figure is unknown is left out of every sum."""
    every = [each or {} for each in figures]
    known = [each for each in every if None not in (each.get("total"), each.get("ours"), each.get("free"))]
    if not known:
        return {}
    summed: dict[str, Any] = {key: sum(each.get(key) or 0 for each in known) for key in ("total", "ours", "free")}
    summed["most"] = sum(allocatable(each) or 0 for each in known)
    summed["others"] = sum(each.get("others") or 0 for each in known)
    summed["overcommitted"] = sum(each.get("overcommitted") or 0 for each in known)
    summed["left_out"] = len(every) - len(known)
    return summed
