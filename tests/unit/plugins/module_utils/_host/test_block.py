# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as an empty disk: one that could be had, and read, and on which nothing is known."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server import pools as server_pools
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server.block_devices import find_device_problem
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server.pools import PoolSpec
from ansible_collections.tenantry.lxd.plugins.module_utils._host import block

Stand = Callable[[str, str], None]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file that is taken for a disk."""
    made = tmp_path / "disk"
    made.write_bytes(bytes(1 << 20))
    monkeypatch.setattr(block.stat, "S_ISBLK", lambda _mode: True)
    return str(made)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    """Programs of ours in the place of the machine's."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    (tmp_path / "bin").mkdir()

    def stand(name: str, script: str) -> None:
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    # What it answers of an empty disk, of none, and of one that it may not open.
    stand("blkid", "exit 2")
    return stand


def refuses(disk: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening the disk fails as the kernel lets it fail."""
    opened = os.open

    def refusing(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if path == disk and (number != errno.EBUSY or flags & os.O_EXCL):
            raise OSError(number, os.strerror(number), path)
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refusing)


@pytest.mark.usefixtures("stand_in")
def test_a_disk_that_can_be_read_and_holds_nothing_is_empty(disk: str) -> None:
    assert find_device_problem(block.read_device(disk), wipe=False) == ""


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EACCES, "can't be read: Permission denied; set become: true"),
        (errno.EIO, "can't be read: Input/output error"),
        (errno.EBUSY, "it is in use: something on this machine holds"),
    ],
)
@pytest.mark.parametrize("wipe", [False, True])
def test_a_disk_that_cant_be_had_is_never_empty(
    disk: str, number: int, why: str, wipe: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses(disk, number, monkeypatch)
    assert why in find_device_problem(block.read_device(disk), wipe)


def test_what_wiping_leaves_is_said(disk: str, stand_in: Stand) -> None:
    # As wipefs does with a partition table inside of a partition: it says so, and ends well.
    stand_in("blkid", "echo PTTYPE=dos")
    stand_in("wipefs", "exit 0")
    with pytest.raises(errors.OperationFailed, match="dos partition table"):
        block.wipe(disk)


def test_a_disk_is_wiped(disk: str, stand_in: Stand, tmp_path: Path) -> None:
    stand_in("blkid", f"test -e {tmp_path}/wiped && exit 2; echo TYPE=ext4")
    stand_in("wipefs", f"touch {tmp_path}/wiped")
    block.wipe(disk)
    assert (tmp_path / "wiped").exists()


def pool(**said: Any) -> PoolSpec:
    problems: list[str] = []
    (wanted,) = server_pools.want([{"name": "fast", "driver": "btrfs", **said}], problems)
    assert problems == []
    return wanted


@pytest.mark.usefixtures("stand_in")
def test_a_disk_is_looked_at_by_whatever_name_it_is_called(disk: str, tmp_path: Path) -> None:
    (tmp_path / "data1").symlink_to(disk)
    link = str(tmp_path / "data1")
    assert block.read_pool_devices([pool(source=link)], "").keys() == {link}
    assert block.read_pool_devices([pool(source="/disks/x", members={"one": {"source": link}})], "one").keys() == {link}
    assert block.read_pool_devices([pool(source="//dev/there-is-none")], "")["//dev/there-is-none"].there is False


def test_a_directory_is_for_btrfs_alone_and_can_not_be_wiped(tmp_path: Path) -> None:
    place = str(tmp_path)
    assert block.read_pool_devices([pool(source=place), pool(source=f"{place}/none"), pool(size="1GiB")], "") == {}
    for other in (pool(source=place, wipe=True), pool(source=place, driver="lvm"), pool(source=place, driver="zfs")):
        (found,) = block.read_pool_devices([other], "").values()
        assert find_device_problem(found, other.wipe) == "it is no block device"
    assert block.read_pool_devices([pool(source="tank/data", driver="zfs"), pool(source="vg", driver="lvm")], "") == {}
