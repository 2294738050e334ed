# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Projects that hold more than their limits allow, and which of their instances came too late."""

from __future__ import annotations

from collections.abc import Iterable

from .. import go_time
from ..model import Instance, Project
from ..units import format_size
from .figures import CapacityInput, ProjectLimit, read_project_limits

# Nanoseconds. Each member of a cluster says by its own clock when it made an instance; two whose times are closer than
# this may have been made in either order. A cluster whose clocks are further apart has other troubles.
SKEW = 10 * 10**9


def format_limit(limit: ProjectLimit, count: int) -> str:
    """So much of what is limited, as people write it."""
    return format_size(count) if limit.key.startswith(("limits.memory", "limits.disk")) else str(count)


def describe_exceeded_limits(host: str, project: Project, instances: Iterable[Instance]) -> list[str]:
    """A sentence for each limit of a tracked project that is exceeded, from what a run reads anyway."""
    if not any(key.startswith("limits.") for key in project.config):
        return []
    limits = read_project_limits(CapacityInput(project=project, instances=tuple(instances)))
    return [
        f"{host}: project {project.name}: {limit.key} is {format_limit(limit, limit.most)}, and "
        f"{format_limit(limit, limit.used)} are allocated to its instances: make some of them smaller, delete some, or "
        "have an administrator raise the limit"
        for limit in limits.values()
        if limit.used > limit.most
    ]


def find_latest(own: Instance, made: Iterable[Instance]) -> list[Instance]:
    """The instances that were made before this one, or may have been, and it itself."""
    moment = go_time.parse_nanoseconds(own.created_at)
    return [each for each in made if _is_not_later(each, own, moment)]


def _is_not_later(each: Instance, own: Instance, moment: int) -> bool:
    then = go_time.parse_nanoseconds(each.created_at)
    if each.location != own.location and abs(then - moment) <= SKEW:
        return True
    return (then, each.name) <= (moment, own.name)
