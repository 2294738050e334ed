# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a VM host answered, as the inventory's cache keeps it: what was asked, when, and whether it still counts.

A cache plugin knows one age for all VM hosts together, that of its file, and one of them that is read again makes all
of them young.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# It counts up when what is kept of a VM host gets another shape.
_SCHEMA = 1
_ENTRY = ("url", "urls", "project", "owner")


def build_cache_question(entry: Mapping[str, Any], addresses: bool) -> dict[str, Any]:
    """What decides what an answer is worth: another question makes it worthless."""
    return {"schema": _SCHEMA, "addresses": addresses, **{key: entry.get(key) for key in _ENTRY}}


def build_cache_entries(
    answers: Mapping[str, Any], questions: Mapping[str, Any], now: float
) -> dict[str, dict[str, Any]]:
    """The answers of VM hosts, by name, as they are kept."""
    return {name: {"asked": questions[name], "read_at": now, "found": each} for name, each in answers.items()}


def usable(said: Any, questions: Mapping[str, Any], now: float, limit: int) -> dict[str, dict[str, Any]]:
    """What of a cache answers these questions, none of it read more than `limit` seconds ago; 0 is no limit."""
    if not isinstance(said, Mapping):
        return {}
    return {name: said[name] for name, question in questions.items() if _counts(said.get(name), question, now, limit)}


def _counts(row: Any, question: Mapping[str, Any], now: float, limit: int) -> bool:
    if not isinstance(row, Mapping) or row.get("asked") != question or "found" not in row:
        return False
    read_at = row.get("read_at")
    # One from the future is of a clock that was wrong: nobody knows how old it is.
    return isinstance(read_at, (int, float)) and (limit <= 0 or 0 <= now - read_at <= limit)
