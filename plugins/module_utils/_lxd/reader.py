# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading LXD: one request a listing, models out, and a missing thing is None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .._core import errors
from .._core.model import (
    Image,
    Instance,
    Network,
    Project,
    Resources,
    StoragePool,
    TrustEntry,
    Volume,
)
from .port import Answer, Port

_LIST = {"recursion": "1"}
# Seconds that one member of a cluster gets to answer through another: silence of one is no reason to wait for all.
_PATIENCE = 5.0


class Reader:
    """What one server holds; every method is one request unless it says otherwise."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.server = port.server

    def _listing(self, path: Sequence[str], project: str | None = None, **params: str) -> list[Mapping[str, Any]]:
        return list(self._port.call("GET", path, project=project, params={**_LIST, **params}).metadata or ())

    def _one(self, path: Sequence[str], project: str | None = None) -> Optional[Answer]:
        try:
            return self._port.call("GET", path, project=project)
        except errors.NotFound:
            return None

    def _of_member(self, path: Sequence[str], member: str) -> Answer:
        """What one member says, through the one that we are connected to; of a server that is alone, what it says."""
        if not member:
            return self._port.call("GET", path)
        patience = min(_PATIENCE, float(self._port.connection.timeout))
        return self._port.call("GET", path, params={"target": member}, timeout=patience)

    def project(self, name: str) -> Project | None:
        """The project, or None; to a restricted certificate a project of somebody else is NotTrusted."""
        answer = self._one(("projects", name))
        return Project.from_api(answer.metadata, answer.etag) if answer else None

    def projects(self) -> list[Project]:
        """All projects that this connection may see."""
        return [Project.from_api(body) for body in self._listing(("projects",))]

    def project_state(self, name: str) -> Mapping[str, Any]:
        """Limits and usage of a project as LXD counts them."""
        return dict(self._port.call("GET", ("projects", name, "state")).metadata["resources"])

    def profile(self, project: str, name: str) -> tuple[Mapping[str, Any], str | None] | None:
        """A profile's body and ETag, or None."""
        answer = self._one(("profiles", name), project)
        return (answer.metadata, answer.etag) if answer else None

    def profiles(self, project: str) -> list[Mapping[str, Any]]:
        """The profiles that instances of the project may use."""
        return self._listing(("profiles",), project)

    def trust_entry(self, fingerprint: str) -> TrustEntry | None:
        """One entry of the trust store, or None; a restricted certificate sees its own on every version."""
        answer = self._one(("certificates", fingerprint))
        return TrustEntry.from_api(answer.metadata, answer.etag) if answer else None

    def trust_entries(self) -> list[TrustEntry]:
        """The whole trust store, as far as this connection may see it."""
        return [TrustEntry.from_api(body) for body in self._listing(("certificates",))]

    def instances(self, project: str, state: bool = False) -> list[Instance]:
        """All instances of the project; with `state` LXD asks every guest, which costs it twenty times as much.

        Where the server can leave something out, it need not measure the guests' disks.
        """
        chosen = ";fields=state.network" if self.server.has("instances_state_selective_recursion") else ""
        depth = {"recursion": f"2{chosen}"} if state else {}
        return [Instance.from_api(body) for body in self._listing(("instances",), project, **depth)]

    def instance(self, project: str, name: str) -> Instance | None:
        """One instance, or None."""
        answer = self._one(("instances", name), project)
        return Instance.from_api(answer.metadata) if answer else None

    def copies(self, project: str, name: str) -> list[str]:
        """The snapshots and backups of an instance, by name; two requests."""
        found = [(kind, self._listing(("instances", name, f"{kind}s"), project)) for kind in ("snapshot", "backup")]
        # Of a snapshot LXD tells the name alone, of a backup the instance's before it.
        return [f"{kind} {body['name'].rpartition('/')[2]}" for kind, bodies in found for body in bodies]

    def instance_state(self, project: str, name: str) -> Mapping[str, Any]:
        """What LXD and, where there is an agent, the guest say now."""
        return dict(self._port.call("GET", ("instances", name, "state"), project=project).metadata)

    def volumes(self, project: str, pool: str) -> list[Volume]:
        """The custom volumes of one pool that belong to the project."""
        found = self._listing(("storage-pools", pool, "volumes", "custom"), project)
        return [Volume.from_api(pool, body) for body in found]

    def buckets(self, project: str, pool: str) -> list[str]:
        """The names of the object storage buckets of one pool; none on a server that has no such thing."""
        if not self.server.has("storage_buckets"):
            return []
        return [str(body["name"]) for body in self._listing(("storage-pools", pool, "buckets"), project)]

    def networks(self, project: str) -> list[Network]:
        """The networks that the project may use, unmanaged host interfaces included."""
        return [Network.from_api(body) for body in self._listing(("networks",), project)]

    def network_addresses(self, project: str, name: str) -> tuple[str, ...]:
        """The addresses of a network's own bridge, as "10.0.0.1/24"; none of a network that isn't there.

        To a restricted certificate LXD 5.0 lists networks without their config; of their state it tells.
        """
        try:
            state = self._port.call("GET", ("networks", name, "state"), project=project).metadata
        except errors.NotFound:
            return ()
        found = (state or {}).get("addresses") or ()
        return tuple(f"{each['address']}/{each['netmask']}" for each in found if each.get("scope") == "global")

    def pools(self, space: bool = False) -> list[StoragePool]:
        """The storage pools; with `space` one more request for each."""
        bodies = self._listing(("storage-pools",))
        return [StoragePool.from_api(body, self.pool_space(body["name"]) if space else None) for body in bodies]

    def pool_space(self, pool: str, member: str = "") -> Mapping[str, Any]:
        """What one storage pool has and uses; in a cluster on one member, since most pools are a member's own."""
        return dict(self._of_member(("storage-pools", pool, "resources"), member).metadata)

    def images(self, project: str) -> list[Image]:
        """The images that the project sees."""
        return [Image.from_api(body) for body in self._listing(("images",), project)]

    def resources(self, member: str = "") -> Resources:
        """What the machine has; in a cluster, the machine of one member."""
        return Resources.from_api(self._of_member(("resources",), member).metadata)

    def members(self) -> list[Mapping[str, Any]]:
        """The members of a cluster with their status; none where the server isn't clustered."""
        return self._listing(("cluster", "members")) if self.server.clustered else []

    def running_operations(self, project: str) -> list[Mapping[str, Any]]:
        """The operations that go on in the project right now."""
        grouped = self._port.call("GET", ("operations",), project=project, params=_LIST).metadata or {}
        return [operation for group in grouped.values() for operation in group if operation["status_code"] < 200]
