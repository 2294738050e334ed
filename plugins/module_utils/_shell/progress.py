# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far a long run is, told to the action plugin, which shows it to the person at the terminal.

Ansible shows nothing of a module before its end. Where the module runs on the controller, the action plugin makes a
file that only its user can open, and looks at it now and then; the module keeps one sentence in it. On another machine
there is no such file, and nothing is told.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping

# The sentence fills all of the file each time, so that no end of an older, longer one stays behind it.
SIZE = 400
_HOSTS_SHOWN = 3


class Phase:
    """One stretch of work, counted by VM host; thread-safe."""

    def __init__(self, progress: Progress, what: str, totals: Mapping[str, int]) -> None:
        self._progress = progress
        self._what = what
        self._totals = dict(totals)
        self._ended = dict.fromkeys(totals, 0)
        self._lock = threading.Lock()
        progress.tell(sentence(what, self._ended, self._totals))

    def ended(self, host: str) -> None:
        """One more is through on this host, well or not."""
        with self._lock:
            self._ended[host] = self._ended.get(host, 0) + 1
            self._progress.tell(sentence(self._what, self._ended, self._totals))


class Progress:
    """What the action plugin may show; without a file to tell it by, nothing."""

    def __init__(self, path: str = "") -> None:
        self._handle: int | None = None
        if path:
            # It is there already or isn't for us: never made here, never followed elsewhere.
            with contextlib.suppress(OSError):
                self._handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def phase(self, what: str, totals: Mapping[str, int]) -> Phase:
        """A new stretch of work, such as "VMs done" with the number of VMs on each host."""
        return Phase(self, what, totals)

    def tell(self, said: str) -> None:
        """Put a sentence in the place of the last; progress that can't be told stops nothing."""
        if self._handle is None:
            return
        text = said.encode("utf-8", "replace")[:SIZE].ljust(SIZE)
        try:
            os.pwrite(self._handle, text, 0)
        except OSError:
            self._handle = None


def sentence(what: str, ended: Mapping[str, int], totals: Mapping[str, int]) -> str:
    """How many of how many, and which hosts have most before them."""
    said = f"{sum(ended.values())} of {sum(totals.values())} {what}"
    if len(totals) < 2:
        return said
    left = sorted((host for host in totals if ended[host] < totals[host]), key=lambda host: ended[host] - totals[host])
    if not left:
        return said
    shown = [f"{host} {ended[host]} of {totals[host]}" for host in left[:_HOSTS_SHOWN]]
    more = f", {len(left) - len(shown)} hosts more" if len(left) > len(shown) else ""
    return f"{said} (at work: {', '.join(shown)}{more})"
