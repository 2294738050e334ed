# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a VM lacks for each kind of wait, on states as LXD 5.0.2 tells them."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Instance
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import waits
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.cloud_init import CloudInitStatus

MAC = "00:16:3e:45:4e:8f"
LEASE = ("inet", "10.0.0.7")
# What LXD expects of a guest with this MAC by SLAAC, and tells from the moment the VM is started.
WORKED_OUT = ("inet6", "fd42::216:3eff:fe45:4e8f")
OTHER_V6 = ("inet6", "fd42::7")
HEARD = {"packets_sent": 2, "packets_received": 2}
SILENT = {"packets_sent": 0, "packets_received": 0}


def network(
    *addresses: tuple[str, str], mac: str = MAC, counters: Optional[dict[str, int]] = None, scope: str = "global"
) -> dict[str, Any]:
    return {
        "hwaddr": mac,
        "addresses": [{"family": family, "address": address, "scope": scope} for family, address in addresses],
        "counters": counters,
    }


def vm(networks: Optional[dict[str, Any]] = None, agent: bool = False, status: str = "Running") -> Instance:
    return Instance.from_api(
        {
            "name": "v",
            "type": "virtual-machine",
            "status": status,
            "config": {"volatile.eth0.hwaddr": MAC},
            "expanded_devices": {"root": {"type": "disk"}, "eth0": {"type": "nic", "network": "lxdbr0"}},
            "state": {"status": status, "processes": 30 if agent else -1, "network": networks},
        }
    )


NO_NETWORK = vm()
LEASED = vm({"eth0": network(LEASE, counters=HEARD)})


@pytest.mark.parametrize("wait", waits.WAIT_KINDS)
@pytest.mark.parametrize("status", ["Stopped", "Error", "Frozen"])
def test_nothing_is_there_while_a_vm_is_off(wait: str, status: str) -> None:
    assert waits.missing(wait, vm({"eth0": network(LEASE)}, agent=True, status=status)) == f"it is {status}"


@pytest.mark.parametrize("status", ["Running", "Ready"])
@pytest.mark.parametrize("wait", ["none", "running"])
def test_ready_is_running(wait: str, status: str) -> None:
    assert waits.missing(wait, vm(status=status)) == ""


@pytest.mark.parametrize(
    ("networks", "agent", "expected"),
    [
        # Without an agent.
        ({"eth0": network(LEASE, counters=HEARD)}, False, [LEASE]),
        ({"eth0": network(LEASE)}, False, [LEASE]),
        ({"eth0": network(LEASE, WORKED_OUT, counters=HEARD)}, False, [LEASE]),
        ({"eth0": network(OTHER_V6, counters=HEARD)}, False, [OTHER_V6]),
        ({"eth0": network(WORKED_OUT, counters=HEARD)}, False, []),
        ({"eth0": network(LEASE, counters=SILENT)}, False, []),
        ({"eth0": network(LEASE, counters={"packets_sent": 3, "packets_received": 0})}, False, []),
        ({"eth0": network(counters=HEARD)}, False, []),
        (None, False, []),
        # With one: the guest's own word, by its own names of interfaces.
        ({"enp5s0": network(LEASE, counters=SILENT)}, True, [LEASE]),
        ({"enp5s0": network(WORKED_OUT)}, True, [WORKED_OUT]),
        ({"enp5s0": network(("inet6", "fe80::1"), scope="link")}, True, []),
        ({"docker0": network(("inet", "172.17.0.1"), mac="02:42:00:00:00:01")}, True, []),
        ({"lo": network(("inet", "127.0.0.1"), mac="")}, True, []),
        ({"br0": network(LEASE, mac=MAC.upper())}, True, [LEASE]),
    ],
)
def test_an_address_is_one_that_the_guest_has(networks: Any, agent: bool, expected: list[tuple[str, str]]) -> None:
    found = vm(networks, agent)
    assert waits.proven_addresses(found) == [address for _family, address in expected]
    assert (waits.missing("address", found) == "") == bool(expected)


@pytest.mark.parametrize(
    ("wait", "found", "said"),
    [
        ("address", NO_NETWORK, "it runs; no lease and no agent"),
        (
            "address",
            vm({"eth0": network(WORKED_OUT, counters=HEARD)}),
            "it runs; no lease and no agent, only fd42::216:3eff:fe45:4e8f, which LXD works out from the MAC",
        ),
        (
            "address",
            vm({"eth0": network(LEASE, counters=SILENT)}),
            "it runs; 10.0.0.7 was leased before this start, and the guest wasn't heard of since",
        ),
        ("address", vm({}, agent=True), "it runs, and its agent reports none"),
        ("agent", NO_NETWORK, "it runs; no address either"),
        ("agent", LEASED, "it runs, with the address 10.0.0.7"),
        ("agent", vm({}, agent=True), ""),
        (
            "cloud_init",
            LEASED,
            "it runs, with the address 10.0.0.7; it is asked through LXD's agent, and there is none",
        ),
        ("cloud_init", vm({}, agent=True), "the agent is there, and cloud-init didn't answer"),
    ],
)
def test_what_is_missing_is_said(wait: str, found: Instance, said: str) -> None:
    assert waits.missing(wait, found) == said


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (CloudInitStatus("running", "modules-final"), "cloud-init reports running, stage modules-final"),
        (CloudInitStatus("not started"), "cloud-init reports not started"),
        (CloudInitStatus(""), "the agent is there, and cloud-init didn't answer"),
        (CloudInitStatus("done"), ""),
        (CloudInitStatus("disabled"), ""),
        # The wait is over; that it failed is another matter.
        (CloudInitStatus("error", errors=("x",)), ""),
    ],
)
def test_cloud_init_is_waited_for_until_it_ended(status: CloudInitStatus, said: str) -> None:
    assert waits.missing("cloud_init", vm({}, agent=True), status) == said


def test_what_can_never_come_is_not_waited_for() -> None:
    bare = Instance.from_api({"name": "v", "status": "Running", "expanded_devices": {"root": {"type": "disk"}}})
    assert waits.hopeless("address", bare).code == "unsupported"  # type: ignore[union-attr]
    assert waits.hopeless("running", bare) is None and waits.hopeless("agent", bare) is None
    assert waits.hopeless("address", NO_NETWORK) is None
    assert waits.hopeless("running", None).code == "not_found"  # type: ignore[union-attr]


def test_a_wait_that_ran_out_names_what_it_was_for() -> None:
    late = waits.timeout_error("address", 60, "it runs; no lease and no agent")
    assert (late.code, late.message) == ("timeout", "no address after 60 s: it runs; no lease and no agent")
    assert all(waits.timeout_error(wait, 1, "x").hint for wait in waits.WAIT_KINDS if wait != "none")


@pytest.mark.parametrize(
    ("status", "ends"),
    [("Error", True), ("Stopped", True), ("Running", False), ("Starting", False)],
)
def test_a_wait_may_end_by_the_status_of_a_vm(status: str, ends: bool) -> None:
    assert (waits.find_grace(vm(status=status)) is not None) is ends


def test_a_vm_on_an_unreachable_member_may_be_running() -> None:
    assert waits.find_grace(Instance.from_api({"name": "v", "status": "Error"})) is None


@pytest.mark.parametrize(
    ("status", "log_line", "message"),
    [
        ("Stopped", "", "it has stopped"),
        ("Error", "", "it has status Error"),
        ("Error", "KVM: entry failed", "it has status Error: KVM: entry failed"),
    ],
)
def test_a_vm_that_failed_is_reported_with_its_log(status: str, log_line: str, message: str) -> None:
    error = waits.failed_status_error("v", status, log_line, "p")
    assert (error.code, error.message) == ("operation_failed", message)
    assert "lxc info v --show-log --project p" in str(error.hint)
