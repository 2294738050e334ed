# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the writer compares and keeps, on plain values."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import apply, operations
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer

FOUND = {"config": {"user.a": "old", "volatile.uuid": "1", "volatile.vsock_id": "7"}, "devices": {}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # LXD's keys are as they are now, whatever the plan saw; ours as planned.
        (
            {"config": {"user.a": "new", "volatile.uuid": "0", "volatile.gone": "x"}},
            {"config": {"user.a": "new", "volatile.uuid": "1", "volatile.vsock_id": "7"}},
        ),
        ({"config": {}}, {"config": {"volatile.uuid": "1", "volatile.vsock_id": "7"}}),
        ({"description": "x"}, {"description": "x"}),
        (None, None),
    ],
)
def test_trap_14_lxds_own_keys_are_kept(body: Any, expected: Any) -> None:
    before = repr(body)
    assert apply._with_volatile_keys(body, FOUND) == expected
    assert repr(body) == before, "the plan's own body was changed"


@pytest.mark.parametrize(
    ("found", "sent", "expected"),
    [
        ({"a": "1"}, {"a": "1"}, True),
        ({"a": "1", "volatile.x": "1"}, {"a": "1", "volatile.y": "2"}, True),
        ({"a": "1", "b": "2"}, {"a": "1"}, False),
        ({"a": "1"}, {"a": "2"}, False),
        ({"a": "1"}, {"a": "1", "b": ""}, False),
        ({"root": {"size": "1"}}, {"root": {"size": "2"}}, False),
        (["a", "b"], ["b", "a"], False),
        (["a"], ["a"], True),
        (None, {}, False),
        ("x", "x", True),
    ],
)
def test_what_was_planned_on_is_what_is_there(found: Any, sent: Any, expected: bool) -> None:
    assert apply._is_alike(found, sent) is expected


class Nobody:
    """A port that must not be asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")


def test_trap_29_an_answer_without_an_operation_is_not_waited_for() -> None:
    assert operations.wait_for_operation(Nobody(), Answer({"a": 1}), 0, "it") is None
