# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Showing how far a module is while it runs: Ansible itself shows nothing before its end.

ansible-core asks a module for nothing but its result, and callbacks hear of a task when it began and when it ended
(`v2_runner_on_async_poll` comes only where a person wrote `async`, and says only that it isn't finished). What a worker
process hands to Display, though, goes to the main process at once and is written there by its own thread: that is how
warnings appear. So a thread beside `_execute_module` looks at what the module says of itself and displays it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ansible import constants
from ansible.utils.display import Display

# Ansible fills them in from data, where no type checker sees them.
_ANSIBLE: Any = constants
# Seconds: a run that is over soon needs no word, a person wants one every few, and an unchanged one says "still".
_FIRST, _EVERY, _STILL, _LOOK = 5.0, 5.0, 60.0, 0.5
_SWITCH = "TENANTRY_PROGRESS"


def is_wanted() -> bool:
    """Whether the person wants it: unless the environment says `TENANTRY_PROGRESS=no`."""
    return os.environ.get(_SWITCH, "").lower() not in ("0", "no", "false", "off")


@contextlib.contextmanager
def show_progress(prefix: str) -> Iterator[str]:
    """A file for the module to write to, and its sentences on standard error until the end of the block.

    Not on standard output, which may be read by a program, and not in the log file, which is for what was done. What
    goes wrong with it stops nothing: then the path is empty and nothing is shown.
    """
    try:
        folder = tempfile.mkdtemp(prefix="progress-", dir=_ANSIBLE.DEFAULT_LOCAL_TMP)
        path = os.path.join(folder, "said")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        yield ""
        return
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(handle, prefix, ended, _display), daemon=True)
    watcher.start()
    try:
        yield path
    finally:
        ended.set()
        watcher.join()
        os.close(handle)
        with contextlib.suppress(OSError):
            os.unlink(path)
            os.rmdir(folder)


def _watch(handle: int, prefix: str, ended: threading.Event, display: Callable[[str], None]) -> None:
    began = time.monotonic()
    last, last_time = "", began + _FIRST - _EVERY
    while not ended.wait(_LOOK):
        now = time.monotonic()
        said = _sentence(handle)
        if not said or now - last_time < (_EVERY if said != last else _STILL):
            continue
        try:
            display(f"{prefix}: {said}, {now - began:.0f} s")
        except Exception:  # noqa: BLE001 (whatever the display of the day finds wrong, the module goes on)
            return
        last, last_time = said, now


def _sentence(handle: int) -> str:
    try:
        text = os.pread(handle, 4096, 0).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    # Names may hold any letter; what would move the cursor or colour the screen is no letter.
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _display(line: str) -> None:
    Display().display(line, color=_ANSIBLE.COLOR_VERBOSE, stderr=True, screen_only=True)
