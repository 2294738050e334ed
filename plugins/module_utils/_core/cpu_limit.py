# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How LXD writes a VM's cores in `limits.cpu`: a number of any cores, or the numbers of the cores it is pinned to."""

from __future__ import annotations


def count_cores(limit: str | None) -> int:
    """The number of cores; a VM without a limit has one."""
    if not limit:
        return 1
    return int(limit) if limit.isdigit() else len(parse_pinned_cores(limit) or ())


def parse_pinned_cores(limit: str | None) -> list[int] | None:
    """The host's cores that "0-3,8" names, sorted; None for a number of any cores, and where there is no limit."""
    if not limit or limit.isdigit():
        return None
    cores: set[int] = set()
    for part in limit.split(","):
        first, _dash, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return sorted(cores)
