# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A VM made anew: what is kept of it, in which order it is safe, where it goes on, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import COMMISSIONED, ERASED, OWNER, Instance
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import commission as vm_commission
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import erase as vm_erasure

PLACE = vm_commission.ProjectPlace("kvm-01", "p")
NOW, BEFORE = "2026-11-21T10:00:00Z", "2026-01-01T00:00:00Z"
ROOT = {"type": "disk", "path": "/", "pool": "default", "size": "8MiB"}
CONFIG = {
    "limits.cpu": "2",
    "user.x": "y",
    "image.os": "debian",
    "volatile.uuid": "1",
    "volatile.eth0.hwaddr": "00:16:3e:00:00:01",
    "volatile.eth1.hwaddr": "00:16:3e:00:00:02",
}
DEVICES = {
    "root": ROOT,
    "eth0": {"type": "nic", "network": "n"},
    "seed": {"type": "disk", "source": "cloud-init:config"},
}
INHERITED = {"eth1": {"type": "nic", "network": "m"}}


def wanted(**said: object) -> vm_commission.CommissionSpec:
    return vm_commission.parse_commission_spec(
        {"name": "vm", "state": "present", "again": False, "erase": True, **said}, "us"
    )


def instance(config: dict[str, str] | None = None, **said: Any) -> Instance:
    own = CONFIG if config is None else config
    body: dict[str, Any] = {
        "name": "vm",
        "type": "virtual-machine",
        "status": "Stopped",
        "architecture": "x86_64",
        "description": "by hand",
        "profiles": ["default"],
        "config": own,
        "expanded_config": own,
        "devices": DEVICES,
        "expanded_devices": {**INHERITED, **DEVICES},
    }
    return Instance.from_api({**body, **said})


def left(**said: Any) -> Instance:
    return instance({ERASED: f"{BEFORE} vm"}, name="vm-erased", **said)


def steps(seen: vm_erasure.EraseReading) -> list[tuple[str, tuple[str, ...]]]:
    [change] = vm_erasure.plan_erase(wanted(), seen, PLACE, NOW).changes
    return [(step.method, step.path) for step in change.steps]


def test_the_new_one_is_there_before_the_old_one_goes() -> None:
    assert steps(vm_erasure.EraseReading(instance())) == [
        ("POST", ("instances",)),
        ("DELETE", ("instances", "vm")),
        ("POST", ("instances", "vm-erased")),
    ]


def test_what_was_cut_short_goes_on_from_there() -> None:
    assert steps(vm_erasure.EraseReading(None, left())) == [("POST", ("instances", "vm-erased"))]
    assert steps(vm_erasure.EraseReading(instance(), left())) == [
        ("DELETE", ("instances", "vm-erased")),
        ("POST", ("instances",)),
        ("DELETE", ("instances", "vm")),
        ("POST", ("instances", "vm-erased")),
    ]


def test_everything_is_kept_but_what_the_disk_was_made_of() -> None:
    found = instance()
    [change] = vm_erasure.plan_erase(wanted(), vm_erasure.EraseReading(found, member="m2"), PLACE, NOW).changes
    create, delete, rename = change.steps
    assert create.params == {"target": "m2"} and create.creates == ("instances", "vm-erased")
    assert create.body == {
        "name": "vm-erased",
        "type": "virtual-machine",
        "architecture": "x86_64",
        "ephemeral": False,
        "description": "by hand",
        "profiles": ["default"],
        "source": {"type": "none"},
        "config": {"limits.cpu": "2", "user.x": "y", COMMISSIONED: NOW, ERASED: f"{NOW} vm"},
        "devices": {
            "root": ROOT,
            "seed": DEVICES["seed"],
            "eth0": {**DEVICES["eth0"], "hwaddr": "00:16:3e:00:00:01"},
            "eth1": {**INHERITED["eth1"], "hwaddr": "00:16:3e:00:00:02"},
        },
    }
    assert delete.expect is not None and delete.expect["config"] == found.config
    assert rename.body == {"name": "vm"} and rename.creates == ("instances", "vm")
    assert (change.sentence, change.after["name"], change.after["commissioned"]) == ("erase VM vm", "vm", NOW)


def test_an_address_that_is_said_stays_as_it_is_said() -> None:
    said = {"eth0": {"type": "nic", "network": "n", "hwaddr": "00:16:3e:00:00:99"}}
    made = vm_erasure.predict_erased(instance(devices=said, expanded_devices=said), NOW)
    assert made.devices == said


# The mark there, the mark of an erasure, what is said, and whether it is due.
DUE = {
    "new": ({}, {}, True),
    "commissioned": ({COMMISSIONED: BEFORE}, {}, False),
    "again": ({COMMISSIONED: BEFORE}, {"again": True}, True),
    "again, erased before": ({COMMISSIONED: BEFORE, ERASED: f"{BEFORE} vm"}, {"again": True}, True),
    "again, erased in this run": ({COMMISSIONED: NOW, ERASED: f"{NOW} vm"}, {"again": True}, False),
    "not asked": ({}, {"erase": False}, False),
}


@pytest.mark.parametrize(("config", "said", "due"), DUE.values(), ids=DUE.keys())
def test_it_is_erased_once(config: dict[str, str], said: dict[str, object], due: bool) -> None:
    assert vm_erasure.due(wanted(**said), instance(config), NOW) is due


def test_one_that_is_not_there_may_have_been_cut_short() -> None:
    assert vm_erasure.due(wanted(), None, NOW)
    with pytest.raises(errors.NotFound):
        vm_erasure.plan_erase(wanted(), vm_erasure.EraseReading(None), PLACE, NOW)


VOLUME = {**DEVICES, "data": {"type": "disk", "pool": "default", "source": "vol", "path": ""}}


@pytest.mark.parametrize(
    ("seen", "kind", "said"),
    [
        (vm_erasure.EraseReading(instance(status="Running")), errors.Conflict, "it is Running"),
        (vm_erasure.EraseReading(instance({"security.protection.delete": "true"})), errors.Protected, "protected"),
        (vm_erasure.EraseReading(instance({"user.tenantry.protected": "true"})), errors.Protected, "protected"),
        (
            vm_erasure.EraseReading(instance(), copies=("snapshot a", "backup b")),
            errors.Conflict,
            "snapshot a, backup b",
        ),
        (vm_erasure.EraseReading(instance(devices=VOLUME, expanded_devices=VOLUME)), errors.Conflict, r"own \(data\)"),
        (vm_erasure.EraseReading(instance({OWNER: "others"})), errors.NotOwned, "others"),
        (vm_erasure.EraseReading(instance({OWNER: "us"})), errors.Invalid, "composed by this tenant"),
        (vm_erasure.EraseReading(instance(type="container")), errors.Invalid, "container"),
        (vm_erasure.EraseReading(instance(), instance({}, name="vm-erased")), errors.Conflict, "VM vm-erased"),
        (vm_erasure.EraseReading(None, left(status="Running")), errors.Conflict, "VM vm-erased"),
        # Two VMs that were erased each for itself, and one that somebody has started since.
        (
            vm_erasure.EraseReading(instance(), instance({ERASED: f"{NOW} vm-erased"})),
            errors.Conflict,
            "not what an erasure",
        ),
        (
            vm_erasure.EraseReading(instance(), left(last_used_at="2026-11-20T10:00:00Z")),
            errors.Conflict,
            "VM vm-erased",
        ),
        (
            vm_erasure.EraseReading(None, instance({ERASED: f"{NOW} vm", OWNER: "us"})),
            errors.Conflict,
            "not what an erasure left",
        ),
    ],
)
def test_refused(seen: vm_erasure.EraseReading, kind: type[errors.TenantryError], said: str) -> None:
    with pytest.raises(kind, match=said):
        vm_erasure.plan_erase(wanted(), seen, PLACE, NOW)


def test_all_that_speaks_against_it_is_said_at_once() -> None:
    seen = vm_erasure.EraseReading(
        instance(status="Running", devices=VOLUME, expanded_devices=VOLUME), copies=("snapshot a",)
    )
    with pytest.raises(errors.Conflict) as refused:
        vm_erasure.plan_erase(wanted(), seen, PLACE, NOW)
    assert all(word in str(refused.value) for word in ("Running", "snapshot a", "data"))


def test_a_long_name_leaves_room_for_what_is_put_behind_it() -> None:
    assert vm_erasure.stand_in("vm") == "vm-erased"
    longest = vm_erasure.stand_in("a" * 55 + "-" + "b" * 7)
    assert len(longest) <= 63 and longest == "a" * 55 + "-erased"


def test_with_the_mark_going_nothing_is_erased() -> None:
    with pytest.raises(errors.Invalid, match="erase"):
        wanted(state="absent")
