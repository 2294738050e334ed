# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM's plan: every state on everything that may be found, and what holds for any plan whatever is said and found."""

from __future__ import annotations

import random
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import plan as vm_plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.spec import STATES, VmSpec, parse_vm_spec
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.volumes import COMPOSING
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from tests.unit.plugins.module_utils._core.vm.vm_world import (
    NIC,
    ROOT,
    World,
    body,
    requests,
    sentences,
    volume,
    wanted,
)

DATA = {"type": "disk", "pool": "default", "source": "vm-data"}
WITH_DATA = {"root": ROOT, "eth0": NIC, "data": DATA}
HALF = body(whole=False)


def planned(world: World, policy: vm_plan.RestartPolicy | None = None, **said: Any) -> vm_plan.VmPlan:
    return vm_plan.plan_vm(wanted(**said), world.host(), policy or vm_plan.RestartPolicy())


def done(world: World, policy: vm_plan.RestartPolicy | None = None, **said: Any) -> list[str]:
    """Carry it out; returns what was done."""
    plan = planned(world, policy, **said)
    world.carry_out(plan)
    return sentences(plan)


# State and what is found; what is done; the status afterwards (None: gone).
STATE_TABLE: list[Any] = [
    ("present", [], ["create VM vm"], "Stopped"),
    ("started", [], ["create VM vm", "start VM vm"], "Running"),
    ("restarted", [], ["create VM vm", "start VM vm"], "Running"),
    ("stopped", [], ["create VM vm"], "Stopped"),
    ("released", [], ["create VM vm"], "Stopped"),
    ("absent", [], [], None),
    ("present", [body()], [], "Stopped"),
    ("started", [body()], ["start VM vm"], "Running"),
    ("restarted", [body()], ["start VM vm"], "Running"),
    ("stopped", [body()], [], "Stopped"),
    ("released", [body()], [], "Stopped"),
    ("absent", [body()], ["delete VM vm"], None),
    ("present", [body(status="Running")], [], "Running"),
    ("started", [body(status="Running")], [], "Running"),
    ("started", [body(status="Ready")], [], "Ready"),
    ("restarted", [body(status="Running")], ["restart VM vm"], "Running"),
    ("restarted", [body(status="Ready")], ["restart VM vm"], "Running"),
    ("stopped", [body(status="Running")], ["stop VM vm"], "Stopped"),
    ("released", [body(status="Running")], ["stop VM vm"], "Stopped"),
    ("absent", [body(status="Running")], ["delete VM vm"], None),
    ("present", [body(status="Frozen")], [], "Frozen"),
    ("started", [body(status="Frozen")], ["resume VM vm"], "Running"),
    ("restarted", [body(status="Frozen")], ["restart VM vm"], "Running"),
    ("stopped", [body(status="Frozen")], ["stop VM vm"], "Stopped"),
    ("absent", [body(status="Frozen")], ["delete VM vm"], None),
    ("present", [HALF], ["delete VM vm: half made by an interrupted run", "create VM vm"], "Stopped"),
    ("started", [HALF], ["delete VM vm: half made by an interrupted run", "create VM vm", "start VM vm"], "Running"),
    ("absent", [HALF], ["delete VM vm"], None),
]


@pytest.mark.parametrize(("state", "found", "actions", "status"), STATE_TABLE)
def test_states(state: str, found: list[Any], actions: list[str], status: str | None) -> None:
    world = World(found)
    plan = planned(world, state=state)
    assert sentences(plan) == actions and plan.waiting == ()
    world.carry_out(plan)
    assert (world.instances["vm"]["status"] if "vm" in world.instances else None) == status
    if state != "restarted":
        assert planned(world, state=state) == vm_plan.VmPlan()


def test_every_state_is_in_the_table() -> None:
    assert {row[0] for row in STATE_TABLE} == set(STATES)


REFUSED: list[Any] = [
    pytest.param(body(owner="them"), errors.NotOwned, "belongs to them", id="somebody else's"),
    pytest.param(body(owner=None), errors.NotOwned, "not composed by this tenant", id="nobody's"),
    pytest.param(body(owner="them", whole=False), errors.NotOwned, "belongs to them", id="somebody else's, half made"),
    pytest.param(body(type="container"), errors.Conflict, "a container", id="a container"),
    pytest.param({**body(), "status": "Error", "config": None}, errors.Unreachable, "member", id="on a dead member"),
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("found", "kind", "message"), REFUSED)
def test_what_is_not_ours_is_refused(state: str, found: Any, kind: type[Exception], message: str) -> None:
    world = World()
    host = world.host(instances={"vm": World([{**found, "config": found["config"] or {}}]).host().instances["vm"]})
    with pytest.raises(kind) as refused:
        vm_plan.plan_vm(wanted(state=state), host, vm_plan.RestartPolicy())
    assert str(refused.value).startswith("VM vm on kvm: ") and message in str(refused.value)


@pytest.mark.parametrize("lock", ["user.tenantry.protected", "security.protection.delete"])
@pytest.mark.parametrize("status", ["Stopped", "Running", "Frozen"])
def test_a_protected_vm_is_refused_before_it_is_stopped(lock: str, status: str) -> None:
    with pytest.raises(errors.Protected, match="protected against deletion") as refused:
        planned(World([body(status=status, config={lock: "true"})]), state="absent")
    assert "protected: false" in refused.value.hint


def test_saying_absent_does_not_unprotect() -> None:
    with pytest.raises(errors.Protected):
        planned(World([body(config={"user.tenantry.protected": "true"})]), state="absent", protected=False)


# What is said of a VM that runs with WITH_DATA; what is done while it runs; what waits for a restart.
RUNNING: list[Any] = [
    ({"cores": 2}, ["limits.cpu"], []),
    ({"memory": "2GiB"}, [], ["limits.memory"]),
    ({"memory": "1024MiB"}, [], []),
    ({"secure_boot": False}, [], ["security.secureboot"]),
    ({"pinned_cores": [1, 2]}, [], ["limits.cpu"]),
    ({"tags": ["a"]}, ["user.tenantry.tags"], []),
    ({"annotations": {"a": "b"}}, ["user.tenantry.annotation.a"], []),
    ({"description": "x"}, ["description"], []),
    ({"description": ""}, [], []),
    ({"cloud_init": {"user_data": "x"}}, ["cloud-init.user-data"], []),
    ({"config": {"boot.autostart": True}}, ["boot.autostart"], []),
    ({"config": {"migration.stateful": True}}, [], ["migration.stateful"]),
    ({"protected": True}, ["user.tenantry.protected"], ["security.protection.delete"]),
    ({"profiles": ["default"]}, [], ["profiles"]),
    ({"disks": [{"size": "20GiB"}]}, ["device root"], []),
    ({"disks": [{}, {"name": "log", "size": "1MiB"}]}, ["device log"], []),
    ({"disks": [{}, {"name": "data", "size": "9MiB"}]}, [], ["size of disk data"]),
    ({"disks": [{}, {"name": "data", "state": "absent"}]}, ["device data"], []),
    ({"interfaces": [{"network": "br0", "ipv4": "none", "ipv4_filter": True}]}, ["device eth0"], []),
    ({"interfaces": [{"network": "br1"}]}, [], ["device eth0"]),
    ({"interfaces": [{"name": "lan", "network": "br1"}]}, ["device lan"], []),
    ({"interfaces": [{"name": "eth0", "state": "absent"}]}, ["device eth0"], []),
    # One that waits holds nothing else back.
    (
        {"interfaces": [{"network": "br0", "boot": 5}, {"network": "br1"}], "tags": ["a"]},
        ["user.tenantry.tags, device eth1"],
        ["device eth0"],
    ),
    # LXD 5.0 has no slot for an interface whose name isn't the last.
    ({"interfaces": [{"name": "a", "network": "br1"}]}, [], ["device a"]),
    (
        {"interfaces": [{"name": "z", "parent": "e0", "type": "macvlan"}, {"network": "br1"}]},
        ["device eth1, device z"],
        [],
    ),
    ({"devices": {"tpm": {"type": "tpm"}}}, [], ["device tpm"]),
    ({"boot": "network"}, [], ["device eth0"]),
    ({"memory": "2GiB", "tags": ["a"]}, ["user.tenantry.tags"], ["limits.memory"]),
]


@pytest.mark.parametrize(("said", "live", "waiting"), RUNNING)
@pytest.mark.parametrize("state", ["present", "started"])
def test_drift_of_a_running_vm(state: str, said: dict[str, Any], live: list[str], waiting: list[str]) -> None:
    world = World([body(status="Running", devices=WITH_DATA)], [volume()])
    plan = planned(world, state=state, **said)
    assert [change.detail for change in plan.changes if change.kind == "VM"] == ([", ".join(live)] if live else [])
    assert list(plan.waiting) == waiting
    world.carry_out(plan)
    assert world.instances["vm"]["status"] == "Running"
    again = planned(world, state=state, **said)
    assert again.changes == () and list(again.waiting) == waiting


@pytest.mark.parametrize(("said", "live", "waiting"), RUNNING)
@pytest.mark.parametrize("state", ["present", "started"])
def test_drift_of_a_running_vm_with_leave_to_restart(
    state: str, said: dict[str, Any], live: list[str], waiting: list[str]
) -> None:
    world = World([body(status="Running", devices=WITH_DATA)], [volume()])
    actions = done(world, vm_plan.RestartPolicy(allow_restart=True), state=state, **said)
    stopped = [action for action in actions if action.split(":")[0] in ("stop VM vm", "start VM vm")]
    assert stopped == (["stop VM vm", "start VM vm"] if waiting else [])
    assert world.instances["vm"]["status"] == "Running"
    assert planned(world, state=state, **said) == vm_plan.VmPlan()


@pytest.mark.parametrize(("said", "live", "waiting"), RUNNING)
@pytest.mark.parametrize("status", ["Running", "Stopped", "Frozen"])
def test_what_stops_anyway_is_mended_whole(
    status: str, said: dict[str, Any], live: list[str], waiting: list[str]
) -> None:
    world = World([body(status=status, devices=WITH_DATA)], [volume()])
    plan = planned(world, state="stopped", **said)
    assert plan.waiting == () and bool(plan.changes) == bool(live or waiting or status != "Stopped")
    world.carry_out(plan)
    assert world.instances["vm"]["status"] == "Stopped"
    assert planned(world, state="stopped", **said) == vm_plan.VmPlan()


def test_a_running_vm_has_no_slot_for_an_interface_beside_one_that_goes() -> None:
    world = World([body(status="Running", devices=WITH_DATA)], [volume()])
    plan = planned(world, interfaces=[{"state": "absent"}, {"network": "br1"}])
    assert sentences(plan) == ["update VM vm: device eth0"] and plan.waiting == ("device eth1",)


def test_restarted_mends_between_stop_and_start() -> None:
    world = World([body(status="Running")])
    assert done(world, state="restarted", memory="2GiB") == [
        "stop VM vm",
        "update VM vm: limits.memory",
        "start VM vm",
    ]


def test_a_frozen_vm_is_mended_and_resumed() -> None:
    world = World([body(status="Frozen")])
    plan = planned(world, memory="2GiB", tags=["a"])
    assert sentences(plan) == ["update VM vm: user.tenantry.tags", "resume VM vm"] and plan.waiting == (
        "limits.memory",
    )
    world.carry_out(plan)
    assert world.instances["vm"]["status"] == "Running"


def test_released_loses_its_annotations_and_nothing_else() -> None:
    marks = {"user.tenantry.annotation.team": "red", "user.tenantry.tags": "a", "user.x": "y"}
    world = World([body(status="Running", config=marks)])
    assert done(world, state="released") == ["stop VM vm", "update VM vm: user.tenantry.annotation.team"]
    kept = {key: world.instances["vm"]["config"].get(key) for key in marks}
    assert kept == {**marks, "user.tenantry.annotation.team": None}


@pytest.mark.parametrize("found", [[], [body()], [HALF]])
def test_annotations_said_of_a_released_vm_go_too(found: list[Any]) -> None:
    world = World(found)
    done(world, state="released", annotations={"team": "red"})
    assert not [key for key in world.instances["vm"]["config"] if "annotation" in key]
    assert planned(world, state="released", annotations={"team": "red"}) == vm_plan.VmPlan()


def test_absent_takes_what_an_interrupted_run_left() -> None:
    world = World([], [volume(), volume("vm-log", "fast"), volume("vm-x", vm="other"), volume("vm-y", owner="them")])
    assert done(world, state="absent") == ["delete volume default/vm-data", "delete volume fast/vm-log"]
    assert set(world.volumes) == {("default", "vm-x"), ("default", "vm-y")}
    assert planned(world, state="absent") == vm_plan.VmPlan()


def test_absent_leaves_a_volume_that_another_vm_uses() -> None:
    other = body("other", devices={"root": ROOT, "data": DATA})
    world = World([body(devices=WITH_DATA), other], [volume()])
    assert done(world, state="absent") == ["delete VM vm"]
    assert set(world.volumes) == {("default", "vm-data")}


def test_a_forced_stop_and_a_patient_one() -> None:
    world = World([body(status="Running")])
    for policy, force, timeout in (
        (vm_plan.RestartPolicy(), False, 60),
        (vm_plan.RestartPolicy(False, 5, True), True, 5),
    ):
        (request,) = requests(planned(world, policy, state="stopped"))
        assert (request.body["force"], request.body["timeout"]) == (force, timeout)
        assert request.deadline > timeout
    assert "force_stop" in requests(planned(world, state="stopped"))[0].hint


def test_a_deleted_vm_is_not_asked_to_shut_down() -> None:
    stop, delete = requests(planned(World([body(status="Running")]), state="absent"))
    assert stop.body["force"] is True and delete.method == "DELETE"


def test_changes_of_one_vm_are_one_group() -> None:
    plan = planned(World(), disks=[{}, {"name": "data", "size": "1MiB"}])
    assert {(change.group, change.host) for change in plan.changes} == {("kvm/vm", "kvm")}


def test_a_create_from_an_image_is_tried_again_and_an_empty_one_is_not() -> None:
    for image, tries in (("debian", 3), (None, 1)):
        create = requests(planned(World(), image=image, state="present"))[0]
        assert (create.tries, create.creates) == (tries, ("instances", "vm"))


def test_check_mode_plans_on_a_host_that_is_not_there_yet() -> None:
    host = World().host(unread=True, listings=None, default_storage_pool=None, default_network=None)
    plan = vm_plan.plan_vm(wanted(image="debian", disks=[{}, {"size": "1GiB"}]), host, vm_plan.RestartPolicy())
    assert sentences(plan)[-2:] == ["create VM vm", "start VM vm"]


# Whatever is said, whatever is found.

# A machine that is busy with other tests is slow, and that says nothing.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "user.x": st.sampled_from(["1", "true", ""]) | st.none(),
        "boot.autostart": st.sampled_from(["true", "yes", "false"]) | st.none(),
    },
)
EXTRA = st.fixed_dictionaries(
    {"name": st.sampled_from(["data", "log"])},
    optional={
        "size": st.sampled_from(["5MiB", "9MiB", "5242880"]),
        "state": st.sampled_from(["present", "absent"]),
        "delete_volume": st.booleans(),
        "storage_pool": st.sampled_from(["default", "fast"]),
    },
)
INTERFACE = st.one_of(
    st.fixed_dictionaries({"name": st.sampled_from(["eth0", "lan"]), "network": st.sampled_from(["br0", "br1"])}),
    st.just({"name": "eth0", "parent": "e0", "type": "macvlan"}),
    st.fixed_dictionaries({"name": st.sampled_from(["eth0", "lan"]), "state": st.just("absent")}),
)
SPECS = st.fixed_dictionaries(
    {"name": st.just("vm"), "state": st.sampled_from(STATES)},
    optional={
        "cores": st.integers(1, 3),
        "memory": st.sampled_from(["1GiB", "2GiB", "1024MiB"]),
        "disks": st.lists(EXTRA, max_size=2, unique_by=lambda disk: disk["name"]).map(lambda more: [{}, *more]),
        "interfaces": st.lists(INTERFACE, max_size=2, unique_by=lambda nic: nic["name"]),
        "image": st.just("debian"),
        "boot": st.sampled_from(["disk", "network"]),
        "secure_boot": st.booleans(),
        "profiles": st.sampled_from([[], ["default"], ["big"]]),
        "config": CONFIG,
        "description": st.sampled_from(["", "x"]),
        "pool": st.sampled_from(["", "prod"]),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "annotations": st.dictionaries(
            st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"]) | st.none(), max_size=2
        ),
        "protected": st.booleans(),
        "devices": st.sampled_from([{"tpm": {"type": "tpm"}}, {"tpm": {"state": "absent"}}]),
    },
)
FOUND_CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "limits.cpu": st.sampled_from(["1", "3"]),
        "limits.memory": st.sampled_from(["1073741824", "3GiB"]),
        "user.x": st.just("1"),
        "boot.autostart": st.just("yes"),
        "user.tenantry.annotation.a": st.just("1"),
        "user.tenantry.tags": st.just("a"),
        "user.tenantry.protected": st.just("true"),
        "security.protection.delete": st.just("true"),
    },
)
VOLUMES = st.lists(
    st.builds(
        volume,
        st.sampled_from(["vm-data", "vm-log"]),
        st.sampled_from(["default", "fast"]),
        st.sampled_from(["us", "us", "us", "them", None]),
        st.sampled_from(["vm", "vm", "vm", "other"]),
    ),
    max_size=3,
    unique_by=lambda each: (each.pool, each.name),
)


@st.composite
def worlds(draw: Any) -> World:
    """Anything that a run may find."""
    volumes = draw(VOLUMES)
    # What a create left that was cut short: attached to nothing.
    half_made = [each for each in volumes if each.owner == "us" and draw(st.booleans())][:1]
    for each in half_made:
        each.config[COMPOSING] = "true"
    if draw(st.integers(0, 3)) == 0:
        return World([], volumes)
    root = draw(st.sampled_from(["root", "disk0"]))
    devices: dict[str, Any] = {root: dict(ROOT)}
    if draw(st.booleans()):
        devices["eth0"] = draw(st.sampled_from([NIC, {**NIC, "network": "br1", "boot.priority": "5"}]))
    for each in volumes:
        if each.owner and each not in half_made and draw(st.booleans()):
            devices[each.name[3:]] = {"type": "disk", "pool": each.pool, "source": each.name}
    fields: dict[str, Any] = {"status": draw(st.sampled_from(["Stopped", "Running", "Frozen"])), "whole": True}
    if fields["status"] == "Stopped":
        fields["whole"] = draw(st.sampled_from([True, True, False]))
    owner = draw(st.sampled_from(["us", "us", "us", "us", "them", None]))
    config = draw(FOUND_CONFIG) if fields["whole"] else {}
    return World([body(owner=owner, devices=devices, config=config, **fields), body("other", owner="them")], volumes)


POLICIES = st.builds(vm_plan.RestartPolicy, st.booleans(), st.just(5), st.booleans())


def plan_or_none(said: VmSpec, world: World, policy: vm_plan.RestartPolicy) -> vm_plan.VmPlan | None:
    try:
        return vm_plan.plan_vm(said, world.host(), policy)
    except errors.TenantryError as error:
        refusal = error
    assert "\n" not in str(refusal) and str(refusal).startswith("VM vm on kvm: ")
    event(f"refused: {refusal.code}")
    return None


@patient
@given(SPECS, worlds(), POLICIES)
def test_a_plan_carried_out_leaves_nothing_to_plan(
    spec: dict[str, Any], world: World, policy: vm_plan.RestartPolicy
) -> None:
    plan = plan_or_none(parse_vm_spec(spec), world, policy)
    if plan is None:
        return
    others = world.instances.get("other")
    world.carry_out(plan)
    assert world.instances.get("other") == others
    if spec["state"] == "restarted":
        world.instances["vm"]["status"] = "Stopped"  # else each run restarts it once more
        spec = {**spec, "state": "stopped"}
    again = vm_plan.plan_vm(parse_vm_spec(spec), world.host(), policy)
    if again.changes and any(nic.get("state") == "absent" for nic in spec.get("interfaces", ())):
        # LXD may find the slot of the removed card still in use, so the run after the removal adds the other card.
        world.carry_out(again)
        assert again.waiting == tuple(each for each in plan.waiting if each != "device lan")
        plan, again = again, vm_plan.plan_vm(parse_vm_spec(spec), world.host(), policy)
    assert again == vm_plan.VmPlan((), plan.waiting)


@patient
@given(SPECS, worlds(), POLICIES)
def test_a_plan_may_be_cut_short_anywhere(spec: dict[str, Any], world: World, policy: vm_plan.RestartPolicy) -> None:
    said = parse_vm_spec(spec)
    plan = plan_or_none(said, world, policy)
    if plan is None:
        return
    found = world.instances.get("vm")
    # Nothing remembers that a VM ran which the task leaves as it is: cut short in its restart, it stays stopped.
    assume(not (spec["state"] == "present" and policy.allow_restart and found and found["status"] != "Stopped"))
    finished = world.copy()
    finished.carry_out(plan)
    steps = requests(plan)
    event(f"{len(steps)} steps")
    for number, step in enumerate(steps):
        for half in (False, True):
            cut = world.copy()
            for earlier in steps[:number]:
                cut.apply(earlier)
            if half:
                cut.begin(step)
            cut.carry_out(vm_plan.plan_vm(said, cut.host(), policy))
            assert cut.told() == finished.told()


@patient
@given(SPECS, worlds(), POLICIES, st.randoms(use_true_random=False))
def test_a_plan_does_not_depend_on_the_order_of_options(
    spec: dict[str, Any], world: World, policy: vm_plan.RestartPolicy, chance: random.Random
) -> None:
    shuffled = _shuffled(spec, chance)
    assert plan_or_none(parse_vm_spec(spec), world, policy) == plan_or_none(parse_vm_spec(shuffled), world, policy)


def _shuffled(value: Any, chance: random.Random) -> Any:
    if not isinstance(value, dict):
        return value
    keys = list(value)
    chance.shuffle(keys)
    return {key: _shuffled(value[key], chance) for key in keys}


@patient
@given(SPECS, worlds(), POLICIES)
def test_planning_writes_nothing(spec: dict[str, Any], world: World, policy: vm_plan.RestartPolicy) -> None:
    before = world.copy()
    plan_or_none(parse_vm_spec(spec), world, policy)
    assert world.told() == before.told()
