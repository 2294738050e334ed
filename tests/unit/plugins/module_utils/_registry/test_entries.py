# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a registry entry may say, and what people write by mistake."""

from __future__ import annotations

import contextlib
import dataclasses
import decimal
import json
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import entries
from ansible_collections.tenantry.lxd.plugins.module_utils._registry.entries import Entry
from hypothesis import given
from hypothesis import strategies as st

LEAST = {"url": "https://kvm-01", "project": "tenant-a", "owner": "ops"}
FULL = {
    "schema": 1,
    "name": "kvm-01",
    "urls": ["https://kvm-01.example.com:8443", "https://[fd42::1]:9443"],
    "project": "tenant-a",
    "owner": "ops",
    "zone": "rack 4",
    "pool": "fast",
    "tags": ["ssd", "rack-4"],
    "cpu_overcommit": "2.5",
    "memory_overcommit": "1",
    "default_storage_pool": "local",
    "default_network": "br0",
}

texts = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=30).filter(
    lambda text: text == text.strip()
)
hosts = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5}){0,2}", fullmatch=True).filter(
    lambda host: not host.isdecimal()
) | st.ip_addresses().map(lambda ip: str(ip) if ip.version == 4 else f"[{ip.compressed}]")
ratios = st.integers(10, 1000).map(lambda hundredths: entries.format_ratio(decimal.Decimal(hundredths) / 100, "x"))
said_entries = st.builds(
    Entry,
    name=st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}", fullmatch=True),
    urls=st.lists(
        st.builds("https://{}:{}".format, hosts, st.integers(1, 65535)), min_size=1, max_size=3, unique=True
    ).map(tuple),
    project=texts,
    owner=texts,
    zone=st.none() | texts,
    pool=st.none() | texts,
    tags=st.lists(texts.filter(lambda tag: not {" ", ","} & set(tag)), max_size=3, unique=True).map(tuple),
    cpu_overcommit=st.none() | ratios,
    memory_overcommit=st.none() | ratios,
    default_storage_pool=st.none() | texts,
    default_network=st.none() | texts,
)


def changed(**changes: Any) -> dict[str, Any]:
    """The least entry with some keys more or other."""
    return {**LEAST, **changes}


def test_the_least_entry() -> None:
    assert entries.parse("kvm-01", LEAST) == Entry("kvm-01", ("https://kvm-01:8443",), "tenant-a", "ops")


def test_the_fullest_entry() -> None:
    assert entries.parse("kvm-01", FULL) == Entry(
        name="kvm-01",
        urls=("https://kvm-01.example.com:8443", "https://[fd42::1]:9443"),
        project="tenant-a",
        owner="ops",
        zone="rack 4",
        pool="fast",
        tags=("ssd", "rack-4"),
        cpu_overcommit="2.5",
        memory_overcommit="1",
        default_storage_pool="local",
        default_network="br0",
    )
    assert entries.to_data(entries.parse("kvm-01", FULL)) == FULL


@given(said_entries)
def test_an_entry_survives_its_way_through_module_arguments(entry: Entry) -> None:
    data = entries.to_data(entry)
    assert entries.parse(entry.name, json.loads(json.dumps(data))) == entry
    assert entries.parse(entry.name, data) == entry


def test_data_has_only_what_is_said_in_reading_order() -> None:
    data = entries.to_data(entries.parse("kvm-01", changed(zone="a", tags=[])))
    assert list(data.items()) == [
        ("schema", 1),
        ("name", "kvm-01"),
        ("url", "https://kvm-01:8443"),
        ("project", "tenant-a"),
        ("owner", "ops"),
        ("zone", "a"),
    ]


def test_every_field_has_a_key_and_every_key_a_field() -> None:
    fields = {field.name for field in dataclasses.fields(Entry)}
    assert set(entries._KEYS) == fields | {"schema", "url"}


@pytest.mark.parametrize("key", ["zone", "pool", "tags", "cpu_overcommit", "default_network", "schema", "name"])
def test_a_key_with_nothing_behind_it_says_nothing(key: str) -> None:
    assert entries.parse("kvm-01", changed(**{key: None})) == entries.parse("kvm-01", LEAST)


def refuse(data: object, where: str, hint: str = "") -> errors.Invalid:
    """The refusal, in one line that names file and key."""
    with pytest.raises(errors.Invalid) as caught:
        entries.parse("kvm-01", data)
    assert caught.value.message.startswith(f"kvm-01/vmhost.yml: {where}"), caught.value.message
    assert hint in caught.value.hint
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("data", [None, [], "text", 7, [LEAST]])
def test_a_file_that_is_no_map(data: object) -> None:
    refuse(data, "it is not a map of keys", "url, project and owner")


@pytest.mark.parametrize("key", ["project", "owner"])
@pytest.mark.parametrize("value", ["left out", None])
def test_what_is_required(key: str, value: object) -> None:
    data = changed(**{key: value})
    if value == "left out":
        del data[key]
    refuse(data, f"{key}: it is missing")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("zones", "did you mean zone?"),
        ("default-network", "did you mean default_network?"),
        ("Project", "did you mean project?"),
        ("memory_overcomit", "did you mean memory_overcommit?"),
        ("ip", "there are schema, name, url"),
        (1, "there are "),
        (True, "there are "),
        ("x\ny", "there are "),
        ("client_key" * 50, "there are "),
    ],
)
def test_unknown_keys_are_refused(key: object, meant: str) -> None:
    error = refuse({**LEAST, key: "x"}, "", meant)
    assert "there is no such key" in error.message
    assert len(error.message) < 200


@pytest.mark.parametrize("key", ["project", "owner", "zone", "pool", "default_storage_pool", "default_network"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, "a number"),
        (0, "a number"),
        (True, "a number, a date or a boolean"),
        (1.5, "a number"),
        (decimal.Decimal("1.5"), "a number"),
        (["a"], "a list or a map"),
        ({}, "a list or a map"),
        ("", "it is empty"),
        (" a", "it is empty, too long, or not plain text"),
        ("a\n", "it is empty, too long, or not plain text"),
        ("a\tb", "it is empty, too long, or not plain text"),
        ("a\x00b", "it is empty, too long, or not plain text"),
        ("x" * 256, "it is empty, too long"),
    ],
)
def test_texts(key: str, value: object, said: str) -> None:
    refuse(changed(**{key: value}), f"{key}: {said}")


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ("ssd", "tags: it is not a list"),
        ({"ssd": True}, "tags: it is not a list"),
        (["ssd", 4], "tags[1]: a number"),
        (["ssd", None], "tags[1]: a number"),
        (["ssd,nvme"], "tags[0]: it has a space or a comma"),
        (["rack 4"], "tags[0]: it has a space or a comma"),
        ([""], "tags[0]: it is empty"),
    ],
)
def test_tags(value: object, where: str) -> None:
    refuse(changed(tags=value), where)


def test_a_tag_said_twice_is_one_tag() -> None:
    assert entries.parse("kvm-01", changed(tags=["b", "a", "b"])).tags == ("b", "a")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "1"),
        (10, "10"),
        (1.5, "1.5"),
        (0.1, "0.1"),
        (10.0, "10"),
        ("1.50", "1.5"),
        ("2.0", "2"),
        ("02", "2"),
        (decimal.Decimal("1.10"), "1.1"),
        ("1.00000000000000000000000000000000001", "1.00000000000000000000000000000000001"),
    ],
)
def test_ratios_are_exact(value: object, expected: str) -> None:
    assert entries.parse("kvm-01", changed(cpu_overcommit=value)).cpu_overcommit == expected


@given(st.decimals("0.1", 10, allow_nan=False, places=4))
def test_a_ratio_keeps_its_value_and_its_text_is_a_fixed_point(value: decimal.Decimal) -> None:
    text = entries.format_ratio(value, "x")
    assert decimal.Decimal(text) == value
    assert entries.format_ratio(text, "x") == text
    assert entries.format_ratio(float(text), "x") == text


@pytest.mark.parametrize("key", ["cpu_overcommit", "memory_overcommit"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "out of range"),
        (0.09, "out of range"),
        ("10.000001", "out of range"),
        (11, "out of range"),
        (-1, "not a decimal number"),
        (True, "not a decimal number"),
        (float("nan"), "not a decimal number"),
        (float("inf"), "not a decimal number"),
        ("1e1", "not a decimal number"),
        ("1,5", "not a decimal number"),
        ("150%", "not a decimal number"),
        ("1.", "not a decimal number"),
        ("\u0661", "not a decimal number"),
        ("", "not a decimal number"),
        ([1], "not a decimal number"),
    ],
)
def test_ratios_that_are_none(key: str, value: object, said: str) -> None:
    assert said in refuse(changed(**{key: value}), f"{key}: ", "0.1 to 10").message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://kvm-01", "https://kvm-01:8443"),
        ("https://kvm-01/", "https://kvm-01:8443"),
        ("https://kvm-01:", "https://kvm-01:8443"),
        ("HTTPS://KVM-01.Example.COM:443", "https://kvm-01.example.com:443"),
        ("https://kvm_01.lan", "https://kvm_01.lan:8443"),
        ("https://10.0.0.1:9000", "https://10.0.0.1:9000"),
        ("https://[fd42:0::1]", "https://[fd42::1]:8443"),
        ("https://[FD42::1]:08443/", "https://[fd42::1]:8443"),
    ],
)
def test_addresses_have_one_spelling(url: str, expected: str) -> None:
    assert entries.normalised_url(url, "url") == expected
    assert entries.normalised_url(expected, "url") == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("kvm-01", "it is not https://"),
        ("kvm-01:8443", "it is not https://"),
        ("http://kvm-01", "it is not https://"),
        ("unix:", "it is not https://"),
        ("https://", "it is not https://"),
        ("https:///1.0", "it is not https://"),
        ("https://kvm 01", "it is not https://"),
        ("https://kvm-01\n", "it is not https://"),
        ("https://kvm\t01", "it is not https://"),
        ("https://[::1", "it is not https://"),
        ("https://[::1]x:8443", "it is not https://"),
        ("https://a[::1]", "it is not https://"),
        ("https://[fe80::1%25eth0]", "it is not https://"),
        ("https://kvm-01:100000", "it is not https://"),
        ("https://kvm-01:-1", "it is not https://"),
        ("https://kvm-01:x", "it is not https://"),
        (7, "it is not https://"),
        (True, "it is not https://"),
        ("https://admin:hunter2@kvm-01", "it holds a user or a password"),
        ("https://kvm-01/1.0", "something stands behind"),
        ("https://kvm-01?project=x", "something stands behind"),
        ("https://kvm-01#x", "something stands behind"),
        ("https://kvm-01:0", "its host or port"),
        ("https://kvm-01:65536", "its host or port"),
        ("https://[kvm]", "it is not https://"),
        ("https://[dead.beef]", "its host or port"),
        ("https://[::1::]", "its host or port"),
        ("https://10.0.0.256", "its host or port"),
        ("https://10.0.0", "its host or port"),
        ("https://-kvm", "its host or port"),
        ("https://kvm..lan", "its host or port"),
        ("https://kvm\u00e4", "its host or port"),
        ("https://" + "a" * 254, "its host or port"),
    ],
)
def test_addresses_that_are_none(url: object, said: str) -> None:
    error = refuse(changed(url=url), f"url: {said}")
    assert "hunter2" not in str(error)
    refuse({**changed(urls=["https://kvm-01", url]), "url": None}, f"urls[1]: {said}")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"url": ["https://a"]}, ("https://a:8443",)),
        ({"urls": "https://a"}, ("https://a:8443",)),
        ({"urls": ["https://b", "https://a"]}, ("https://b:8443", "https://a:8443")),
        ({"urls": ["https://a", "https://A:8443/"]}, ("https://a:8443",)),
    ],
)
def test_one_address_or_several(data: dict[str, object], expected: tuple[str, ...]) -> None:
    assert entries.parse("kvm-01", {"project": "p", "owner": "o", **data}).urls == expected


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({}, "url: it is missing or empty"),
        ({"url": ""}, "url: it is missing or empty"),
        ({"urls": []}, "urls: it is missing or empty"),
        ({"url": "https://a", "urls": ["https://a"]}, "url, urls: both are set"),
        ({"url": {"host": "a"}}, "url: it is not https://"),
    ],
)
def test_no_address_or_too_many_keys(data: dict[str, object], where: str) -> None:
    refuse({"project": "p", "owner": "o", **data}, where)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2, "schema: 2 is newer than this collection knows (1)"),
        (0, "schema: it is not a version number"),
        (True, "schema: it is not a version number"),
        ("1", "schema: it is not a version number"),
        (1.0, "schema: it is not a version number"),
    ],
)
def test_schemas(value: object, said: str) -> None:
    refuse(changed(schema=value), said)


def test_a_copied_folder_is_noticed() -> None:
    refuse(changed(name="kvm-02"), "name: it is not that of its folder", "write kvm-01, or leave it out")


NAMES = ["kvm-01", "a", "A.b_c-d", "_x", "9", "lxd.keys.example.com", "x" * 63, "a..b"]
NO_NAMES = ["", ".", "..", ".git", "-rf", "a/b", "a\\b", "a b", "a\n", "\u00e4", "x" * 64, "a\x00", "a:b", "~", "*"]


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    entries.validate_name(name)


@pytest.mark.parametrize("name", [*NO_NAMES, None, 7])
def test_names_that_are_none(name: Any) -> None:
    for judge in (entries.validate_name, lambda name: entries.parse(name, LEAST)):
        with pytest.raises(errors.Invalid) as caught:
            judge(name)
        assert caught.value.message.startswith("vmhost ")
        assert "\n" not in str(caught.value)
        assert caught.value.hint


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(entries._KEYS), ANYTHING) | ANYTHING)
def test_no_data_ends_in_anything_but_invalid(data: object) -> None:
    with contextlib.suppress(errors.Invalid):
        entries.parse("kvm-01", {**LEAST, **data} if isinstance(data, dict) else data)
