# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a project looks to people: one shape for results, rows and report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import units
from ..model import Project, Server
from .config import access, bridged
from .found import Profile
from .keys import known_features
from .profile import devices_of


def view(project: Project, server: Server, profile: Profile | None) -> dict[str, Any]:
    """One project; `profile` is its own profile default, None where it has the default project's."""
    networks = access(project.config)
    return {
        "name": project.name,
        "description": project.description,
        "owner": project.owner,
        "isolation": isolation(project, server),
        "features": features(project, server),
        "limits": _without("limits.", project.config),
        "restrictions": _without("restricted.", project.config),
        "networks": None if networks is None else sorted(networks),
        "default_profile": default_profile(profile),
        "config": dict(sorted(project.config.items())),
        "used_by": sorted(project.used_by),
    }


def features(project: Project, server: Server) -> dict[str, bool]:
    """Which things the project has of its own, of all that the server knows or the project says."""
    named = {key[len("features.") :] for key in project.config if key.startswith("features.")}
    return {feature: project.has_own(feature) for feature in sorted({*named, *known_features(server)})}


def isolation(project: Project, server: Server) -> str:
    """`confined` and `shared` as this collection makes them; `mixed` is everything between and beside."""
    restricted = units.is_true(project.config.get("restricted"))
    own = {feature for feature, is_own in features(project, server).items() if is_own}
    if not restricted and not own:
        return "shared"
    needed = {"images", "profiles", "storage.volumes"}
    closed = "networks" not in own or bool(bridged(project.config))
    if restricted and needed <= own and closed and access(project.config) is not None:
        return "confined"
    return "mixed"


def _without(prefix: str, config: Mapping[str, str]) -> dict[str, str]:
    return {key[len(prefix) :]: value for key, value in sorted(config.items()) if key.startswith(prefix)}


def default_profile(profile: Profile | None) -> dict[str, Any] | None:
    """Storage pool and network that an instance gets when nobody says otherwise."""
    if profile is None:
        return None
    devices = devices_of(profile).values()
    pools = [device.get("pool") for device in devices if device.get("type") == "disk" and device.get("path") == "/"]
    networks = [device.get("network") or device.get("parent") for device in devices if device.get("type") == "nic"]
    return {"storage_pool": pools[0] if pools else None, "network": networks[0] if networks else None}


def state(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Limits and usage as LXD counts them, by its names; a limit of null is none. Memory and disk in bytes."""
    return {
        name: {"limit": None if said.get("Limit", -1) < 0 else said["Limit"], "usage": said.get("Usage", 0)}
        for name, said in sorted(resources.items())
    }
