# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the shell read of a server and of the machine that it runs on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from ..model import Server
from .block_devices import BlockDevice, Dataset

# Of a pool or network on a cluster that isn't made everywhere yet.
BEGUN = ("Pending", "Errored")
# Of one member: it has it, whether or not it can be used at the moment.
MADE = ("Created", "Unavailable")


@dataclasses.dataclass(frozen=True)
class PartReading:
    """A storage pool or a network. `kind`: its driver or type. `on`: what each member of a cluster has of its own.

    Of one that is begun, and of a pool that nobody asked for, that is the member that runs here alone. `managed`:
    whether LXD made it; a link of the machine that has the name of a network is not.
    """

    name: str
    kind: str
    description: str
    config: Mapping[str, str]
    status: str = ""
    locations: tuple[str, ...] = ()
    managed: bool = True
    etag: Optional[str] = None
    on: Mapping[str, MemberReading] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, body: Mapping[str, Any], etag: str | None = None) -> PartReading:
        """From LXD's JSON of either."""
        return cls(
            name=body["name"],
            kind=body.get("driver") or body.get("type") or "",
            description=body.get("description") or "",
            config=body.get("config") or {},
            status=body.get("status") or "",
            locations=tuple(body.get("locations") or ()),
            managed=bool(body.get("managed", True)),
            etag=etag,
        )


@dataclasses.dataclass(frozen=True)
class MemberReading:
    """The config of a pool or network as one member of a cluster has it, and how far that member is with it."""

    config: Mapping[str, str]
    etag: Optional[str] = None
    status: str = ""


@dataclasses.dataclass(frozen=True)
class ServerReading:
    """A server. `unread`: nobody could look, and the plan predicts as if nothing were there.

    `members`: none where it isn't clustered. `here`: the member that runs on this machine. `devices`: by the paths that
    were declared, `datasets`: of zfs, by the names that were declared, where there are any. `resolved`: where paths
    lead here. `obstacle`: why the address that was declared can't be listened on.
    """

    server: Server
    etag: Optional[str] = None
    members: tuple[str, ...] = ()
    here: str = ""
    pools: Mapping[str, PartReading] = dataclasses.field(default_factory=dict)
    networks: Mapping[str, PartReading] = dataclasses.field(default_factory=dict)
    devices: Mapping[str, BlockDevice] = dataclasses.field(default_factory=dict)
    datasets: Mapping[str, Dataset] = dataclasses.field(default_factory=dict)
    resolved: Mapping[str, str] = dataclasses.field(default_factory=dict)
    obstacle: str = ""
    unread: bool = False
