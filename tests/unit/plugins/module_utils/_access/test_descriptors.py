# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The limit of open files, in a process of its own: it can't be raised again once it was lowered."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._access import descriptors

RUN = """
import resource, runpy, sys
soft, hard, count = map(int, sys.argv[2:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
runpy.run_path(sys.argv[1])["raise_open_file_limit"](count)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "count", "after"),
    [(64, 512, 100, "228 512"), (64, 512, 1000, "512 512"), (300, 512, 100, "300 512")],
)
def test_the_limit_is_raised_as_far_as_needed_and_allowed(soft: int, hard: int, count: int, after: str) -> None:
    command = [sys.executable, "-c", RUN, descriptors.__file__, str(soft), str(hard), str(count)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == after
