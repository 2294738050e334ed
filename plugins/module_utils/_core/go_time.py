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


def is_never(text: str) -> bool:
    """Return whether a time is empty or Go's zero time, which means never."""
    return not text or text.startswith("0001-")


def parse_time(text: str) -> Optional[datetime.datetime]:
    """Return the time in UTC without its decimals; None for a text that is no time."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    try:
        found = datetime.datetime.fromisoformat(match["second"] + match["zone"].replace("Z", "+00:00"))
        return found.astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError):
        return None


def parse_nanoseconds(text: str) -> int:
    """Return nanoseconds since 1970; 0 for a text that is no time.

    Go omits zeros at the end of the fraction, so two times can't be compared as texts.
    """
    match, whole = _TIME.fullmatch(text), parse_time(text)
    if match is None or whole is None:
        return 0
    return int(whole.timestamp()) * 10**9 + int((match["fraction"] or "")[:9].ljust(9, "0"))
