# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels of the snap store, as people write them and as snapd prints them."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.machine import snap_channel

INFO = """name:      lxd
summary:   LXD - container and VM manager
channels:
  5.21/stable:      5.21.3-c5ae129 2025-03-19 (31333) 109MB -
  5.21/candidate:   5.21.4-1374f39 2025-09-03 (35624) 110MB -
  5.21/beta:        \N{UPWARDS ARROW}
  5.21/edge:        ^
  latest/stable:    6.5-f9edc1c    2025-08-28 (35475) 118MB -
  4.0/stable:       4.0.10-e92d947 2024-12-05 (31214)  92MB -
  3.0/stable:       \N{EN DASH}
  2.0/stable:       --
notes: |
  9.9/stable: not a channel
"""


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ("5.21/stable", "5.21/stable"),
        ("5.21", "5.21/stable"),
        ("edge", "latest/edge"),
        ("latest/edge/fix-1", "latest/edge/fix-1"),
        ("stable/fix-1", "latest/stable/fix-1"),
        ("5.21/nightly", ""),
        ("5.21/", ""),
        ("", ""),
        ("a b", ""),
        ("1/stable/x/y", ""),
    ],
)
def test_whole_names(said: str, whole: str) -> None:
    assert snap_channel.whole(said) == whole


@pytest.mark.parametrize(("said", "names"), [("5.21", True), ("latest/edge", True), ("edge", False), ("beta/x", False)])
def test_a_risk_alone_names_no_track(said: str, names: bool) -> None:
    assert snap_channel.names_track(said) is names


def test_what_the_store_offers_and_what_it_has_closed() -> None:
    assert snap_channel.versions(INFO) == {
        "5.21/stable": "5.21.3-c5ae129",
        "5.21/candidate": "5.21.4-1374f39",
        "5.21/beta": "5.21.4-1374f39",
        "5.21/edge": "5.21.4-1374f39",
        "latest/stable": "6.5-f9edc1c",
        "4.0/stable": "4.0.10-e92d947",
    }
    assert snap_channel.versions("error: unable to contact snap store\n") == {}


LISTED = """Name  Version         Rev    Tracking  Publisher   Notes
lxd   5.21.3-c5ae129  31333  {}        canonical\N{CHECK MARK}  {}
"""


@pytest.mark.parametrize(
    ("column", "info", "channel"),
    [
        ("5.21/stable", "", "5.21/stable"),
        ("5.21", "", "5.21/stable"),
        ("latest/stable/\N{HORIZONTAL ELLIPSIS}", "", "latest/stable"),
        ("5.21/stable/\N{HORIZONTAL ELLIPSIS}", "tracking:     5.21/stable/fix-1\n", "5.21/stable/fix-1"),
        ("-", "", ""),
    ],
)
def test_the_channel_that_a_snap_follows(column: str, info: str, channel: str) -> None:
    assert snap_channel.followed(info, LISTED.format(column, "-")) == channel


def test_nothing_is_followed_by_what_is_not_there() -> None:
    for said in ("", "error: no matching snaps installed\n"):
        assert (snap_channel.followed("", said), snap_channel.installed(said), snap_channel.is_held(said)) == (
            "",
            "",
            False,
        )


@pytest.mark.parametrize(("notes", "held"), [("-", False), ("held", True), ("disabled,held", True), ("upheld", False)])
def test_whether_updates_wait(notes: str, held: bool) -> None:
    listed = LISTED.format("5.21/stable", notes)
    assert snap_channel.is_held(listed) is held
    assert snap_channel.installed(listed) == "5.21.3-c5ae129"


@pytest.mark.parametrize(
    ("channel", "now", "version", "offered", "back"),
    [
        ("5.0/stable", "5.21/stable", "5.21.3", "5.0.4", True),
        ("5.21/stable", "5.0/stable", "5.0.4", "5.21.3", False),
        ("5.21/stable", "5.21/edge", "5.21.4-1374f39", "5.21.3", True),
        ("5.21/edge", "5.21/stable", "5.21.3", "5.21.4", False),
        ("5.21/stable", "latest/stable", "6.5-f9edc1c", "5.21.3", True),
        ("latest/stable", "5.21/stable", "5.21.3", "6.5-f9edc1c", False),
        ("latest/stable", "latest/edge", "git-b98b242", "6.5-f9edc1c", True),
        ("latest/edge", "latest/stable", "6.5-f9edc1c", "git-b98b242", False),
        # The store is silent, or has no such branch: the tracks say it.
        ("5.0/stable", "5.21/stable", "5.21.3", "", True),
        ("6/stable", "5.21/stable", "5.21.3", "", False),
        ("5.21/stable", "latest/stable", "6.5", "", True),
        ("latest/stable", "5.21/stable", "5.21.3", "", False),
    ],
)
def test_lxd_does_not_go_back(channel: str, now: str, version: str, offered: str, back: bool) -> None:
    assert snap_channel.goes_back(channel, now, version, {channel: offered} if offered else {}) is back
