# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a VM host looks to people: its entry, and what its server says of itself, the project and the machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..capacity.figures import DEFAULT_RATIO
from ..model import Project, Server
from ..project.exposure import find_exposure
from ..vm import view
from .found import VmHostState
from .overcommit import find_ratios_in_force
from .resources import build_resources_view

_KEYS = ("project", "owner", "zone", "pool", "default_storage_pool", "default_network")


def build_entry_view(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The entry with every key, null for those that aren't set and a ratio's default in its place."""
    urls = list(data.get("urls") or ([data["url"]] if data.get("url") else []))
    return {
        "name": name,
        "url": urls[0] if urls else None,
        "urls": urls,
        **{key: data.get(key) for key in _KEYS},
        "tags": list(data.get("tags") or ()),
        "cpu_overcommit": data.get("cpu_overcommit") or DEFAULT_RATIO,
        "memory_overcommit": data.get("memory_overcommit") or DEFAULT_RATIO,
        "storage_overcommit": data.get("storage_overcommit") or DEFAULT_RATIO,
    }


def build_vmhost_view(
    name: str,
    data: Mapping[str, Any],
    reading: VmHostState,
    certificate: Optional[Mapping[str, Any]],
    project: Optional[Project] = None,
) -> dict[str, Any]:
    """Everything of one VM host; `project` is the tracked one as it will be, where that differs."""
    reading = dataclasses.replace(reading, project=project or reading.project)
    shown = build_entry_view(name, data)
    read = bool(reading.server.version)
    return {
        **shown,
        "server": build_server_view(reading.server, reading.members) if read else None,
        "resources": build_resources_view(reading, find_ratios_in_force(reading.project.config, data))
        if reading.project
        else None,
        "vms": _vms(name, reading, data.get("owner")),
        "certificate": certificate,
        "exposure": list_exposure(reading),
    }


def list_exposure(reading: VmHostState) -> list[str]:
    """What the holder of the host's certificate could do beyond the project; nothing where nobody could look."""
    if reading.project is None:
        return []
    return list(find_exposure(reading.project, reading.server, certificate_restricted=reading.restricted is not False))


def build_server_view(found: Server, members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The server, and the members where it is a cluster."""
    return {
        "name": found.name,
        "version": found.version,
        "flavour": found.flavour,
        # LXD tells them in any order.
        "drivers": sorted(found.drivers),
        # Only an admin is told.
        "https_address": found.config.get("core.https_address") or None,
        "certificate": found.certificate or None,
        "clustered": found.clustered,
        "members": [
            {"name": member.get("server_name"), "status": member.get("status"), "url": member.get("url")}
            for member in sorted(members, key=lambda each: str(each.get("server_name")))
        ],
    }


def _vms(name: str, reading: VmHostState, owner: Optional[str]) -> Optional[list[dict[str, Any]]]:
    project = reading.project
    if project is None:
        return None
    # What is on a member that doesn't answer is listed without its type: better one container too many than a VM lost.
    vms = [
        instance
        for instance in reading.instances
        if (instance.is_vm or instance.is_unreachable) and not instance.is_move_copy
    ]
    ordered = sorted(vms, key=lambda each: each.name)
    return [view.build_vm_row(each, name, project.name, owner, reading.volumes) for each in ordered]
