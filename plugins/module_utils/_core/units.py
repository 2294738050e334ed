# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sizes, booleans and other values as LXD writes them: parsed, formatted and compared by their meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from .errors import Invalid

_FACTORS = {"": 1, "B": 1}
for _power, _letter in enumerate("kMGTPE", start=1):
    _FACTORS[f"{_letter}B"] = 1000**_power
    _FACTORS[f"{_letter.upper()}iB"] = 1024**_power

_SIZE = re.compile(r"(?P<number>[0-9]+)\s*(?P<unit>[A-Za-z]*)")
# LXD counts bytes in 64 bits with a sign.
_LARGEST = 2**63 - 1
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def parse_size(value: object, what: str) -> int:
    """Return the bytes of an LXD size ("2GiB", "500MB", 2147483648); raises Invalid that names the option `what`."""
    found = parse_size_or_none(value)
    if found is None:
        raise Invalid(
            f"{what}: {value!r} is not a size",
            "write a whole number with one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB, such as 2GiB",
        )
    return found


def parse_size_or_none(value: object) -> int | None:
    """Bytes of an LXD size; None for what is no size."""
    if isinstance(value, bool):
        return None
    match = _SIZE.fullmatch(str(value).strip())
    if match is None or match["unit"] not in _FACTORS:
        return None
    count = int(match["number"]) * _FACTORS[match["unit"]]
    return count if count <= _LARGEST else None


def format_size(count: int) -> str:
    """Return the shortest exact spelling of a number of bytes: 2147483648 is 2GiB, 1000 is 1000B."""
    for unit in ("EiB", "PiB", "TiB", "GiB", "MiB", "KiB"):
        if count and count % _FACTORS[unit] == 0:
            return f"{count // _FACTORS[unit]}{unit}"
    return f"{count}B"


def to_text(value: object, what: str) -> str | None:
    """Return a value as LXD stores it, which is a string; None stays None and means "remove the key"."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    raise Invalid(f"{what}: {type(value).__name__} instead of a string", "quote the value, or write it as YAML text")


def to_texts(values: Mapping[str, object], what: str) -> dict[str, str | None]:
    """`to_text` for a whole map."""
    return {str(key): to_text(value, f"{what}.{key}") for key, value in values.items()}


def parse_list(value: str | None) -> tuple[str, ...]:
    """Return the entries of a list as LXD writes it, "a, b"; an unset or empty value is an empty list."""
    return tuple(entry for entry in (part.strip() for part in (value or "").split(",")) if entry)


def format_list(entries: Iterable[str]) -> str:
    """Return entries as LXD writes a list."""
    return ",".join(entries)


def is_true(value: str | None) -> bool:
    """Return whether LXD reads the value as true; an unset key is false."""
    return value is not None and value.lower() in _TRUE


def is_same_value(key: str, one: str | None, other: str | None) -> bool:
    """Return whether two values of a key mean the same to LXD: true and yes, 2GiB and 2147483648; `user.*` is text."""
    if one == other:
        return True
    if key.startswith(("user.", "cloud-init.", "raw.")):
        return (one or "") == (other or "")
    # An unset key and an empty one mean the same to LXD.
    if not one or not other:
        return not one and not other
    if {one.lower(), other.lower()} <= _TRUE or {one.lower(), other.lower()} <= _FALSE:
        return True
    sizes = parse_size_or_none(one), parse_size_or_none(other)
    return sizes[0] is not None and sizes[0] == sizes[1]


def shorten(names: Sequence[str], most: int = 8) -> str:
    """Return the first names as "a, b, c and 4 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
