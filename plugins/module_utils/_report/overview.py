# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values for the overview of all VM hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from . import host_page
from .amounts import amount, number, size, sum_figures
from .problems import SEVERITIES, Problem

_DAYS = ((-1, "expired"), (7, "a week"), (30, "a month"), (90, "three months"), (365, "a year"))


def build_overview(
    rows: Sequence[Mapping[str, Any]], problems: Mapping[str, Sequence[Problem]], files: Mapping[str, str]
) -> dict[str, Any]:
    """Return all values for the overview."""
    hosts = sorted(
        (host_page.build_summary(row, problems[row["vmhost"]], files[row["vmhost"]]) for row in rows),
        key=lambda host: (not host["zone"], host["zone"], host["pool"], host["name"]),
    )
    found = [problem for row in rows for problem in problems[row["vmhost"]]]
    return {
        "hosts": hosts,
        "groups": group_vmhosts(rows),
        "totals": sum_vmhosts(rows),
        "zones": sorted({host["zone"] for host in hosts if host["zone"]}),
        "pools": sorted({host["pool"] for host in hosts if host["pool"]}),
        "states": sorted({host["state"] for host in hosts}),
        "attention": group_problems(found),
        "notices": sum(problem.severity == "notice" for problem in found),
        "certificates": group_certificates(hosts),
    }


def sum_vmhosts(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum all VM hosts; those that could not be read are left out, and without any other there is no sum."""
    resources = [row.get("resources") or {} for row in rows]
    vms = [vm for row in rows for vm in row.get("vms") or ()]
    return {
        "hosts": len(rows),
        "unread": sum("error" in row for row in rows),
        "vms": None if all(row.get("vms") is None for row in rows) else len(vms),
        "running": sum(vm["status"] in ("Running", "Ready") for vm in vms),
        "enlisted": sum(vm.get("enlisted") is True for vm in vms),
        "cores": amount(sum_figures(each.get("cores") for each in resources), number),
        "memory": amount(sum_figures(each.get("memory") for each in resources), size),
        "storage": amount(sum_figures(host_page.sum_storage(each) for each in resources), size),
    }


def group_vmhosts(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the sums for each zone and pool."""
    members: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        members.setdefault((row.get("zone") or "", row.get("pool") or ""), []).append(row)
    return [
        {"zone": zone, "pool": pool, **sum_vmhosts(members[zone, pool])}
        for zone, pool in sorted(members, key=lambda key: (key[0] == "", key))
    ]


def group_problems(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Group equal problems of several VM hosts, the worst first; notices are left out."""
    alike: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        if problem.severity != "notice":
            alike.setdefault((problem.severity, problem.kind, problem.hint), []).append(problem)
    ordered = sorted(alike.items(), key=lambda each: (SEVERITIES.index(each[0][0]), each[0][1:]))
    return [
        {"severity": severity, "kind": kind.replace("_", " "), "hint": hint, "problems": found}
        for (severity, kind, hint), found in ordered
    ]


def group_certificates(hosts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Group the tenant certificates by the time that they remain valid; VM hosts without one come last."""
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
