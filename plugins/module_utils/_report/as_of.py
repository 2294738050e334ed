# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The time at which the VM hosts were read: every page shows it, but it alone is no reason to write a page again.

Pages are rendered with tokens in its place. A page on disk is unchanged if it equals the new page with the time filled
in at which the old one was written; the list of files has that time.
"""

from __future__ import annotations

import datetime

# JSON and HTML contain no such characters, so that no name or description can look like a token.
DATE, TIME = "\x02date\x02", "\x02time\x02"
ISO = f"{DATE}T{TIME}Z"
_FORM = "%Y-%m-%dT%H:%M:%SZ"


def format_time(moment: datetime.datetime) -> str:
    """Return a time as the list of files has it."""
    return moment.astimezone(datetime.timezone.utc).strftime(_FORM)


def fill_in(text: str, moment: str) -> str:
    """Return a page with a time in place of the tokens."""
    date, _t, time = moment.rstrip("Z").partition("T")
    return text.replace(DATE, date).replace(TIME, time)
