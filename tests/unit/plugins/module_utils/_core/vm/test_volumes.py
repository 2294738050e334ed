# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The volumes of further disks: made with our mark, taken up, grown, kept, and deleted only if made for that VM."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import COMPOSING, OWNER, Volume
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import plan as vm_plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm.volumes import VM

from tests.unit.plugins.module_utils._core.vm.vm_world import ROOT, World, body, requests, sentences, volume, wanted

DATA = {"type": "disk", "pool": "default", "source": "vm-data"}
ATTACHED = body(devices={"root": ROOT, "data": DATA})
DETACHED = body(devices={"root": ROOT})
SAID = {"name": "data", "size": "5MiB"}
IN_DEFAULT = {"storage_pool": "default"}


def planned(world: World, *disks: dict[str, Any], **said: Any) -> vm_plan.VmPlan:
    more = {"state": "present", **said}
    return vm_plan.plan_vm(wanted(disks=[{}, *disks], **more), world.host(), vm_plan.RestartPolicy())


def test_a_volume_is_marked_before_it_is_attached() -> None:
    plan = planned(World([DETACHED]), SAID)
    assert sentences(plan) == ["create volume default/vm-data", "update VM vm: device data"]
    post, put, _attach = requests(plan)
    marks = {"size": "5MiB", OWNER: "us", VM: "vm"}
    assert post.body == {
        "name": "vm-data",
        "type": "custom",
        "content_type": "block",
        "config": {**marks, COMPOSING: "true"},
    }
    assert post.creates == ("storage-pools", "default", "volumes", "custom", "vm-data")
    assert put.body == {"config": marks, "description": ""} and put.expect == {"config": post.body["config"]}


def test_a_volume_without_a_size_is_what_lxd_gives() -> None:
    post = requests(planned(World([DETACHED]), {"name": "data"}))[0]
    assert post.body["config"]["size"] == "10GiB"


def test_the_pool_and_the_place() -> None:
    disk = {"name": "data", "storage_pool": "fast"}
    assert requests(planned(World(), disk))[0].path[:2] == ("storage-pools", "fast")
    clustered = World().host().server.__class__.from_api({"environment": {"server_clustered": True}})
    for target, params in (("m2", {"target": "m2"}), ("@ssd", {}), (None, {})):
        host = World().host(server=clustered)
        plan = vm_plan.plan_vm(wanted(disks=[{}, disk], target=target), host, vm_plan.RestartPolicy())
        assert [dict(each.params) for each in requests(plan)[:2]] == [params, params]


# What is found beside a VM without that disk; what is done.
FOUND: list[Any] = [
    pytest.param([volume()], [SAID], ["update VM vm: device data"], id="ours from before is taken up"),
    pytest.param([volume()], [{"name": "data"}], ["update VM vm: device data"], id="whatever its size"),
    pytest.param(
        [volume()],
        [{"name": "data", "size": "9MiB"}],
        ["grow volume default/vm-data", "update VM vm: device data"],
        id="taken up and grown",
    ),
    pytest.param(
        [volume(**{COMPOSING: "true"})],
        [SAID],
        ["create volume default/vm-data", "update VM vm: device data"],
        id="half made: made anew",
    ),
    pytest.param(
        [volume(pool="fast")],
        [SAID],
        ["create volume default/vm-data", "update VM vm: device data"],
        id="of that name in another pool",
    ),
    pytest.param([volume()], [{"name": "data", "state": "absent"}], [], id="kept"),
    pytest.param(
        [volume()],
        [{"name": "data", "state": "absent", "delete_volume": True}],
        ["delete volume default/vm-data"],
        id="detached before, deleted now",
    ),
    pytest.param([], [{"name": "data", "state": "absent", "delete_volume": True}], [], id="gone already"),
]


@pytest.mark.parametrize(("found", "disks", "actions"), FOUND)
@pytest.mark.parametrize("there", [True, False])
def test_volumes_that_are_there(there: bool, found: list[Volume], disks: list[Any], actions: list[str]) -> None:
    world = World([DETACHED] if there else [], found)
    plan = planned(world, *disks)
    expected = actions if there else [action for action in actions if action.split(":")[0] != "update VM vm"]
    assert [each for each in sentences(plan) if each != "create VM vm"] == expected
    world.carry_out(plan)
    assert planned(world, *disks) == vm_plan.VmPlan()


def test_a_half_made_volume_is_deleted_first() -> None:
    methods = [each.method for each in requests(planned(World([DETACHED], [volume(**{COMPOSING: "true"})]), SAID))]
    assert methods[:3] == ["DELETE", "POST", "PUT"]


ATTACHED_TABLE: list[Any] = [
    pytest.param([SAID], [], id="same"),
    pytest.param([{"name": "data", "size": "5242880"}], [], id="same, said otherwise"),
    pytest.param([{"name": "data"}], [], id="no word of its size"),
    pytest.param([{"name": "data", "size": "9MiB"}], ["grow volume default/vm-data"], id="grown"),
    pytest.param([{"name": "data", "state": "absent"}], ["update VM vm: device data"], id="detached and kept"),
    pytest.param(
        [{"name": "data", "state": "absent", "delete_volume": True}],
        ["update VM vm: device data", "delete volume default/vm-data"],
        id="detached, then deleted",
    ),
    pytest.param([], [], id="not listed"),
]


@pytest.mark.parametrize(("disks", "actions"), ATTACHED_TABLE)
def test_an_attached_volume(disks: list[Any], actions: list[str]) -> None:
    world = World([ATTACHED], [volume()])
    plan = planned(world, *disks)
    assert sentences(plan) == actions
    world.carry_out(plan)
    assert planned(world, *disks) == vm_plan.VmPlan()


REFUSED: list[Any] = [
    pytest.param(DETACHED, volume(owner="them"), SAID, errors.NotOwned, "belongs to them", id="theirs"),
    pytest.param(DETACHED, volume(owner=None), SAID, errors.NotOwned, "not created by this tenant", id="nobody's"),
    # Disk b-c of VM a, or disk c of VM a-b.
    pytest.param(DETACHED, volume(vm="other"), SAID, errors.NotOwned, "belongs to us", id="another VM's"),
    pytest.param(DETACHED, volume(), {"name": "data", "size": "1MiB"}, errors.Invalid, "never shrunk", id="smaller"),
    pytest.param(ATTACHED, volume(), {"name": "data", "size": "1MiB"}, errors.Invalid, "never shrunk", id="shrunk"),
    pytest.param(
        ATTACHED,
        volume(owner=None),
        {"name": "data", "size": "9MiB"},
        errors.NotOwned,
        "not created by this tenant",
        id="grown",
    ),
    *[
        pytest.param(
            found,
            there,
            {"name": "data", "state": "absent", "delete_volume": True, **pool},
            errors.NotOwned,
            "not created by this tenant for vm",
            id=f"deleted {number}",
        )
        for found, pool in ((ATTACHED, {}), (ATTACHED, IN_DEFAULT), (DETACHED, IN_DEFAULT))
        for number, there in enumerate((volume(owner="them"), volume(owner=None), volume(vm="other"), volume(vm="")))
    ],
]


@pytest.mark.parametrize("there", [volume(owner="them"), volume(owner=None), volume(vm="other")])
def test_a_detached_disks_volume_that_is_not_ours_is_nothing_to_us(there: Volume) -> None:
    gone = {"name": "data", "state": "absent", "delete_volume": True}
    assert planned(World([DETACHED], [there]), gone) == vm_plan.VmPlan()


@pytest.mark.parametrize("found", [DETACHED, ATTACHED])
def test_a_volume_in_another_pool_than_the_said_one_stays(found: dict[str, Any]) -> None:
    world = World([found], [volume(), volume(pool="fast")])
    gone = {"name": "data", "state": "absent", "delete_volume": True, "storage_pool": "default"}
    world.carry_out(planned(world, gone))
    assert set(world.volumes) == {("fast", "vm-data")}


def test_an_absent_disk_is_not_in_another_pool_either() -> None:
    gone = {"name": "data", "state": "absent", "delete_volume": True, "storage_pool": "fast"}
    with pytest.raises(errors.Invalid, match="disk data is in storage pool default, not fast"):
        planned(World([ATTACHED], [volume()]), gone)


@pytest.mark.parametrize(("found", "there", "disk", "kind", "message"), REFUSED)
def test_volumes_that_are_not_for_us_to_touch(
    found: dict[str, Any], there: Volume, disk: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as refused:
        planned(World([found], [there]), disk)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_a_volume_of_somebody_else_may_stay_attached() -> None:
    assert planned(World([ATTACHED], [volume(owner="them")]), SAID) == vm_plan.VmPlan()


@pytest.mark.parametrize("disk", [SAID, {"name": "data", "state": "absent", "delete_volume": True, **IN_DEFAULT}])
def test_a_volume_that_another_vm_uses(disk: dict[str, Any]) -> None:
    other = body("other", devices={"root": ROOT, "x": DATA})
    with pytest.raises(errors.Conflict, match=r"attached elsewhere: /1\.0/instances/other"):
        planned(World([DETACHED, other], [volume()]), disk)


def test_a_volume_is_found_without_any_word_about_its_pool() -> None:
    gone = {"name": "data", "state": "absent", "delete_volume": True}
    for default in (None, "default"):
        host = World([DETACHED], [volume(pool="fast"), volume(vm="other")]).host(default_storage_pool=default)
        plan = vm_plan.plan_vm(wanted(state="present", disks=[{}, gone]), host, vm_plan.RestartPolicy())
        assert sentences(plan) == ["delete volume fast/vm-data"]


def test_what_shows_before_it_is_made() -> None:
    plan = planned(World([DETACHED]), SAID)
    shown = {f"{change.kind} {change.name}": change.after for change in plan.changes}
    assert shown["volume default/vm-data"] == {"storage_pool": "default", "size": "5MiB", "vm": "vm"}
    (disk,) = [disk for disk in (shown["VM vm"] or {})["disks"] if not disk["root"]]
    assert (disk["size"], disk["volume"], disk["storage_pool"]) == ("5MiB", "vm-data", "default")


# A create that has to be taken back

CUT_SHORT = volume(**{COMPOSING: "true"})
BEFORE: list[Any] = [
    ([], True, "made by this plan"),
    ([CUT_SHORT], True, "made again by this plan"),
    ([volume()], False, "there before"),
    ([volume(size="1MiB")], False, "there before, and grown by this plan"),
]


@pytest.mark.parametrize(("before", "goes", "why"), BEFORE, ids=[each[2] for each in BEFORE])
def test_what_was_made_for_a_create_goes_with_it_and_nothing_else(before: list[Volume], goes: bool, why: str) -> None:
    world = World(volumes=[*before, volume("vm-old")])
    writes = requests(planned(world, SAID))
    create = next(each for each in writes if each.path == ("instances",))
    assert list(create.rollback) == (["volume default/vm-data"] if goes else []), why
    for request in writes[: writes.index(create)]:
        world.apply(request)
    for undone in create.rollback.values():
        world.apply(undone)
    assert {name for _pool, name in world.volumes} == ({"vm-old"} if goes else {"vm-old", "vm-data"})


def test_a_volume_of_one_member_is_deleted_there() -> None:
    clustered = World().host().server.__class__.from_api({"environment": {"server_clustered": True}})
    plan = vm_plan.plan_vm(
        wanted(disks=[{}, SAID], target="m2"), World().host(server=clustered), vm_plan.RestartPolicy()
    )
    create = next(each for each in requests(plan) if each.path == ("instances",))
    assert [dict(each.params) for each in create.rollback.values()] == [{"target": "m2"}]
