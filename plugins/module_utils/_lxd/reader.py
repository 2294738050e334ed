# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading LXD's objects: one request for a listing, and None for an object that doesn't exist."""

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
from .._core.operation import Operation
from .port import Answer, Port

_LIST = {"recursion": "1"}
# Seconds that a cluster member gets to answer through another one, so that one silent member doesn't delay all.
_MEMBER_TIMEOUT = 5.0


class Reader:
    """Reads the objects of one server; a method is one request unless its docstring says otherwise."""

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
        """Ask one cluster member, through the member that is connected; without a cluster, ask the server."""
        if not member:
            return self._port.call("GET", path)
        timeout = min(_MEMBER_TIMEOUT, float(self._port.connection.timeout))
        return self._port.call("GET", path, params={"target": member}, timeout=timeout)

    def project(self, name: str) -> Project | None:
        """Read a project; None if it doesn't exist. Raises NotTrusted if the certificate is restricted to others."""
        answer = self._one(("projects", name))
        return Project.from_api(answer.metadata, answer.etag) if answer else None

    def projects(self) -> list[Project]:
        """Read all projects that this connection may see."""
        return [Project.from_api(body) for body in self._listing(("projects",))]

    def project_state(self, name: str) -> Mapping[str, Any]:
        """Read the limits and the usage of a project, as LXD counts them."""
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
        """Read the trust store, as far as this connection may see it."""
        return [TrustEntry.from_api(body) for body in self._listing(("certificates",))]

    def instances(self, project: str, state: bool = False) -> list[Instance]:
        """Read all instances of the project; with `state`, LXD queries every guest, which takes twenty times as long.

        A server that can omit a part of the state is asked to omit the guests' disks.
        """
        chosen = ";fields=state.network" if self.server.has("instances_state_selective_recursion") else ""
        depth = {"recursion": f"2{chosen}"} if state else {}
        return [Instance.from_api(body) for body in self._listing(("instances",), project, **depth)]

    def instance(self, project: str, name: str) -> Instance | None:
        """Read one instance; None if it doesn't exist."""
        answer = self._one(("instances", name), project)
        return Instance.from_api(answer.metadata) if answer else None

    def copies(self, project: str, name: str) -> list[str]:
        """Return "snapshot NAME" and "backup NAME" for those of an instance; two requests."""
        found = [(kind, self._listing(("instances", name, f"{kind}s"), project)) for kind in ("snapshot", "backup")]
        # LXD lists a snapshot by its name alone, and a backup with the instance's name in front.
        return [f"{kind} {body['name'].rpartition('/')[2]}" for kind, bodies in found for body in bodies]

    def instance_state(self, project: str, name: str) -> Mapping[str, Any]:
        """Read the state that LXD and, if it has an agent, the guest report."""
        return dict(self._port.call("GET", ("instances", name, "state"), project=project).metadata)

    def volumes(self, project: str, pool: str) -> list[Volume]:
        """Read the project's custom volumes in one storage pool."""
        found = self._listing(("storage-pools", pool, "volumes", "custom"), project)
        return [Volume.from_api(pool, body) for body in found]

    def buckets(self, project: str, pool: str) -> list[str]:
        """Return the names of the storage buckets in one pool; none on a server without buckets."""
        if not self.server.has("storage_buckets"):
            return []
        return [str(body["name"]) for body in self._listing(("storage-pools", pool, "buckets"), project)]

    def networks(self, project: str) -> list[Network]:
        """Read the networks that the project may use, unmanaged interfaces of the host included."""
        return [Network.from_api(body) for body in self._listing(("networks",), project)]

    def network_addresses(self, project: str, name: str) -> tuple[str, ...]:
        """Return the addresses of a network's bridge, as "10.0.0.1/24"; none if the network doesn't exist.

        LXD 5.0 shows a restricted certificate no config of networks, but it shows their state.
        """
        try:
            state = self._port.call("GET", ("networks", name, "state"), project=project).metadata
        except errors.NotFound:
            return ()
        found = (state or {}).get("addresses") or ()
        return tuple(f"{each['address']}/{each['netmask']}" for each in found if each.get("scope") == "global")

    def pools(self, space: bool = False) -> list[StoragePool]:
        """Read the storage pools; with `space`, one more request for each."""
        bodies = self._listing(("storage-pools",))
        return [StoragePool.from_api(body, self.pool_space(body["name"]) if space else None) for body in bodies]

    def pool_space(self, pool: str, member: str = "") -> Mapping[str, Any]:
        """Read the space of a storage pool; in a cluster that of one member, since most pools are local to it."""
        return dict(self._of_member(("storage-pools", pool, "resources"), member).metadata)

    def images(self, project: str) -> list[Image]:
        """Read the images that the project can use."""
        return [Image.from_api(body) for body in self._listing(("images",), project)]

    def resources(self, member: str = "") -> Resources:
        """Read the hardware of the machine; in a cluster, of one member's machine."""
        return Resources.from_api(self._of_member(("resources",), member).metadata)

    def members(self) -> list[Mapping[str, Any]]:
        """Read the members of the cluster with their status; none if the server isn't clustered."""
        return self._listing(("cluster", "members")) if self.server.clustered else []

    def running_operations(self, project: str) -> list[Operation]:
        """Read the operations that are running in the project."""
        grouped = self._port.call("GET", ("operations",), project=project, params=_LIST).metadata or {}
        operations = [Operation.from_api(body) for group in grouped.values() for body in group]
        return [each for each in operations if each.is_running]
