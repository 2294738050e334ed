# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The figures in Prometheus' text format: base units, one family after the other, a line a host."""

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


def text(rows: Rows, problems: Mapping[str, Sequence[Problem]]) -> str:
    """All families, each with its HELP and TYPE; a figure that nobody knows has no line."""
    lines: list[str] = []
    for name, meaning, samples in (*_FAMILIES, _problems(problems)):
        found = [f"{name}{_labelled(labels)} {value}" for labels, value in samples(rows) if value is not None]
        if found:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", *found]
    return "\n".join(lines) + "\n"


def names() -> list[tuple[str, str]]:
    """Every family with its meaning, for people."""
    return [(name, meaning) for name, meaning, _samples in (*_FAMILIES, _problems({}))]


def _labelled(labels: Labels) -> str:
    quoted = [f'{key}="{_escaped(value)}"' for key, value in labels.items()]
    return f"{{{','.join(quoted)}}}" if quoted else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _host(row: Mapping[str, Any]) -> dict[str, str]:
    return {"vmhost": row["vmhost"], "zone": row.get("zone") or "", "pool": row.get("pool") or ""}


def _info(rows: Rows) -> Samples:
    for row in rows:
        server = row.get("server") or {}
        said = {"project": row.get("project") or "", "owner": row.get("owner") or ""}
        yield (
            {
                **_host(row),
                **said,
                "version": server.get("version") or "",
                "flavour": server.get("flavour") or "",
            },
            1,
        )


def _up(rows: Rows) -> Samples:
    for row in rows:
        yield _host(row), int("error" not in row)


def _of(*path: str) -> Callable[[Rows], Samples]:
    """A figure of each host's resources."""

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

    return ("tenantry_vmhost_problems", "What the report says is wrong, by severity.", samples)


def _figures(stem: str, what: str, unit: str, *path: str) -> Iterator[Family]:
    """Total, promised, free, limit of one resource, named as the field names them: the unit last."""
    ending = f"_{unit}" if unit else ""
    yield f"{stem}{ending}", f"{what} that the VM host has.", _of(*path, "total")
    promised = f"{what} that the instances of the tracked project may use by their limits."
    yield f"{stem}_promised{ending}", promised, _of(*path, "ours")
    yield f"{stem}_free{ending}", f"{what} that may still be promised.", _of(*path, "free")
    yield f"{stem}_limit{ending}", f"{what} that the project is limited to.", _of(*path, "limit")


_FAMILIES: Sequence[Family] = (
    ("tenantry_vmhost_up", "Whether the VM host could be read.", _up),
    ("tenantry_vmhost_info", "What the VM host is; always 1.", _info),
    *_figures("tenantry_vmhost_cpu_cores", "Threads", "", "cores"),
    *_figures("tenantry_vmhost_memory", "Memory", "bytes", "memory"),
    ("tenantry_vmhost_memory_used_bytes", "Memory that is in use now, by anybody.", _of("memory", "used")),
    *tuple(_figures("tenantry_vmhost_hugepages", "Memory in hugepages", "bytes", "memory", "hugepages"))[:3],
    ("tenantry_vmhost_storage_pool_bytes", "Space that the storage pool has.", _pool("total")),
    ("tenantry_vmhost_storage_pool_used_bytes", "Space that is in use now, by anybody.", _pool("used")),
    ("tenantry_vmhost_storage_pool_promised_bytes", "Space that disks of ours may grow to.", _pool("ours")),
    ("tenantry_vmhost_storage_pool_free_bytes", "Space that is neither used nor promised.", _pool("free")),
    ("tenantry_vmhost_vms", "Instances in the tracked project, by status and by who made them.", _vms),
    (
        "tenantry_tenant_certificate_expiry_timestamp_seconds",
        "When the tenant certificate ends, in Unix time.",
        _expiry("certificate"),
    ),
    (
        "tenantry_server_certificate_expiry_timestamp_seconds",
        "When the server's certificate ends, in Unix time.",
        _expiry("server_certificate"),
    ),
)
