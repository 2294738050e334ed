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

from . import units
from .errors import NoRoom, Unreachable
from .model import MARK, Project
from .plan import Change, Request
from .project_audit import check_limits
from .project_found import Found as ProjectFound
from .vmhost_found import Found
from .vmhost_resources import Promised, capacity, promised, total_cores, total_memory

KINDS = ("cpu", "memory")
UNSAID = "1"


@dataclasses.dataclass(frozen=True)
class Ratios:
    """Which ratios the task says, which the entry had, and which LXD itself is to hold."""

    said: Mapping[str, str]
    before: Mapping[str, str]
    enforce: frozenset[str]


def mark(kind: str) -> str:
    """The project's key for the ratio in force, which every controller reads."""
    return f"{MARK}{kind}_overcommit"


def differences(host: str, ratios: Ratios, found: Found) -> dict[str, tuple[Optional[str], str]]:
    """The keys of the project that would be other than they are: in force and wanted, by key.

    A limit that the project has is held by LXD, whoever set it: the ratio decides how high it is.
    """
    if found.project is None:
        return {}
    config = found.project.config
    keys: dict[str, tuple[Optional[str], str]] = {}
    for kind in KINDS:
        limit = f"limits.{kind}"
        if kind not in ratios.said and kind not in ratios.enforce:
            continue
        ratio = ratios.said.get(kind) or ratios.before.get(kind) or config.get(mark(kind)) or UNSAID
        if config.get(mark(kind)) != ratio:
            keys[mark(kind)] = (config.get(mark(kind)), ratio)
        if limit in config or kind in ratios.enforce:
            text = _limit(host, kind, ratio, found)
            if not units.same(limit, config.get(limit), text):
                keys[limit] = (config.get(limit), text)
    return keys


def pending(keys: Mapping[str, tuple[Optional[str], str]], ratios: Ratios) -> list[dict[str, Any]]:
    """What only the admin may change; a mark that isn't there yet stands in nobody's way."""
    held = {key for key, (in_force, _wanted) in keys.items() if in_force is not None}
    held |= {f"limits.{kind}" for kind in ratios.enforce} & set(keys)
    if not held:
        return []
    return [{"limit": key, "in_force": keys[key][0], "wanted": keys[key][1]} for key in sorted(keys)]


def check_room(host: str, ratios: Ratios, found: Found, keys: Mapping[str, Any]) -> None:
    """Raise NoRoom for a ratio that would make less than is promised already; one that stays as it is is no news."""
    if found.project is None:
        return
    memory = total_memory(found)
    in_use = promised(found.instances, memory)
    for kind in KINDS:
        total = total_cores(found) if kind == "cpu" else memory
        ratio = ratios.said.get(kind)
        news = ratio is not None and ratios.before.get(kind) != ratio
        if total is not None and (news or f"limits.{kind}" in keys):
            _check_one(host, kind, ratio or ratios.before.get(kind) or UNSAID, total, in_use)


def change(found: Found, keys: Mapping[str, tuple[Optional[str], str]], host: str) -> list[Change]:
    """The project with these keys, by the admin; raises Conflict for instances that LXD could not count."""
    project = found.project
    if not keys or project is None:
        return []
    limits = {key: wanted for key, (_in_force, wanted) in keys.items() if key.startswith("limits.")}
    check_limits(project.name, limits, ProjectFound(found.server, project, instances=found.instances))
    before = {"description": project.description, "config": dict(project.config)}
    after = {**before, "config": {**project.config, **{key: wanted for key, (_in_force, wanted) in keys.items()}}}
    step = Request("PUT", ("projects", project.name), body=after, etag=project.etag)
    return [
        Change("change", "project", project.name, (step,), before, after, detail=", ".join(sorted(keys)), host=host)
    ]


def with_keys(project: Project, keys: Mapping[str, tuple[Optional[str], str]]) -> Project:
    """The project as it will be."""
    config = {**project.config, **{key: wanted for key, (_in_force, wanted) in keys.items()}}
    return dataclasses.replace(project, config=config)


def _limit(host: str, kind: str, ratio: str, found: Found) -> str:
    total = total_cores(found) if kind == "cpu" else total_memory(found)
    if total is None:
        raise Unreachable(
            f"{host}: {kind}_overcommit: a member of the cluster doesn't answer, so nobody knows what there is",
            "run again when all members are back",
        )
    most = capacity(total, ratio)
    return str(most) if kind == "cpu" else units.shown_size(most)


def _check_one(host: str, kind: str, ratio: str, total: int, in_use: Promised) -> None:
    used = in_use.cores if kind == "cpu" else in_use.memory
    most = capacity(total, ratio)
    if most >= used:
        return
    least = math.ceil(Fraction(used, total) * 100) / 100 if total else 0
    raise NoRoom(
        f"{host}: {kind}_overcommit: {ratio} times {_shown(kind, total)} makes {_shown(kind, most)}, and the instances "
        f"of the project have {_shown(kind, used)}, stopped ones too",
        f"the least that fits is {least:g}; or make VMs smaller, or delete some, first",
        limit=f"{kind}_overcommit",
        total=total,
        promised=used,
        would_be=most,
    )


def _shown(kind: str, count: int) -> str:
    if kind == "memory":
        return f"{count / 1024**3:.2f} GiB"
    return f"{count} core{'' if count == 1 else 's'}"
