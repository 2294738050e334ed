# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A command in a guest, run through LXD's agent, its output taken from the files that LXD records it to."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from .._core import errors
from . import operations
from .port import Port


class Ran(NamedTuple):
    """How a command ended: its exit code, and the beginning of what it printed."""

    code: int
    output: str


def run(port: Port, project: str, name: str, command: Sequence[str], deadline: float) -> Ran:
    """Run a command that changes nothing in the guest; raises OperationFailed where there is no agent to run it.

    Recorded and not by websocket: the answers are plain requests on the connection that there is. LXD keeps what it
    recorded until it is deleted, so that is done here.
    """
    body = {
        "command": list(command),
        "record-output": True,
        "interactive": False,
        "wait-for-websocket": False,
    }
    answer = port.call("POST", ("instances", name, "exec"), project=project, body=body)
    operation = operations.wait_for_operation(port, answer, deadline, name)
    ended = operation.metadata if operation else {}
    recorded = {number: _path(url) for number, url in (ended.get("output") or {}).items()}
    try:
        output = port.text(recorded["1"], project=project) if "1" in recorded else ""
    finally:
        for path in recorded.values():
            # A log that stays is untidy and nothing worse.
            with contextlib.suppress(errors.TenantryError):
                port.call("DELETE", path, project=project)
    return Ran(int(ended.get("return", -1)), output)


def _path(url: str) -> tuple[str, ...]:
    return tuple(url.split("?", 1)[0].strip("/").split("/")[1:])
