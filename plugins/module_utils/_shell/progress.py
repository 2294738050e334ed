# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Progress of a long run, which the action plugin shows at the terminal.

Ansible shows nothing of a module before its end. If the module runs on the controller, the action plugin creates a file
that only its user can open, and reads it now and then; the module keeps one sentence in it. On another machine there is
no such file, and no progress is shown.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping

# The sentence always fills the file, so that nothing of an older, longer one remains behind it.
SIZE = 400
_HOSTS_SHOWN = 3


class Phase:
    """One phase of the work, counted by VM host; thread-safe."""

    def __init__(self, progress: Progress, what: str, totals: Mapping[str, int]) -> None:
        self._progress = progress
        self._what = what
        self._totals = dict(totals)
        self._ended = dict.fromkeys(totals, 0)
        self._lock = threading.Lock()
        progress.write(format_progress(what, self._ended, self._totals))

    def ended(self, host: str) -> None:
        """Count one more as done on this VM host, whether it succeeded or failed."""
        with self._lock:
            self._ended[host] = self._ended.get(host, 0) + 1
            self._progress.write(format_progress(self._what, self._ended, self._totals))


class Progress:
    """The progress file of the action plugin; without one, nothing is written."""

    def __init__(self, path: str = "") -> None:
        self._handle: int | None = None
        if path:
            # The action plugin has created the file: it is never created here, and a symlink is not followed.
            with contextlib.suppress(OSError):
                self._handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def phase(self, what: str, totals: Mapping[str, int]) -> Phase:
        """Begin a phase, such as "VMs done" with the number of VMs on each VM host."""
        return Phase(self, what, totals)

    def write(self, text: str) -> None:
        """Replace the sentence in the file; a failure to write it stops nothing."""
        if self._handle is None:
            return
        content = text.encode("utf-8", "replace")[:SIZE].ljust(SIZE)
        try:
            os.pwrite(self._handle, content, 0)
        except OSError:
            self._handle = None


def format_progress(what: str, ended: Mapping[str, int], totals: Mapping[str, int]) -> str:
    """Return "7 of 10 VMs done (working: kvm-01 2 of 5)": the counts, and the VM hosts with the most work left."""
    counts = f"{sum(ended.values())} of {sum(totals.values())} {what}"
    if len(totals) < 2:
        return counts
    left = sorted((host for host in totals if ended[host] < totals[host]), key=lambda host: ended[host] - totals[host])
    if not left:
        return counts
    shown = [f"{host} {ended[host]} of {totals[host]}" for host in left[:_HOSTS_SHOWN]]
    more = f", {len(left) - len(shown)} more VM hosts" if len(left) > len(shown) else ""
    return f"{counts} (working: {', '.join(shown)}{more})"
