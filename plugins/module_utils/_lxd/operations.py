# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for LXD's operations: in short requests, with a deadline, and with an error when the outcome is unknown."""

from __future__ import annotations

import time

from .._core import errors
from .._core.operation import Operation
from .port import Answer, Port

# Seconds of one request: a connection that went silent must not block the run.
_SLICE = 20
_SLACK = 10
_LEAST_PAUSE = 0.5


def wait_for_operation(port: Port, answer: Answer, deadline: float, what: str) -> Operation | None:
    """Wait until an operation succeeded and return it; None for an answer without an operation, which is done already.

    `what` names the object in errors. Raises OperationFailed with LXD's reason, TimedOut after `deadline` seconds, and
    AnswerLost if the server no longer knows the operation: LXD keeps finished ones, failed ones included, for 5
    seconds, and none across a restart.
    """
    if not answer.operation:
        return None
    end = time.monotonic() + deadline
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise errors.TimedOut(
                f"{what}: not done after {deadline:g} s; LXD is still working on it",
                f"run: lxc operation show {answer.operation}",
            )
        asked = time.monotonic()
        operation = wait_briefly(port, answer.operation, max(1, min(_SLICE, int(left))), what)
        if operation.is_running:
            # A server that answers before the time is up, and before the end, must not be asked without a pause.
            time.sleep(max(0.0, min(_LEAST_PAUSE - (time.monotonic() - asked), left)))
            continue
        if not operation.has_succeeded:
            raise errors.OperationFailed(f"{what}: {operation.reason}")
        return operation


def wait_briefly(port: Port, operation: str, seconds: int, what: str) -> Operation:
    """Wait at most so many seconds for an operation to end, and return it as it is then.

    LXD 5.0.2, and LXD from 6.10 on, answer with the operation. LXD from 5.0.3 to 6.9, all of 5.21, and Incus up to 6.11
    answer with an error when the time is up or the operation has failed, with HTTP status 200 and any `error_code`. So
    an error says nothing by itself: the operation is read, and its status decides.

    Raises AnswerLost if the server no longer knows the operation.
    """
    path = ("operations", operation)
    try:
        answer = port.call("GET", (*path, "wait"), params={"timeout": str(seconds)}, timeout=seconds + _SLACK)
    except (errors.NotTrusted, errors.Unreachable):
        raise
    except errors.TenantryError:
        try:
            answer = port.call("GET", path)
        except errors.NotFound:
            message = f"{what}: LXD no longer knows the operation, so its outcome is unknown"
            raise errors.AnswerLost(message, "run again: what was done is kept") from None
    return Operation.from_api(answer.metadata)
