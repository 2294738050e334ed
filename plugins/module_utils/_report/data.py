# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report for programs: report.json, and the list of all VMs that the search page loads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from . import as_of, host_page
from .problems import Problem

SCHEMA = 1
# A VM's config may hold secrets, and the report is published.
_PRIVATE = frozenset({"config"})
_OF_HOST = (
    "vmhost",
    "error",
    "url",
    "urls",
    "project",
    "owner",
    "zone",
    "pool",
    "tags",
    "cpu_overcommit",
    "memory_overcommit",
    "storage_overcommit",
    "default_storage_pool",
    "default_network",
    "resources",
    "exposure",
    "server_certificate",
    "orphaned_trust",
    "unused_volumes",
)
# Numbers keep the list for the search short; report.js has the same ones.
_ORIGIN = {"ours": 0, "enlisted": 1, "unknown": 2}
_OF_SERVER = ("name", "version", "flavour", "drivers", "clustered", "members")


def render_report(
    rows: Sequence[Mapping[str, Any]], problems: Mapping[str, Sequence[Problem]], files: Mapping[str, str], title: str
) -> str:
    """Return report.json, with a line for each VM host, so that a diff between two reports is readable."""
    head = json.dumps({"schema": SCHEMA, "title": title})[:-1]
    hosts = [json.dumps(_host(row, problems[row["vmhost"]], files), default=str, sort_keys=True) for row in rows]
    listed = "".join(f"\n{host}{',' if place < len(hosts) else ''}" for place, host in enumerate(hosts, 1))
    return f'{head}, "as_of": "{as_of.ISO}", "vmhosts": [{listed}\n]}}\n'


def render_search_list(rows: Sequence[Mapping[str, Any]], files: Mapping[str, str]) -> str:
    """Return a compact list of all VMs, as a script: a page that is opened from a disk can't load JSON."""
    hosts = [[row["vmhost"], files[row["vmhost"]], row.get("zone") or "", row.get("pool") or ""] for row in rows]
    vms = sorted(
        [
            vm["name"],
            place,
            vm["status"],
            " ".join(vm["addresses"]),
            vm["cores"],
            host_page.format_memory(vm),
            vm["pool"] or "",
            " ".join(vm["tags"]),
            _ORIGIN[host_page.ORIGINS[vm["enlisted"]]],
        ]
        for place, row in enumerate(rows)
        for vm in row.get("vms") or ()
    )
    text = json.dumps({"hosts": hosts, "vms": vms}, separators=(",", ":"))
    return f"window.TENANTRY = {text};\n"


def _host(row: Mapping[str, Any], problems: Sequence[Problem], files: Mapping[str, str]) -> dict[str, Any]:
    server, certificate = row.get("server"), row.get("certificate")
    return {
        **{key: row.get(key) for key in _OF_HOST},
        "server": {key: server.get(key) for key in _OF_SERVER} if server else None,
        "certificate": {key: value for key, value in certificate.items() if key != "pem"} if certificate else None,
        "page": files[row["vmhost"]],
        "vms": None if row.get("vms") is None else [_vm(vm) for vm in row["vms"]],
        "problems": [dataclasses.asdict(problem) for problem in problems],
    }


def _vm(vm: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in vm.items() if key not in _PRIVATE}
