# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who works on what at the same time: each host's groups by workers of its own, in the plan's order."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Change, Plan, Prove, WipeDevice
from ansible_collections.tenantry.lxd.plugins.module_utils._shell import carry_out
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.carry_out import ExecutionContext
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.progress import SIZE, Progress, format_progress

Doing = Callable[[str, str], None]


def plan(hosts: Mapping[str, int]) -> Plan:
    """So many VMs on each host, the hosts' VMs in turns, each VM with two steps."""
    changes = []
    for number in range(max(hosts.values())):
        for host, count in hosts.items():
            if number < count:
                steps = tuple(Prove("step", {"host": host, "vm": f"vm-{number}", "step": step}) for step in (1, 2))
                name = f"vm-{number}"
                changes.append(Change("create", "VM", name, steps, group=f"{host}/{name}", host=host))
    return Plan(tuple(changes))


def means(
    step: Callable[[Mapping[str, Any]], None], workers: int, progress: Progress | None = None
) -> ExecutionContext:
    return ExecutionContext(
        claims={"step": lambda about, _made: step(about)}, workers=workers, progress=progress or Progress()
    )


def test_a_slow_host_takes_no_workers_of_others() -> None:
    others, lock = [10], threading.Lock()
    others_done = threading.Event()

    def step(about: Mapping[str, Any]) -> None:
        if about["host"] == "slow":
            # Its VMs get on only after those of the other host are through.
            assert others_done.wait(10), "the workers of the other host are taken"
        elif about["step"] == 2:
            with lock:
                others[0] -= 1
            if not others[0]:
                others_done.set()

    outcome = carry_out.carry_out(plan({"slow": 10, "quick": 10}), means(step, 2))
    assert len(outcome.done) == 20 and not outcome.failed


def test_no_host_gets_more_workers_than_said_and_each_gets_them_all() -> None:
    lock = threading.Lock()
    busy: dict[str, int] = {"a": 0, "b": 0, "c": 0}
    most = dict(busy)
    full = threading.Barrier(3)

    def step(about: Mapping[str, Any]) -> None:
        host = about["host"]
        with lock:
            busy[host] += 1
            most[host] = max(most[host], busy[host])
        if host == "a" and about["step"] == 1:
            # Nobody gets on unless three are here at once.
            full.wait(10)
        # Long enough for one too many to be seen beside the others.
        threading.Event().wait(0.01)
        with lock:
            busy[host] -= 1

    outcome = carry_out.carry_out(plan({"a": 9, "b": 9, "c": 1}), means(step, 3))
    assert not outcome.failed and len(outcome.done) == 19
    assert most == {"a": 3, "b": 3, "c": 1}


def test_a_host_begins_its_vms_in_the_plans_order() -> None:
    begun: dict[str, list[tuple[str, int]]] = {"a": [], "b": []}
    outcome = carry_out.carry_out(
        plan({"a": 30, "b": 30}),
        means(lambda about: begun[about["host"]].append((about["vm"], about["step"])), 1),
    )
    expected = [(f"vm-{number}", step) for number in range(30) for step in (1, 2)]
    assert begun == {"a": expected, "b": expected}
    assert [(change.host, change.name) for change in outcome.done[:3]] == [("a", "vm-0"), ("b", "vm-0"), ("a", "vm-1")]


def test_a_failure_ends_its_group_and_no_other() -> None:
    def step(about: Mapping[str, Any]) -> None:
        if about == {"host": "a", "vm": "vm-1", "step": 1}:
            raise errors.OperationFailed("no")

    outcome = carry_out.carry_out(plan({"a": 3, "b": 3}), means(step, 2))
    assert list(outcome.failed) == ["a/vm-1"] and len(outcome.done) == 5


def test_many_hosts_share_the_threads_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry_out, "_THREADS", 4)
    lock = threading.Lock()
    busy, most = dict.fromkeys("abcd", 0), [0]

    def step(about: Mapping[str, Any]) -> None:
        with lock:
            busy[about["host"]] += 1
            most[0] = max(most[0], busy[about["host"]])
        threading.Event().wait(0.01)
        with lock:
            busy[about["host"]] -= 1

    outcome = carry_out.carry_out(plan(dict.fromkeys("abcd", 5)), means(step, 5))
    assert len(outcome.done) == 20 and most == [1]


def test_how_far_it_is_is_told_of_every_vm(tmp_path: Any) -> None:
    said = tmp_path / "said"
    said.write_bytes(b"")
    told: list[str] = []
    outcome = carry_out.carry_out(
        plan({"a": 2, "b": 1}), means(lambda _about: told.append(said.read_text().strip()), 1, Progress(str(said)))
    )
    assert not outcome.failed
    assert told[0] == "0 of 3 VMs done (working: a 0 of 2, b 0 of 1)"
    assert said.read_text() == "3 of 3 VMs done".ljust(SIZE), "what was longer before shows through"


def test_progress_that_cant_be_told_stops_nothing(tmp_path: Any) -> None:
    for path in (tmp_path / "not there", tmp_path):
        assert not carry_out.carry_out(plan({"a": 2}), means(lambda _about: None, 1, Progress(str(path)))).failed
    assert list(tmp_path.iterdir()) == [], "a file was made where there was none"
    aim = tmp_path / "aim"
    aim.write_text("mine")
    (tmp_path / "link").symlink_to(aim)
    Progress(str(tmp_path / "link")).write("x")
    assert aim.read_text() == "mine", "a link was followed"


@pytest.mark.parametrize(
    ("ended", "totals", "said"),
    [
        ({"a": 3}, {"a": 5}, "3 of 5 VMs done"),
        ({"a": 3, "b": 0}, {"a": 5, "b": 5}, "3 of 10 VMs done (working: b 0 of 5, a 3 of 5)"),
        ({"a": 5, "b": 1}, {"a": 5, "b": 2}, "6 of 7 VMs done (working: b 1 of 2)"),
        ({"a": 1, "b": 1}, {"a": 1, "b": 1}, "2 of 2 VMs done"),
        (
            dict.fromkeys("abcde", 0),
            {"a": 1, "b": 9, "c": 8, "d": 7, "e": 6},
            "0 of 31 VMs done (working: b 0 of 9, c 0 of 8, d 0 of 7, 2 more VM hosts)",
        ),
    ],
)
def test_the_hosts_with_most_before_them_are_named(ended: Any, totals: Any, said: str) -> None:
    assert format_progress("VMs done", ended, totals) == said


def group(*named: str) -> Plan:
    """One VM's changes, each as "verb kind name"."""
    said = (each.split(" ") for each in named)
    changes = [Change(verb, kind, name, (Prove(verb + kind),), group="a/vm", host="a") for verb, kind, name in said]
    return Plan(tuple(changes))


MADE = ("delete VM vm", "create volume p/vm-data", "grow volume p/vm-old", "create VM vm", "start VM vm")
TAKEN_BACK: list[Any] = [
    (("VM vm", "volume p/vm-data"), (), ["delete VM vm", "grow volume p/vm-old"]),
    (("VM vm",), ("volume p/vm-data",), ["delete VM vm", "create volume p/vm-data", "grow volume p/vm-old"]),
    ((), ("VM vm", "volume p/vm-data"), [*MADE[:3], "create VM vm: cut short"]),
]


@pytest.mark.parametrize(("gone", "left", "told"), TAKEN_BACK)
def test_what_was_taken_back_was_never_done(gone: tuple[str, ...], left: tuple[str, ...], told: list[str]) -> None:
    def refuse(_about: Mapping[str, Any], _made: Any) -> None:
        raise errors.RolledBack("too late", "", gone, left)

    claims = {**dict.fromkeys(("deleteVM", "createvolume", "growvolume"), lambda *_said: None), "createVM": refuse}
    outcome = carry_out.carry_out(group(*MADE), ExecutionContext(claims=claims))
    assert [change.sentence for change in outcome.done] == told
    assert list(outcome.failed) == ["a/vm"] and not outcome.stale and not outcome.unanswered


def test_a_disk_that_refuses_to_be_wiped_is_the_vm_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(carry_out.block, "wipe", refuse)
    ended = carry_out.carry_out(Plan((Change("wipe", "device", "x", (WipeDevice("/dev/vdb"),)),)), ExecutionContext())
    assert ended.failed[""].message == "/dev/vdb: Input/output error"
    assert "VM host" in ended.failed[""].hint
