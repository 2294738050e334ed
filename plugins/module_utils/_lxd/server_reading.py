# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading a server whole: its settings, pools and networks, and in a cluster what each member has of its own."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping

from .._core.model import Server
from .._core.server.found import BEGUN, MemberReading, PartReading, ServerReading
from .port import Answer, Port
from .reader import Reader

# Seconds: how long a pool or network may be in the making, and how often to look.
_SETTLES, _LOOK = 5.0, 0.2


def read(port: Port, pools: Collection[str], networks: Collection[str]) -> ServerReading:
    """The server; those pools and networks that are named come with their ETags and each member's own config."""
    answer = port.call("GET", ())
    server = Server.from_api(answer.metadata)
    members = tuple(sorted(str(member["server_name"]) for member in Reader(port).members()))
    here = server.name if members else ""
    found = {name: _pool_here(port, pool, here) for name, pool in _parts(port, "storage-pools", pools, members).items()}
    return ServerReading(
        server=server,
        etag=answer.etag,
        members=members,
        here=here,
        pools=found,
        networks=_parts(port, "networks", networks, members),
    )


def _parts(port: Port, path: str, named: Collection[str], members: tuple[str, ...]) -> Mapping[str, PartReading]:
    listed = [PartReading.of(body) for body in port.call("GET", (path,), params={"recursion": "1"}).metadata or ()]
    return {part.name: _whole(port, path, part, members) if part.name in named else part for part in listed}


def _whole(port: Port, path: str, part: PartReading, members: tuple[str, ...]) -> PartReading:
    if not part.managed:
        return part
    answer = _read_settled(port, (path, part.name), alone=not members)
    whole = PartReading.of(answer.metadata, answer.etag)
    if whole.status in BEGUN:
        return whole
    on = {member: _on(port, (path, part.name), member) for member in members}
    return dataclasses.replace(whole, on=on)


def _read_settled(port: Port, path: tuple[str, ...], *, alone: bool) -> Answer:
    """The part; on a server that is alone once it isn't being made any more, unless whoever made it was killed."""
    end = time.monotonic() + _SETTLES
    while True:
        answer = port.call("GET", path)
        if not alone or answer.metadata.get("status") != "Pending" or time.monotonic() > end:
            return answer
        time.sleep(_LOOK)


def _on(port: Port, path: tuple[str, ...], member: str) -> MemberReading:
    own = port.call("GET", path, params={"target": member})
    return MemberReading(own.metadata.get("config") or {}, own.etag, own.metadata.get("status") or "")


def _pool_here(port: Port, pool: PartReading, here: str) -> PartReading:
    """With what the member has of its own that runs here: of which devices it is made nobody else says."""
    if not here or pool.on:
        return pool
    return dataclasses.replace(pool, on={here: _on(port, ("storage-pools", pool.name), here)})
