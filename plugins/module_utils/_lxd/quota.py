# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether it was the project's limits that refused a write: LXD 5.0 answers 500 and a sentence, so its figures tell."""

from __future__ import annotations

from .._core import errors
from .._core.capacity.allocation import compute_allocation
from .._core.capacity.figures import ProjectLimit
from .._core.capacity.over_limits import find_latest, format_limit
from .._core.plan import Request
from .port import Port
from .reader import Reader


def quota_error(port: Port, request: Request, failure: errors.OperationFailed) -> errors.TenantryError:
    """The failure, or NoRoom with the limit that leaves too little for what the request takes of it."""
    try:
        limits = _limits(port, request)
    except errors.TenantryError:
        # What LXD said of the write itself is worth more than why nothing more is known.
        return failure
    for kind, limit in limits.items():
        asked = request.consumes[kind]
        if limit.most < limit.used + asked:
            return errors.NoRoom(
                f"project {request.project}: {limit.key} is {format_limit(limit, limit.most)}, "
                f"{format_limit(limit, limit.used)} are allocated, and {format_limit(limit, asked)} more requested; "
                "another run may have been faster",
                "make VMs smaller or fewer, or have the admin raise it: cpu_overcommit, memory_overcommit of "
                "tenantry.lxd.lxd_vmhost, or limits of tenantry.lxd.lxd_project",
                limit=limit.key,
                most=limit.most,
                used=limit.used,
                asked=asked,
            )
    return failure


def find_exceeded_limit(port: Port, request: Request) -> errors.NoRoom | None:
    """Why what was just made must go again; None where it may stay.

    LXD 5.0 looks at its limits before it makes an instance, and not again: two creates at the same moment both pass.
    The instances of the project in the order in which they were made say which of them are beyond the limit: whoever
    was made later always sees those before, so that of any number of runs each takes back what is its own. That may be
    one too many: of 6, 6 and 4 cores under a limit of 10 the second goes and the third goes with it, since the second
    was before it. LXD tells that moment in nanoseconds, by the clock of the member that makes the instance; on one
    server creates that were sent together were milliseconds apart, and between members whose clocks can't tell who was
    first, each takes back its own.
    """
    beyond = {kind: limit for kind, limit in _limits(port, request).items() if limit.most < limit.used}
    if not beyond:
        return None
    made = Reader(port).instances(request.project or "")
    own = [instance for instance in made if instance.name == request.creates[-1]]
    promises = [compute_allocation(instance) for instance in find_latest(own[0], made)] if own else []
    for kind, limit in beyond.items():
        if limit.most < sum((each.cores if kind == "cpu" else each.memory) or 0 for each in promises):
            return errors.NoRoom(
                f"project {request.project}: {limit.key} is {format_limit(limit, limit.most)}; another run was "
                "slightly faster, and LXD let both through",
                "make VMs smaller or fewer, or have the admin raise the limit",
                limit=limit.key,
                most=limit.most,
                used=limit.used,
            )
    return None


def _limits(port: Port, request: Request) -> dict[str, ProjectLimit]:
    """The project's limits on what the request takes; none where there are none, or LXD doesn't tell."""
    if not request.consumes or not request.project or not port.server.has("project_usage"):
        return {}
    state = Reader(port).project_state(request.project)
    found = {
        kind: ProjectLimit(f"limits.{kind}", state.get(kind, {}).get("Limit", -1), state.get(kind, {}).get("Usage", 0))
        for kind in request.consumes
    }
    return {kind: limit for kind, limit in found.items() if limit.most >= 0}
