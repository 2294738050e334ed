# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes into a URL and what comes out of LXD's envelope."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import (
    Answer,
    Connection,
    is_lxd_envelope,
    open_envelope,
    quote_path,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web-1", "web-1"),
        ("../projects/x", "..%2Fprojects%2Fx"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("...", "..."),
        ("", "%00"),
        ("a?b", "a%3Fb"),
        ("a#b", "a%23b"),
        ("a%2Fb", "a%252Fb"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("ü", "%C3%BC"),
        ("storage_pools", "storage_pools"),
    ],
)
def test_trap_02_a_segment_is_quoted(name: str, expected: str) -> None:
    assert quote_path(["instances", name]) == ["instances", expected]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_trap_02_every_path_keeps_its_segments(path: list[str]) -> None:
    url = "https://host:8443/1.0/" + "/".join(quote_path(path))
    found = urlsplit(url)
    assert (found.query, found.fragment, found.netloc) == ("", "", "host:8443")
    segments = found.path.split("/")[2:]
    assert [unquote(segment) for segment in segments] == [name or "\0" for name in path]
    assert not {"", ".", ".."} & set(segments)


OPERATION = "2f9a7c5e-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"type": "sync", "metadata": {"a": 1}}, Answer({"a": 1}, '"e"')),
        ({"type": "sync", "metadata": None}, Answer(None, '"e"')),
        # A sync answer may name an operation, which then isn't one to wait for.
        ({"type": "sync", "metadata": [], "operation": ""}, Answer([], '"e"')),
        (
            {"type": "async", "metadata": {}, "operation": f"/1.0/operations/{OPERATION}"},
            Answer({}, '"e"', OPERATION),
        ),
        # In a cluster and in a project, LXD adds to it.
        (
            {"type": "async", "metadata": {}, "operation": f"/1.0/operations/{OPERATION}?project=a"},
            Answer({}, '"e"', OPERATION),
        ),
        # Newer servers answer a profile's PUT or a project's DELETE so, too: there the metadata is no object's.
        (
            {"type": "async", "status_code": 100, "operation": f"/1.0/operations/{OPERATION}"},
            Answer(None, '"e"', OPERATION),
        ),
    ],
)
def test_trap_29_an_operation_is_seen_whatever_the_request(payload: dict[str, Any], expected: Answer) -> None:
    assert open_envelope(payload, '"e"') == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"type": "sync", "metadata": None}, True),
        ({"type": "async", "operation": "/1.0/operations/x"}, True),
        ({"type": "error", "error": "no", "error_code": 404}, True),
        ({"type": "sync"}, False),
        ({"type": "async", "metadata": {}}, False),
        ({"type": "error"}, False),
        ({"type": ["sync"], "metadata": {}}, False),
        ({"type": None, "None": 1, "": 1}, False),
        ({"metadata": {}}, False),
        ({}, False),
        ([], False),
        (["sync"], False),
        ("sync", False),
        (1, False),
        (None, False),
    ],
)
def test_trap_15_an_answer_of_lxds_is_told_from_others(payload: Any, expected: bool) -> None:
    assert is_lxd_envelope(payload) is expected


def test_the_key_is_in_no_repr() -> None:
    connection = Connection(("https://host:8443",), "certificate", "s3cret", "pin")
    assert "s3cret" not in f"{connection!r} {connection}" and "certificate" in repr(connection)
