# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a project has allocated beside its instances, read in one way for everybody who says what is free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._core import errors
from .._core.model import Project, Volume
from .reader import Reader

_LIMITS = "limits."


def read_volumes(reader: Reader, project: str, pools: Iterable[str]) -> dict[tuple[str, str], Volume]:
    """The custom volumes of these storage pools by pool and name, anybody's; one request for each pool."""
    found: dict[tuple[str, str], Volume] = {}
    for pool in sorted(pools):
        try:
            found.update({(pool, volume.name): volume for volume in reader.volumes(project, pool)})
        except errors.NotFound:
            # A pool that isn't there is reported by name with the disk that asks for it.
            continue
    return found


def read_project_usage(reader: Reader, project: Project) -> Mapping[str, Any]:
    """The project's limits and what is used of them as LXD counts; nothing where it has none, or LXD doesn't tell."""
    if not any(key.startswith(_LIMITS) for key in project.config) or not reader.server.has("project_usage"):
        return {}
    return reader.project_state(project.name)
