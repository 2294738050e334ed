# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When LXD is asked again, and what a wait survives, by a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import waiting
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer, Connection


class Clock:
    """Time that passes only in sleep()."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


class Port:
    """Answers each listing with the next of what it was given; the last one goes on for ever."""

    connection = Connection(("https://host:8443",), timeout=30)

    def __init__(self, *answers: list[dict[str, Any]] | errors.TenantryError) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def call(self, method: str, path: tuple[str, ...], **rest: Any) -> Answer:
        self.asked.append({"request": (method, *path), **rest})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, errors.TenantryError):
            raise answer
        return Answer(answer)


def watch(port: Port, look: Callable[[Any], bool], seconds: float = 60) -> errors.TenantryError | None:
    return waiting.watch(port, "p", True, waiting.time.monotonic() + seconds, look)  # type: ignore[arg-type]


UP = [{"name": "v", "status": "Running"}]


def test_the_first_look_comes_at_once_and_may_be_the_last(clock: Clock) -> None:
    port = Port(UP)
    assert watch(port, lambda listed: listed["v"].is_running) is None
    assert clock.slept == [] and len(port.asked) == 1
    assert port.asked[0]["request"] == ("GET", "instances") and port.asked[0]["params"] == {"recursion": "2"}
    assert port.asked[0]["project"] == "p"


def test_looks_are_further_and_further_apart_and_the_last_is_at_the_end(clock: Clock) -> None:
    port = Port(UP)
    assert watch(port, lambda _listed: False, 12) is None
    assert clock.slept == [0.5, 0.75, 1.125, 1.688, 2.531, 3.0, 2.406]
    assert len(port.asked) == 8 and clock.now == 1012


def test_an_outage_is_sat_out(clock: Clock) -> None:
    looks = []
    port = Port(errors.Unreachable("gone"), errors.OperationFailed("database is locked"), errors.AnswerLost("cut"), UP)
    assert watch(port, lambda listed: bool(looks.append(1) or listed)) is None
    assert len(looks) == 1 and len(port.asked) == 4


def test_an_outage_that_lasts_is_told_at_the_end(clock: Clock) -> None:
    outage = watch(Port(UP, errors.Unreachable("gone")), lambda _listed: False, 5)
    assert outage is not None and outage.message == "gone" and clock.now == 1005


def test_a_server_that_stays_silent_is_given_up(clock: Clock) -> None:
    with pytest.raises(errors.Unreachable, match="gone"):
        watch(Port(UP, errors.Unreachable("gone")), lambda _listed: False, 300)
    assert 1060 <= clock.now <= 1064


def test_silence_is_counted_anew_after_each_answer(clock: Clock) -> None:
    port = Port(*[errors.Unreachable("gone"), errors.Unreachable("gone"), UP] * 100, UP)
    watch(port, lambda _listed: False, 300)
    assert clock.now == 1300


def test_what_time_doesnt_mend_ends_it_at_once(clock: Clock) -> None:
    with pytest.raises(errors.NotTrusted):
        watch(Port(errors.NotTrusted("not any more")), lambda _listed: False)
    assert clock.slept == []


def test_no_single_answer_outlasts_the_deadline_by_much(clock: Clock) -> None:
    port = Port(UP)
    watch(port, lambda _listed: False, 60)
    limits = [asked["timeout"] for asked in port.asked]
    assert max(limits) == 30 and min(limits) == 5
