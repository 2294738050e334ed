# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for what LXD tells by no operation: one listing a round for all VMs of a host, further and further apart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from .._core import errors
from .._core.model import Instance
from .port import Port

# Seconds between two rounds: soon at first, since most of what is awaited is nearly there.
_FIRST, _LAST, _GROWTH = 0.5, 3.0, 1.5
# A listing may take this long even when the deadline is nearer: an answer is worth more than the second.
_LEAST = 5.0
# A server that was silent for so long isn't restarting: LXD is back in seconds.
_SILENCE = 60.0


def rounds(end: float) -> Iterator[None]:
    """One round now, then at growing distances; the last one at `end` (time.monotonic), whatever came before."""
    pause = _FIRST
    while True:
        yield
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * _GROWTH, _LAST)


def watch(
    port: Port, project: str, state: bool, end: float, look: Callable[[Mapping[str, Instance]], bool]
) -> errors.TenantryError | None:
    """List the project's instances until `look` at them says that it has seen enough, or until `end`.

    A server that doesn't answer, or fails a listing, is asked again in the next round: LXD restarts in seconds, and the
    VMs go on meanwhile. Returns what the last round met in place of a listing. Raises what a later round can't repair,
    and Unreachable for a server that stays silent.
    """
    outage: errors.TenantryError | None = None
    heard = time.monotonic()
    for _unused in rounds(end):
        try:
            listed = _list_instances(port, project, state, end)
        except (errors.Unreachable, errors.OperationFailed) as failure:
            outage = failure
            if isinstance(failure, errors.Unreachable) and time.monotonic() - heard >= _SILENCE:
                raise
            continue
        outage, heard = None, time.monotonic()
        if look(listed):
            break
    return outage


def _list_instances(port: Port, project: str, state: bool, end: float) -> dict[str, Instance]:
    answer = port.call(
        "GET",
        ("instances",),
        project=project,
        params={"recursion": "2" if state else "1"},
        timeout=min(port.connection.timeout, max(_LEAST, end - time.monotonic())),
    )
    return {body["name"]: Instance.from_api(body) for body in answer.metadata or ()}
