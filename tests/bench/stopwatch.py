# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measuring rivals side by side: in turns, so that a machine that is busy for a while is busy for all of them."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def _nothing() -> None:
    """No work outside of the measured time."""


@dataclasses.dataclass(frozen=True)
class Rival:
    """One way to do a job. `before` and `after` aren't measured; `scale`: the whole job is so many times the sample.

    `once`: what of the time belongs to the start and not to the sample, for what is scaled.
    """

    label: str
    run: Callable[[], object]
    before: Callable[[], object] = _nothing
    after: Callable[[], object] = _nothing
    scale: float = 1.0
    once: Callable[[], float] = lambda: 0.0


@dataclasses.dataclass(frozen=True)
class Times:
    """Seconds of each run of a rival, for the whole job."""

    label: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The one in the middle."""
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        """The one that was disturbed least."""
        return min(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:.2f} s ({min(self.seconds):.2f} to {max(self.seconds):.2f})"


def seconds_of(run: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def in_turns(rivals: Sequence[Rival], rounds: int) -> dict[str, Times]:
    """Every rival once a round, in the same order each round: A, B, C, A, B, C."""
    measured: dict[str, list[float]] = {rival.label: [] for rival in rivals}
    for _round in range(rounds):
        for rival in rivals:
            rival.before()
            try:
                seconds = seconds_of(rival.run)
            finally:
                rival.after()
            once = min(rival.once(), seconds) if rival.scale != 1.0 else 0.0
            measured[rival.label].append(once + (seconds - once) * rival.scale)
    return {label: Times(label, tuple(seconds)) for label, seconds in measured.items()}


def ratio(times: Mapping[str, Times], of: str, to: Sequence[str]) -> float:
    """How many times as long `of` takes as all of `to` one after the other, by their medians."""
    return times[of].median / sum(times[each].median for each in to)


def best_ratio(times: Mapping[str, Times], of: str, to: Sequence[str]) -> float:
    """The same by each one's best run: what is left when the machine's other work is left out."""
    return times[of].best / sum(times[each].best for each in to)
