# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Disks, partitions and datasets of zfs: what is on one, and whether it may become a storage pool."""

from __future__ import annotations

import dataclasses

from .. import units

# An empty dataset takes some room all the same.
_EMPTY = 1 << 20


@dataclasses.dataclass(frozen=True)
class BlockDevice:
    """One block device of the machine as it was found.

    `signatures`: what it begins with, such as "ext4 filesystem" or "gpt partition table". `parts`: its partitions.
    `users`: who has it, or a part of it, in use now: mounts, swap, other devices above it. `unread`: why nobody could
    look what is on it.
    """

    path: str
    there: bool = True
    is_block: bool = True
    signatures: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    unread: str = ""

    @property
    def holds(self) -> tuple[str, ...]:
        """What would be lost."""
        return (*self.signatures, *(f"partition {part}" for part in self.parts))


def find_device_problem(device: BlockDevice, wipe: bool) -> str:
    """Why it can't become a storage pool; empty when it can. In use is in use, whatever was declared of wiping."""
    if not device.there:
        return "there is no such device"
    if not device.is_block:
        return "it is no block device"
    if device.unread:
        return f"what is on it can't be read: {device.unread}"
    if device.users:
        return f"it is in use: {', '.join(device.users)}"
    if device.holds and not wipe:
        return f"it holds data: {', '.join(device.holds)}; wipe: true for this pool deletes that"
    return ""


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A dataset of zfs that is there. `used`: bytes. `mounted`: where, empty where it isn't. `unread`: see `Device`."""

    name: str
    used: int = 0
    mounted: str = ""
    unread: str = ""


def refusal_of_dataset(dataset: Dataset) -> str:
    """Why it can't become a storage pool: LXD takes its mount point away, and with it whoever used the files in it."""
    if dataset.unread:
        return f"its content can't be read: {dataset.unread}"
    if dataset.mounted:
        return f"it is mounted at {dataset.mounted}, and LXD would take it from there"
    if dataset.used > _EMPTY:
        return f"it holds {units.format_size(dataset.used)}"
    return ""
