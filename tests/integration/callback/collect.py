# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every task's result as one line of JSON to the file that COLLECT_RESULTS names, beside the usual output."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: collect
type: aggregate
short_description: Task results for tests
description: One line of JSON for each task and host.
"""


class CallbackModule(CallbackBase):
    """Collects results in the order in which they come."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "collect"

    def _write(self, outcome: str, result: Any) -> None:
        path = os.environ.get("COLLECT_RESULTS")
        if path:
            line = {
                "task": result._task.get_name(),
                "host": result._host.get_name(),
                "outcome": outcome,
                "result": result._result,
            }
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._write("failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._write("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._write("unreachable", result)
