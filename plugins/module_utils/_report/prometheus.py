# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The figures in Prometheus' text format: in base units, by family, with a line for each VM host."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional, Union

from . import host_page
from .problems import SEVERITIES, Problem

Value = Union[int, None]
Labels = Mapping[str, str]
Samples = Iterator[tuple[Labels, Value]]
Rows = Sequence[Mapping[str, Any]]
Family = tuple[str, str, Callable[[Rows], Samples]]


def render_metrics(rows: Rows, problems: Mapping[str, Sequence[Problem]]) -> str:
    """Return all families, each with its HELP and TYPE; an unknown figure has no line."""
    lines: list[str] = []
    for name, meaning, samples in (*_FAMILIES, _problems(problems)):
        found = [f"{name}{_format_labels(labels)} {value}" for labels, value in samples(rows) if value is not None]
        if found:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", *found]
    return "\n".join(lines) + "\n"


def list_families() -> list[tuple[str, str]]:
    """Return the name of every family, and its meaning."""
    return [(name, meaning) for name, meaning, _samples in (*_FAMILIES, _problems({}))]


def _format_labels(labels: Labels) -> str:
    quoted = [f'{key}="{_escape(value)}"' for key, value in labels.items()]
    return f"{{{','.join(quoted)}}}" if quoted else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _host(row: Mapping[str, Any]) -> dict[str, str]:
    return {"vmhost": row["vmhost"], "zone": row.get("zone") or "", "pool": row.get("pool") or ""}


def _info(rows: Rows) -> Samples:
    for row in rows:
        server = row.get("server") or {}
        tenant = {"project": row.get("project") or "", "owner": row.get("owner") or ""}
        yield (
            {
                **_host(row),
                **tenant,
                "version": server.get("version") or "",
                "flavour": server.get("flavour") or "",
            },
            1,
        )


def _up(rows: Rows) -> Samples:
    for row in rows:
        yield _host(row), int("error" not in row)


def _of(*path: str) -> Callable[[Rows], Samples]:
    """Return a reader of one figure of each VM host's resources."""

    def samples(rows: Rows) -> Samples:
        for row in rows:
            found: Any = row.get("resources") or {}
            for key in path:
                found = (found or {}).get(key)
            yield _host(row), found

    return samples


def _pool(key: str) -> Callable[[Rows], Samples]:
    def samples(rows: Rows) -> Samples:
        for row in rows:
            for pool in (row.get("resources") or {}).get("storage_pools") or ():
                yield {**_host(row), "storage_pool": pool["name"], "driver": pool["driver"]}, pool[key]

    return samples


def _vms(rows: Rows) -> Samples:
    for row in rows:
        counted: dict[tuple[str, str], int] = {}
        for vm in row.get("vms") or ():
            key = (vm["status"], host_page.ORIGINS[vm.get("enlisted")])
            counted[key] = counted.get(key, 0) + 1
        for (status, origin), count in sorted(counted.items()):
            yield {**_host(row), "status": status, "origin": origin}, count


def _expiry(key: str) -> Callable[[Rows], Samples]:
    def samples(rows: Rows) -> Samples:
        for row in rows:
            yield _host(row), _timestamp((row.get(key) or {}).get("not_after"))

    return samples


def _timestamp(moment: Optional[str]) -> Optional[int]:
    return int(datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()) if moment else None


def _problems(problems: Mapping[str, Sequence[Problem]]) -> Family:
    def samples(rows: Rows) -> Samples:
        for row in rows:
            found = problems.get(row["vmhost"], ())
            for severity in SEVERITIES:
                yield {**_host(row), "severity": severity}, sum(each.severity == severity for each in found)

    return ("tenantry_vmhost_problems", "Problems that the report shows, by severity.", samples)


def _figures(stem: str, what: str, unit: str, *path: str) -> Iterator[Family]:
    """Yield total, allocation, free and limit of one resource; the unit ends the name, as Prometheus asks for."""
    ending = f"_{unit}" if unit else ""
    yield f"{stem}{ending}", f"{what} of the VM host.", _of(*path, "total")
    allocated = f"{what} that is allocated to the instances of the tracked project by their limits."
    yield f"{stem}_promised{ending}", allocated, _of(*path, "ours")
    yield f"{stem}_free{ending}", f"{what} that may still be allocated.", _of(*path, "free")
    yield f"{stem}_limit{ending}", f"{what} that the project's limit permits.", _of(*path, "limit")


_FAMILIES: Sequence[Family] = (
    ("tenantry_vmhost_up", "Whether the VM host could be read.", _up),
    ("tenantry_vmhost_info", "Version, flavour, project and owner of the VM host; always 1.", _info),
    *_figures("tenantry_vmhost_cpu_cores", "Threads", "", "cores"),
    *_figures("tenantry_vmhost_memory", "Memory", "bytes", "memory"),
    ("tenantry_vmhost_memory_used_bytes", "Memory in use, by anybody.", _of("memory", "used")),
    *tuple(_figures("tenantry_vmhost_hugepages", "Memory in hugepages", "bytes", "memory", "hugepages"))[:3],
    ("tenantry_vmhost_storage_pool_bytes", "Space of the storage pool.", _pool("total")),
    ("tenantry_vmhost_storage_pool_used_bytes", "Space in use, by anybody.", _pool("used")),
    ("tenantry_vmhost_storage_pool_promised_bytes", "Space that the tenant's disks may grow to.", _pool("ours")),
    ("tenantry_vmhost_storage_pool_free_bytes", "Space that is neither used nor allocated.", _pool("free")),
    ("tenantry_vmhost_vms", "Instances in the tracked project, by status and origin.", _vms),
    (
        "tenantry_tenant_certificate_expiry_timestamp_seconds",
        "Expiry of the tenant certificate, in Unix time.",
        _expiry("certificate"),
    ),
    (
        "tenantry_server_certificate_expiry_timestamp_seconds",
        "Expiry of the server's certificate, in Unix time.",
        _expiry("server_certificate"),
    ),
)
