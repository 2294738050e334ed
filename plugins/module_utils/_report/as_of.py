# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the estate was read: it stands in every page, and alone it makes no page another one.

Pages are made with tokens in its place. A page on the disk is the same if it is what the tokens would have become at
the moment at which it was written, which the list of files remembers.
"""

from __future__ import annotations

import datetime

# JSON and HTML alike have no such characters: what others chose can't look like a token.
DATE, TIME = "\x02date\x02", "\x02time\x02"
ISO = f"{DATE}T{TIME}Z"
_FORM = "%Y-%m-%dT%H:%M:%SZ"


def written(moment: datetime.datetime) -> str:
    """A moment as the list of files has it."""
    return moment.astimezone(datetime.timezone.utc).strftime(_FORM)


def filled(text: str, moment: str) -> str:
    """A page as it is at a moment."""
    date, _t, time = moment.rstrip("Z").partition("T")
    return text.replace(DATE, date).replace(TIME, time)
