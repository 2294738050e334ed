# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report for programs: report.json, and the list of all VMs that the page of the search loads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from . import as_of, host_page
from .problems import Problem

SCHEMA = 1
# What a VM's config holds besides what is shown may be anybody's secret, and the report is published.
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
# In the search's list a number is shorter than a word; report.js knows them.
_ORIGIN = {"ours": 0, "enlisted": 1, "unknown": 2}
_OF_SERVER = ("name", "version", "flavour", "drivers", "clustered", "members")


def report(
    rows: Sequence[Mapping[str, Any]], problems: Mapping[str, Sequence[Problem]], files: Mapping[str, str], title: str
) -> str:
    """report.json; a line for each VM host, so that a difference between two of them reads well."""
    head = json.dumps({"schema": SCHEMA, "title": title})[:-1]
    hosts = [json.dumps(_host(row, problems[row["vmhost"]], files), default=str, sort_keys=True) for row in rows]
    listed = "".join(f"\n{host}{',' if place < len(hosts) else ''}" for place, host in enumerate(hosts, 1))
    return f'{head}, "as_of": "{as_of.ISO}", "vmhosts": [{listed}\n]}}\n'


def search(rows: Sequence[Mapping[str, Any]], files: Mapping[str, str]) -> str:
    """Every VM in as few bytes as a list takes; a script and no JSON, because a page on a disk may load no other."""
    hosts = [[row["vmhost"], files[row["vmhost"]], row.get("zone") or "", row.get("pool") or ""] for row in rows]
    vms = sorted(
        [
            vm["name"],
            place,
            vm["status"],
            " ".join(vm["addresses"]),
            vm["cores"],
            host_page.memory_words(vm),
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
