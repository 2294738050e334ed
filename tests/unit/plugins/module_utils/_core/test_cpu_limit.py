# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Cores as LXD writes them in `limits.cpu`."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import cpu_limit


@pytest.mark.parametrize(
    ("limit", "cores", "pinned"),
    [
        (None, 1, None),
        ("", 1, None),
        ("4", 4, None),
        ("2-2", 1, [2]),
        ("0-3", 4, [0, 1, 2, 3]),
        ("7,0-1,1", 3, [0, 1, 7]),
        # LXD 5.0.2 takes this, too.
        ("3-2", 0, []),
    ],
)
def test_limit_is_read_as_lxd_reads_it(limit: str | None, cores: int, pinned: list[int] | None) -> None:
    assert (cpu_limit.count_cores(limit), cpu_limit.parse_pinned_cores(limit)) == (cores, pinned)
