# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the overview of the fleet shows, worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from . import host_page
from .amounts import amount, number, size, together
from .problems import SEVERITIES, Problem

_DAYS = ((-1, "expired"), (7, "a week"), (30, "a month"), (90, "three months"), (365, "a year"))


def model(
    rows: Sequence[Mapping[str, Any]], problems: Mapping[str, Sequence[Problem]], files: Mapping[str, str]
) -> dict[str, Any]:
    """Everything of the fleet."""
    hosts = sorted(
        (host_page.head(row, problems[row["vmhost"]], files[row["vmhost"]]) for row in rows),
        key=lambda host: (not host["zone"], host["zone"], host["pool"], host["name"]),
    )
    found = [problem for row in rows for problem in problems[row["vmhost"]]]
    return {
        "hosts": hosts,
        "groups": groups(rows),
        "totals": totals(rows),
        "zones": sorted({host["zone"] for host in hosts if host["zone"]}),
        "pools": sorted({host["pool"] for host in hosts if host["pool"]}),
        "states": sorted({host["state"] for host in hosts}),
        "attention": attention(found),
        "notices": sum(problem.severity == "notice" for problem in found),
        "certificates": certificates(hosts),
    }


def totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fleet as a whole; hosts that could not be read are in no sum, and of none but such there is no sum."""
    resources = [row.get("resources") or {} for row in rows]
    vms = [vm for row in rows for vm in row.get("vms") or ()]
    return {
        "hosts": len(rows),
        "unread": sum("error" in row for row in rows),
        "vms": None if all(row.get("vms") is None for row in rows) else len(vms),
        "running": sum(vm["status"] in ("Running", "Ready") for vm in vms),
        "enlisted": sum(vm.get("enlisted") is True for vm in vms),
        "cores": amount(together(each.get("cores") for each in resources), number),
        "memory": amount(together(each.get("memory") for each in resources), size),
        "storage": amount(together(host_page.storage_of(each) for each in resources), size),
    }


def groups(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The hosts by zone and pool, each with its sums."""
    members: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        members.setdefault((row.get("zone") or "", row.get("pool") or ""), []).append(row)
    return [
        {"zone": zone, "pool": pool, **totals(members[zone, pool])}
        for zone, pool in sorted(members, key=lambda key: (key[0] == "", key))
    ]


def attention(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """What somebody has to look at, worst first; what is the same on many hosts is said once."""
    alike: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        if problem.severity != "notice":
            alike.setdefault((problem.severity, problem.kind, problem.hint), []).append(problem)
    ordered = sorted(alike.items(), key=lambda each: (SEVERITIES.index(each[0][0]), each[0][1:]))
    return [
        {"severity": severity, "kind": kind.replace("_", " "), "hint": hint, "problems": found}
        for (severity, kind, hint), found in ordered
    ]


def certificates(hosts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tenant certificates by how long they last, the soonest first; hosts without one at the end."""
    dated = [host for host in hosts if _days(host) is not None]
    found: list[dict[str, Any]] = []
    for host in sorted(dated, key=lambda each: (_days(each) or 0, each["name"])):
        band = _band(_days(host) or 0)
        if not found or found[-1]["band"] != band:
            found.append({"band": band, "hosts": []})
        found[-1]["hosts"].append(host)
    missing = [host for host in hosts if _days(host) is None]
    return [*found, {"band": "unknown", "hosts": missing}] if missing else found


def _days(host: Mapping[str, Any]) -> Optional[int]:
    days = (host["certificate"] or {}).get("days_left")
    return None if days is None else int(days)


def _band(days: int) -> str:
    return next((name for most, name in _DAYS if days <= most), "longer")
