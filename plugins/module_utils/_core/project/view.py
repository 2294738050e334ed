# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project as results, info rows and the report show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import units
from ..model import Project, Server
from .keys import known_features
from .profile import read_devices
from .reading import Profile
from .restrictions import usable_bridges, usable_networks


def build_project_view(project: Project, server: Server, profile: Profile | None) -> dict[str, Any]:
    """Return the view of a project; `profile` is its own default profile, None if it has no profiles of its own."""
    networks = usable_networks(project.config)
    return {
        "name": project.name,
        "description": project.description,
        "owner": project.owner,
        "isolation": find_isolation(project, server),
        "features": list_features(project, server),
        "limits": _strip_prefix("limits.", project.config),
        "restrictions": _strip_prefix("restricted.", project.config),
        "networks": None if networks is None else sorted(networks),
        "default_profile": read_default_profile(profile),
        "config": dict(sorted(project.config.items())),
        "used_by": sorted(project.used_by),
    }


def list_features(project: Project, server: Server) -> dict[str, bool]:
    """Return which features the project has on, of all that the server knows or the project sets."""
    named = {key[len("features.") :] for key in project.config if key.startswith("features.")}
    return {feature: project.has_own(feature) for feature in sorted({*named, *known_features(server)})}


def find_isolation(project: Project, server: Server) -> str:
    """Return `confined` or `shared`, as the option isolation sets them up, or `mixed` for anything else."""
    restricted = units.is_true(project.config.get("restricted"))
    own = {feature for feature, is_own in list_features(project, server).items() if is_own}
    if not restricted and not own:
        return "shared"
    needed = {"images", "profiles", "storage.volumes"}
    closed = "networks" not in own or bool(usable_bridges(project.config))
    if restricted and needed <= own and closed and usable_networks(project.config) is not None:
        return "confined"
    return "mixed"


def _strip_prefix(prefix: str, config: Mapping[str, str]) -> dict[str, str]:
    return {key[len(prefix) :]: value for key, value in sorted(config.items()) if key.startswith(prefix)}


def read_default_profile(profile: Profile | None) -> dict[str, Any] | None:
    """Return the storage pool and network that instances get from the default profile."""
    if profile is None:
        return None
    devices = read_devices(profile).values()
    pools = [device.get("pool") for device in devices if device.get("type") == "disk" and device.get("path") == "/"]
    networks = [device.get("network") or device.get("parent") for device in devices if device.get("type") == "nic"]
    return {"storage_pool": pools[0] if pools else None, "network": networks[0] if networks else None}


def build_state_view(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return limits and usage by LXD's names; a limit of None is no limit. Memory and disk are in bytes."""
    return {
        name: {"limit": None if figures.get("Limit", -1) < 0 else figures["Limit"], "usage": figures.get("Usage", 0)}
        for name, figures in sorted(resources.items())
    }
