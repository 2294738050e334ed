# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting: for a condition, never for a length of time, and never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_Result = TypeVar("_Result")


class DeadlinePassed(TimeoutError):
    """What was awaited did not happen in time."""


def until(condition: Callable[[], _Result], seconds: float, what: str, every: float = 0.02) -> _Result:
    """The first true answer of `condition`; DeadlinePassed, naming `what`, when none came within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= end:
            raise DeadlinePassed(f"{what}: not within {seconds:g} s")
        time.sleep(every)
