# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Block devices of this machine, from the kernel and blkid: what is on them, who uses them; and wiping one."""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator

from .._core import errors
from .._core.server.block_devices import BlockDevice, find_device_problem
from .._core.server.pools import PoolSpec
from . import programs

_OCTAL = re.compile(r"\\([0-7]{3})")
# blkid's exit code for "nothing found", which is also that of "no such device" and of one that it can't open.
_NOTHING = 2
# What is read to see whether it can be: where partition tables and most file systems begin.
_BEGINNING = 1 << 16
_MAY_NOT = (errno.EACCES, errno.EPERM)


def read_pool_devices(pools: Iterable[PoolSpec], member: str) -> dict[str, BlockDevice]:
    """The devices that storage pools would be made of, by what was declared; a directory that btrfs takes is none."""
    looked = {pool.device(member): (pool, read_device(pool.device(member))) for pool in pools if pool.device(member)}
    return {
        source: found
        for source, (pool, found) in sorted(looked.items())
        if pool.demands_device(member) or (found.there and found.is_block)
    }


def read_device(path: str) -> BlockDevice:
    """One device by the path that was declared."""
    real = os.path.realpath(path)
    try:
        mode = os.stat(real).st_mode
    except OSError:
        return BlockDevice(path, there=False)
    if not stat.S_ISBLK(mode):
        return BlockDevice(path, is_block=False)
    failure = _find_holder(real)
    if failure and failure != errno.EBUSY:
        return BlockDevice(path, unread=f"{os.strerror(failure)}{'; set become: true' if failure in _MAY_NOT else ''}")
    parts = tuple(_parts(real))
    users = list(dict.fromkeys(user for each in (real, *parts) for user in _users(each)))
    if failure and not users:
        users = [f"something on this machine holds {real}"]
    return BlockDevice(path, True, True, tuple(_signatures(real)), parts, tuple(users))


def _find_holder(real: str) -> int:
    """Why it can't be had for oneself for a moment and read; 0 where it can.

    The kernel gives a disk to one owner at a time, and knows owners that no list shows: an imported zfs pool, the
    second disk of a btrfs, a mount in another namespace.
    """
    try:
        opened = os.open(real, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC)
        try:
            os.read(opened, _BEGINNING)
        finally:
            os.close(opened)
    except OSError as refused:
        return refused.errno or errno.EIO
    return 0


def wipe(path: str) -> None:
    """Delete the signatures of a device and of its partitions, unless it came into use meanwhile."""
    found = read_device(path)
    refused = find_device_problem(found, wipe=True)
    if refused:
        raise errors.Conflict(f"{path}: {refused}", "it is not wiped")
    for each in (*found.parts, os.path.realpath(path)):
        programs.run_or_fail("wipefs", "--all", "--quiet", each)
    if found.parts:
        # The kernel knows the partitions until it reads the table again.
        programs.run_or_fail("blockdev", "--rereadpt", os.path.realpath(path))
    left = read_device(path)
    if left.unread or left.holds:
        # wipefs leaves a partition table inside of a partition, and ends well.
        said = left.unread or ", ".join(left.holds)
        raise errors.OperationFailed(f"{path}: after wiping there is still: {said}", f"wipefs --all --force {path}")


def _sys(real: str) -> str:
    number = os.stat(real).st_rdev
    return f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"


def _parts(real: str) -> Iterator[str]:
    for entry in sorted(glob.glob(f"{glob.escape(_sys(real))}/*/partition")):
        yield f"/dev/{os.path.basename(os.path.dirname(entry))}"


def _signatures(real: str) -> Iterator[str]:
    said = programs.run("blkid", "-p", "-o", "export", real)
    if said is None:
        raise errors.Unsupported(f"{real}: its content can't be identified", "install util-linux (blkid)")
    if said.code == _NOTHING:
        return
    if said.code:
        # Several signatures that contradict each other are data all the same.
        yield "signatures that contradict each other"
        return
    found = dict(line.split("=", 1) for line in said.out.splitlines() if "=" in line)
    if found.get("TYPE"):
        yield f"{found['TYPE']} {found.get('USAGE', '')}".strip()
    if found.get("PTTYPE"):
        yield f"{found['PTTYPE']} partition table"
    if not found.get("TYPE") and not found.get("PTTYPE"):
        yield "something that blkid knows"


def _users(real: str) -> Iterator[str]:
    try:
        number = os.stat(real).st_rdev
    except OSError:
        return
    for above in sorted(os.listdir(f"{_sys(real)}/holders")) if os.path.isdir(f"{_sys(real)}/holders") else ():
        yield f"{above} is made of {real}"
    for place in _find_mounts(f"{os.major(number)}:{os.minor(number)}", real):
        yield f"{real} is mounted at {place}"
    for line in programs.lines("/proc/swaps")[1:]:
        if os.path.realpath(_plain(line.split()[0])) == real:
            yield f"{real} is swap"


def _find_mounts(number: str, real: str) -> Iterator[str]:
    for line in programs.lines("/proc/self/mountinfo"):
        fields = line.split()
        source = fields[fields.index("-") + 2]
        # btrfs shows a device number of its own.
        if fields[2] == number or (source.startswith("/") and os.path.realpath(_plain(source)) == real):
            yield _plain(fields[4])


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
