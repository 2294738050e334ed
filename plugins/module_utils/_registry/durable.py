# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files put in place whole or not at all, durably, and never readable by more people than they should be."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator

from .._core import errors

KEY_MODE = 0o600
# A writer holds a folder for some milliseconds.
PATIENCE = 30


@contextlib.contextmanager
def name_errors(path: str, deed: str) -> Iterator[None]:
    """The disk's refusals, with the path that the caller meant: those of fsync and write name none."""
    try:
        yield
    except OSError as cause:
        reason = cause.strerror or type(cause).__name__
        raise errors.OperationFailed(
            f"{path}: it can't be {deed}: {reason}", "who owns it, and is there room?"
        ) from None


def read(path: str) -> str | None:
    """A text file's content; None where there is no such file."""
    with name_errors(path, "read"):
        try:
            with open(path, encoding="utf-8", newline="") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except UnicodeDecodeError:
            raise errors.Invalid(f"{path}: it is not UTF-8 text", "save it as UTF-8") from None


def replace(path: str, text: str, mode: int) -> None:
    """The file holds `text` with exactly `mode`; whoever reads at the same moment sees the old file or the new one."""
    folder = os.path.dirname(os.path.abspath(path))
    # Hidden, and its name contains the file's own: what keeps *.key* out of git keeps a crash's leftovers out too.
    temporary = os.path.join(folder, f"{_temporary_prefix(path)}{secrets.token_hex(6)}")
    with name_errors(path, "written"):
        make_folder(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(temporary, flags, mode), "w", encoding="utf-8") as file:
                # The umask can only have narrowed it.
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(folder)


def move(path: str, to: str) -> None:
    """The file takes the other's place in one step."""
    with name_errors(path, f"moved to {to}"):
        os.replace(path, to)
        for folder in {os.path.dirname(os.path.abspath(one)) for one in (path, to)}:
            _sync_folder(folder)


def remove(path: str) -> None:
    """The file is gone, and so is what a crash while writing it left; quiet if there was none."""
    sweep(path)
    with name_errors(path, "removed"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        _unlink(path)
        _sync_folder(os.path.dirname(os.path.abspath(path)))


def sweep(path: str) -> None:
    """What a crash while writing the file left is gone; for whoever is alone in its folder: a writer's would go too."""
    folder = os.path.dirname(os.path.abspath(path))
    prefix = _temporary_prefix(path)
    with name_errors(path, "removed"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(folder):
            if name.startswith(prefix):
                _unlink(os.path.join(folder, name))


def tighten(path: str) -> bool:
    """A private key that more than its owner may use gets mode 0600 back; True if that changed it."""
    with name_errors(path, "made private"):
        try:
            mode = stat.S_IMODE(os.stat(path).st_mode)
        except FileNotFoundError:
            return False
        if mode & ~KEY_MODE == 0:
            return False
        os.chmod(path, KEY_MODE)
        return True


def make_folder(path: str) -> None:
    """The folder is there, and so are those above it."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    make_folder(above)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o755)
    _sync_folder(above)


def remove_folder(path: str) -> None:
    """The folder is gone, unless something is in it."""
    with name_errors(path, "removed"):
        try:
            os.rmdir(path)
        except OSError as cause:
            if cause.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EBUSY):
                raise
        else:
            _sync_folder(os.path.dirname(os.path.abspath(path)))


@contextlib.contextmanager
def lock_folder(folder: str) -> Iterator[None]:
    """Alone in this folder, among the writers of this collection on this machine."""
    with name_errors(folder, "opened"):
        make_folder(os.path.abspath(folder))
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(handle, folder)
        yield
    finally:
        with contextlib.suppress(OSError):
            # Closing isn't enough: a child that was forked meanwhile has the same handle, and the lock with it.
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _lock(handle: int, folder: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise errors.TimedOut(
                    f"{folder}: another run has been writing here for {PATIENCE} seconds", "let it end, then run again"
                ) from None
            time.sleep(0.02)
        except OSError:
            # Some network file systems have no locks; everything but two tasks on one host's folder is safe without.
            return
        else:
            return


def _temporary_prefix(path: str) -> str:
    return f".{os.path.basename(path)}.tmp-"


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _sync_folder(path: str) -> None:
    # A rename is durable once its folder is; some file systems can't sync a folder, and need not.
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
