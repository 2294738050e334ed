# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether it was the project's limits that refused a write: LXD 5.0 answers 500 and a sentence, so its figures tell."""

from __future__ import annotations

from .._core import errors
from .._core.plan import Request
from .._core.promise import promised_to
from .._core.units import shown_size
from .port import Port
from .reader import Reader


def told(port: Port, request: Request, failure: errors.OperationFailed) -> errors.TenantryError:
    """The failure, or NoRoom with the limit that leaves too little for what the request takes of it."""
    if not request.takes or not request.project or not port.server.has("project_usage"):
        return failure
    state = Reader(port).project_state(request.project)
    for kind, count in request.takes.items():
        limit, used = state.get(kind, {}).get("Limit", -1), state.get(kind, {}).get("Usage", 0)
        if 0 <= limit < used + count:
            key = f"limits.{kind}"
            return errors.NoRoom(
                f"project {request.project}: {key} is {_shown(kind, limit)}, {_shown(kind, used)} are promised, and "
                f"{_shown(kind, count)} more were asked; another run may have been faster",
                "make VMs smaller or fewer, or have the admin raise it: cpu_overcommit, memory_overcommit of "
                "tenantry.lxd.lxd_vmhost, or limits of tenantry.lxd.lxd_project",
                limit=key,
                most=limit,
                used=used,
                asked=count,
            )
    return failure


def overdrawn(port: Port, request: Request) -> errors.NoRoom | None:
    """Why what was just made must go again; None where it may stay.

    LXD 5.0 looks at its limits before it makes an instance, and not again: two creates at the same moment both pass.
    The instances of the project in the order in which they were made say which of them are beyond the limit: whoever
    was made later always sees those before, so that of any number of runs each takes back what is its own, and no more.
    """
    if not request.takes or not request.project or not request.made or not port.server.has("project_usage"):
        return None
    reader = Reader(port)
    state = reader.project_state(request.project)
    for kind in request.takes:
        limit, used = state.get(kind, {}).get("Limit", -1), state.get(kind, {}).get("Usage", 0)
        if not 0 <= limit < used:
            continue
        sum_of = 0
        for instance in sorted(reader.instances(request.project), key=lambda each: (each.created_at, each.name)):
            promise = promised_to(instance)
            sum_of += (promise.cores if kind == "cpu" else promise.memory) or 0
            if instance.name == request.made[-1] and sum_of > limit:
                return errors.NoRoom(
                    f"project {request.project}: limits.{kind} is {_shown(kind, limit)}; another run was faster by a "
                    "moment, and LXD let both through, so that this one was taken back",
                    "make VMs smaller or fewer, or have the admin raise the limit",
                    limit=f"limits.{kind}",
                    most=limit,
                    used=used,
                )
    return None


def _shown(kind: str, count: int) -> str:
    return shown_size(count) if kind in ("memory", "disk") else str(count)
