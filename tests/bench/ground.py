# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where it is measured: a throwaway LXD of its own, with a tenant registered on it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.integration.playing import Site
from tests.integration.tenancy import OWNER, Tenant, create_confined_project, register_vm_host
from tests.lxd.daemon import Daemon
from tests.lxd.teardown import take_down

PROJECT = "bench"
MEMORY, DISK = "160MiB", "48MiB"
# A hundred VMs that hardly run are more than a small machine's cores may be promised to.
_PROMISES = {"user.tenantry.cpu_overcommit": "100", "user.tenantry.memory_overcommit": "10"}


@contextlib.contextmanager
def ground(root: Path, site: Path, debug: bool = False) -> Iterator[Tenant]:
    """A tenant of a daemon that logs no requests unless `debug`: LXD's debug log holds each answer in full."""
    daemon = Daemon.new(f"bench-{os.getpid()}", root, owned=True, debug=debug)
    try:
        daemon.start()
        create_confined_project(daemon, PROJECT, **_PROMISES)
        yield register_vm_host(Site.create(site), daemon, PROJECT)
    finally:
        take_down(root, [daemon.name])


def counting(tenant: Tenant) -> Daemon:
    """The same daemon run anew, now with a log of the requests that it gets."""
    tenant.lxd.stop()
    return Daemon(tenant.lxd.place, debug=True).start()


def uncounted(tenant: Tenant) -> None:
    """The daemon run anew without that log: LXD writes each answer into it in full."""
    tenant.lxd.stop()
    Daemon(tenant.lxd.place, debug=False).start()


def empty(name: str, state: str = "present") -> dict[str, Any]:
    """An empty VM as lxd_vm_compose is told of it."""
    return {"name": name, "state": state, "memory": MEMORY, "disks": [{"size": DISK}]}


def body_of(tenant: Tenant, name: str) -> dict[str, Any]:
    """The same VM as LXD's API is told of it: what our module sends, without our own marks."""
    return {
        "name": name,
        "type": "virtual-machine",
        "source": {"type": "none"},
        "profiles": [],
        "config": {"limits.cpu": "1", "limits.memory": MEMORY},
        "devices": devices_of(tenant),
    }


def devices_of(tenant: Tenant) -> dict[str, dict[str, str]]:
    """Root disk and interface of an empty VM."""
    return {
        "root": {"type": "disk", "path": "/", "pool": "default", "size": DISK},
        "eth0": {"type": "nic", "name": "eth0", "network": tenant.lxd.bridge, "boot.priority": "10"},
    }


def composed(tenant: Tenant, vms: Sequence[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """What lxd_vm_compose answers, started as Ansible starts it; a failure is an error with its words."""
    return read_answer(tenant.site.start_module("lxd_vm_compose", {"vms": list(vms), **options}, tenant.vmhost))


def read_answer(process: subprocess.Popen[str], said: str | None = None) -> dict[str, Any]:
    """What a module's process answers to what it is told."""
    output, complaint = process.communicate(said, timeout=900)
    if process.returncode:
        said_why = json.loads(output).get("msg", "") if output.strip().startswith("{") else output
        raise RuntimeError(f"{said_why[:2000]}\n{complaint[-2000:]}")
    return dict(json.loads(output))


def make_all(tenant: Tenant, names: Sequence[str], marked: bool = False) -> None:
    """Make empty VMs as the admin, `marked` as composed by the tenant."""
    marks = {"user.tenantry.owner": OWNER} if marked else {}

    def make(name: str) -> None:
        body = body_of(tenant, name)
        body["config"] |= marks
        tenant.lxd.api("POST", "/1.0/instances", body, {"project": tenant.project})

    with ThreadPoolExecutor(max_workers=8) as workers:
        list(workers.map(make, names))


def remove_all(tenant: Tenant) -> None:
    """Leave no VM in the project."""

    def remove(name: str) -> None:
        tenant.lxd.api("DELETE", f"/1.0/instances/{name}", query={"project": tenant.project}, timeout=300)

    stop_all(tenant)
    with ThreadPoolExecutor(max_workers=8) as workers:
        list(workers.map(remove, tenant.instances()))


def stop_all(tenant: Tenant) -> None:
    """Pull the plug of every VM."""

    def stop(name: str) -> None:
        body = {"action": "stop", "force": True, "timeout": 30}
        tenant.lxd.api("PUT", f"/1.0/instances/{name}/state", body, {"project": tenant.project}, timeout=300)

    running = [name for name, found in tenant.instances().items() if found["status"] != "Stopped"]
    with ThreadPoolExecutor(max_workers=4) as workers:
        list(workers.map(stop, running))
