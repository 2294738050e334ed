# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Problems of a VM host, present or near: a sentence, a severity, and what to do about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.tenant_cert.commands import trust_command
from . import commands
from .amounts import allocatable, number, size

# The worst first.
SEVERITIES = ("error", "warning", "notice")
_LIVE = ("Online", "Evacuated")


@dataclasses.dataclass(frozen=True)
class Problem:
    """A problem of a VM host. `command`: a command line that helps to solve it."""

    severity: str
    kind: str
    vmhost: str
    text: str
    hint: str = ""
    command: str = ""
    vm: str = ""


def find_problems(row: Mapping[str, Any], expires_within: int) -> list[Problem]:
    """Return all problems of one VM host, the worst first."""
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
        "certificate": "run the playbook rotate_certs, or lxd_tenant_cert with rotate: expiring",
        "server_certificate": "renew it on the server, and pin the new one in the registry before it takes effect",
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
        most = allocatable(figure or {})
        ours = (figure or {}).get("ours")
        if most is None or ours is None or ours <= most:
            continue
        yield Problem(
            "error",
            "over_limit",
            row["vmhost"],
            f"More {what} is allocated than may be: {words(ours)} of {words(most)}.",
            "make VMs smaller or move some away, or raise the overcommit ratio or the project's limit",
        )
    uncounted = resources.get("uncounted") or []
    if uncounted:
        text = f"The allocation of {_few(uncounted)} can't be counted: their limits are missing or no numbers."
        yield Problem("warning", "uncounted", row["vmhost"], text, "set limits.cpu and limits.memory on them")


def _drift(row: Mapping[str, Any]) -> Iterator[Problem]:
    resources = row.get("resources")
    if not resources:
        return
    owner = row.get("project_owner")
    if owner != row.get("owner"):
        mark = f"belongs to {owner}" if owner else "carries no owner's mark"
        text = f"Project {row['project']} {mark}; its owner in the registry is {row['owner']}."
        yield Problem(
            "error",
            "drift",
            row["vmhost"],
            text,
            "lxd_project with adopt: true takes a project over",
        )
    yield from _ratios(row, resources)
    defaults = (
        ("default_storage_pool", "storage pool", resources["storage_pools"]),
        ("default_network", "network", resources["networks"]),
    )
    for key, what, there in defaults:
        if row.get(key) and row[key] not in {each["name"] for each in there}:
            text = f"{key} is {row[key]} in the registry, and the project can use no {what} of that name."
            yield Problem("error", "drift", row["vmhost"], text, f"correct {key}, or let the project use the {what}")


def _ratios(row: Mapping[str, Any], resources: Mapping[str, Any]) -> Iterator[Problem]:
    pools = resources["storage_pools"]
    force = {
        "cpu_overcommit": resources["cores"]["overcommit"],
        "memory_overcommit": resources["memory"]["overcommit"],
        **({"storage_overcommit": pools[0]["overcommit"]} if pools else {}),
    }
    for key, wanted in (row.get("declared") or {}).items():
        if force.get(key) not in (None, wanted):
            text = f"{key} is {wanted} in the registry; the project enforces {force[key]}."
            hint = "run the role vmhost as an administrator to update the project"
            yield Problem("warning", "drift", row["vmhost"], text, hint)


def _members(row: Mapping[str, Any]) -> Iterator[Problem]:
    for member in (row.get("server") or {}).get("members") or ():
        if member.get("status") not in _LIVE:
            text = f"Member {member['name']} is {member.get('status') or 'silent'}: its resources are unknown."
            yield Problem("error", "member_offline", row["vmhost"], text, "check that the machine and LXD are up")


def _vms(row: Mapping[str, Any]) -> Iterator[Problem]:
    host = row["vmhost"]
    for vm in row.get("vms") or ():
        if vm["status"] == "Error":
            where = f" It is on member {vm['location']}." if vm.get("location") not in (None, "", "none") else ""
            text = f"VM {vm['name']} has status Error.{where}"
            command = commands.log_command(vm, (row.get("server") or {}).get("flavour"))
            yield Problem("error", "vm_error", host, text, "read its log on the server", command, vm["name"])
        if vm.get("zone") and row.get("zone") and vm["zone"] != row["zone"]:
            text = f"VM {vm['name']} has zone {vm['zone']}, and this VM host is in zone {row['zone']}."
            yield Problem("notice", "drift", host, text, "correct the VM's zone, or that of the VM host", vm=vm["name"])


def _orphans(row: Mapping[str, Any]) -> Iterator[Problem]:
    for entry in row.get("orphaned_trust") or ():
        text = f"Trust entry {entry['name']}, {entry['fingerprint'][:12]}: {entry['because']}."
        hint = "after a rotation, remove it with retire: true; otherwise revoke it as an administrator"
        yield Problem("warning", "orphaned_trust", row["vmhost"], text, hint, entry["command"])
    for volume in row.get("unused_volumes") or ():
        text = f"No VM uses the tenant's volume {volume['name']} in storage pool {volume['storage_pool']}."
        yield Problem("notice", "orphaned_volume", row["vmhost"], text, "attach it to a VM, or delete it")


def _exposure(row: Mapping[str, Any]) -> Iterator[Problem]:
    for sentence in row.get("exposure") or ():
        yield Problem(
            "notice",
            "exposure",
            row["vmhost"],
            sentence,
            "docs/reference/confined.md lists what a project permits, and how to forbid it",
        )


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
