# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything a server holds, as plain data: taken before and after, two equal ones prove that nothing was touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

# What changes without anybody touching the object: another project's use of a shared image, for one.
_RESTLESS = {"last_used_at", "state", "backups"}


class Asked(Protocol):
    """Whoever answers for an LXD with the admin's authority."""

    def api(self, method: str, path: str, *, query: Mapping[str, object] | None = None) -> Any:
        """The metadata of the answer."""


def fingerprint_of_world(asked: Asked, exclude_project: str | Iterable[str] = ()) -> dict[str, Any]:
    """Server configuration, trust, storage pools, and each project with all in it, except the excluded ones.

    A running machine's process number is in it: a machine that was stopped and started again differs. Left out is what
    changes by itself (counters, times of use) and each mention of an excluded project in a `used_by`.
    """
    excluded = {exclude_project} if isinstance(exclude_project, str) else set(exclude_project)
    projects = [project for project in _listed(asked, "/1.0/projects") if project["name"] not in excluded]
    pools = _listed(asked, "/1.0/storage-pools")
    pool_names = [pool["name"] for pool in pools]
    found = {
        "config": asked.api("GET", "/1.0")["config"],
        "certificates": _by_name(_listed(asked, "/1.0/certificates"), "fingerprint"),
        "pools": _by_name(pools, "name"),
        "projects": {project["name"]: _project(asked, project, pool_names) for project in projects},
    }
    return dict(_without(found, {f"project={name}" for name in excluded}))


def _project(asked: Asked, project: Mapping[str, Any], pools: list[str]) -> dict[str, Any]:
    name = project["name"]
    instances = _listed(asked, "/1.0/instances", name, recursion=2)
    processes = {instance["name"]: (instance["state"] or {}).get("pid") for instance in instances}
    # The unmanaged ones are the machine's own links: each start of an instance anywhere on it adds one.
    networks = _listed(asked, "/1.0/networks", name)
    volumes = [dict(volume, pool=pool) for pool in pools for volume in _volumes(asked, pool, name)]
    return {
        "project": project,
        "instances": _by_name(instances, "name"),
        "processes": processes,
        "profiles": _by_name(_listed(asked, "/1.0/profiles", name), "name"),
        "networks": _by_name([found for found in networks if found["managed"]], "name"),
        "images": _by_name(_listed(asked, "/1.0/images", name), "fingerprint"),
        "volumes": {f"{volume['pool']}/{volume['type']}/{volume['name']}": volume for volume in volumes},
    }


def _volumes(asked: Asked, pool: str, project: str) -> list[dict[str, Any]]:
    found = _listed(asked, f"/1.0/storage-pools/{pool}/volumes", project)
    return [volume for volume in found if volume["type"] != "image"]


def _listed(asked: Asked, path: str, project: str = "", recursion: int = 1) -> list[dict[str, Any]]:
    query = {"recursion": recursion, **({"project": project} if project else {})}
    return list(asked.api("GET", path, query=query))


def _by_name(objects: list[dict[str, Any]], key: str) -> dict[str, Any]:
    return {found[key]: found for found in objects}


def _without(value: Any, mentions: set[str]) -> Any:
    """`value` without restless keys, and without list entries (of `used_by`) that mention an excluded project."""
    if isinstance(value, Mapping):
        kept = {key: inner for key, inner in value.items() if key not in _RESTLESS}
        return {key: _listed_as(key, inner, mentions) for key, inner in kept.items()}
    return [_without(inner, mentions) for inner in value] if isinstance(value, list) else value


def _listed_as(key: str, value: Any, mentions: set[str]) -> Any:
    if key == "used_by":
        return _used(value, mentions)
    # A cluster names the members that have a thing in any order.
    return sorted(value or ()) if key == "locations" else _without(value, mentions)


def _used(users: list[str] | None, mentions: set[str]) -> list[str]:
    return sorted(user for user in users or () if not mentions & set(user.partition("?")[2].split("&")))


def differences(before: Any, after: Any, where: str = "") -> list[str]:
    """One line for each place in which two worlds differ: a failing test then shows what was touched."""
    if before == after:
        return []
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = sorted(before.keys() | after.keys())
        return [line for key in keys for line in differences(before.get(key), after.get(key), f"{where}/{key}")]
    return [f"{where}: {before!r} became {after!r}"]
