# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A running server: what to read of it and of its machine, and how it is told."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ..._core import errors
from ..._core.model import Server
from ..._core.plan import Plan
from ..._core.server import plan as server_plan
from ..._core.server import settings as server_settings
from ..._core.server import spec as server
from ..._core.server.found import BEGUN, ServerReading
from ..._core.server.pools import INITIAL_SOURCE, SOURCE
from ..._host import block, datasets, listening
from ..._lxd import server_reading
from ..carry_out import Outcome
from ..readers.own_server import UNREAD, OwnServer


class ServerJob(OwnServer):
    """The server of the machine that this runs on."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._declared = self._wanted = server.parse_server_spec(params)
        # Of a cluster that may only come into being later in the same play.
        self._member = str(params.get("member") or "")
        super().__init__(params, "url: this module looks at the disks and addresses of its server's machine")
        self._found = ServerReading(UNREAD, unread=True)

    def plan(self) -> Plan:
        """Read the server and the devices that are named, and plan."""
        self._missing = []
        self._found = self._read()
        planned = server_plan.plan_server(self._wanted, self._found, self._target.name)
        return dataclasses.replace(planned, unverified=tuple(self._missing))

    def _read(self) -> ServerReading:
        found = ServerReading(UNREAD, unread=True)
        try:
            found = self._read_server()
        except errors.Unreachable as silent:
            # An earlier task of the same play may install LXD.
            self._missing.append(silent)
        if self._member:
            self._wanted = server.seen_by(self._declared, self._member, found.members)
        new = [pool for pool in self._wanted.pools if _is_new(found, pool.name)]
        return dataclasses.replace(
            found,
            devices=block.read_pool_devices(new, found.here),
            datasets=datasets.read_pool_datasets(new, found.here),
            resolved=self._resolved(found),
            obstacle=self._obstacle(found.server),
        )

    def _read_server(self) -> ServerReading:
        pools = {pool.name for pool in self._wanted.pools}
        return server_reading.read(self._port, pools, {network.name for network in self._wanted.networks})

    def _resolved(self, reading: ServerReading) -> dict[str, str]:
        """Where the names of devices lead on this machine, such as /dev/disk/by-id/... to /dev/sdb."""
        named = {each for pool in self._wanted.pools for each in _sources(pool.config, *pool.members.values())}
        for pool in reading.pools.values():
            named.update(_sources(pool.config, *(own.config for own in pool.on.values())))
        return {each: os.path.realpath(each) for each in sorted(named)}

    def _obstacle(self, now: Server) -> str:
        said = self._wanted.config.get(server_settings.HTTPS_ADDRESS)
        if not said or server_settings.HTTPS_ADDRESS not in server_settings.changes(self._wanted.config, now.config):
            return ""
        host, port = server_settings.address(said)
        listens = now.config.get(server_settings.HTTPS_ADDRESS)
        ours = listens and server_settings.address(str(listens))[1] == port
        # The port that LXD has already is in use by LXD.
        return listening.obstacle(host, 0 if ours else port)

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """The server as it is, or in check mode would be."""
        if outcome is None:
            return {"server": server_plan.predicted(self._wanted, self._found)}
        if plan.changes:
            try:
                return {"server": server_plan.view(self._read_server())}
            except errors.TenantryError:
                # The server went away in the middle: what was read before is the last that is known.
                pass
        return {"server": server_plan.view(self._found)}


def _is_new(reading: ServerReading, pool: str) -> bool:
    """Whether it has still to be made, here or on another member."""
    return pool not in reading.pools or reading.pools[pool].status in BEGUN


def _sources(*configs: Mapping[str, Optional[str]]) -> Iterator[str]:
    for config in configs:
        for value in (config.get(SOURCE), config.get(INITIAL_SOURCE)):
            if value and value.startswith("/"):
                yield value
