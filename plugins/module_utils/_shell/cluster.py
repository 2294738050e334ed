# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Members of clusters: what to read of the server that is asked, and how the cluster is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .._core import cluster, cluster_plan, errors, join_token
from .._core.cluster import Found, Member
from .._core.plan import Plan
from .._host import block
from .._lxd import cluster_reading
from .._lxd.port import Port
from .._pki import pem
from .carry_out import Outcome
from .own_server import UNREAD, OwnServer


class ClusterJob(OwnServer):
    """One member of a cluster, as seen from the server of the machine that this runs on."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        said = params.get("cluster_certificate") or ""
        self._wanted = cluster.want(params, pem.fingerprint(said, "cluster_certificate") if said else "")
        super().__init__(params, "url: a cluster is formed and changed by its admin, on the host of a member")
        self._found = Found(UNREAD, unread=True)

    def plan(self) -> Plan:
        """Read the cluster, what the plan needs beside it, and plan."""
        self._missing = []
        self._found = self._read()
        if self._wanted.token_later and self._found.here != self._wanted.name:
            self._missing.append(errors.NotFound(f"{self._wanted.name}: there is no token yet"))
        try:
            planned = cluster_plan.plan(self._wanted, self._found, self._target.name)
        except errors.Conflict as no_cluster:
            if self._wanted.state != "invited":
                raise
            # An earlier task of the same play may begin the cluster.
            self._missing.append(no_cluster)
            self._found = dataclasses.replace(self._found, unread=True)
            planned = cluster_plan.plan(self._wanted, self._found, self._target.name)
        return dataclasses.replace(planned, unverified=tuple(self._missing))

    def _read(self) -> Found:
        try:
            found = cluster_reading.read(self._port)
            return dataclasses.replace(found, **self._beside(self._port, found))
        except errors.Unreachable as silent:
            # An earlier task of the same play may install LXD.
            self._missing.append(silent)
        return Found(UNREAD, unread=True)

    def _beside(self, port: Port, found: Found) -> Mapping[str, Any]:
        wanted = self._wanted
        member = found.member(wanted.name)
        if wanted.state == "absent" and member is not None and member.name != found.here:
            return {"left": cluster_reading.left_on(port, member)}
        if wanted.state != "present" or found.here or wanted.bootstrap:
            return {}
        devices = block.of_pools(wanted.pools, wanted.name)
        return {"holds": cluster_reading.holdings(port), "devices": devices}

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """The cluster as it is, or in check mode would be; with a token where one was asked for."""
        found = self._found
        members, token = cluster_plan.predicted(self._wanted, found)
        if outcome is not None and self._opened is not None:
            found = self._now(self._port) if plan.changes else found
            members, token = found.members, self._token(self._port)
        told = {"cluster": _view(found, members)}
        return {**told, "token": token or None} if self._wanted.state == "invited" else told

    def _now(self, port: Port) -> Found:
        try:
            return cluster_reading.read(port)
        except errors.TenantryError:
            # The server went away in the middle: what was read before is the last that is known.
            return self._found

    def _token(self, port: Port) -> str:
        if self._wanted.state != "invited" or self._found.member(self._wanted.name):
            return ""
        for operation in cluster_reading.token_operations(port):
            if operation["metadata"]["serverName"] == self._wanted.name:
                return join_token.text_of(operation["metadata"])
        return ""


def _view(found: Found, members: tuple[Member, ...]) -> dict[str, Any]:
    return {
        "member": found.here or None,
        "certificate": found.server.certificate or None,
        "members": [
            {"name": each.name, "status": each.status, "url": each.url}
            for each in sorted(members, key=lambda each: each.name)
        ],
    }
