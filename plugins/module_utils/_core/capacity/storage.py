# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The space in storage pools: what is allocated in it, what is really used, and what is free of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Optional

from ..model import StoragePool, Volume
from .allocation import Allocation, get_volume_size

# Two pools are read one after the other, and what else writes there doesn't wait: a thousandth may have changed.
_SAME = 1024


@dataclasses.dataclass(frozen=True)
class PoolSpace:
    """A storage pool at one place, in bytes; what nobody told is None.

    `beside`: other pools on the same filesystem, whose space is the same and counts once. `ours`: what is allocated in
    this pool alone. `others`: at least so much of what is used is not ours. `left`: what is neither allocated in any
    pool of the filesystem nor used. `free`: that, under the project's limits.
    """

    name: str
    driver: str
    status: str
    shared: bool
    total: Optional[int]
    used: Optional[int]
    ours: Optional[int]
    others: Optional[int] = None
    left: Optional[int] = None
    free: Optional[int] = None
    beside: tuple[str, ...] = ()

    def capped(self, left: Optional[int]) -> PoolSpace:
        """The same under a limit of the project."""
        if self.free is None or left is None:
            return self
        return dataclasses.replace(self, free=min(self.free, left))


def sum_storage_allocations(promises: Iterable[Allocation], volumes: Iterable[Volume]) -> dict[str, int]:
    """Bytes allocated in each pool: root disks, and the custom volumes that were read."""
    found: dict[str, int] = {}
    for promise in promises:
        for pool, count in promise.disks.items():
            found[pool] = found.get(pool, 0) + count
    for volume in volumes:
        found[volume.pool] = found.get(volume.pool, 0) + get_volume_size(volume)
    return found


def build_pool_spaces(
    pools: Sequence[StoragePool], ours: Optional[Mapping[str, int]], most: Callable[[int], int]
) -> dict[str, PoolSpace]:
    """Every pool of one place by its name; `ours` None: nobody could see the project. `most`: what may be allocated."""
    found = {}
    for group in _filesystems(pools):
        for pool in group:
            mine = None if ours is None else ours.get(pool.name, 0)
            together = None if ours is None else sum(ours.get(each.name, 0) for each in group)
            others, left = _compute_free_space(pool.total, most, pool.used, together)
            beside = tuple(each.name for each in group if each.name != pool.name)
            found[pool.name] = PoolSpace(
                pool.name,
                pool.driver,
                pool.status,
                pool.shared,
                pool.total,
                pool.used,
                mine,
                others,
                left,
                left,
                beside,
            )
    return {pool.name: found[pool.name] for pool in pools}


def sum_spaces(each: Sequence[PoolSpace]) -> PoolSpace:
    """A pool over all machines: each has a part of its own, or all have the same space."""
    first = each[0]
    if first.shared or len(each) == 1:
        return first
    return dataclasses.replace(
        first,
        total=_sum([space.total for space in each]),
        used=_sum([space.used for space in each]),
        ours=_sum([space.ours for space in each]),
        others=_sum([space.others for space in each]),
        left=_sum([space.left for space in each]),
        free=_sum([space.free for space in each]),
    )


def _sum(known: Sequence[Optional[int]]) -> Optional[int]:
    return None if None in known else sum(value for value in known if value is not None)


def _compute_free_space(
    total: Optional[int], most: Callable[[int], int], used: Optional[int], ours: Optional[int]
) -> tuple[Optional[int], Optional[int]]:
    """What others use at least, and what is free: a thin pool allocates more than is used, others use unallocated."""
    if total is None or used is None:
        return None, None
    others = None if ours is None else max(0, used - ours)
    return others, max(0, most(total) - max(used, ours or 0))


def _filesystems(pools: Sequence[StoragePool]) -> list[list[StoragePool]]:
    """Pools by the filesystem that they are on: LXD doesn't tell a tenant where a `dir` pool lies, its figures do."""
    groups: list[list[StoragePool]] = []
    for pool in sorted(pools, key=lambda each: each.name):
        beside = next((group for group in groups if _same_filesystem(group[0], pool)), None)
        if beside is None:
            groups.append([pool])
        else:
            beside.append(pool)
    return groups


def _same_filesystem(one: StoragePool, other: StoragePool) -> bool:
    if one.driver != "dir" or other.driver != "dir" or one.total is None or one.total != other.total:
        return False
    if one.used is None or other.used is None:
        return one.used is other.used
    return abs(one.used - other.used) * _SAME <= one.total
