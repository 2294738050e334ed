# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Texts that others chose, made safe to show: a character that does something becomes one that shows what it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Control characters, and what turns, joins, hides or breaks a line: U+202E writes the rest of it backwards.
_ACTIVE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_PICTURES = 0x2400


def text(said: str) -> str:
    """The text with a picture or a number in the place of each active character."""
    return _ACTIVE.sub(_picture, said)


def deep(value: Any) -> Any:
    """A row with every text in it made visible, keys too."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {text(str(key)): deep(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [deep(inner) for inner in value]
    return value


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(_PICTURES + code)
    return "\u2421" if code == 0x7F else f"\u27e8U+{code:04X}\u27e9"
