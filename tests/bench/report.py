# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/reference/benchmarks.md, as Markdown, with the machine that they came from."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.stopwatch import Times

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "benchmarks.md"
_BEGIN, _END = "<!-- measured: written by `make bench WRITE=1` -->", "<!-- end of what was measured -->"


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A target: `of` takes at most so many times as long as all of `to` together.

    With `faster`, `of` is to be at least so many times faster instead.
    """

    of: str
    to: tuple[str, ...]
    limit: float
    faster: bool = False

    def value(self, times: Mapping[str, Times]) -> float:
        """The ratio of the medians, in the direction of the target."""
        ratio = times[self.of].median / sum(times[each].median for each in self.to)
        return 1 / ratio if self.faster else ratio

    def row(self, times: Mapping[str, Times]) -> str:
        """A line of a table."""
        value = self.value(times)
        is_met = value >= self.limit if self.faster else value <= self.limit
        bound = "at least" if self.faster else "at most"
        what = "times faster than" if self.faster else "times"
        verdict = "yes" if is_met else "**no**"
        return f"| {self.of}: {bound} {self.limit:g} {what} {' + '.join(self.to)} | {value:.2f} | {verdict} |"


def section(title: str, times: Mapping[str, Times], ratios: Sequence[Ratio], notes: Sequence[str] = ()) -> str:
    """A case: what each rival took, and the targets with their ratios."""
    lines = [f"### {title}", "", "| what | median | range |", "|---|---|---|"]
    for label, each in times.items():
        lines.append(f"| {label} | {each.median:.2f} s | {each.best:.2f} to {max(each.seconds):.2f} s |")
    targets = [ratio for ratio in ratios if {ratio.of, *ratio.to} <= set(times)]
    if targets:
        lines += ["", "| target | measured | met |", "|---|---|---|", *(ratio.row(times) for ratio in targets)]
    return "\n".join([*lines, *(f"\n{note}" for note in notes), ""])


def machine(lxd: str, translated: bool, busy: float) -> str:
    """The machine, in one paragraph; `busy`: its load before anything was measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    facts = [
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores",
        f"{int(memory[1]) / 2**20 if memory else 0:.0f} GiB of memory",
        f"{platform.system()} {platform.release().partition('-')[0]}",
        f"Python {platform.python_version()}",
        f"LXD {lxd} with a pool of driver `dir`",
        "guests translated by QEMU (TCG), without KVM" if translated else "guests run by KVM",
    ]
    return f"{'; '.join(facts)}. Load average before: {busy:.1f}."


def write(text: str) -> None:
    """Put the measured part into the page, in place of the last one."""
    page = PAGE.read_text(encoding="utf-8")
    before, _begin, rest = page.partition(_BEGIN)
    _old, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"{PAGE}: it lacks the line {_BEGIN} or {_END}")
    PAGE.write_text(f"{before}{_BEGIN}\n\n{text.strip()}\n\n{_END}{after}", encoding="utf-8")
