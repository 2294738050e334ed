# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a compose run tells: each VM as it is or would be, where and why there, and what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._core import errors
from .._core.placement.assign import Assignment
from .._core.plan import Plan
from .._core.vm import view
from .._core.vm.host import VmHostReading


def vms(
    sited: Sequence[Assignment], hosts: Mapping[str, VmHostReading], predicted: Optional[Plan]
) -> list[Mapping[str, Any]]:
    """The VMs of the task that are there, or with `predicted` that would be, in the task's order."""
    as_planned = {}
    if predicted is not None:
        as_planned = {(each.host, each.name): each.after for each in predicted.changes if each.kind == "VM"}
    shown = []
    for each in sited:
        host = hosts.get(each.host or "")
        key = (host.name if host else "", each.wanted.name)
        if key in as_planned:
            shown.append(as_planned[key])
        elif host and each.wanted.name in host.instances:
            instance = host.instances[each.wanted.name]
            shown.append(view.build_vm_view(instance, host.name, host.project.name, host.volumes))
    return [each for each in shown if each]


def placements(sited: Sequence[Assignment], hosts: Mapping[str, VmHostReading]) -> list[dict[str, Any]]:
    """Where each VM of the task is or goes, why there, and the problems of the other candidates."""
    return [
        {
            "name": each.wanted.name,
            "vmhost": hosts[each.host].name if each.host is not None and each.host in hosts else each.host,
            "target": each.wanted.target,
            "reason": each.reason,
            "against": {reason: list(names) for reason, names in each.against.items()},
        }
        for each in sited
    ]


def failed_vms(failed: Mapping[str, errors.TenantryError]) -> list[dict[str, Any]]:
    """Each VM that failed, by its group's name."""
    rows = []
    for group, error in failed.items():
        host, _slash, name = group.rpartition("/")
        rows.append(failed_vm(name, host, error))
    return rows


def failed_vm(name: str, host: str, error: errors.TenantryError) -> dict[str, Any]:
    """One VM that failed, and how."""
    return {"name": name, "vmhost": host, "msg": error.message, "code": error.code, "hint": error.hint}
