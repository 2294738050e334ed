# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Datasets of zfs on this machine, from zfs itself: how much is in one, and where it is mounted."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Optional

from .._core.server.block_devices import Dataset
from .._core.server.pools import PoolSpec
from . import programs

# The kernel's list of the pools that it has imported, which needs no program.
_POOLS = "/proc/spl/kstat/zfs"


def read_pool_datasets(pools: Iterable[PoolSpec], member: str) -> dict[str, Dataset]:
    """Those that storage pools would be made of and that are there already."""
    names = {pool.dataset(member) for pool in pools} - {""}
    looked = {name: read_dataset(name) for name in sorted(names)}
    return {name: found for name, found in looked.items() if found is not None}


def read_dataset(name: str) -> Optional[Dataset]:
    """One dataset; None where there is none of that name."""
    said = programs.run("zfs", "list", "-Hp", "-t", "filesystem,volume", "-o", "name,used,mounted,mountpoint")
    if said is None or said.code:
        if not os.path.isdir(os.path.join(_POOLS, name.split("/", maxsplit=1)[0])):
            return None
        return Dataset(
            name, unread="there is no zfs to ask; install zfsutils-linux" if said is None else said.err.strip()
        )
    for line in said.out.splitlines():
        found, used, mounted, place = [*line.split("\t"), "", "", ""][:4]
        if found == name:
            return Dataset(name, int(used) if used.isdigit() else 0, place if mounted == "yes" else "")
    return None
