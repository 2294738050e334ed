# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends the run, as a killed controller does, as soon as a task has changed something."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: cut_short
type: aggregate
short_description: end the run at its first change
description: Nothing is tidied up, and nothing else is begun.
"""
ENDED = 97


class CallbackModule(CallbackBase):
    """Runs whose tasks change nothing come to their end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "cut_short"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.is_changed():
            print(f"cut short after: {result.task_name}", flush=True)
            os._exit(ENDED)
