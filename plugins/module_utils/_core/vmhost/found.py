# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was read of one VM host: the server, the tracked project in it, and the machines it is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from ..model import Instance, Machine, Network, Project, Server, StoragePool, Volume


@dataclasses.dataclass(frozen=True)
class VmHostState:
    """One VM host as found; what could not be read is None, or empty beside a `project` of None.

    `admin`: this connection may write projects. `restricted`: whether the server restricts the certificate that the
    registry has for this host; None where nobody tells. `pools` carry their space where it could be read. `state`:
    the project's limits and usage as LXD counts them, where it was asked.
    """

    server: Server
    project: Optional[Project] = None
    instances: tuple[Instance, ...] = ()
    volumes: Mapping[tuple[str, str], Volume] = dataclasses.field(default_factory=dict)
    networks: tuple[Network, ...] = ()
    pools: tuple[StoragePool, ...] = ()
    machines: tuple[Machine, ...] = ()
    members: tuple[Mapping[str, Any], ...] = ()
    admin: bool = False
    restricted: Optional[bool] = None
    state: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def find_pools_with_volumes(project: Project, instances: Collection[Instance]) -> list[str]:
    """The storage pools that hold custom managed volumes, as the project and its instances tell."""
    pools = set()
    for url in project.used_by:
        parts = [unquote(part) for part in urlsplit(url).path.strip("/").split("/")]
        if parts[1:2] == ["storage-pools"] and parts[3:5] == ["volumes", "custom"]:
            pools.add(parts[2])
    for instance in instances:
        for device in instance.expanded_devices.values():
            # A project without volumes of its own isn't told of those of the project that it shares them with.
            if device.get("type") == "disk" and device.get("pool") and device.get("source"):
                pools.add(device["pool"])
    return sorted(pools)


def select_counted_volumes(
    project: Project, volumes: Mapping[tuple[str, str], Volume]
) -> dict[tuple[str, str], Volume]:
    """The volumes that count as allocated: all of a project with volumes of its own, else those with our mark."""
    own = project.has_own("storage.volumes")
    return {place: each for place, each in volumes.items() if own or each.owner == project.owner}
