# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which kept answers still count."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.inventory import cache

NOW = 1_000_000.0
QUESTION = cache.build_cache_question(
    {"url": "https://kvm-01:8443", "project": "p", "owner": "us", "zone": "north"}, True
)


def written(now: float) -> dict[str, Any]:
    """What a cache plugin gives back of an answer that was kept then."""
    return dict(json.loads(json.dumps(cache.build_cache_entries({"kvm-01": {"vms": []}}, {"kvm-01": QUESTION}, now))))


@pytest.mark.parametrize(
    ("age", "limit", "counts"),
    [(0, 600, True), (600, 600, True), (601, 600, False), (10**7, 0, True), (-1, 600, False)],
)
def test_an_answer_counts_for_so_long(age: int, limit: int, counts: bool) -> None:
    found = cache.usable(written(NOW - age), {"kvm-01": QUESTION}, NOW, limit)
    assert [each["found"] for each in found.values()] == [{"vms": []}] * counts


def test_an_answer_is_as_old_as_it_was_read_whenever_it_was_written() -> None:
    first = cache.usable(written(NOW - 500), {"kvm-01": QUESTION}, NOW, 600)
    again = {**first, **cache.build_cache_entries({"kvm-02": {}}, {"kvm-02": QUESTION}, NOW)}
    both = {"kvm-01": QUESTION, "kvm-02": QUESTION}
    assert set(cache.usable(again, both, NOW, 600)) == {"kvm-01", "kvm-02"}
    assert set(cache.usable(again, both, NOW + 200, 600)) == {"kvm-02"}


@pytest.mark.parametrize(
    "other",
    [
        {"addresses": False},
        {"url": "https://kvm-02:8443"},
        {"owner": "them"},
        {"schema": None},
        {"schema": 0},
    ],
)
def test_the_answer_to_another_question_is_none(other: dict[str, Any]) -> None:
    assert cache.usable(written(NOW), {"kvm-01": {**QUESTION, **other}}, NOW, 600) == {}


OLDER: list[Any] = [
    None,
    [],
    {"kvm-01": None},
    {"kvm-01": {"asked": QUESTION, "found": {}}},
    {"kvm-01": {"asked": QUESTION, "found": {}, "read_at": "yesterday"}},
    {"kvm-01": {"asked": QUESTION, "read_at": NOW}},
    {"kvm-01": {"found": {}, "read_at": NOW}},
]


@pytest.mark.parametrize("said", OLDER)
def test_what_another_release_kept_is_no_answer(said: Any) -> None:
    assert cache.usable(said, {"kvm-01": QUESTION}, NOW, 600) == {}
