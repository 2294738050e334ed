# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the shell read of a project and its server, and what it has to read for a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from ..model import Image, Instance, Network, Project, Server, StoragePool

Profile = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Found:
    """One project as LXD has it. `unread`: nobody could look, and the plan predicts as if nothing were there.

    `profile`: the project's own profile default with its ETag. The rest is read where `Needs` says so, and empty else.
    """

    server: Server
    project: Optional[Project] = None
    profile: Optional[tuple[Profile, Optional[str]]] = None
    instances: tuple[Instance, ...] = ()
    profiles: tuple[Profile, ...] = ()
    state: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    networks: tuple[Network, ...] = ()
    pools: tuple[StoragePool, ...] = ()
    images: tuple[Image, ...] = ()
    unread: bool = False


@dataclasses.dataclass(frozen=True)
class Needs:
    """Which listings a plan has to be made from, beyond the project and its profile."""

    contents: bool = False
    state: bool = False
    places: bool = False
    images: bool = False


def inside(used_by: Iterable[str]) -> list[tuple[str, str]]:
    """Kind and name of everything in a project; its profile default comes and goes with it."""
    found = []
    for url in used_by:
        parts = [unquote(part) for part in urlsplit(url).path.strip("/").split("/")[1:]]
        kind, name = parts[0].rstrip("s").replace("-", " "), parts[-1]
        if parts[:2] == ["profiles", "default"]:
            continue
        if parts[0] == "storage-pools" and len(parts) > 3:
            kind, name = parts[2].rstrip("s"), f"{name} (storage pool {parts[1]})"
        found.append((kind, name))
    return sorted(found)


def said(things: Iterable[tuple[str, str]]) -> list[str]:
    """Those as people read them; a fingerprint by its first twelve digits, as lxc shows it."""
    return [f"{kind} {name[:12] if kind == 'image' else name}" for kind, name in things]
