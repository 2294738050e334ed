# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The machines that a VM host is made of, each with what it has: side by side, and a dead one delays nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from .._core import errors
from .._core.model import Machine, Resources, StoragePool
from .reader import Reader

_ONLINE = "Online"
# Members read at once: each answer is the work of another machine.
_AT_ONCE = 32


def read_machines(
    reader: Reader, pools: Sequence[StoragePool], members: Sequence[Mapping[str, Any]] | None = None
) -> tuple[Machine, ...]:
    """Every machine with its resources and its share of each of the storage pools; members in the order of their names.

    One request and one for each storage pool; in a cluster one for its members, and for each of them one and one for
    each storage pool of its own. `members`: those that the caller has read already. Only Online members are asked; one
    that is not, or that doesn't answer, has no `resources` and no space in the pools of its own. Raises what the server
    itself answers with where there is no cluster.
    """
    listed = reader.members() if members is None else members
    if not listed:
        architectures = reader.server.architectures
        measured = tuple(_measure_pool(reader, pool, "") for pool in pools)
        # LXD calls the place of an instance "none" where there is no cluster.
        return (Machine("none", reader.resources(), measured, architecture=architectures[0] if architectures else ""),)
    ordered = sorted(listed, key=lambda each: str(each["server_name"]))
    online = [str(each["server_name"]) for each in ordered if each.get("status") == _ONLINE]
    with ThreadPoolExecutor(min(_AT_ONCE, len(ordered))) as readers:
        shared = readers.submit(_measure_shared_pools, reader, pools, online)
        found = list(readers.map(lambda each: _read_member(reader, each, pools), ordered))
        common = shared.result()
    return tuple(_with_common(each, common) for each in found)


def sum_pools(found: Sequence[Machine]) -> tuple[StoragePool, ...]:
    """The storage pools over all machines: a member's own summed, a shared one once; unknown where one is missing."""
    return tuple(_over_all([each.pools[index] for each in found]) for index in range(len(found[0].pools)))


def _over_all(shares: Sequence[StoragePool]) -> StoragePool:
    if shares[0].shared:
        return shares[0]
    total, used = _sum([share.total for share in shares]), _sum([share.used for share in shares])
    return dataclasses.replace(shares[0], total=total, used=used)


def _sum(known: Sequence[Optional[int]]) -> Optional[int]:
    return None if None in known else sum(value for value in known if value is not None)


def _read_member(reader: Reader, told: Mapping[str, Any], pools: Sequence[StoragePool]) -> Machine:
    name, status = str(told["server_name"]), str(told.get("status") or "")
    resources = _resources(reader, name) if status == _ONLINE else None
    if resources is not None:
        pools = [pool if pool.shared else _measure_pool(reader, pool, name) for pool in pools]
    return Machine(
        member=name,
        resources=resources,
        pools=tuple(pools),
        groups=frozenset(told.get("groups") or ()),
        status=status,
        architecture=str(told.get("architecture") or ""),
    )


def _resources(reader: Reader, member: str) -> Optional[Resources]:
    """What the member has; None where it doesn't answer: for 20 seconds LXD calls one that died Online."""
    try:
        return reader.resources(member)
    except errors.TenantryError:
        return None


def _measure_pool(reader: Reader, pool: StoragePool, member: str) -> StoragePool:
    """The pool with what it has and uses there; without, where it is broken, which it says by its status."""
    try:
        space = reader.pool_space(pool.name, member).get("space") or {}
    except errors.TenantryError:
        return pool
    return dataclasses.replace(pool, total=space.get("total"), used=space.get("used"))


def _measure_shared_pools(
    reader: Reader, pools: Sequence[StoragePool], online: Sequence[str]
) -> dict[str, StoragePool]:
    """The pools that all members share, each measured once, by the first member that answers."""
    found = {}
    for pool in pools:
        for member in online if pool.shared else ():
            found[pool.name] = _measure_pool(reader, pool, member)
            if found[pool.name].total is not None:
                break
    return found


def _with_common(machine: Machine, common: Mapping[str, StoragePool]) -> Machine:
    return dataclasses.replace(machine, pools=tuple(common.get(pool.name, pool) for pool in machine.pools))
