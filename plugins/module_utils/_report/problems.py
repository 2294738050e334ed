# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong on a VM host, or soon will be: each a sentence, how bad it is, and what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.tenant_cert.commands import trust_command
from . import commands
from .amounts import most_of, number, size

# Worst first.
SEVERITIES = ("error", "warning", "notice")
_LIVE = ("Online", "Evacuated")


@dataclasses.dataclass(frozen=True)
class Problem:
    """One of them. `command`: a line that a person may run to put it right."""

    severity: str
    kind: str
    vmhost: str
    text: str
    hint: str = ""
    command: str = ""
    vm: str = ""


def of_vmhost(row: Mapping[str, Any], expires_within: int) -> list[Problem]:
    """Everything of one VM host, worst first."""
    found = [
        *_unread(row),
        *_certificates(row, expires_within),
        *_over(row),
        *_drift(row),
        *_members(row),
        *_vms(row),
        *_orphans(row),
        *_exposure(row),
    ]
    return sorted(found, key=lambda each: SEVERITIES.index(each.severity))


def _unread(row: Mapping[str, Any]) -> Iterator[Problem]:
    error = row.get("error")
    if not error:
        return
    certificate = row.get("certificate") or {}
    command = ""
    if error["code"] == "not_trusted" and certificate.get("pem") and row.get("project"):
        command = trust_command(certificate["pem"], f"{row['owner']}-{row['vmhost']}", True, [row["project"]])
    yield Problem("error", error["code"], row["vmhost"], error["msg"], error.get("hint") or "", command)


def _certificates(row: Mapping[str, Any], within: int) -> Iterator[Problem]:
    kinds = (("certificate", "The tenant certificate"), ("server_certificate", "The server's certificate"))
    hints = {
        "certificate": "lxd_tenant_cert with rotate: expiring makes a new one and has it trusted",
        "server_certificate": "its admin makes a new one; pin that in the registry before it takes effect",
    }
    for key, what in kinds:
        days = (row.get(key) or {}).get("days_left")
        if days is None or days > within:
            continue
        until = row[key]["not_after"][:10]
        if days < 0:
            yield Problem("error", f"{key}_expired", row["vmhost"], f"{what} expired on {until}.", hints[key])
        else:
            left = "today" if days == 0 else f"in {days} day{'s' if days > 1 else ''}"
            text = f"{what} expires {left}, on {until}."
            yield Problem("warning", f"{key}_expiring", row["vmhost"], text, hints[key])


def _over(row: Mapping[str, Any]) -> Iterator[Problem]:
    resources = row.get("resources") or {}
    figures = [("cores", resources.get("cores"), number), ("memory", resources.get("memory"), size)]
    figures += [(f"storage pool {pool['name']}", pool, size) for pool in resources.get("storage_pools") or ()]
    for what, figure, words in figures:
        most = most_of(figure or {})
        ours = (figure or {}).get("ours")
        if most is None or ours is None or ours <= most:
            continue
        yield Problem(
            "error",
            "over_limit",
            row["vmhost"],
            f"More is promised of {what} than may be: {words(ours)} of {words(most)}.",
            "make VMs smaller or move some away, or raise the overcommit ratio or the project's limit",
        )
    uncounted = resources.get("uncounted") or []
    if uncounted:
        text = f"Nobody can count what {_few(uncounted)} may use: no limits that say a number."
        yield Problem("warning", "uncounted", row["vmhost"], text, "give them limits.cpu and limits.memory")


def _drift(row: Mapping[str, Any]) -> Iterator[Problem]:
    resources = row.get("resources")
    if not resources:
        return
    owner = row.get("project_owner")
    if owner != row.get("owner"):
        mark = f"carries the mark of {owner}" if owner else "carries no owner's mark"
        text = f"Project {row['project']} {mark}; the registry says {row['owner']}."
        yield Problem("error", "drift", row["vmhost"], text, "no VM is composed there; lxd_project adopts a project")
    yield from _ratios(row, resources)
    said = (
        ("default_storage_pool", "storage pool", resources["storage_pools"]),
        ("default_network", "network", resources["networks"]),
    )
    for key, what, there in said:
        if row.get(key) and row[key] not in {each["name"] for each in there}:
            text = f"The registry says {key} {row[key]}, and the project sees no {what} of that name."
            yield Problem("error", "drift", row["vmhost"], text, f"correct {key}, or make the {what} reachable")


def _ratios(row: Mapping[str, Any], resources: Mapping[str, Any]) -> Iterator[Problem]:
    pools = resources["storage_pools"]
    force = {
        "cpu_overcommit": resources["cores"]["overcommit"],
        "memory_overcommit": resources["memory"]["overcommit"],
        **({"storage_overcommit": pools[0]["overcommit"]} if pools else {}),
    }
    for key, wanted in (row.get("declared") or {}).items():
        if force.get(key) not in (None, wanted):
            text = f"The registry says {key} {wanted}; the project has {force[key]} in force."
            hint = "the admin's run of role vmhost brings the project in line"
            yield Problem("warning", "drift", row["vmhost"], text, hint)


def _members(row: Mapping[str, Any]) -> Iterator[Problem]:
    for member in (row.get("server") or {}).get("members") or ():
        if member.get("status") not in _LIVE:
            text = f"Member {member['name']} is {member.get('status') or 'silent'}: nothing is known of what it has."
            yield Problem("error", "member_offline", row["vmhost"], text, "is the machine up, and LXD running on it?")


def _vms(row: Mapping[str, Any]) -> Iterator[Problem]:
    host = row["vmhost"]
    for vm in row.get("vms") or ():
        if vm["status"] == "Error":
            where = f" It is on member {vm['location']}." if vm.get("location") not in (None, "", "none") else ""
            text = f"VM {vm['name']} is in state Error.{where}"
            command = commands.of_log(vm, (row.get("server") or {}).get("flavour"))
            yield Problem("error", "vm_error", host, text, "its log on the server tells more", command, vm["name"])
        if vm.get("zone") and row.get("zone") and vm["zone"] != row["zone"]:
            text = f"VM {vm['name']} says zone {vm['zone']}, and this VM host is in zone {row['zone']}."
            yield Problem("notice", "drift", host, text, "correct the VM's zone, or that of the VM host", vm=vm["name"])


def _orphans(row: Mapping[str, Any]) -> Iterator[Problem]:
    for entry in row.get("orphaned_trust") or ():
        text = f"Trust in {entry['name']}, {entry['fingerprint'][:12]}: {entry['because']}."
        hint = "after a rotation the old one is removed with retire: true; else its admin runs"
        yield Problem("warning", "orphaned_trust", row["vmhost"], text, hint, entry["command"])
    for volume in row.get("unused_volumes") or ():
        text = f"Volume {volume['name']} in storage pool {volume['storage_pool']} is ours, and no VM uses it."
        yield Problem("notice", "orphaned_volume", row["vmhost"], text, "attach it to a VM, or delete it")


def _exposure(row: Mapping[str, Any]) -> Iterator[Problem]:
    for sentence in row.get("exposure") or ():
        yield Problem(
            "notice",
            "exposure",
            row["vmhost"],
            sentence,
            "docs/reference/confined.md says what a project permits, and what closes it",
        )


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
