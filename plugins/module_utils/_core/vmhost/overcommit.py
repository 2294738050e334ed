# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Overcommit ratios: what LXD enforces of them in the project, what they would make there, and who may change that."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Optional

from .. import units
from ..capacity import figures as capacity
from ..capacity.figures import ResourceFigure
from ..errors import NoRoom, Unreachable
from ..model import MARK, Project
from ..plan import Change, Request
from ..project.audit import check_limits
from ..project.reading import ProjectReading
from .found import VmHostState
from .resources import count_resources

KINDS = ("cpu", "memory", "storage")
# What LXD can hold a project to by a limit that is made from a ratio.
HELD = ("cpu", "memory")


@dataclasses.dataclass(frozen=True)
class RatioSpec:
    """Which ratios the task says, which the entry had, and which LXD itself is to hold."""

    said: Mapping[str, str]
    before: Mapping[str, str]
    enforce: frozenset[str]


def get_ratio_key(kind: str) -> str:
    """The project's key for the ratio in force, which every controller reads."""
    return f"{MARK}{kind}_overcommit"


def find_ratios_in_force(config: Mapping[str, str], said: Mapping[str, Optional[str]]) -> dict[str, str]:
    """The ratio of each kind: what the project says is the same for every controller; else the entry's; else 1."""
    return {
        kind: config.get(get_ratio_key(kind)) or said.get(f"{kind}_overcommit") or capacity.DEFAULT_RATIO
        for kind in KINDS
    }


def find_key_changes(host: str, ratios: RatioSpec, reading: VmHostState) -> dict[str, tuple[Optional[str], str]]:
    """The keys of the project that would be other than they are: in force and wanted, by key.

    A limit that the project has is held by LXD, whoever set it: the ratio decides how high it is.
    """
    if reading.project is None:
        return {}
    config = reading.project.config
    keys: dict[str, tuple[Optional[str], str]] = {}
    for kind in KINDS:
        limit = f"limits.{kind}"
        if kind not in ratios.said and kind not in ratios.enforce:
            continue
        ratio = (
            ratios.said.get(kind)
            or ratios.before.get(kind)
            or config.get(get_ratio_key(kind))
            or capacity.DEFAULT_RATIO
        )
        if config.get(get_ratio_key(kind)) != ratio:
            keys[get_ratio_key(kind)] = (config.get(get_ratio_key(kind)), ratio)
        if kind in HELD and (limit in config or kind in ratios.enforce):
            text = _limit(host, kind, ratio, reading)
            if not units.is_same_value(limit, config.get(limit), text):
                keys[limit] = (config.get(limit), text)
    return keys


def list_pending_limits(keys: Mapping[str, tuple[Optional[str], str]], ratios: RatioSpec) -> list[dict[str, Any]]:
    """What only the admin may change; a mark that isn't there yet stands in nobody's way."""
    held = {key for key, (in_force, _wanted) in keys.items() if in_force is not None}
    held |= {f"limits.{kind}" for kind in ratios.enforce} & set(keys)
    if not held:
        return []
    return [{"limit": key, "in_force": keys[key][0], "wanted": keys[key][1]} for key in sorted(keys)]


def check_room(host: str, ratios: RatioSpec, reading: VmHostState, keys: Mapping[str, Any]) -> None:
    """Raise NoRoom for a ratio that would make less than is allocated already; one that stays as it is is no news."""
    if reading.project is None:
        return
    for kind in KINDS:
        ratio = ratios.said.get(kind)
        news = ratio is not None and ratios.before.get(kind) != ratio
        if news or f"limits.{kind}" in keys:
            for what, figure in _figures(kind, reading):
                _check_one(host, kind, ratio or ratios.before.get(kind) or capacity.DEFAULT_RATIO, what, figure)


def plan_ratio_keys(reading: VmHostState, keys: Mapping[str, tuple[Optional[str], str]], host: str) -> list[Change]:
    """The project with these keys, by the admin; raises Conflict for instances that LXD could not count."""
    project = reading.project
    if not keys or project is None:
        return []
    limits = {key: wanted for key, (_in_force, wanted) in keys.items() if key.startswith("limits.")}
    check_limits(project.name, limits, ProjectReading(reading.server, project, instances=reading.instances))
    before = {"description": project.description, "config": dict(project.config)}
    after = {**before, "config": {**project.config, **{key: wanted for key, (_in_force, wanted) in keys.items()}}}
    step = Request("PUT", ("projects", project.name), body=after, etag=project.etag)
    return [
        Change("change", "project", project.name, (step,), before, after, detail=", ".join(sorted(keys)), host=host)
    ]


def predict_project(project: Project, keys: Mapping[str, tuple[Optional[str], str]]) -> Project:
    """The project as it will be."""
    config = {**project.config, **{key: wanted for key, (_in_force, wanted) in keys.items()}}
    return dataclasses.replace(project, config=config)


def _limit(host: str, kind: str, ratio: str, reading: VmHostState) -> str:
    ((_what, figure),) = _figures(kind, reading)
    total = figure.total
    if total is None:
        raise Unreachable(
            f"{host}: {kind}_overcommit: a member of the cluster doesn't answer, so its resources are unknown",
            "run again when all members are back",
        )
    most = capacity.compute_capacity(total, ratio)
    return str(most) if kind == "cpu" else units.format_size(most)


def _figures(kind: str, reading: VmHostState) -> list[tuple[str, ResourceFigure]]:
    """What a ratio is about, with what it is called where there are several."""
    figures = count_resources(reading)
    if kind == "storage":
        return [
            (f" of pool {pool.name}", ResourceFigure(total=pool.total, ours=pool.ours))
            for pool in figures.pools.values()
        ]
    return [("", figures.cores if kind == "cpu" else figures.memory)]


def _check_one(host: str, kind: str, ratio: str, what: str, figure: ResourceFigure) -> None:
    total, used = figure.total, figure.ours
    if total is None or used is None:
        return
    most = capacity.compute_capacity(total, ratio)
    if most >= used:
        return
    least = math.ceil(Fraction(used, total) * 100) / 100 if total else 0
    raise NoRoom(
        f"{host}: {kind}_overcommit: {ratio} x {_format_amount(kind, total)}{what} is {_format_amount(kind, most)}, "
        f"and {_format_amount(kind, used)} are allocated to the project's instances, stopped ones included",
        f"set at least {least:g}; or make VMs smaller or delete some first",
        limit=f"{kind}_overcommit",
        total=total,
        promised=used,
        would_be=most,
    )


def _format_amount(kind: str, count: int) -> str:
    if kind != "cpu":
        return f"{count / 1024**3:.2f} GiB"
    return f"{count} core{'' if count == 1 else 's'}"
