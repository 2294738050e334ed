# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking down: daemons of this and of earlier runs, and single projects with all that is in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from tests.lxd import gaps, leftovers
from tests.lxd.admin import ApiError
from tests.lxd.cluster import Cluster
from tests.lxd.daemon import Daemon
from tests.lxd.place import places

# Seconds that LXD gets for a listing, a stop or a delete before what hangs is killed.
_PATIENCE = 20.0


def take_down(root: Path, names: Iterable[str] | None = None) -> list[str]:
    """Destroy the daemons called `names`, or all that `root` knows of; returns the names."""
    wanted = None if names is None else set(names)
    found = [place for place in places(root) if wanted is None or place.name in wanted]
    unknown = (wanted or set()) - {place.name for place in found}
    if unknown:
        raise LookupError(f"no such daemon: {', '.join(sorted(unknown))}")
    for place in found:
        Daemon(place).destroy()
    if not places(root):
        leftovers.remove_empty_tables()
        gaps.remove_kvm_device(root)
    return [place.name for place in found]


def take_down_abandoned(root: Path) -> list[str]:
    """Destroy the daemons whose test run is gone; returns their names."""
    names = [place.name for place in places(root) if place.abandoned]
    return take_down(root, names) if names else []


def discard_project(daemon: Daemon | Cluster, name: str) -> None:
    """Remove a project and whatever is in it, by force; a project that is not there is removed already."""
    with contextlib.suppress(ApiError):
        if _has_project(daemon, name):
            discard_instances(daemon, name)
        for path in daemon.api("GET", f"/1.0/projects/{name}")["used_by"]:
            if not path.startswith("/1.0/profiles/default"):
                daemon.api("DELETE", urlsplit(path).path, query={"project": name})
    try:
        daemon.api("DELETE", f"/1.0/projects/{name}")
    except ApiError as error:
        if error.status != 404:
            raise


def _has_project(daemon: Daemon | Cluster, name: str) -> bool:
    """Return whether the project exists; True where the daemon doesn't answer, which may be because of its VMs."""
    try:
        return f"/1.0/projects/{name}" in daemon.api("GET", "/1.0/projects", query={"recursion": 0})
    except OSError:
        return True


def discard_instances(daemon: Daemon | Cluster, project: str) -> None:
    """Remove all instances of a project by force, protected ones too.

    A QEMU that hangs makes LXD hang with it, in a listing already: it is killed by its number then. If that doesn't
    help, the daemon is killed and started again, so that later tests get one that answers.
    """
    if _try_to_remove_instances(daemon, project):
        return
    for each in daemon.members if isinstance(daemon, Cluster) else (daemon,):
        leftovers.kill_guests(each.place.directory, project)
    if not isinstance(daemon, Cluster) and not _try_to_remove_instances(daemon, project):
        daemon.kill()
        daemon.start()
    _remove_instances(daemon, project, 2 * _PATIENCE)


def _try_to_remove_instances(daemon: Daemon | Cluster, project: str) -> bool:
    try:
        _remove_instances(daemon, project, _PATIENCE)
    except (ApiError, OSError):
        return False
    return True


def _remove_instances(daemon: Daemon | Cluster, project: str, seconds: float) -> None:
    listing = {"project": project, "recursion": 1}
    for instance in daemon.api("GET", "/1.0/instances", query=listing, timeout=seconds):
        path, query = f"/1.0/instances/{instance['name']}", {"project": project}
        config = {**instance["config"], "security.protection.delete": "false"}
        if instance["config"].get("security.protection.delete") == "true":
            daemon.api("PUT", path, {**instance, "config": config}, query, timeout=seconds)
        if instance["status"] != "Stopped":
            stop = {"action": "stop", "force": True, "timeout": int(seconds)}
            daemon.api("PUT", f"{path}/state", stop, query, timeout=seconds)
        daemon.api("DELETE", path, query=query, timeout=seconds)
