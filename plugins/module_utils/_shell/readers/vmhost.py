# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading one VM host as a whole: a constant number of requests, and one or two for each storage pool and member."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..._access import estate
from ..._access.targets import Target
from ..._core import errors
from ..._core.model import OWNER, Project, TrustEntry
from ..._core.tenant_cert.pair import build_certificate_facts
from ..._core.vmhost import registration as vmhost
from ..._core.vmhost import view as vmhost_view
from ..._core.vmhost.found import VmHostState, find_pools_with_volumes, select_counted_volumes
from ..._lxd import machines, promised
from ..._lxd.reader import Reader
from ..._pki import pem
from ..._registry import entries
from .tenant_files import describe_pair


def read_vm_host(reader: Reader, host: str, project: str, state: bool = False) -> VmHostState:
    """The host and its tracked project, as far as this connection may see them; `state`: what the guests say too.

    Raises NotFound or NotTrusted for a project that isn't there or isn't ours to see.
    """
    tracked = _project(reader, host, project)
    instances = tuple(reader.instances(project, state))
    volumes = promised.read_volumes(reader, project, find_pools_with_volumes(tracked, instances))
    return dataclasses.replace(
        _around(reader, tracked, project),
        instances=instances,
        volumes=select_counted_volumes(tracked, volumes),
        state=promised.read_project_usage(reader, tracked),
    )


def predict_vm_host(reader: Reader, name: str, owner: str) -> VmHostState:
    """The host with the project that an earlier task of a check-mode run would have made: ours, with nothing in it."""
    return dataclasses.replace(_around(reader, Project(name, "", {OWNER: owner}, ()), "default"), admin=True)


def _around(reader: Reader, project: Project, seen_from: str) -> VmHostState:
    members = tuple(reader.members())
    found = machines.read_machines(reader, reader.pools(), members)
    return VmHostState(
        reader.server,
        project=project,
        networks=tuple(reader.networks(seen_from)),
        pools=machines.sum_pools(found),
        machines=found,
        members=members,
    )


def trust_entry(reader: Reader, certificate: str) -> Optional[TrustEntry]:
    """What the server's trust store says of a certificate; None where it doesn't tell, or doesn't know it."""
    try:
        return reader.trust_entry(pem.fingerprint(certificate)) if certificate else None
    except errors.TenantryError:
        return None


def _project(reader: Reader, host: str, name: str) -> Project:
    try:
        found = reader.project(name)
    except errors.NotTrusted as refused:
        raise vmhost.project_not_found_error(host, name, refused) from None
    if found is None:
        raise vmhost.project_not_found_error(host, name)
    return found


def summarize_certificate(pem_text: str) -> Optional[dict[str, Any]]:
    """The host's certificate as people ask for it; None where there is none, or none that can be read."""
    if not pem_text:
        return None
    try:
        told = build_certificate_facts(describe_pair(pem_text), datetime.datetime.now(datetime.timezone.utc))
    except errors.TenantryError:
        return None
    return {key: told[key] for key in ("fingerprint", "not_after", "days_left")}


def read_rows(to: Target, reader: Reader) -> Sequence[Mapping[str, Any]]:
    """One row: the VM host as it is now; to the admin on it also before there is a project."""
    if not to.project and to.local:
        return [
            vmhost_view.build_vmhost_view(
                to.name, {}, VmHostState(reader.server, members=tuple(reader.members()), admin=True), None
            )
        ]
    return [build_row(to, read_target(to, reader))]


def read_target(to: Target, reader: Reader, state: bool = False) -> VmHostState:
    """The VM host with its tracked project; `state`: with what the guests say, which costs LXD far more."""
    project = estate.get_tracked_project(to)
    # Only to an admin a server tells its config: whom it tells by https isn't restricted.
    restricted = False if reader.server.config and not to.local and to.connection.certificate else None
    return dataclasses.replace(read_vm_host(reader, to.name, project, state), restricted=restricted)


def build_row(to: Target, reading: VmHostState) -> dict[str, Any]:
    """What was found, as people see it."""
    data: Mapping[str, Any] = entries.to_data(to.entry) if to.entry else {}
    said = {"project": to.project, "owner": to.owner, "urls": list(to.connection.urls)}
    certificate = summarize_certificate("" if to.local else to.connection.certificate)
    return vmhost_view.build_vmhost_view(to.name, {**data, **said}, reading, certificate)


def build_registry_row(row: Mapping[str, Any], _params: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a VM host's row says of it when the host itself says nothing."""
    if not row.get("entry"):
        return {}
    nothing = dict.fromkeys(("server", "resources", "vms"))
    certificate = summarize_certificate(row.get("certificate") or "")
    return {
        **vmhost_view.build_entry_view(row["name"], row["entry"]),
        **nothing,
        "certificate": certificate,
        "exposure": [],
    }
