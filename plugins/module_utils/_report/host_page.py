# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The values for the page of one VM host; the templates only lay them out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._core import units
from .._core.errors import Invalid
from . import commands, numa
from .amounts import UNKNOWN, WIDTH, amount, number, size
from .problems import Problem

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RUNS = ("Running", "Ready")
# Who created a VM, by its `enlisted`; None: unknown, because its cluster member doesn't answer.
ORIGINS = {False: "ours", True: "enlisted", None: "unknown"}


def slug(name: str) -> str:
    """Return a name that is safe in file names and URLs; names of the registry are safe already."""
    return _UNSAFE.sub("-", name).lstrip(".-") or "vmhost"


def build_page(row: Mapping[str, Any], problems: Sequence[Problem], file: str, published_at: str) -> dict[str, Any]:
    """Return all values for the page of one VM host."""
    resources = row.get("resources") or {}
    nodes = numa.read_nodes(row)
    vms = [build_vm(vm) for vm in _sort_vms(row.get("vms") or ())]
    memory = resources.get("memory") or {}
    return {
        **build_summary(row, problems, file),
        "owner": row.get("owner"),
        "urls": row.get("urls") or [],
        "commands": commands.vmhost_commands(row["vmhost"]),
        "trust": commands.trust_commands(row, file, published_at)
        if row.get("certificate") and row.get("project")
        else [],
        "problems": problems,
        "vms": vms,
        "counts": count_vms(row),
        "default_storage_pool": row.get("default_storage_pool"),
        "default_network": row.get("default_network"),
        "memory_used": size(memory.get("used")) if memory else "",
        "hugepages": _hugepages(memory),
        "storage_pools": [build_pool(pool) for pool in resources.get("storage_pools") or ()],
        "networks": resources.get("networks") or [],
        "members": [_member(each) for each in resources.get("members") or ()],
        "numa": [build_node(node) for node in nodes],
        "whole": [build_node(node) for node in numa.merge_nodes(nodes)],
        "unpinned": [build_vm(vm) for vm in _sort_vms(numa.find_unpinned(row))],
        "server_certificate": row.get("server_certificate"),
    }


def build_summary(row: Mapping[str, Any], problems: Sequence[Problem], file: str) -> dict[str, Any]:
    """Return what the overview and the page of the VM host both show."""
    resources, server = row.get("resources") or {}, row.get("server") or {}
    error = row.get("error")
    worst = next((each.severity for each in problems if each.severity != "notice"), "")
    return {
        "name": row["vmhost"],
        "file": file,
        "zone": row.get("zone") or "",
        "pool": row.get("pool") or "",
        "tags": row.get("tags") or [],
        "project": row.get("project") or "",
        "version": server.get("version") or "",
        "flavour": {"lxd": "LXD", "incus": "Incus"}.get(server.get("flavour") or "", server.get("flavour") or ""),
        "members_count": len(server.get("members") or ()),
        "state": error["code"] if error else worst or "ok",
        "error": error,
        "cores": amount(resources.get("cores"), number),
        "memory": amount(resources.get("memory"), size),
        "storage": amount(sum_storage(resources), size),
        "vms_count": None if row.get("vms") is None else len(row["vms"]),
        "running": sum(vm["status"] in _RUNS for vm in row.get("vms") or ()),
        "certificate": row.get("certificate"),
        "trouble": sum(each.severity != "notice" for each in problems),
        "notices": sum(each.severity == "notice" for each in problems),
    }


def sum_storage(resources: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """Sum all storage pools; pools on the same filesystem share their space, which counts once.

    Return None if the space of one pool is unknown, such as that of a pool on a cluster member that doesn't answer.
    """
    pools = resources.get("storage_pools") or ()
    if not pools or any(pool[key] is None for pool in pools for key in ("total", "free", "ours")):
        return None
    counted: set[str] = set()
    found: dict[str, Any] = dict.fromkeys(("total", "free", "others", "ours"), 0)
    for pool in pools:
        found["ours"] += pool["ours"]
        if counted & set(pool["same_filesystem"]):
            continue
        counted.add(pool["name"])
        for key in ("total", "free", "others"):
            found[key] += pool[key] or 0
        found["overcommit"] = pool["overcommit"]
    return found


def build_pool(pool: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values for one storage pool."""
    return {**pool, "amount": amount(pool, size), "used_words": size(pool["used"])}


def build_vm(vm: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values for one VM."""
    disks = [{**disk, "words": _disk_size(disk)} for disk in vm["disks"] if disk["storage_pool"]]
    return {
        **vm,
        "anchor": f"vm-{slug(vm['name'])}",
        "origin": ORIGINS[vm.get("enlisted")],
        "cores_words": _cores(vm),
        "cores_sort": vm["cores"] or 0,
        "memory_words": format_memory(vm),
        "memory_sort": _bytes(vm["memory"]) or 0,
        "disks": disks,
        "container": vm.get("type") == "container",
        "runs": vm["status"] in _RUNS,
        "commands": commands.vm_commands(vm),
    }


def count_vms(row: Mapping[str, Any]) -> Optional[dict[str, int]]:
    """Count the instances by kind; None if they could not be read."""
    vms = row.get("vms")
    if vms is None:
        return None
    return {
        "all": len(vms),
        "running": sum(vm["status"] in _RUNS for vm in vms),
        "stopped": sum(vm["status"] == "Stopped" for vm in vms),
        "enlisted": sum(vm.get("enlisted") is True for vm in vms),
    }


def build_node(node: numa.Node) -> dict[str, Any]:
    """Return the values for one NUMA node, or for a whole machine."""
    total = node.memory or 0

    def part(count: Optional[int]) -> int:
        return min(WIDTH, (count or 0) * WIDTH // total) if total else 0

    return {
        "member": "" if node.member == "none" else node.member,
        "number": node.number,
        "cores": node.cores,
        "taken": node.taken,
        "free": len(node.cores) - node.taken,
        "pinned": node.pinned,
        "memory": size(node.memory),
        "used": size(node.used),
        "allocated": size(node.allocated),
        "used_part": part(node.used),
        "allocated_part": part(node.allocated),
        "hugepages": size(node.hugepages) if node.hugepages else "",
        "interfaces": [{**port, "speed_words": _format_speed(port)} for port in node.interfaces],
    }


def _member(member: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": member["member"],
        "status": member["status"],
        "cores": amount(member["cores"], number),
        "memory": amount(member["memory"], size),
        "storage": amount(sum_storage(member), size),
    }


def _hugepages(memory: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    pages = memory.get("hugepages") or {}
    if not pages.get("total"):
        return None
    return {"amount": amount(pages, size), "size": size(pages.get("size"))}


def _sort_vms(vms: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(vms, key=lambda vm: (vm["name"], vm["location"]))


def _cores(vm: Mapping[str, Any]) -> str:
    pinned = vm["pinned_cores"]
    if vm["cores"] is None:
        return UNKNOWN
    if not pinned:
        return f"any {vm['cores']}"
    return f"{'core' if len(pinned) == 1 else 'cores'} {numa.format_ranges(pinned)}"


def _bytes(text: Optional[str]) -> Optional[int]:
    try:
        return units.parse_size(text, "size") if text else None
    except Invalid:
        return None


def format_memory(vm: Mapping[str, Any]) -> str:
    """Return a VM's memory; in LXD's own words if it is not a size."""
    count = _bytes(vm["memory"])
    return size(count) if count is not None else vm["memory"] or (UNKNOWN if vm["cores"] is None else "no limit")


def _disk_size(disk: Mapping[str, Any]) -> str:
    count = _bytes(disk["size"])
    return size(count) if count is not None else "default size" if disk["root"] else UNSIZED


UNSIZED = "unknown size"


def _format_speed(port: Mapping[str, Any]) -> str:
    speed = port.get("speed")
    if not port.get("link"):
        return "no link"
    if not speed:
        return "link"
    return f"{speed // 1000} Gbit/s" if speed % 1000 == 0 else f"{speed} Mbit/s"
