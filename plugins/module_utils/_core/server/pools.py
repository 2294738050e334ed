# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Storage pools as somebody wants them on a server or cluster: checked, and in LXD's words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from .. import units
from ..errors import Invalid
from .part_spec import PartSpec, check_name, check_once, of_members, texts

SOURCE, SIZE, WIPE = "source", "size", "source.wipe"
INITIAL_SOURCE = "volatile.initial_source"
WIPES = "storage_pool_source_wipe"
# LXD would have to make the pool again for these.
FIXED_KEYS = (SOURCE, "lvm.vg_name", "zfs.pool_name")
# Drivers that take a block device, and make a loop file where no source is declared.
_ON_DEVICES = ("btrfs", "lvm", "zfs")
_LONGEST_NAME = 63


@dataclasses.dataclass(frozen=True)
class PoolSpec(PartSpec):
    """One storage pool. `wipe`: whether signatures on the device may go."""

    MEMBER_KEYS = frozenset({SOURCE, SIZE, "lvm.vg_name", "lvm.thinpool_name", "zfs.pool_name", INITIAL_SOURCE, WIPE})

    driver: str
    wipe: bool

    def device(self, member: str) -> str:
        """What may be a disk or partition of that member: its machine knows, whatever it is called. Empty for none."""
        source = self.on(member).get(SOURCE) or ""
        return source if source.startswith("/") and self.driver in _ON_DEVICES else ""

    def dataset(self, member: str) -> str:
        """What may be a dataset of zfs on that member; empty for none."""
        source = self.on(member).get(SOURCE) or ""
        return source if self.driver == "zfs" and not source.startswith("/") else ""

    def demands_device(self, member: str) -> bool:
        """Whether its source there is of use only as a disk or partition; btrfs takes a directory, too."""
        return self.driver != "btrfs" or self.wipe or is_device(self.on(member).get(SOURCE))


def want(said: Any, problems: list[str]) -> tuple[PoolSpec, ...]:
    """The list, checked; what is wrong is added to `problems`."""
    pools = [_pool(dict(each), problems) for each in said or ()]
    check_once(pools, "storage_pools", problems)
    return tuple(pools)


def _pool(said: Mapping[str, Any], problems: list[str]) -> PoolSpec:
    name, driver = str(said.get("name") or ""), str(said.get("driver") or "")
    what = f"storage pool {name}"
    check_name(name, what, _LONGEST_NAME, problems)
    if not driver:
        problems.append(f"{what}: driver is not set; write dir, btrfs, lvm or zfs")
    own = {SOURCE: said.get(SOURCE), SIZE: said.get(SIZE)}
    config = texts(said.get("config"), {key: value for key, value in own.items() if value is not None}, what, problems)
    members = of_members(said.get("members"), what, problems)
    pool = PoolSpec(name, config, said.get("description"), members, driver, bool(said.get("wipe")))
    _check(pool, what, problems)
    return pool


def _check(pool: PoolSpec, what: str, problems: list[str]) -> None:
    if WIPE in pool.config or any(WIPE in values for values in pool.members.values()):
        problems.append(f"{what}: config.{WIPE}: set wipe: true, which checks the device first")
    places = {"": pool.on(""), **{f"members.{member}: ": pool.on(member) for member in pool.members}}
    for where, config in places.items():
        _check_place(pool, f"{what}: {where}", config, problems)
    pool.check_members(what, problems)
    if pool.wipe and not any(pool.device(member) for member in ("", *pool.members)):
        problems.append(f"{what}: wipe: there is no device in source that it could mean; leave it out")


def _check_place(pool: PoolSpec, what: str, config: Mapping[str, Optional[str]], problems: list[str]) -> None:
    source, size = config.get(SOURCE), config.get(SIZE)
    if source and not source.startswith("/") and pool.driver in ("dir", "btrfs"):
        problems.append(f"{what}source: {source!r:.80} is not a path; write a whole one, such as /dev/vdb")
    if pool.driver == "dir" and is_device(source):
        problems.append(f"{what}source: dir takes a directory; btrfs, lvm and zfs take a device")
    if size is None:
        return
    try:
        units.parse_size(size, f"{what}size")
    except Invalid as wrong:
        problems.append(str(wrong))
    if pool.driver == "dir" or (source and pool.driver in _ON_DEVICES):
        problems.append(f"{what}size: it is the size of a loop file, and there is none; leave size or source out")


def is_device(source: str | None) -> bool:
    """Whether a source can only be a disk or partition, by its path."""
    return [name for name in str(source or "").split("/") if name not in ("", ".")][:1] == ["dev"]
