# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a project holds that a new limit or restriction would not permit; LXD checks that late, or never."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import units
from ..errors import Conflict
from ..model import Instance
from .reading import ProjectReading
from .restrictions import CONTAINER, VM, find_violations


def check_restrictions(name: str, config: Mapping[str, str], reading: ProjectReading) -> None:
    """Raise Conflict for what is in the project and would be forbidden: LXD before 5.21.5 lets it go on working."""
    problems = list(_find_forbidden(config, reading))
    if problems:
        raise Conflict(
            f"project {name}: its restrictions would forbid what it holds: {units.shorten(problems)}",
            "change those first, or permit the key in brackets with restrictions (for a network, with networks)",
            forbidden=problems,
        )


def _find_forbidden(config: Mapping[str, str], reading: ProjectReading) -> Iterator[str]:
    for instance in reading.instances:
        kind, noun = (VM, "VM") if instance.is_vm else (CONTAINER, "container")
        for violation in find_violations(instance.config, instance.devices, (kind,), config):
            yield f"{noun} {instance.name}: {violation.what} ({violation.key})"
    for profile in reading.profiles:
        values, devices = profile.get("config") or {}, profile.get("devices") or {}
        for violation in find_violations(values, devices, (CONTAINER, VM), config):
            yield f"profile {profile['name']}: {violation.what} ({violation.key})"


def check_limits(name: str, limits: Mapping[str, str], reading: ProjectReading) -> None:
    """Raise Conflict for limits below what is allocated already, and for instances that LXD couldn't count."""
    problems = []
    for key, value in sorted(limits.items()):
        usage = (reading.state.get(key[len("limits.") :]) or {}).get("Usage") or 0
        limit = units.parse_size_or_none(value)
        if limit is not None and limit < usage:
            in_use = units.format_size(usage) if key in ("limits.memory", "limits.disk") else usage
            problems.append(f"{key} {value} is below the {in_use} in use")
        without = [each.name for each in reading.instances if not _is_countable(each, key)]
        if without:
            problems.append(
                f"{key} needs a plain figure as the limit of each instance; these have none: {units.shorten(without)}"
            )
    if problems:
        raise Conflict(
            f"project {name}: {'; '.join(problems)}",
            "choose a higher limit, or change the instances first",
            limits=problems,
        )


def _is_countable(instance: Instance, key: str) -> bool:
    """Return whether LXD can count an instance under a limit of the project; it can't for pinned cores and
    percentages.
    """
    if key == "limits.cpu":
        return (instance.expanded_config.get(key) or "").isdigit()
    if key == "limits.memory":
        return units.parse_size_or_none(instance.expanded_config.get(key)) is not None
    if key == "limits.processes":
        return instance.is_vm or bool(instance.expanded_config.get(key))
    if key == "limits.disk":
        roots: list[Any] = [device for device in instance.expanded_devices.values() if device.get("path") == "/"]
        return bool(roots) and bool(roots[0].get("size"))
    return True
