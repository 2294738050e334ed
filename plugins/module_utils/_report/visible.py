# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Texts from others, made safe to show: characters with an effect are replaced by visible ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Control characters, and those that reverse, join, hide or break text: U+202E shows the rest of a line backwards.
_ACTIVE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_PICTURES = 0x2400


def escape_text(text: str) -> str:
    """Return the text with a symbol or a code in place of each such character."""
    return _ACTIVE.sub(_symbol, text)


def escape_row(value: Any) -> Any:
    """Return a row in which every text is escaped, keys included."""
    if isinstance(value, str):
        return escape_text(value)
    if isinstance(value, Mapping):
        return {escape_text(str(key)): escape_row(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [escape_row(inner) for inner in value]
    return value


def _symbol(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    return "\u2421" if code == 0x7F else f"\u27e8U+{code:04X}\u27e9"
