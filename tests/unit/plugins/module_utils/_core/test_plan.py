# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan shows: one before and one after for each thing, and placeholders for what comes later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import (
    KNOWN_AFTER_APPLY,
    Change,
    Later,
    Plan,
    Request,
    build_diff,
    fill_in,
    to_plain,
)
from hypothesis import given
from hypothesis import strategies as st


def change(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, kind: str = "VM") -> Change:
    return Change("do", kind, name, before=before, after=after)


DIFFS = [
    pytest.param([], {}, {}, id="nothing"),
    pytest.param([change("a", None, {"x": 1})], {}, {"VM a": {"x": 1}}, id="made"),
    pytest.param([change("a", {"x": 1}, None)], {"VM a": {"x": 1}}, {}, id="gone"),
    pytest.param([change("a", {"x": 1}, {"x": 2})], {"VM a": {"x": 1}}, {"VM a": {"x": 2}}, id="changed"),
    pytest.param([change("a", None, None)], {}, {}, id="nothing to show"),
    pytest.param(
        [change("a", {"x": 1}, {"x": 2}), change("a", {"x": 2}, {"x": 3})],
        {"VM a": {"x": 1}},
        {"VM a": {"x": 3}},
        id="changed twice: first and last",
    ),
    pytest.param(
        [change("a", {"x": 1}, None), change("a", None, {"x": 3})],
        {"VM a": {"x": 1}},
        {"VM a": {"x": 3}},
        id="made anew",
    ),
    pytest.param([change("a", None, {"x": 1}), change("a", {"x": 1}, None)], {}, {}, id="came and went"),
    pytest.param(
        [change("a", None, {"x": 1}), change("a", None, {"y": 1}, kind="volume")],
        {},
        {"VM a": {"x": 1}, "volume a": {"y": 1}},
        id="two kinds of one name",
    ),
    pytest.param([change("a", None, {"m": Later("mac")})], {}, {"VM a": {"m": KNOWN_AFTER_APPLY}}, id="later"),
]


@pytest.mark.parametrize(("changes", "before", "after"), DIFFS)
def test_diff(changes: list[Change], before: dict[str, Any], after: dict[str, Any]) -> None:
    assert build_diff(tuple(changes)) == {"before": before, "after": after}
    assert Plan(tuple(changes)).diff() == {"before": before, "after": after}
    assert Plan(tuple(changes)).changed is bool(changes)


@pytest.mark.parametrize(("detail", "sentence"), [("", "do VM a"), ("limits.cpu", "do VM a: limits.cpu")])
def test_a_sentence(detail: str, sentence: str) -> None:
    assert Change("do", "VM", "a", detail=detail).sentence == sentence


def test_bodies_are_not_in_a_repr() -> None:
    request = Request("PUT", ("x",), body={"key": "marker"}, expect={"key": "marker"})
    assert "marker" not in repr(request) and "marker" not in repr(Change("do", "VM", "a", steps=(request,)))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.builds(Later, st.sampled_from(["a", "b"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_shown_is_plain_and_has_nothing_later(value: Any) -> None:
    plain = to_plain(value)
    assert json.loads(json.dumps(plain)) == plain
    assert to_plain(plain) == plain


@given(VALUES)
def test_filled_and_shown_differ_only_in_what_came_later(value: Any) -> None:
    placeholders = {"a": KNOWN_AFTER_APPLY, "b": KNOWN_AFTER_APPLY}
    assert fill_in(value, placeholders) == to_plain(value)


def test_filled_takes_what_an_earlier_step_left() -> None:
    assert fill_in({"a": [Later("x"), ("y", Later("x"))]}, {"x": 1}) == {"a": [1, ["y", 1]]}
    with pytest.raises(KeyError):
        fill_in(Later("x"), {})
