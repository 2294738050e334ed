# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting for an operation, with the answers that servers were recorded to give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Server
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import http_errors, operations
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer, Connection, open_envelope

ID = "00dc0316-88e1-42ee-b65a-dac812a6ce94"
REASON = "The instance is already stopped"


def operation(code: int, **fields: Any) -> tuple[int, dict[str, Any]]:
    body = {"id": ID, "class": "task", "status_code": code, "err": "", "metadata": None, "resources": {}, **fields}
    return 200, {"type": "sync", "metadata": body}


def envelope(code: int, reason: str) -> tuple[int, dict[str, Any]]:
    """An error envelope with HTTP status 200, as LXD 5.0.3 to 6.9 and Incus up to 6.11 answer a wait."""
    return 200, {"type": "error", "error_code": code, "error": reason, "metadata": None}


class RecordedPort:
    """Answers each request with the next recorded answer; counts nothing else."""

    def __init__(self, *answers: tuple[int, dict[str, Any]]) -> None:
        self.connection = Connection(("https://one",))
        self.server = Server.from_api({})
        self.asked: list[str] = []
        self._answers = iter(answers)

    def call(self, method: str, path: Sequence[str], **_options: Any) -> Answer:
        self.asked.append(path[-1] if path[-1] == "wait" else "read")
        status, payload = next(self._answers)
        if status >= 300 or payload["type"] == "error":
            raise http_errors.error_for_envelope(status, payload, "one", path)
        return open_envelope(payload, None)

    def text(self, path: Sequence[str], *, project: str) -> str:
        raise AssertionError("no file is read")

    def close(self) -> None:
        """Nothing is open."""


RUNNING, DONE, FAILED = operation(103), operation(200), operation(400, err=REASON)
TIME_IS_UP = envelope(500, "context deadline exceeded")
GONE: tuple[int, Mapping[str, Any]] = (404, {"type": "error", "error_code": 404, "error": "Operation not found"})


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_LEAST_PAUSE", 0)


def wait(*answers: Any) -> tuple[Any, list[str]]:
    port = RecordedPort(*answers)
    return operations.wait_for_operation(port, Answer(None, None, ID), 60, "VM web-1"), port.asked


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([DONE], ["wait"]),
        ([RUNNING, RUNNING, DONE], ["wait", "wait", "wait"]),
        ([TIME_IS_UP, RUNNING, TIME_IS_UP, RUNNING, DONE], ["wait", "read", "wait", "read", "wait"]),
        # It ended between the two requests.
        ([TIME_IS_UP, DONE], ["wait", "read"]),
        # Whatever code the envelope has: what it says of the operation isn't what it says of the request.
        ([envelope(404, "not found"), DONE], ["wait", "read"]),
    ],
)
def test_operation_that_succeeds(answers: list[Any], asked: list[str]) -> None:
    ended, seen = wait(*answers)
    assert ended.has_succeeded and seen == asked


@pytest.mark.parametrize(
    "answers",
    [
        [FAILED],
        [TIME_IS_UP, RUNNING, FAILED],
        [envelope(400, REASON), FAILED],
        [envelope(500, REASON), FAILED],
        [envelope(404, REASON), FAILED],
        [envelope(409, REASON), FAILED],
        [envelope(412, REASON), FAILED],
    ],
)
def test_operation_that_fails_is_an_error_with_its_reason(answers: list[Any]) -> None:
    with pytest.raises(errors.OperationFailed, match=f"^VM web-1: {REASON}$"):
        wait(*answers)


@pytest.mark.parametrize("answers", [[GONE, GONE], [TIME_IS_UP, GONE], [envelope(404, REASON), GONE]])
def test_forgotten_operation_has_an_unknown_outcome(answers: list[Any]) -> None:
    with pytest.raises(errors.AnswerLost, match="its outcome is unknown"):
        wait(*answers)


def test_operation_that_never_ends_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(operations.time, "monotonic", lambda: next(clock))
    with pytest.raises(errors.TimedOut, match="not done after 60 s"):
        wait(*[TIME_IS_UP, RUNNING] * 20)


def test_refusal_of_the_wait_is_no_outcome() -> None:
    refused = (403, {"type": "error", "error_code": 403, "error": "not authorized"})
    with pytest.raises(errors.NotTrusted):
        wait(refused)
