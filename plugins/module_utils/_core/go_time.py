# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Times as Go writes them, in LXD's answers and tokens: up to nine decimals, any offset, and year 1 for never."""

from __future__ import annotations

import datetime
import re
from typing import Optional

# Python 3.9 and 3.10 read neither nine decimals nor a Z.
_TIME = re.compile(r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d)")


def is_never(said: str) -> bool:
    """Whether it is Go's zero time, or left out."""
    return not said or said.startswith("0001-")


def parse_time(said: str) -> Optional[datetime.datetime]:
    """The time in UTC without its decimals; None for what is no time."""
    match = _TIME.fullmatch(said)
    if match is None:
        return None
    try:
        found = datetime.datetime.fromisoformat(match["second"] + match["zone"].replace("Z", "+00:00"))
        return found.astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError):
        return None


def parse_nanoseconds(said: str) -> int:
    """Nanoseconds since 1970; 0 for what is no time.

    Go leaves zeros at a fraction's end out, so that as texts two times would not compare.
    """
    match, whole = _TIME.fullmatch(said), parse_time(said)
    if match is None or whole is None:
        return 0
    return int(whole.timestamp()) * 10**9 + int((match["fraction"] or "")[:9].ljust(9, "0"))
