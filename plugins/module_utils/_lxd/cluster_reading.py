# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading a cluster as its admin: who is in it, who was let in and hasn't come, and what is on one member."""

from __future__ import annotations

from collections.abc import Iterator

from .._core import errors
from .._core.cluster import evacuation as cluster_leaving
from .._core.cluster.join_token import OpenJoinToken
from .._core.cluster.spec import EVACUATED, OFFLINE, ClusterMember, ClusterReading
from .._core.model import Image, Project, Server
from .._core.operation import Operation
from .port import Port
from .reader import Reader

_RECURSIVE = {"recursion": "1"}


def read(port: Port) -> ClusterReading:
    """The server and its cluster, without what is on any member."""
    answer = port.call("GET", ("cluster",))
    server = Server.from_api(port.call("GET", ()).metadata)
    if not answer.metadata.get("enabled"):
        return ClusterReading(server, etag=answer.etag)
    listed = port.call("GET", ("cluster", "members"), params=_RECURSIVE).metadata or ()
    members = sorted((ClusterMember.of(body) for body in listed), key=lambda each: each.name)
    return ClusterReading(server, answer.metadata["server_name"], answer.etag, tuple(members), _tokens(port))


def _tokens(port: Port) -> tuple[OpenJoinToken, ...]:
    told = ((each.metadata, each.id) for each in token_operations(port))
    return tuple(OpenJoinToken(str(said["serverName"]), name, str(said.get("expiresAt") or "")) for said, name in told)


def token_operations(port: Port) -> list[Operation]:
    """The operations that are join tokens nobody has used."""
    running = Reader(port).running_operations("default")
    return [each for each in running if each.kind == "token" and "serverName" in each.metadata]


def list_contents(port: Port) -> tuple[str, ...]:
    """What a server that is alone would lose by joining a cluster: LXD drops it from its database and says nothing."""
    reader = Reader(port)
    held = [what for project in reader.projects() for what in _held_in(reader, project)]
    held += [f"storage pool {pool.name}" for pool in reader.pools()]
    return (*held, *(f"network {each.name}" for each in reader.networks("default") if each.managed))


def _held_in(reader: Reader, project: Project) -> Iterator[str]:
    name, default = project.name, project.name == "default"
    if not default:
        yield f"project {name}"
    yield from (f"instance {name}/{each.name}" for each in reader.instances(name))
    if default or project.has_own("images"):
        yield from (f"image {name}/{_name_image(each)}" for each in reader.images(name) if not each.cached)
    if default or project.has_own("profiles"):
        profiles = (str(body["name"]) for body in reader.profiles(name))
        yield from (f"profile {name}/{each}" for each in profiles if each != "default")


def _name_image(image: Image) -> str:
    return image.aliases[0] if image.aliases else image.fingerprint[:12]


def list_remaining(port: Port, member: ClusterMember) -> tuple[str, ...]:
    """What is on a member and doesn't leave it with an evacuation; of a dead one, all that is known of."""
    reader = Reader(port)
    return tuple(_list_member_contents(reader, member))


def _list_member_contents(reader: Reader, member: ClusterMember) -> Iterator[str]:
    immobile = member.status in (OFFLINE, EVACUATED)
    every = reader.pools()
    pools = [pool for pool in every if not pool.shared]
    shared = {pool.name for pool in every if pool.shared}
    for project in reader.projects():
        here = (each for each in reader.instances(project.name) if each.location == member.name)
        for instance in here:
            why = cluster_leaving.stays(instance, shared)
            if immobile or why:
                yield f"instance {project.name}/{instance.name}" + (f" ({why})" if why and not immobile else "")
        if not project.has_own("storage.volumes") and project.name != "default":
            continue
        for pool in pools:
            yield from _volumes(reader, project.name, pool.name, member.name)


def _volumes(reader: Reader, project: str, pool: str, member: str) -> Iterator[str]:
    try:
        found = reader.volumes(project, pool)
    except errors.NotFound:
        # A pool that is being made is listed already.
        return
    yield from (f"volume {project}/{pool}/{each.name}" for each in found if each.location == member)
