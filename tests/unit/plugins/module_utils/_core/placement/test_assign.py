# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The VMs of a task on their way to a host: which hosts are looked at closer, and what is made of the choice."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Machine, Resources, StoragePool
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement import assign as vm_sited
from ansible_collections.tenantry.lxd.plugins.module_utils._core.placement.assign import Assignment
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.host import VmHostReading

from tests.unit.plugins.module_utils._core.vm.vm_world import World, body, volume, wanted

GIB = 1024**3
POOLS = tuple(StoragePool(name, "dir", "Created", 100 * GIB, 0) for name in ("default", "fast"))


def machine(cores: int = 8, member: str = "none") -> Machine:
    nodes = [{"numa_node": 0, "cores": list(range(cores)), "memory": 64 * GIB, "memory_used": 0, "hugepages": 0}]
    return Machine(member, Resources(cores, 64 * GIB, 0, 0, 0, tuple(nodes)), POOLS, architecture="x86_64")


def host(name: str, *instances: dict[str, Any], **changes: Any) -> VmHostReading:
    return World(instances, [volume()]).host(**{"name": name, "machines": (machine(),), **changes})


HAS_DISK = {
    "root": {"type": "disk", "path": "/", "pool": "default"},
    "data": {"type": "disk", "pool": "default", "source": "vm-data"},
}


@pytest.mark.parametrize(
    ("said", "found", "looked_at"),
    [
        ({}, [], True),
        ({"state": "absent"}, [], False),
        ({}, [body()], False),
        ({"cores": 1, "memory": "1024MiB", "tags": ["x"]}, [body()], False),
        ({"cores": 2}, [body()], True),
        ({"memory": "2GiB"}, [body()], True),
        ({"memory": "512MiB"}, [body()], False),
        ({"disks": [{"size": "10GiB"}]}, [body()], False),
        ({"disks": [{"size": "11GiB"}]}, [body()], True),
        ({"disks": [{}, {"name": "more"}]}, [body()], True),
        ({"disks": [{}, {"name": "data", "size": "5MiB"}]}, [body(devices=HAS_DISK)], False),
        ({"disks": [{}, {"name": "data", "size": "6MiB"}]}, [body(devices=HAS_DISK)], True),
        ({"pinned_cores": [0]}, [body()], True),
        ({}, [body(whole=False)], False),
        ({"state": "absent"}, [body()], False),
    ],
)
def test_a_host_is_measured_only_where_something_needs_room(
    said: dict[str, Any], found: list[dict[str, Any]], looked_at: bool
) -> None:
    hosts = {"a": host("a", *found, machines=())}
    assert Assignment(wanted(**said), "a").asks(hosts) == (("a",) if looked_at else ())


def test_all_that_it_may_be_made_on_are_measured_but_those_that_can_not_be_read() -> None:
    hosts = {"a": host("a"), "b": host("b", unread=True)}
    assert Assignment(wanted(), None, free=("a", "b", "c")).asks(hosts) == ("a",)


def test_a_choice_keeps_what_spoke_against_others_before() -> None:
    hosts = {"a": host("a", body("other", config={"limits.cpu": "4"})), "b": host("b")}
    one = Assignment(wanted(), None, free=("a", "b"), against={"zone is x": ["c"]})
    (done,) = vm_sited.assign_hosts([one], hosts, "spread").sited
    assert done.host == "b" and done.free == () and done.reason
    assert done.against == {"zone is x": ["c"], "as much or more of it is allocated": ["a"]}


def test_refusals_come_all_at_once() -> None:
    hosts = {"a": host("a")}
    vms = [Assignment(wanted(name=name, cores=9), "a") for name in ("x", "y")]
    done = vm_sited.assign_hosts([*vms, Assignment(wanted(name="z"), "a")], hosts, "spread")
    assert [(name, error.code) for name, error in done.refused] == [("x", "no_room"), ("y", "no_room")]
    assert [each.wanted.name for each in done.sited] == ["z"]
    with pytest.raises(errors.NoRoom, match=r"2 VMs are refused: VM x.*VM y") as caught:
        errors.raise_all([error for _name, error in done.refused])
    assert len(list(caught.value.details["refused"])) == 2  # type: ignore[call-overload]


def test_a_url_without_a_name_in_the_registry_is_a_host_too() -> None:
    hosts = {"": host("https://kvm:8443")}
    (done,) = vm_sited.assign_hosts([Assignment(wanted(), "", "chosen by the task")], hosts, "spread").sited
    assert (done.host, done.reason) == ("", "chosen by the task")


def test_where_nothing_can_be_read_yet_the_first_stands_for_the_choice() -> None:
    hosts = {name: host(name, unread=True, machines=()) for name in ("a", "b")}
    (done,) = vm_sited.assign_hosts([Assignment(wanted(), None, free=("a", "b"))], hosts, "spread").sited
    assert done.host == "a" and "can't be read yet" in done.reason


def test_in_a_cluster_a_new_vm_gets_its_member_and_an_old_one_keeps_it() -> None:
    server = dataclasses.replace(host("a").server, clustered=True)
    members = (machine(member="m1"), machine(member="m2"))
    open_project = World([], project={"restricted": "false"}).host().project
    hosts = {"a": host("a", body("old", location="m1"), machines=members, server=server, project=open_project)}
    vms = [Assignment(wanted(name="new"), "a"), Assignment(wanted(name="old", cores=2), "a")]
    new, old = vm_sited.assign_hosts(vms, hosts, "spread").sited
    assert (new.wanted.target, old.wanted.target) == ("m2", None)


def test_chosen_cores_are_what_is_written() -> None:
    (done,) = vm_sited.assign_hosts(
        [Assignment(wanted(pinned_cores={"count": 2}), "a")], {"a": host("a")}, "spread"
    ).sited
    assert done.wanted.config["limits.cpu"] == "0,1"
    assert done.wanted.config["user.tenantry.pinned"]
