# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Datasets of zfs as a stand-in for the program `zfs` tells of them: these kernels have none of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server.block_devices import Dataset
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server.pools import want
from ansible_collections.tenantry.lxd.plugins.module_utils._host import datasets, programs

LISTED = """tank\t2097152\tno\tnone
tank/data\t98304\tyes\t/srv/data of ours
tank/disk\t1073741824\t-\t-
tank/empty\t98304\tno\t/tank/empty
"""


@pytest.fixture(autouse=True)
def zfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in: it answers as `zfs list -Hp -o name,used,mounted,mountpoint` does."""
    program = tmp_path / "bin" / "zfs"
    program.parent.mkdir()
    (tmp_path / "listed").write_text(LISTED)
    program.write_text(f'#!/bin/sh\ntest "$1 $2" = "list -Hp" || exit 2\ncat {tmp_path}/listed\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(datasets, "_POOLS", str(tmp_path / "kstat"))
    return program


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("tank", Dataset("tank", 2 << 20)),
        ("tank/data", Dataset("tank/data", 96 << 10, "/srv/data of ours")),
        ("tank/disk", Dataset("tank/disk", 1 << 30)),
        ("tank/empty", Dataset("tank/empty", 96 << 10)),
        ("tank/dat", None),
    ],
)
def test_a_dataset_is_found_by_its_whole_name(name: str, found: Dataset | None) -> None:
    assert datasets.read_dataset(name) == found


def test_what_nobody_can_tell_is_not_taken_for_nothing(
    zfs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zfs.write_text("#!/bin/sh\necho it may not >&2; exit 1\n")
    assert datasets.read_dataset("tank/data") is None, "without a pool in the kernel there is no dataset"
    (tmp_path / "kstat" / "tank").mkdir(parents=True)
    assert datasets.read_dataset("tank/data") == Dataset("tank/data", unread="it may not")
    monkeypatch.setattr(programs, "find", lambda _name: None)
    unread = datasets.read_dataset("tank/data")
    assert unread is not None and "install zfsutils-linux" in unread.unread


def test_datasets_are_those_of_zfs_that_are_no_path() -> None:
    said = [
        {"name": "a", "driver": "zfs", "source": "tank/data"},
        {"name": "b", "driver": "zfs", "source": "tank/new", "members": {"one": {"source": "tank/empty"}}},
        {"name": "c", "driver": "zfs", "source": "/dev/vdb"},
        {"name": "d", "driver": "lvm", "source": "tank"},
    ]
    pools = want(said, [])
    assert datasets.read_pool_datasets(pools, "").keys() == {"tank/data"}
    assert datasets.read_pool_datasets(pools, "one").keys() == {"tank/data", "tank/empty"}
