# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels of the snap store, as people write them and as snapd prints them."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import snap_channel

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


def test_what_the_store_offers_and_what_it_has_closed() -> None:
    assert snap_channel.offered(INFO) == {
        *("5.21/stable", "5.21/candidate", "5.21/beta", "5.21/edge", "latest/stable", "4.0/stable")
    }
    assert snap_channel.offered("error: unable to contact snap store\n") == frozenset()


@pytest.mark.parametrize(
    ("column", "channel"),
    [("5.21/stable", "5.21/stable"), ("latest/stable/\N{HORIZONTAL ELLIPSIS}", "latest/stable"), ("-", "")],
)
def test_the_channel_that_a_snap_follows(column: str, channel: str) -> None:
    listed = f"Name  Version  Rev  Tracking  Publisher  Notes\nlxd  5.21.3  1  {column}  canonical  -\n"
    assert snap_channel.tracking(listed) == channel
    assert snap_channel.tracking("error: no matching snaps installed\n") == ""


@pytest.mark.parametrize(
    ("channel", "now", "older"),
    [
        ("5.0/stable", "5.21/stable", True),
        ("5.21/stable", "5.0/stable", False),
        ("5.21/edge", "5.21/stable", False),
        ("6/stable", "5.21/stable", False),
        ("latest/stable", "5.21/stable", False),
    ],
)
def test_lxd_does_not_go_back(channel: str, now: str, older: bool) -> None:
    assert snap_channel.older(channel, now) is older
