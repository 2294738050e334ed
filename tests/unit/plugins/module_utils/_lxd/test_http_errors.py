# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a status or a silence is to us; each kind has its code, and no word of English decides."""

from __future__ import annotations

import copy
import pickle

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import http_errors

WHERE = "https://host:8443"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, errors.Invalid, "invalid"),
        (401, errors.NotTrusted, "not_trusted"),
        (403, errors.NotTrusted, "not_trusted"),
        (404, errors.NotFound, "not_found"),
        (409, errors.Conflict, "conflict"),
        (412, errors.Stale, "conflict"),
        (500, errors.OperationFailed, "operation_failed"),
        (501, errors.Unsupported, "unsupported"),
        (503, errors.Unreachable, "unreachable"),
        (418, errors.OperationFailed, "operation_failed"),
    ],
)
def test_trap_15_a_status_has_its_kind(status: int, kind: type[errors.TenantryError], code: str) -> None:
    # LXD's words would mean another kind each time.
    refusal = http_errors.error_for_status(status, "Not Found: already exists\n", WHERE, ("instances", "a"))
    assert refusal.__class__ is kind and refusal.code == code
    assert refusal.message == f"{WHERE}: instances/a: Not Found: already exists"
    assert refusal.details == {"status": status}


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("", ("a",), f"{WHERE}: a: HTTP 500"),
        (None, ("a",), f"{WHERE}: a: HTTP 500"),
        (" no \n", (), f"{WHERE}: server: no"),
        ({"message": "no"}, ("a",), f"{WHERE}: a: {{'message': 'no'}}"),
    ],
)
def test_a_refusal_names_the_thing(text: object, path: tuple[str, ...], expected: str) -> None:
    assert http_errors.error_for_status(500, text, WHERE, path).message == expected


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("GET", errors.Unreachable),
        ("POST", errors.AnswerLost),
        ("PUT", errors.AnswerLost),
        ("PATCH", errors.AnswerLost),
        ("DELETE", errors.AnswerLost),
    ],
)
def test_trap_04_after_a_write_silence_is_a_lost_answer(method: str, kind: type[errors.TenantryError]) -> None:
    silence = http_errors.no_answer_error(WHERE, TimeoutError("timed\nout"), method, 30)
    assert silence.__class__ is kind and silence.code == "unreachable"
    assert WHERE in silence.message and silence.message.endswith(": timed out") and silence.hint


def test_a_silence_without_words_names_its_kind() -> None:
    assert http_errors.no_answer_error(WHERE, ConnectionResetError(), "GET", 30).message.endswith(
        ": ConnectionResetError"
    )


def test_trap_15_a_stranger_is_unreachable() -> None:
    assert (
        http_errors.not_lxd_error(WHERE).__class__ is errors.Unreachable
        and WHERE in http_errors.not_lxd_error(WHERE).message
    )


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_trap_16_an_error_goes_to_another_process_whole(again: object) -> None:
    assert callable(again)
    refusal = http_errors.error_for_status(412, "ETag doesn't match", WHERE, ("instances", "a"))
    other = again(refusal)
    assert other.__class__ is errors.Stale and str(other) == str(refusal) and repr(other) == repr(refusal)
    assert (other.message, other.hint, other.details) == (refusal.message, refusal.hint, {"status": 412})
