# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether it was the project's limits that refused a write: LXD 5.0 answers 500 and a sentence, so its figures tell."""

from __future__ import annotations

from typing import NamedTuple

from .._core import errors
from .._core.plan import Request
from .._core.promise import promised_to
from .._core.units import shown_size
from .port import Port
from .reader import Reader


class _Limit(NamedTuple):
    """What the project holds all its instances to, of one kind, and how much of it is promised."""

    kind: str
    most: int
    used: int

    @property
    def key(self) -> str:
        return f"limits.{self.kind}"

    def shown(self, count: int) -> str:
        return shown_size(count) if self.kind in ("memory", "disk") else str(count)


def told(port: Port, request: Request, failure: errors.OperationFailed) -> errors.TenantryError:
    """The failure, or NoRoom with the limit that leaves too little for what the request takes of it."""
    for limit in _limits(port, request):
        asked = request.takes[limit.kind]
        if limit.most < limit.used + asked:
            return errors.NoRoom(
                f"project {request.project}: {limit.key} is {limit.shown(limit.most)}, {limit.shown(limit.used)} are "
                f"promised, and {limit.shown(asked)} more were asked; another run may have been faster",
                "make VMs smaller or fewer, or have the admin raise it: cpu_overcommit, memory_overcommit of "
                "tenantry.lxd.lxd_vmhost, or limits of tenantry.lxd.lxd_project",
                limit=limit.key,
                most=limit.most,
                used=limit.used,
                asked=asked,
            )
    return failure


def overdrawn(port: Port, request: Request) -> errors.NoRoom | None:
    """Why what was just made must go again; None where it may stay.

    LXD 5.0 looks at its limits before it makes an instance, and not again: two creates at the same moment both pass.
    The instances of the project in the order in which they were made say which of them are beyond the limit: whoever
    was made later always sees those before, so that of any number of runs each takes back what is its own, and no more.
    LXD tells that moment in nanoseconds; creates that were sent together were milliseconds apart.
    """
    beyond = [limit for limit in _limits(port, request) if limit.most < limit.used] if request.made else []
    if not beyond:
        return None
    made = sorted(Reader(port).instances(request.project or ""), key=lambda each: (each.created_at, each.name))
    names = [instance.name for instance in made]
    own = names.index(request.made[-1]) + 1 if request.made[-1] in names else 0
    promises = [promised_to(instance) for instance in made[:own]]
    for limit in beyond:
        if limit.most < sum((each.cores if limit.kind == "cpu" else each.memory) or 0 for each in promises):
            return errors.NoRoom(
                f"project {request.project}: {limit.key} is {limit.shown(limit.most)}; another run was faster by a "
                "moment, and LXD let both through, so that this one was taken back",
                "make VMs smaller or fewer, or have the admin raise the limit",
                limit=limit.key,
                most=limit.most,
                used=limit.used,
            )
    return None


def _limits(port: Port, request: Request) -> list[_Limit]:
    """The project's limits on what the request takes; none where there are none, or LXD doesn't tell."""
    if not request.takes or not request.project or not port.server.has("project_usage"):
        return []
    state = Reader(port).project_state(request.project)
    found = [
        _Limit(kind, state.get(kind, {}).get("Limit", -1), state.get(kind, {}).get("Usage", 0))
        for kind in request.takes
    ]
    return [limit for limit in found if limit.most >= 0]
