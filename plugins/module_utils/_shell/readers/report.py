# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a report shows of each VM host: the rows of the info modules, from one reading."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Optional

from ..._access.targets import Target
from ..._core import errors
from ..._core.tenant_cert.pair import build_certificate_facts
from ..._core.vm import view
from ..._core.vmhost.found import VmHostState
from ..._lxd.reader import Reader
from ..._registry import entries
from .. import info
from ..jobs import tenant_cert_info
from . import vmhost as vmhost_reading
from .tenant_files import describe_pair

_OF_CERTIFICATE = ("fingerprint", "subject", "not_before", "not_after", "days_left", "key_type", "pem")
_RATIOS = ("cpu_overcommit", "memory_overcommit", "storage_overcommit")


def read_rows(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A row for each VM host that the task names; one that can't be read has an `error` and what the registry says."""
    return info.read_rows(params, build_reader(params), build_registry_row)


def build_reader(params: Mapping[str, Any]) -> info.ReadHost:
    """The reader of one VM host, which knows what certificates the whole registry uses."""
    look_at_trust = tenant_cert_info.looking(params)

    def look(to: Target, reader: Reader) -> info.Rows:
        return [_row(to, reader, None if to.local else look_at_trust(to, reader)[0])]

    return look


def _row(to: Target, reader: Reader, certificate: Optional[Mapping[str, Any]]) -> dict[str, Any]:
    """One VM host: its row, with its instances as VM rows, its certificate with its trust, and what lies around."""
    found = vmhost_reading.read_target(to, reader, state=True)
    instances = [each for each in found.instances if not each.is_move_copy]
    return {
        **vmhost_reading.build_row(to, found),
        "vms": [view.build_vm_row(each, to.name, str(to.project), to.owner, found.volumes) for each in instances],
        "certificate": _certificate(certificate),
        "orphaned_trust": list(certificate["orphaned"]) if certificate else [],
        "server_certificate": _server_certificate(found.server.certificate),
        "declared": _select_declared_ratios(to),
        "project_owner": found.project.owner if found.project else None,
        "unused_volumes": _unused_volumes(found, to.owner),
    }


def build_registry_row(row: Mapping[str, Any], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the registry's folder says of a VM host that can't be read."""
    return {
        **vmhost_reading.build_registry_row(row, params),
        "certificate": _certificate(tenant_cert_info.build_registry_row(row, params)),
        "server_certificate": _server_certificate(row.get("server_cert") or ""),
    }


def _certificate(row: Optional[Mapping[str, Any]]) -> Optional[dict[str, Any]]:
    if not row:
        return None
    return {**{key: row[key] for key in _OF_CERTIFICATE}, "trusted": row["trusted"]}


def _server_certificate(pem: str) -> Optional[dict[str, Any]]:
    try:
        told = (
            build_certificate_facts(describe_pair(pem), datetime.datetime.now(datetime.timezone.utc)) if pem else None
        )
    except errors.TenantryError:
        return None
    return {key: told[key] for key in ("fingerprint", "not_after", "days_left")} if told else None


def _select_declared_ratios(to: Target) -> dict[str, str]:
    said = entries.to_data(to.entry) if to.entry else {}
    return {key: said[key] for key in _RATIOS if key in said}


def _unused_volumes(reading: VmHostState, owner: Optional[str]) -> list[dict[str, Any]]:
    left = [each for each in reading.volumes.values() if each.owner == owner and not each.used_by]
    return [{"storage_pool": each.pool, "name": each.name, "size": each.config.get("size")} for each in left]
