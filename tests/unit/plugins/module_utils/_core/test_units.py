# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sizes, booleans and texts: as LXD reads them, and what it would not read."""

from __future__ import annotations

import re

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors, units
from hypothesis import given
from hypothesis import strategies as st

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ("0", 0),
        ("2GiB", 2**31),
        (" 2GiB ", 2**31),
        ("2 GiB", 2**31),
        ("2GB", 2 * 10**9),
        ("1kB", 1000),
        ("1KiB", 1024),
        ("3MB", 3 * 10**6),
        ("3MiB", 3 * 2**20),
        ("1TB", 10**12),
        ("1TiB", 2**40),
        ("1PB", 10**15),
        ("1PiB", 2**50),
        ("1EB", 10**18),
        ("1EiB", 2**60),
        ("5B", 5),
        ("5", 5),
        (2147483648, 2**31),
        (LARGEST, LARGEST),
    ],
)
def test_a_size_counts_bytes(said: object, count: int) -> None:
    assert units.parse_size(said, "memory") == count


@pytest.mark.parametrize(
    "said",
    [
        *("2 gigs", "", "GiB", "-1GiB", "1.5GiB", "50%", "2gib", "2KB", "2kiB", "2GIB", "2G", "2GiB2", "1e3", "٢GiB"),
        *("8EiB", str(LARGEST + 1), None, True, False, 2.5, [1], {"size": 1}, "2\nGiB\nx"),
    ],
)
def test_what_is_no_size_is_refused_in_one_line(said: object) -> None:
    with pytest.raises(errors.Invalid) as refused:
        units.parse_size(said, "memory")
    assert refused.value.message.startswith("memory: ") and "2GiB" in refused.value.hint
    assert "\n" not in str(refused.value)


@given(st.integers(0, LARGEST))
def test_a_shown_size_is_the_same_size(count: int) -> None:
    assert units.parse_size(units.format_size(count), "size") == count


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0B"), (1, "1B"), (1000, "1000B"), (1024, "1KiB"), (2**31, "2GiB"), (2**31 + 1024, "2097153KiB"), (3, "3B")],
)
def test_the_shortest_exact_spelling(count: int, shown: str) -> None:
    assert units.format_size(count) == shown


@pytest.mark.parametrize(
    ("value", "stored"),
    [(None, None), ("", ""), ("x", "x"), (True, "true"), (False, "false"), (3, "3"), (1.5, "1.5")],
)
def test_a_value_is_stored_as_text(value: object, stored: str | None) -> None:
    assert units.to_text(value, "config.a") == stored


@pytest.mark.parametrize("value", [[1], {"a": 1}, ()])
def test_what_has_no_text_is_refused_by_its_key(value: object) -> None:
    with pytest.raises(errors.Invalid, match=r"^config\.a: "):
        units.to_texts({"a": value}, "config")


def test_keys_become_texts_too() -> None:
    assert units.to_texts({1: True, "b": None}, "config") == {"1": "true", "b": None}


@pytest.mark.parametrize("value", ["true", "TRUE", "1", "yes", "On"])
def test_what_lxd_takes_for_true(value: str) -> None:
    assert units.is_true(value)


@pytest.mark.parametrize("value", [None, "", "false", "0", "2", "y"])
def test_what_lxd_takes_for_false(value: str | None) -> None:
    assert not units.is_true(value)


SAME = [
    ("boot.autostart", "true", "yes", True),
    ("boot.autostart", "ON", "1", True),
    ("boot.autostart", "no", "false", True),
    ("boot.autostart", "true", "false", False),
    ("boot.autostart", None, "", True),
    ("boot.autostart", None, "false", False),
    ("limits.memory", "2GiB", "2147483648", True),
    ("limits.memory", "2GiB", "2GB", False),
    ("limits.memory", "50%", "50%", True),
    ("limits.memory", "50%", "2GiB", False),
    ("limits.cpu", "2", "2-2", False),
    ("limits.cpu", "2", "3", False),
    ("limits.cpu", None, "1", False),
    ("user.x", "true", "yes", False),
    ("user.x", "1", "1B", False),
    ("user.x", None, "", True),
    ("cloud-init.user-data", "1", "true", False),
    ("raw.qemu", "1", "1B", False),
    ("size", "1GiB", "1024MiB", True),
]


@pytest.mark.parametrize(("key", "one", "other", "same"), SAME)
def test_values_are_compared_by_what_they_mean(key: str, one: str | None, other: str | None, same: bool) -> None:
    assert units.is_same_value(key, one, other) is same
    # The other way round is the same question.  pylint: disable=arguments-out-of-order
    assert units.is_same_value(key, other, one) is same


@given(st.sampled_from(["user.x", "limits.memory", "boot.autostart"]), st.none() | st.text(max_size=6))
def test_everything_is_the_same_as_itself(key: str, value: str | None) -> None:
    assert units.is_same_value(key, value, value)


@given(st.text(max_size=12))
def test_a_text_is_a_size_or_refused(said: str) -> None:
    try:
        count = units.parse_size(said, "x")
    except errors.Invalid:
        return
    assert 0 <= count <= LARGEST
    assert re.fullmatch(r"\s*[0-9]+\s*([kKMGTPE]i?)?B?\s*", said)
