# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else does the same: community.general's lxd_container in a loop, the `lxc` client in a loop, a bare module.

The first two go by the unix socket with the admin's authority, which costs them no TLS: lxd_container can't talk to a
default LXD by https, nor with a certificate that is restricted to a project. That is in their favour.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import published
from tests.bench import ground
from tests.integration.tenancy import Tenant

ROOT = Path(__file__).resolve().parents[2]
BARE = Path(__file__).with_name("bare_module.py")


def community_general() -> str:
    """Unpack the collection from the PyPI package `ansible`, unless it is there; returns its version."""
    return published.unpacked("community/general")


def community_loop(tenant: Tenant, names: Sequence[str], changed: bool) -> None:
    """One task of lxd_container that loops over VMs; an error if it changes, or doesn't, other than said."""
    task = {
        "community.general.lxd_container": {
            "name": "{{ item }}",
            "url": f"unix:{tenant.lxd.directory}/unix.socket",
            "project": tenant.project,
            "type": "virtual-machine",
            "state": "stopped",
            "source": {"type": "none"},
            "profiles": [],
            "config": {"limits.cpu": "1", "limits.memory": ground.MEMORY},
            "devices": ground.devices_of(tenant),
        },
        "loop": list(names),
    }
    result = played(tenant, [task])
    if [item.get("changed") for item in result["results"]] != [changed] * len(names):
        raise RuntimeError(f"lxd_container did something else than expected: {json.dumps(result)[:2000]}")


def played(tenant: Tenant, tasks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The last task's result of a whole ansible-playbook run that may use both collections."""
    own = Path(ROOT / ".build" / "collections")
    paths = {"ANSIBLE_COLLECTIONS_PATH": f"{own}:{published.COLLECTIONS}", "ANSIBLE_LIBRARY": str(BARE.parent)}
    run = tenant.site.play(list(tasks), diff=False, environment=paths)
    if run.rc:
        raise RuntimeError(run.output)
    return run.last


def compose_played(tenant: Tenant, vms: Sequence[dict[str, Any]]) -> None:
    """Our module by a whole ansible-playbook run."""
    played(tenant, [{"tenantry.lxd.lxd_vm_compose": {"vmhost": tenant.vmhost, "vms": list(vms)}}])


def bare_played(tenant: Tenant) -> None:
    """The bare module by a whole ansible-playbook run."""
    played(tenant, [{"bare_module": _bare_options(tenant)}])


def nothing_played(tenant: Tenant) -> None:
    """An ansible-playbook run whose one task does nothing: what the program costs before a module is started."""
    played(tenant, [{"ansible.builtin.debug": {"msg": ""}}])


def bare_module(tenant: Tenant) -> None:
    """One start of the least module on pylxd, in the way that ours are started."""
    start = f"import runpy; runpy.run_path({str(BARE)!r}, run_name='__main__')"
    command = [sys.executable, "-c", start]
    process = subprocess.Popen(command, env=dict(os.environ), stdin=-1, stdout=-1, stderr=-1, text=True)
    ground.read_answer(process, json.dumps({"ANSIBLE_MODULE_ARGS": _bare_options(tenant)}))


def _bare_options(tenant: Tenant) -> dict[str, str]:
    folder = tenant.site.registry / tenant.vmhost
    files = {"server": "server.crt", "certificate": "client.crt", "key": "client.key"}
    return {"url": tenant.lxd.url, **{option: str(folder / name) for option, name in files.items()}}


def lxc_looked(tenant: Tenant, names: Sequence[str]) -> None:
    """What a script with `lxc` does to see whether VMs are as they should be."""
    for name in names:
        _lxc(tenant, "config", "show", name)


def lxc_made(tenant: Tenant, names: Sequence[str]) -> None:
    """Empty VMs, one after the other."""
    limits = ["-c", "limits.cpu=1", "-c", f"limits.memory={ground.MEMORY}"]
    for name in names:
        _lxc(
            tenant,
            "init",
            name,
            "--empty",
            "--vm",
            "--no-profiles",
            "-s",
            "default",
            "-d",
            f"root,size={ground.DISK}",
            *limits,
        )


def _lxc(tenant: Tenant, *words: str) -> None:
    command = ["lxc", *words, "--project", tenant.project]
    environment = {**os.environ, **tenant.lxd.environment}
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True)
