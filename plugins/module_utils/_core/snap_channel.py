# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Channels of the snap store: their whole names, and which ones `snap info` tells of."""

from __future__ import annotations

import re

_RISKS = ("stable", "candidate", "beta", "edge")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# How it shows that one is closed, with two kinds of dashes.
_CLOSED = ("-", "--", "\N{EN DASH}", "\N{EM DASH}")


def whole(said: str) -> str:
    """Track, risk and where it is said branch: "5.21" is 5.21/stable, "edge" is latest/edge. Empty if it is none."""
    parts = said.split("/")
    if not all(_PART.fullmatch(part) for part in parts):
        return ""
    if parts[0] in _RISKS:
        parts = ["latest", *parts]
    if len(parts) == 1:
        parts = [*parts, "stable"]
    return "/".join(parts) if len(parts) in (2, 3) and parts[1] in _RISKS else ""


def offered(info: str) -> frozenset[str]:
    """The open channels that `snap info` lists: a version, or an arrow to the next stabler one."""
    found, inside = set(), False
    for line in info.splitlines():
        if not line.startswith(" "):
            inside = line.strip() == "channels:"
            continue
        name, colon, rest = line.strip().partition(":")
        if inside and colon and rest.split()[:1] and rest.split()[0] not in _CLOSED:
            found.add(whole(name))
    return frozenset(found - {""})


def older(channel: str, now: str) -> bool:
    """Whether a channel's track is an older release than the one that is followed: LXD's database can't go back."""
    tracks = [each.split("/")[0].split(".") for each in (channel, now)]
    if not all(part.isdigit() for track in tracks for part in track):
        return False
    first, second = ([int(part) for part in track] for track in tracks)
    return first < second


def tracking(listed: str) -> str:
    """The channel that an installed snap follows, from the table of `snap list`; empty where it isn't told."""
    rows = [line.split() for line in listed.splitlines() if line.strip()]
    if len(rows) < 2 or "Tracking" not in rows[0]:
        return ""
    column = rows[0].index("Tracking")
    return whole(rows[1][column].rstrip("\N{HORIZONTAL ELLIPSIS}/")) if column < len(rows[1]) else ""
