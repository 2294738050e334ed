# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project and its server as they were read, and what a plan needs to be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from ..model import Image, Instance, Network, Project, Server, StoragePool

Profile = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class ProjectReading:
    """The current state of one project.

    `profile`: the project's own default profile with its ETag. `unread`: nothing could be read, and the plan predicts
    as if nothing existed. The other fields are empty unless `ReadingNeeds` asks for them.
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
class ReadingNeeds:
    """The listings that a plan needs beyond the project and its profile.

    `contents`: instances and profiles; `state`: limits and usage; `places`: storage pools and networks.
    """

    contents: bool = False
    state: bool = False
    places: bool = False
    images: bool = False


def list_contents(used_by: Iterable[str]) -> list[tuple[str, str]]:
    """Return kind and name of everything in a project, but for its default profile, which is deleted with it."""
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


def format_contents(contents: Iterable[tuple[str, str]]) -> list[str]:
    """Return the contents as text; of a fingerprint its first twelve digits, as `lxc` shows it."""
    return [f"{kind} {name[:12] if kind == 'image' else name}" for kind, name in contents]
