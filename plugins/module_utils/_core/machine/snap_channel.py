# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Channels of the snap store: their whole names, and which ones `snap info` tells of."""

from __future__ import annotations

import re
from collections.abc import Mapping

_RISKS = ("stable", "candidate", "beta", "edge")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# How it shows that one is closed, with two kinds of dashes.
_CLOSED = ("-", "--", "\N{EN DASH}", "\N{EM DASH}")
# How it shows that one has what the next stabler one has.
_ARROWS = ("^", "\N{UPWARDS ARROW}")


def whole(said: str) -> str:
    """Track, risk and, if given, branch: "5.21" is 5.21/stable, "edge" is latest/edge. Empty if it is none."""
    parts = said.split("/")
    if not all(_PART.fullmatch(part) for part in parts):
        return ""
    if parts[0] in _RISKS:
        parts = ["latest", *parts]
    if len(parts) == 1:
        parts = [*parts, "stable"]
    return "/".join(parts) if len(parts) in (2, 3) and parts[1] in _RISKS else ""


def names_track(said: str) -> bool:
    """Whether it says which track; snapd takes the default one when it installs, and stays on its own later."""
    return said.partition("/")[0] not in _RISKS


def versions(info: str) -> dict[str, str]:
    """The open channels that `snap info` lists, and each one's version: an arrow means that of the line above."""
    found: dict[str, str] = {}
    inside, above = False, ""
    for line in info.splitlines():
        if not line.startswith(" "):
            inside = line.strip() == "channels:"
            continue
        name, colon, rest = line.strip().partition(":")
        if not inside or not colon or not rest.split() or rest.split()[0] in _CLOSED:
            continue
        above = above if rest.split()[0] in _ARROWS else rest.split()[0]
        found[whole(name)] = above
    found.pop("", None)
    return found


def followed(info: str, listed: str) -> str:
    """The channel that an installed snap follows; empty where it isn't told.

    `info`: of `snap info`, which has the whole name; `listed`: the table of `snap list`, which cuts a branch off.
    """
    for line in info.splitlines():
        if line.startswith("tracking:"):
            return whole(line.partition(":")[2].strip())
    return whole(_cell(listed, "Tracking").rstrip("\N{HORIZONTAL ELLIPSIS}/"))


def installed(listed: str) -> str:
    """The version of an installed snap, from the table of `snap list`."""
    return _cell(listed, "Version")


def is_held(listed: str) -> bool:
    """Whether an installed snap waits for its admin with updates."""
    return "held" in _cell(listed, "Notes").split(",")


def same(channel: str, now: str) -> bool:
    """Whether a channel is the one that is followed; who says no branch means whatever branch it is on."""
    return now.split("/")[: channel.count("/") + 1] == channel.split("/")


def goes_back(channel: str, now: str, version: str, open_ones: Mapping[str, str]) -> bool:
    """Whether following a channel would bring an older LXD than `version`: its database can't go back.

    Where the store tells no version, the tracks are compared. A build of the edge has no number, and is newer than all.
    """
    target, have = _numbers(open_ones.get(channel, "")), _numbers(version)
    if target and have:
        return target < have
    if target and version:
        return True
    tracks = [_numbers(each.split("/")[0]) for each in (channel, now)]
    return bool(tracks[0]) and (tracks[0] < tracks[1] or now.startswith("latest/"))


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that "5.21.3-c5ae129" begins with; none in "git-b98b242"."""
    numbers = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(int(part) for part in numbers[0].split(".")) if numbers else ()


def _cell(listed: str, column: str) -> str:
    rows = [line.split() for line in listed.splitlines() if line.strip()]
    if len(rows) < 2 or column not in rows[0] or rows[0].index(column) >= len(rows[1]):
        return ""
    return rows[1][rows[0].index(column)]
