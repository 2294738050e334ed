# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An enlisted VM that is replaced by one with an empty disk: same name, config, devices and MAC addresses.

LXD 5.0 can't empty a disk. So an empty VM of the same definition is made beside it, under a name that tells; only when
that is there the old one goes, and the new one takes its name. Cut short anywhere, one of the two is whole, and the
next run goes on from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Optional

from ..errors import Conflict, Protected
from ..model import COMMISSIONED, ERASED, Instance
from ..plan import Change, Plan, Request
from .commission import CommissionSpec, ProjectPlace, check_enlisted
from .edits import InstanceBody, select_put_fields
from .view import build_vm_view as shown_vm

_SUFFIX = "-erased"
_LONGEST = 63
# They tell what the disk was made of, or are LXD's own.
_OF_THE_DISK = ("image.", "volatile.")
# LXD makes these disks itself, from the VM's config.
_LXDS_OWN = ("cloud-init:config", "agent:config")


@dataclasses.dataclass(frozen=True)
class EraseReading:
    """What there is: the VM, what stands in for it since a run was interrupted, and what else holds the disk's content.

    `member`: of a cluster, where the VM is.
    """

    found: Optional[Instance]
    stand_in: Optional[Instance] = None
    copies: tuple[str, ...] = ()
    member: str = ""


def stand_in(name: str) -> str:
    """What the new VM is called until the old one is gone."""
    return name[: _LONGEST - len(_SUFFIX)].rstrip("-") + _SUFFIX


def due(spec: CommissionSpec, found: Optional[Instance], now: str) -> bool:
    """Whether the VM is to be erased: once, with its commissioning, or `again`; and in one run never twice."""
    if not spec.erase:
        return False
    if found is None or not found.config.get(COMMISSIONED):
        return True
    return spec.again and found.config.get(ERASED) != _mark(spec.name, now)


def plan_erase(spec: CommissionSpec, reading: EraseReading, place: ProjectPlace, now: str) -> Plan:
    """Make the new one, delete the old one, rename the new one; or what is left of that."""
    found, new = reading.found, reading.stand_in
    if new is not None:
        _check_stand_in(spec, new, place)
        if found is None:
            return _build_plan(spec, None, new, (_rename(spec, place),), place)
    found = check_enlisted(spec, found, place)
    _check_free(spec, found, reading.copies, place)
    left = (Request("DELETE", ("instances", new.name), place.project, expect=select_put_fields(new)),) if new else ()
    made = predict_erased(found, now)
    named = {"name": stand_in(spec.name), "ephemeral": made.ephemeral}
    create = Request(
        "POST",
        ("instances",),
        place.project,
        params={"target": reading.member} if reading.member else {},
        body={**InstanceBody(made, (), {"type": "none"}).create_body(), **named},
        creates=("instances", stand_in(spec.name)),
        hint="nothing was deleted: for a moment the project needs room for both",
    )
    delete = Request("DELETE", ("instances", spec.name), place.project, expect=select_put_fields(found))
    return _build_plan(spec, found, made, (*left, create, delete, _rename(spec, place)), place)


def predict_erased(found: Instance, now: str) -> Instance:
    """The VM as it will be; its MAC addresses, which LXD had chosen and others may know it by, are declared from
    now on.
    """

    def keep_config(config: Mapping[str, str]) -> dict[str, str]:
        own = {key: value for key, value in config.items() if not key.startswith(_OF_THE_DISK)}
        return {**own, COMMISSIONED: now, ERASED: _mark(found.name, now)}

    said: dict[str, Mapping[str, str]] = {}
    for name, device in found.expanded_devices.items():
        mac = found.config.get(f"volatile.{name}.hwaddr")
        if device.get("type") == "nic" and mac and not device.get("hwaddr"):
            said[name] = {**device, "hwaddr": mac}
    return dataclasses.replace(
        found,
        config=keep_config(found.config),
        expanded_config=keep_config(found.expanded_config),
        devices={**found.devices, **said},
        expanded_devices={**found.expanded_devices, **said},
    )


def _build_plan(
    spec: CommissionSpec, found: Optional[Instance], made: Instance, steps: tuple[Request, ...], place: ProjectPlace
) -> Plan:
    change = Change(
        "erase",
        "VM",
        spec.name,
        steps,
        before=shown_vm(found, place.host, place.project) if found else None,
        after={**shown_vm(made, place.host, place.project), "name": spec.name},
        detail="" if found else "taken up where it was cut short",
        host=place.host,
    )
    return Plan((change,))


def _rename(spec: CommissionSpec, place: ProjectPlace) -> Request:
    path = ("instances", stand_in(spec.name))
    return Request("POST", path, place.project, body={"name": spec.name}, creates=("instances", spec.name))


def _mark(name: str, now: str) -> str:
    return f"{now} {name}"


def _check_stand_in(spec: CommissionSpec, new: Instance, place: ProjectPlace) -> None:
    """Refuse what may be somebody's VM of that name, erased or not: a stand-in says for whom, and never ran."""
    for_it = new.config.get(ERASED, "").rpartition(" ")[2] == spec.name
    if new.owner or not for_it or new.was_started or new.status != "Stopped":
        raise Conflict(
            f"{place.host}: VM {new.name}: it is not what an erasure left, and has the name that one needs",
            "rename it, or delete it, if it is yours",
        )


def _check_free(spec: CommissionSpec, found: Instance, copies: tuple[str, ...], place: ProjectPlace) -> None:
    """Refuse what would be lost without having been meant, or would stay; all that speaks against it at once."""
    disks = [name for name, device in sorted(found.expanded_devices.items()) if _somebody_elses(device)]
    refused: dict[str, str] = {}
    if found.status != "Stopped":
        refused[f"it is {found.status}"] = "stop it"
    if found.is_protected:
        refused["it is protected against deletion"] = "take the protection off"
    if copies:
        refused[f"copies of its disk would go with it ({', '.join(copies)})"] = "delete them"
    if disks:
        refused[f"it has disks that are not its own ({', '.join(disks)})"] = "detach them"
    if refused:
        kind = Protected if found.is_protected else Conflict
        told = f"{place.host}: VM {spec.name}: it is not erased: {'; '.join(refused)}"
        raise kind(told, f"if that is meant: {', '.join(refused.values())}, and run again")


def _somebody_elses(device: Mapping[str, str]) -> bool:
    if device.get("type") != "disk" or device.get("path") == "/":
        return False
    return device.get("source", "") not in _LXDS_OWN
