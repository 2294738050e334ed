# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a running LXD is to have: settings, storage pools and networks, checked before any server is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, Optional

from ..errors import Invalid
from . import networks as server_networks
from . import pools as server_pools
from . import settings as server_settings


@dataclasses.dataclass(frozen=True)
class ServerSpec:
    """The declaration; what it doesn't name is kept."""

    config: Mapping[str, Optional[str]]
    pools: tuple[server_pools.PoolSpec, ...]
    networks: tuple[server_networks.NetworkSpec, ...]


def parse_server_spec(params: Mapping[str, Any]) -> ServerSpec:
    """The options, checked; raises Invalid with everything that is wrong."""
    problems: list[str] = []
    wanted = ServerSpec(
        config=server_settings.want(params, problems),
        pools=server_pools.want(params.get("storage_pools"), problems),
        networks=server_networks.want(params.get("networks"), problems),
    )
    if problems:
        raise invalid_settings_error(problems)
    return wanted


def seen_by(spec: ServerSpec, member: str, members: Collection[str]) -> ServerSpec:
    """What it means for a server that is that member of a cluster, or will be, as long as its members are these."""
    if members:
        return dataclasses.replace(
            spec,
            pools=tuple(pool.among(members) for pool in spec.pools),
            networks=tuple(network.among(members) for network in spec.networks),
        )
    return dataclasses.replace(
        spec,
        pools=tuple(pool.alone(member) for pool in spec.pools),
        networks=tuple(network.alone(member) for network in spec.networks),
    )


def secrets(params: Mapping[str, Any]) -> set[str]:
    """The values among the options that must not be shown, wherever they are declared, and whatever else is wrong."""
    lists = [each for each in (params.get("storage_pools"), params.get("networks")) if isinstance(each, list)]
    maps = [params.get("config")]
    for part in (each for parts in lists for each in parts if isinstance(each, Mapping)):
        members = part.get("members")
        maps += [part.get("config"), *(members.values() if isinstance(members, Mapping) else ())]
    return {value for each in maps if isinstance(each, Mapping) for value in server_settings.secrets(each)}


def invalid_settings_error(problems: list[str]) -> Invalid:
    """Return all problems as one error."""
    return Invalid(" -- ".join(problems), problems=list(problems))
