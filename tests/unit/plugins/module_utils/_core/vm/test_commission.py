# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The mark of a commissioned VM: when it is written, renewed, taken away or refused."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import COMMISSIONED, OWNER, Instance
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vm import commission as vm_commission

PLACE = vm_commission.ProjectPlace("kvm-01", "p")
NOW, BEFORE = "2026-11-21T10:00:00Z", "2026-01-01T00:00:00Z"
HERE = {"name": "vm", "type": "virtual-machine", "status": "Stopped", "config": {"user.x": "y"}, "devices": {}}


def wanted(**said: object) -> vm_commission.CommissionSpec:
    return vm_commission.parse_commission_spec(
        {"name": "vm", "state": "present", "again": False, "erase": False, **said}, "us"
    )


def instance(mark: str | None = None, **said: object) -> Instance:
    config = {"user.x": "y", **({COMMISSIONED: mark} if mark else {})}
    return Instance.from_api({**HERE, "config": config, "expanded_config": config, **said})


# The mark there, what is said, and the mark afterwards.
MARKS = {
    "new": (None, {}, NOW),
    "there": (BEFORE, {}, BEFORE),
    "renewed": (BEFORE, {"again": True}, NOW),
    "first, with again": (None, {"again": True}, NOW),
    "away": (BEFORE, {"state": "absent"}, None),
    "away already": (None, {"state": "absent"}, None),
}


@pytest.mark.parametrize(("there", "said", "after"), MARKS.values(), ids=MARKS.keys())
def test_the_mark_and_nothing_else(there: str | None, said: dict[str, object], after: str | None) -> None:
    found = instance(there)
    planned = vm_commission.plan_commission(wanted(**said), found, PLACE, NOW)
    assert planned.changed == (there != after)
    assert vm_commission.after(planned, found, PLACE)["commissioned"] == after
    for change in planned.changes:
        [request] = change.steps
        expected = {"user.x": "y", **({COMMISSIONED: after} if after else {})}
        assert (request.method, request.body["config"], request.body["devices"]) == ("PUT", expected, {})
        assert request.expect["config"] == found.config


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (None, errors.NotFound),
        (instance(type="container"), errors.Invalid),
        (instance(config={OWNER: "us"}), errors.Invalid),
        (instance(config={OWNER: "others"}), errors.NotOwned),
        (instance(status="Error", config=None), errors.Unreachable),
        (instance(name="lxd-move-of-vm"), errors.Conflict),
    ],
    ids=["missing", "container", "composed", "somebody's", "lost", "on its way"],
)
def test_refused(found: Instance | None, kind: type[errors.TenantryError]) -> None:
    with pytest.raises(kind):
        vm_commission.plan_commission(wanted(), found, PLACE, NOW)


@pytest.mark.parametrize("said", [{"name": ""}, {"name": "../x"}, {"state": "absent", "again": True}])
def test_bad_input(said: dict[str, object]) -> None:
    with pytest.raises(errors.Invalid):
        wanted(**said)


def test_without_an_owner_nothing_is_written() -> None:
    with pytest.raises(errors.Invalid, match="owner"):
        vm_commission.parse_commission_spec({"name": "vm", "state": "present", "again": False, "erase": False}, None)
