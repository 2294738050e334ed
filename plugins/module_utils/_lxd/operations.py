# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for LXD's operations: in short requests, with a deadline, and with an error when the outcome is unknown."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._core import errors
from .port import Answer, Port

# Seconds of one request: a connection that went silent must not block the run. LXD answers "still running" at its end.
_SLICE = 20
_SLACK = 10
_RUNNING = range(100, 200)
_SUCCESS = 200


def wait_for_operation(port: Port, answer: Answer, deadline: float, what: str) -> Mapping[str, Any]:
    """Wait until an operation succeeded and return it; an answer without an operation is done already.

    `what` names the object in errors. Raises OperationFailed with LXD's reason, TimedOut after `deadline` seconds, and
    AnswerLost if the server no longer knows the operation: LXD keeps finished ones, failed ones included, for 5
    seconds, and none across a restart.
    """
    if not answer.operation:
        return {}
    end = time.monotonic() + deadline
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise errors.TimedOut(
                f"{what}: not done after {deadline:g} s; LXD is still working on it",
                f"run: lxc operation show {answer.operation}",
            )
        piece = max(1, min(_SLICE, int(left)))
        try:
            found = port.call(
                "GET",
                ("operations", answer.operation, "wait"),
                params={"timeout": str(piece)},
                timeout=piece + _SLACK,
            ).metadata
        except errors.NotFound:
            message = f"{what}: LXD no longer knows the operation, so its outcome is unknown"
            raise errors.AnswerLost(message, "run again: what was done is kept") from None
        if found["status_code"] in _RUNNING:
            continue
        if found["status_code"] != _SUCCESS:
            raise errors.OperationFailed(f"{what}: {found.get('err') or found.get('status') or 'failed'}")
        return dict(found)
