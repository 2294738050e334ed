# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Overcommit ratios as text that is exact to the digit."""

from __future__ import annotations

import decimal
import re

from .. import errors

_RATIO = re.compile(r"[0-9]+(\.[0-9]+)?")


def format_ratio(value: object, what: str) -> str:
    """An overcommit ratio as its shortest exact decimal text: 1.50 and "1.5" are 1.5, 2.0 is 2."""
    # A float's shortest decimal text is what was written in the file.
    text = str(value) if isinstance(value, (int, float, str, decimal.Decimal)) else ""
    if not _RATIO.fullmatch(text):
        raise errors.Invalid(f"{what}: it is not a decimal number", "write 0.1 to 10, such as 1.5")
    whole, _point, rest = text.partition(".")
    shortest = f"{whole.lstrip('0') or '0'}.{rest.rstrip('0')}".rstrip(".")
    if not decimal.Decimal("0.1") <= decimal.Decimal(shortest) <= decimal.Decimal(10):
        raise errors.Invalid(f"{what}: it is out of range", "set 0.1 to 10; 1 allocates no more than exists")
    return shortest
