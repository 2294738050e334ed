# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as LXD writes them, on a Python that reads less."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import go_time

NOON = datetime.datetime(2026, 11, 21, 12, 0, 0, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("said", "fraction"),
    [
        ("2026-11-21T12:00:00Z", 0),
        ("2026-11-21T12:00:00.5Z", 500_000_000),
        ("2026-11-21T12:00:00.123456789Z", 123_456_789),
        ("2026-11-21T13:30:00.000000001+01:30", 1),
        ("2026-11-21T07:00:00-05:00", 0),
    ],
)
def test_times(said: str, fraction: int) -> None:
    assert go_time.parse_time(said) == NOON
    assert go_time.parse_nanoseconds(said) == int(NOON.timestamp()) * 10**9 + fraction


@pytest.mark.parametrize(
    "said", ["", "soon", "2026-11-21", "2026-13-41T12:00:00Z", "2026-11-21T12:00:00", "0001-01-01T00:00:00+05:00"]
)
def test_what_is_no_time(said: str) -> None:
    assert go_time.parse_time(said) is None
    assert go_time.parse_nanoseconds(said) == 0


@pytest.mark.parametrize(
    ("said", "never"), [("", True), ("0001-01-01T00:00:00Z", True), ("2026-11-21T12:00:00Z", False)]
)
def test_never(said: str, never: bool) -> None:
    assert go_time.is_never(said) is never
