# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The mark of an enlisted VM that somebody has looked into: when that was, and nothing else of the VM."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import Conflict, Invalid, NotFound, NotOwned, Unreachable
from ..model import COMMISSIONED, Instance
from ..plan import Change, Plan, Request
from .edits import InstanceBody, InstanceEdit, select_put_fields
from .view import build_vm_view as shown_vm


@dataclasses.dataclass(frozen=True)
class CommissionSpec:
    """One VM, and whether it is to carry the mark; `again`: one that is there is renewed; `erase`: see vm_erasure."""

    name: str
    owner: str
    state: str
    again: bool
    erase: bool = False


@dataclasses.dataclass(frozen=True)
class ProjectPlace:
    """Where the VM is: VM host and project, by name."""

    host: str
    project: str


def parse_commission_spec(params: Mapping[str, Any], owner: Optional[str]) -> CommissionSpec:
    """The options, checked."""
    name = params.get("name") or ""
    if not name or not name.replace("-", "").isalnum() or not name.isascii():
        raise Invalid(f"name: {name!r:.80} can't be the name of a VM", "LXD takes letters, digits and hyphens")
    if not owner:
        raise Invalid("owner: it is required for every write", "set owner, or vmhost")
    for option in ("again", "erase"):
        if params[option] and params["state"] == "absent":
            raise Invalid(f"{option}: with state: absent nothing is commissioned", "leave one of them out")
    return CommissionSpec(name, owner, params["state"], bool(params["again"]), bool(params["erase"]))


def plan_commission(spec: CommissionSpec, found: Optional[Instance], place: ProjectPlace, now: str) -> Plan:
    """The one write, or none; `now` is what the mark says."""
    found = check_enlisted(spec, found, place)
    mark = found.config.get(COMMISSIONED)
    after = None if spec.state == "absent" else (now if spec.again or not mark else mark)
    if after == mark:
        return Plan()
    body = InstanceBody(found, (InstanceEdit("config", COMMISSIONED, after, live=True),))
    request = Request(
        "PUT", ("instances", spec.name), place.project, body=body.put_body(), expect=select_put_fields(found)
    )
    change = Change(
        "unmark" if after is None else "commission",
        "VM",
        spec.name,
        (request,),
        before=shown_vm(found, place.host, place.project),
        after=shown_vm(body.instance, place.host, place.project),
        host=place.host,
    )
    return Plan((change,))


def after(planned: Plan, found: Instance, place: ProjectPlace) -> Mapping[str, Any]:
    """The VM as it will be."""
    return next((change.after or {} for change in planned.changes if change.kind == "VM"), None) or shown_vm(
        found, place.host, place.project
    )


def check_enlisted(spec: CommissionSpec, found: Optional[Instance], place: ProjectPlace) -> Instance:
    """The VM; refused are what isn't there, what is no enlisted VM, and one that nobody can tell of."""
    what = f"{place.host}: VM {spec.name}"
    if found is None:
        raise NotFound(f"{what} is not in project {place.project}", "tenantry.lxd.lxd_vm_info lists all")
    if found.is_unreachable:
        raise Unreachable(f"{what}: its cluster member doesn't answer", "run again when it is back")
    if found.is_move_copy:
        raise Conflict(f"{what}: LXD moves it to another member", "run again when it is there")
    if not found.is_vm:
        raise Invalid(f"{what}: it is a {found.type}", "only virtual machines are commissioned")
    if found.owner == spec.owner:
        raise Invalid(f"{what}: it was composed by this tenant, not enlisted", "composed VMs need no commissioning")
    if found.owner:
        raise NotOwned(f"{what}: it belongs to {found.owner}, not to {spec.owner}", "leave it to its owner")
    return found
