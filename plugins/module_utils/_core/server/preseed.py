# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The same declaration for `lxd init --preseed`: for a server that starts for the first time, where nobody can look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional, Union

from . import networks as server_networks
from . import pools as server_pools
from . import spec as server
from .settings import is_secret


def preseed(params: Mapping[str, Any]) -> dict[str, Any]:
    """What `lxd init --preseed` takes, from the options of `lxd_server`, checked as they are.

    It is for one server that holds nothing, so nothing can be removed (null) or said for members; and who would look
    at a device before it is wiped isn't there, so `wipe` is refused. Raises Invalid with everything that is wrong.
    """
    wanted = server.parse_server_spec(params)
    problems = [f"{key}: null removes a key, and a new server has none" for key in _nulls(wanted)]
    for kind, each in [("storage pool", pool) for pool in wanted.pools] + [("network", net) for net in wanted.networks]:
        if each.members:
            problems.append(f"{kind} {each.name}: members: a preseed is for one server; set source and config")
        problems += [
            f"{kind} {each.name}: {key}: a preseed is kept in clear; set it afterwards"
            for key in each.config
            if is_secret(key)
        ]
    wiped = [pool.name for pool in wanted.pools if pool.wipe]
    problems += [f"storage pool {name}: wipe: the device would not be checked first" for name in wiped]
    problems += [f"{key}: a preseed is kept in clear; set it afterwards" for key in wanted.config if is_secret(key)]
    if problems:
        raise server.invalid_settings_error(problems)
    return {
        "config": _drop_unset(wanted.config),
        "storage_pools": [{**_named(pool), "driver": pool.driver} for pool in wanted.pools],
        "networks": [{**_named(network), "type": network.type} for network in wanted.networks],
    }


def _named(each: Union[server_pools.PoolSpec, server_networks.NetworkSpec]) -> dict[str, Any]:
    return {"name": each.name, "description": each.description or "", "config": _drop_unset(each.config)}


def text(params: Mapping[str, Any]) -> str:
    """The same as text: JSON, which is YAML too, and the same for the same declaration every time."""
    return json.dumps(preseed(params), indent=2, sort_keys=True) + "\n"


def _nulls(spec: server.ServerSpec) -> list[str]:
    named: list[tuple[str, Mapping[str, Optional[str]]]] = [("config", spec.config)]
    named += [(f"storage pool {pool.name}: config", pool.config) for pool in spec.pools]
    named += [(f"network {network.name}: config", network.config) for network in spec.networks]
    return [f"{what}.{key}" for what, config in named for key, value in config.items() if value is None]


def _drop_unset(config: Mapping[str, Optional[str]]) -> dict[str, str]:
    return {key: value for key, value in sorted(config.items()) if value is not None}
