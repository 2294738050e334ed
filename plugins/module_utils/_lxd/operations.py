# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for LXD's operations: in slices, with a deadline, and with an honest answer when the outcome is lost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._core import errors
from .port import Answer, Port

# A slice keeps a silent connection from blocking the run: LXD answers at its end with "still running".
_SLICE = 20
_SLACK = 10
_RUNNING = range(100, 200)
_SUCCESS = 200


def wait_for_operation(port: Port, answer: Answer, deadline: float, what: str) -> Mapping[str, Any]:
    """Wait until an operation ended well and return it; an answer without one is already done.

    Raises OperationFailed with LXD's words, Deadline after `deadline` seconds, and Lost where the server forgot the
    operation: it keeps finished ones for 5 seconds, failed ones too, and none across a restart.
    """
    if not answer.operation:
        return {}
    end = time.monotonic() + deadline
    while True:
        left = end - time.monotonic()
        if left <= 0:
            raise errors.TimedOut(
                f"{what}: not done after {deadline:g} s, and still going on in LXD",
                f"look with: lxc operation show {answer.operation}",
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
            raise errors.AnswerLost(f"{what}: LXD forgot how it ended", "run again: what was done is kept") from None
        if found["status_code"] in _RUNNING:
            continue
        if found["status_code"] != _SUCCESS:
            raise errors.OperationFailed(f"{what}: {found.get('err') or found.get('status') or 'failed'}")
        return dict(found)
