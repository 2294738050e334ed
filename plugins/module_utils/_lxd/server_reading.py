# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading a server whole: its settings, pools and networks, and in a cluster what each member has of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

from .._core.model import Server
from .._core.server_found import BEGUN, Found, FoundMember, FoundPart
from .port import Port
from .reader import Reader


def read(port: Port, pools: Collection[str], networks: Collection[str]) -> Found:
    """The server; those pools and networks that are named come with their ETags and each member's own config."""
    answer = port.call("GET", ())
    server = Server.of(answer.metadata)
    members = tuple(sorted(str(member["server_name"]) for member in Reader(port).members()))
    return Found(
        server=server,
        etag=answer.etag,
        members=members,
        here=server.name if members else "",
        pools=_parts(port, "storage-pools", pools, members),
        networks=_parts(port, "networks", networks, members),
    )


def _parts(port: Port, path: str, named: Collection[str], members: tuple[str, ...]) -> Mapping[str, FoundPart]:
    listed = [FoundPart.of(body) for body in port.call("GET", (path,), params={"recursion": "1"}).metadata or ()]
    return {part.name: _whole(port, path, part, members) if part.name in named else part for part in listed}


def _whole(port: Port, path: str, part: FoundPart, members: tuple[str, ...]) -> FoundPart:
    if not part.managed:
        return part
    answer = port.call("GET", (path, part.name))
    whole = FoundPart.of(answer.metadata, answer.etag)
    if whole.status in BEGUN:
        return whole
    on = {}
    for member in members:
        own = port.call("GET", (path, part.name), params={"target": member})
        on[member] = FoundMember(own.metadata.get("config") or {}, own.etag)
    return dataclasses.replace(whole, on=on)
