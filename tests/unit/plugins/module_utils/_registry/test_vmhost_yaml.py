# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entries as YAML: what is written, read back by the real PyYAML, and what people's editors leave."""

from __future__ import annotations

import decimal

import pytest
import yaml
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import entries, vmhost_yaml
from hypothesis import example, given
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=30).filter(
    lambda text: text == text.strip() and text.isprintable()
)


def entry(**changes: object) -> entries.Entry:
    """An entry with some keys."""
    return entries.parse("kvm-01", {"url": "https://kvm-01", "project": "p", "owner": "o", **changes})


def test_it_is_pleasant_to_read() -> None:
    text = vmhost_yaml.render(
        entry(
            url=None,
            urls=["https://kvm-01.example.com", "https://[fd42::1]"],
            zone="rack 4",
            tags=["ssd", "4"],
            cpu_overcommit=1.50,
            memory_overcommit="2",
            default_network="br0",
            owner="yes",
        )
    )
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert text.startswith("---\n# ")
    assert any("by hand" in line for line in comments)
    assert [line for line in text.splitlines()[1:] if line not in comments] == [
        "schema: 1",
        "name: kvm-01",
        "urls:",
        "  - https://kvm-01.example.com:8443",
        '  - "https://[fd42::1]:8443"',
        "project: p",
        'owner: "yes"',
        'zone: "rack 4"',
        "tags:",
        "  - ssd",
        '  - "4"',
        "cpu_overcommit: 1.5",
        "memory_overcommit: 2",
        "default_network: br0",
    ]
    assert max(map(len, text.splitlines())) <= 120
    assert text.endswith("br0\n")


# All that YAML 1.1 takes for something else, or that its syntax has another use for.
@example("yes")
@example("Off")
@example("y")
@example("NULL")
@example("~")
@example("1.5")
@example("0x1f")
@example("1:30")
@example("2026-01-01")
@example(".inf")
@example("<<")
@example("=")
@example("- a")
@example("a: b")
@example("a #b")
@example("@a")
@example("{a}")
@example('say "a\\b"')
@example("ä€😀")
@example("a/")
@example("https://a:1")
@given(TEXT)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    said = entry(zone=text, project=text)
    rendered = vmhost_yaml.render(said)
    assert yaml.safe_load(rendered)["zone"] == text
    assert entries.parse("kvm-01", vmhost_yaml.load(rendered, "x")) == said
    assert vmhost_yaml.render(said) == rendered


@given(st.decimals("0.1", 10, allow_nan=False, places=25))
def test_every_ratio_comes_back_exactly(value: decimal.Decimal) -> None:
    said = entry(cpu_overcommit=str(value))
    assert entries.parse("kvm-01", vmhost_yaml.load(vmhost_yaml.render(said), "x")) == said


def test_a_ratio_written_by_hand_is_read_exactly() -> None:
    found = vmhost_yaml.load("cpu_overcommit: 1.10000000000000000000001", "x")
    assert entries.format_ratio(found["cpu_overcommit"], "x") == "1.10000000000000000000001"


@pytest.mark.parametrize("text", ["a: .inf", "a: .nan", "a: 1e3", "a: 1_0.5", "a: 190:20:30.15", "a: -1.5"])
def test_other_floats_are_pyyamls(text: str) -> None:
    assert str(vmhost_yaml.load(text, "x")) == str(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("---\nurl: https://a\n...\n", {"url": "https://a"}),
        ("\ufeffurl: a", {"url": "a"}),
        ("{url: a, tags: [b]}", {"url": "a", "tags": ["b"]}),
        ("base: &b {a: 1}\nc:\n  <<: *b\n  a: 2\n", {"base": {"a": 1}, "c": {"a": 2}}),
    ],
)
def test_what_people_write(text: str, expected: object) -> None:
    assert vmhost_yaml.load(text, "x") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("url: a\nproject: b\nurl: c\n", "line 3: the key 'url' is there twice", id="twice"),
        pytest.param('url: a\n"url": c\n', "line 2: the key 'url' is there twice", id="twice, once quoted"),
        pytest.param("a:\n  - {b: 1, b: 2}\n", "line 2: the key 'b' is there twice", id="twice inside"),
        pytest.param("a: 1\n\tb: 2\n", "line 2: ", id="tab"),
        pytest.param("a: [1\nb: 2\n", "line 2: ", id="bracket"),
        pytest.param("a: 'x\n", "line 2: ", id="quote"),
        pytest.param("a: b: c\n", "line 1: ", id="two colons"),
        pytest.param("a: 1\n---\nb: 2\n", "line 2: ", id="two documents"),
        pytest.param("a: 1\nb: !vault |\n  6162\n", "line 2: ", id="a tag of Ansible"),
        pytest.param("!!python/object/apply:os.getcwd []\n", "line 1: ", id="code"),
        pytest.param("a: *b\n", "line 1: ", id="alias of nothing"),
        pytest.param("? [a]\n: b\n", "line 1: ", id="a list as key"),
        pytest.param("a: 1\nb: \x00\n", "line 2: a character", id="NUL"),
        pytest.param("a: 2026-13-45\n", "can't be read", id="no such day"),
        pytest.param("[" * 5000, "can't be read", id="very deep"),
    ],
)
def test_what_is_no_yaml_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        vmhost_yaml.load(text, "vmhosts/kvm-01/vmhost.yml")
    assert caught.value.message.startswith("vmhosts/kvm-01/vmhost.yml: ")
    assert said in caught.value.message
    assert "\n" not in str(caught.value)


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#?, \n\t0.1~<=_e\x00\ufeff")))
def test_no_text_ends_in_anything_but_invalid(text: str) -> None:
    try:
        vmhost_yaml.load(text, "x")
    except errors.Invalid as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017 (it need not be refused)


def test_without_pyyaml_writing_works_and_reading_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(vmhost_yaml, "YAML_IMPORT_ERROR", ImportError("No module named 'yaml'"))
    monkeypatch.delattr(vmhost_yaml, "yaml")
    assert "url: https://kvm-01:8443\n" in vmhost_yaml.render(entry())
    with pytest.raises(errors.Unsupported, match="pip install PyYAML"):
        vmhost_yaml.load("a: 1", "x")
