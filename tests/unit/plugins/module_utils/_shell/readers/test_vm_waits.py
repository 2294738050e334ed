# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many VMs on several hosts, waited for side by side: what each comes to, and what it costs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Instance
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import waits
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd import waiting
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer, Connection
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.progress import Progress
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.readers.vm_waits import AwaitedVm, VmWaits

MAC = "00:16:3e:00:00:01"


def body(name: str, status: str = "Running", address: str = "", agent: bool = False) -> dict[str, Any]:
    told = [{"family": "inet", "address": address, "scope": "global"}] if address else []
    return {
        "name": name,
        "type": "virtual-machine",
        "status": status,
        "config": {"volatile.eth0.hwaddr": MAC},
        "expanded_devices": {"eth0": {"type": "nic"}},
        "state": {"processes": 9 if agent else -1, "network": {"eth0": {"hwaddr": MAC, "addresses": told}}},
    }


class Host:
    """A port whose listing is what `listed` says in each round."""

    connection = Connection(("https://host:8443",), timeout=30)

    def __init__(self, listed: Callable[[int], list[dict[str, Any]]]) -> None:
        self.listed = listed
        self.asked: list[tuple[str, ...]] = []

    def call(self, method: str, path: tuple[str, ...], **rest: Any) -> Answer:
        self.asked.append((method, *path))
        return Answer(self.listed(len(self.asked)))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_FIRST", 0.005)
    monkeypatch.setattr(waiting, "_LAST", 0.01)


def awaited(host: str, port: Host, *names: str, known: Any = None) -> AwaitedVm:
    return AwaitedVm(host, port, "p", names, known or {})  # type: ignore[arg-type]


def test_each_vm_has_its_own_result() -> None:
    def first(round_: int) -> list[dict[str, Any]]:
        address = "10.0.0.5" if round_ > 2 else ""
        return [body("late"), body("there", address="10.0.0.4"), body("comes", address=address), body("off", "Stopped")]

    port = Host(first)
    both = threading.Barrier(2, timeout=10)
    other = Host(lambda round_: [both.wait() * 0 or body("x", address="10.0.0.9")] if round_ == 1 else [])

    def meeting(round_: int) -> list[dict[str, Any]]:
        if round_ == 1:
            both.wait()
        return first(round_)

    port.listed = meeting
    vm_waits = VmWaits("address", 1, Progress())
    failed = vm_waits.carry_out(
        [
            awaited("a", port, "late", "there", "comes", "off", "gone"),
            awaited("b", other, "x"),
            awaited("c", Host(list)),
        ]
    )
    assert {group: error.code for group, error in failed.items()} == {
        "a/late": "timeout",
        "a/off": "timeout",
        "a/gone": "not_found",
    }
    assert failed["a/off"].message == "VM off on a: no address after 1 s: it is Stopped"
    assert failed["a/gone"].message == "VM gone on a: it is gone"
    rows = {row["name"]: row for row in vm_waits.rows()}
    assert [name for name, row in rows.items() if row["reached"]] == ["there", "comes", "x"]
    assert rows["late"]["missing"] == "it runs; no lease and no agent" and rows["there"]["missing"] is None
    assert rows["gone"]["missing"] == "it is gone"
    assert set(port.asked) == {("GET", "instances")}, "VMs are asked one by one"


def test_what_the_listing_showed_is_not_asked_for_again() -> None:
    port = Host(lambda _round: [])
    known = {"v": Instance.from_api(body("v", "Ready"))}
    vm_waits = VmWaits("running", 1, Progress())
    assert vm_waits.carry_out([awaited("a", port, "v", known=known)]) == {}
    assert port.asked == [] and vm_waits.rows() == []


def test_who_is_not_up_yet_is_waited_for() -> None:
    port = Host(lambda round_: [body("v", "Running" if round_ > 1 else "Error")])
    known = {"v": Instance.from_api(body("v", "Stopped"))}
    assert VmWaits("running", 5, Progress()).carry_out([awaited("a", port, "v", known=known)]) == {}
    assert len(port.asked) == 2


def test_who_was_made_after_the_last_listing_is_not_taken_for_gone() -> None:
    port = Host(lambda _round: [body("v")])
    known = {"other": Instance.from_api(body("other"))}
    assert VmWaits("running", 5, Progress()).carry_out([awaited("a", port, "v", known=known)]) == {}


def test_none_waits_for_nothing() -> None:
    port = Host(lambda _round: [])
    assert VmWaits("none", 1, Progress()).carry_out([awaited("a", port, "v")]) == {} and port.asked == []


def test_a_guest_without_an_agent_is_not_waited_for_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "AGENT_GRACE", 0.05)
    port = Host(lambda _round: [body("v", address="10.0.0.4")])
    failed = VmWaits("cloud_init", 10, Progress()).carry_out([awaited("a", port, "v")])
    assert failed["a/v"].code == "unsupported" and "no LXD agent" in failed["a/v"].message
    # One that is not on the network may only be slow.
    silent = Host(lambda _round: [body("v")])
    assert VmWaits("cloud_init", 1, Progress()).carry_out([awaited("a", silent, "v")])["a/v"].code == "timeout"


def test_a_host_that_refuses_us_fails_its_vms_and_no_others() -> None:
    def refuses(round_: int) -> list[dict[str, Any]]:
        raise errors.NotTrusted("a: not authorized", "trust it")

    failed = VmWaits("running", 60, Progress()).carry_out(
        [awaited("a", Host(refuses), "v", "w"), awaited("b", Host(lambda _round: [body("x")]), "x")]
    )
    assert {group: error.code for group, error in failed.items()} == {"a/v": "not_trusted", "a/w": "not_trusted"}
    assert failed["a/v"].message == "VM v on a: a: not authorized" and failed["a/v"].hint == "trust it"


@pytest.mark.parametrize(("statuses", "code"), [(("Error",), "operation_failed"), (("Error", "Running"), "timeout")])
def test_a_vm_that_failed_for_a_while_ends_its_wait(
    monkeypatch: pytest.MonkeyPatch, statuses: tuple[str, ...], code: str
) -> None:
    """A VM that LXD stops has status Error for moments only: a status that changes doesn't end the wait."""
    monkeypatch.setattr(waits, "_GRACE", {"Error": 0.1})
    port = Host(lambda round_: [body("v", statuses[round_ % len(statuses)])])
    port.text = lambda _path, **_rest: "starting\nno memory\n"  # type: ignore[attr-defined]
    timeout = 20 if code == "operation_failed" else 1
    failed = VmWaits("address", timeout, Progress()).carry_out([awaited("a", port, "v")])["a/v"]
    assert failed.code == code
    assert ("it has status Error: no memory" in failed.message) is (code == "operation_failed")
