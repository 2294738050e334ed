# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Members of clusters: what to read of the server that is asked, and how the cluster is told."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from ..._core import errors
from ..._core.cluster import join_token
from ..._core.cluster import plan as cluster_plan
from ..._core.cluster import spec as cluster
from ..._core.cluster.spec import ClusterMember, ClusterReading
from ..._core.plan import Plan
from ..._core.server import settings as server_settings
from ..._host import block, reaching
from ..._lxd import cluster_reading
from ..._lxd.port import Port
from ..._pki import pem
from ..carry_out import Outcome
from ..readers.own_server import UNREAD, OwnServer


class ClusterJob(OwnServer):
    """One member of a cluster, as seen from the server of the machine that this runs on."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        said = params.get("cluster_certificate") or ""
        self._wanted = cluster.parse_member_spec(params, pem.fingerprint(said, "cluster_certificate") if said else "")
        super().__init__(params, "url: a cluster is formed and changed by its admin, on the host of a member")
        self._found = ClusterReading(UNREAD, unread=True)

    def plan(self) -> Plan:
        """Read the cluster, what the plan needs beside it, and plan."""
        self._missing = []
        self._found = self._read()
        if self._wanted.token_later and self._found.here != self._wanted.name:
            self._missing.append(errors.NotFound(f"{self._wanted.name}: there is no token yet"))
        try:
            planned = self._planned()
        except errors.Conflict as no_cluster:
            if self._wanted.state != "invited":
                raise
            # An earlier task of the same play may begin the cluster.
            self._missing.append(no_cluster)
            self._found = dataclasses.replace(self._found, unread=True)
            planned = self._planned()
        return dataclasses.replace(planned, unverified=tuple(self._missing))

    def _planned(self) -> Plan:
        now = datetime.datetime.now(datetime.timezone.utc)
        return cluster_plan.plan_member(self._wanted, self._found, self._target.name, now)

    def _read(self) -> ClusterReading:
        try:
            found = cluster_reading.read(self._port)
            return dataclasses.replace(found, **self._beside(self._port, found))
        except errors.Unreachable as silent:
            # An earlier task of the same play may install LXD.
            self._missing.append(silent)
        return ClusterReading(UNREAD, unread=True)

    def _beside(self, port: Port, reading: ClusterReading) -> Mapping[str, Any]:
        wanted = self._wanted
        member = reading.member(wanted.name)
        if wanted.state == "absent" and member is not None and member.name != reading.here:
            return {"left": cluster_reading.list_remaining(port, member)}
        if wanted.state != "present" or reading.here or wanted.bootstrap:
            return {}
        devices = block.read_pool_devices(wanted.pools, wanted.name)
        doors = wanted.token.addresses if wanted.token else ()
        door = next((each for each in doors if reaching.answers(*server_settings.address(each))), "")
        return {"holds": cluster_reading.list_contents(port), "devices": devices, "door": door}

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """The cluster as it is, or in check mode would be; with a token where one was asked for."""
        found = self._found
        members, token = cluster_plan.predicted(self._wanted, found)
        if outcome is not None and self._opened is not None:
            try:
                found, token = self._now(self._port, plan)
                members = found.members
            except errors.TenantryError:
                if self._wanted.state == "invited" and not outcome.failed:
                    raise
                # The server went away in the middle: what was read before is the last that is known.
                members, token = found.members, ""
        told = {"cluster": _view(found, members)}
        return {**told, "token": token or None} if self._wanted.state == "invited" else told

    def _now(self, port: Port, plan: Plan) -> tuple[ClusterReading, str]:
        found = cluster_reading.read(port) if plan.changes else self._found
        if self._wanted.state != "invited" or found.member(self._wanted.name):
            return found, ""
        told = [each.metadata for each in cluster_reading.token_operations(port)]
        theirs = [said for said in told if said["serverName"] == self._wanted.name]
        return found, join_token.text_of(theirs[0]) if theirs else ""


def _view(reading: ClusterReading, members: tuple[ClusterMember, ...]) -> dict[str, Any]:
    return {
        "member": reading.here or None,
        "certificate": reading.server.certificate or None,
        "members": [
            {"name": each.name, "status": each.status, "url": each.url}
            for each in sorted(members, key=lambda each: each.name)
        ],
    }
