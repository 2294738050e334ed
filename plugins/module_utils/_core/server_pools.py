# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Storage pools as somebody wants them on a server or cluster: checked, and in LXD's words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from . import units
from .errors import Invalid

SOURCE, SIZE, WIPE = "source", "size", "source.wipe"
# What a cluster takes for each member and not for all.
MEMBER_KEYS = frozenset(
    {SOURCE, SIZE, "lvm.vg_name", "lvm.thinpool_name", "zfs.pool_name", "volatile.initial_source", WIPE}
)
# LXD would have to make the pool anew for these.
FIXED_KEYS = (SOURCE, "lvm.vg_name", "zfs.pool_name")
# Drivers that take a block device, and make a loop file where no source is said.
_ON_DEVICES = ("btrfs", "lvm", "zfs")
_LONGEST_NAME = 63


@dataclasses.dataclass(frozen=True)
class WantedPool:
    """One storage pool as said; None is unsaid and kept, and as a value in `config` removes the key.

    `members`: in a cluster, what each has of its own, by its name. `wipe`: whether signatures on the device may go.
    """

    name: str
    driver: str
    config: Mapping[str, Optional[str]]
    description: str | None
    wipe: bool
    members: Mapping[str, Mapping[str, Optional[str]]]

    def on(self, member: str) -> dict[str, str | None]:
        """The keys that one member has of its own; what is said for all holds for each that says nothing else."""
        shared = {key: value for key, value in self.config.items() if key in MEMBER_KEYS}
        return {**shared, **self.members.get(member, {})}

    @property
    def common(self) -> dict[str, str | None]:
        """The keys that are the same on every member."""
        return {key: value for key, value in self.config.items() if key not in MEMBER_KEYS}


def want(said: Any, problems: list[str]) -> tuple[WantedPool, ...]:
    """The list, checked; what is wrong is added to `problems`."""
    pools = [_pool(dict(each), problems) for each in said or ()]
    names = [pool.name for pool in pools]
    problems.extend(f"storage_pools: {name} is said twice" for name in sorted({n for n in names if names.count(n) > 1}))
    return tuple(pools)


def _pool(said: Mapping[str, Any], problems: list[str]) -> WantedPool:
    name, driver = str(said.get("name") or ""), str(said.get("driver") or "")
    what = f"storage pool {name}"
    check_name(name, what, _LONGEST_NAME, problems)
    if not driver:
        problems.append(f"{what}: driver is not said; write dir, btrfs, lvm or zfs")
    own = {SOURCE: said.get(SOURCE), SIZE: said.get(SIZE)}
    config = texts(said.get("config"), {key: value for key, value in own.items() if value is not None}, what, problems)
    members = {
        str(member): texts(values, {}, f"{what}: members.{member}", problems)
        for member, values in (said.get("members") or {}).items()
    }
    pool = WantedPool(name, driver, config, said.get("description"), bool(said.get("wipe")), members)
    _check(pool, what, problems)
    return pool


def check_name(name: str, what: str, longest: int, problems: list[str]) -> None:
    """A name that LXD takes in its addresses."""
    if not name or name in (".", "..") or not name.isprintable() or set(name) & set("/ \"'*?&+") or len(name) > longest:
        problems.append(f"{what}: it can't be a name; write 1 to {longest} letters, digits, dots, hyphens, underscores")


def texts(said: Any, own: Mapping[str, Any], what: str, problems: list[str]) -> dict[str, str | None]:
    """A map in LXD's words; `own` are keys that have an option of their own."""
    found: dict[str, str | None] = {}
    for key, value in [*(said or {}).items(), *own.items()]:
        if key in found:
            problems.append(f"{what}: config.{key}: {key} says the same; leave one of them out")
            continue
        if str(key).startswith("volatile."):
            problems.append(f"{what}: config.{key}: it is LXD's own; leave it out")
        try:
            found[str(key)] = units.text(value, f"{what}: config.{key}") or None
        except Invalid as wrong:
            problems.append(str(wrong))
    return found


def _check(pool: WantedPool, what: str, problems: list[str]) -> None:
    if WIPE in pool.config or any(WIPE in values for values in pool.members.values()):
        problems.append(f"{what}: config.{WIPE}: say wipe: true, which looks at the device first")
    places = {"": pool.on(""), **{f"members.{member}: ": pool.on(member) for member in pool.members}}
    for where, config in places.items():
        _check_place(pool, f"{what}: {where}", config, problems)
    foreign = sorted({key for values in pool.members.values() for key in values if key not in MEMBER_KEYS})
    if foreign:
        problems.append(f"{what}: members: {', '.join(foreign)} is the same on all members; say it in config")
    if pool.wipe and not any(is_device(config.get(SOURCE)) for config in places.values()):
        problems.append(f"{what}: wipe: there is no device in source that it could mean; leave it out")


def _check_place(pool: WantedPool, what: str, config: Mapping[str, Optional[str]], problems: list[str]) -> None:
    source, size = config.get(SOURCE), config.get(SIZE)
    if source and not source.startswith("/") and pool.driver in ("dir", "btrfs"):
        problems.append(f"{what}source: {source!r:.80} is not a path; write a whole one, such as /dev/vdb")
    if pool.driver == "dir" and is_device(source):
        problems.append(f"{what}source: dir takes a directory; btrfs, lvm and zfs take a device")
    if size is None:
        return
    try:
        units.size(size, f"{what}size")
    except Invalid as wrong:
        problems.append(str(wrong))
    if pool.driver == "dir" or (source and pool.driver in _ON_DEVICES):
        problems.append(f"{what}size: it is the size of a loop file, and there is none; leave size or source out")


def is_device(source: str | None) -> bool:
    """Whether a source is a disk or partition."""
    return bool(source) and str(source).startswith("/dev/")
