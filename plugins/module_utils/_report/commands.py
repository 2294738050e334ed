# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command for each thing that a person may want to do next, ready for a shell in the user's repository."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

_ANSIBLE = "ansible localhost -i inventory"
_RUNS = ("Running", "Ready")


class Command(NamedTuple):
    """What it is for, and the line."""

    title: str
    line: str


def of_vmhost(name: str) -> list[Command]:
    """What can be done with a VM host."""
    limited = f"--limit {shlex.quote(name)}"
    new = [{"name": "NEW", "cores": 2, "memory": "4GiB", "image": "IMAGE"}]
    return [
        Command("Compose a VM", _task("lxd_vm_compose", {"vmhost": name, "vms": new})),
        Command("Refresh", _task("lxd_vmhost_info", {"vmhosts": [name]})),
        Command("Compose what the inventory says", f"ansible-playbook -i inventory tenantry.lxd.compose {limited}"),
        Command("Remove, VMs stay", f"ansible-playbook -i inventory tenantry.lxd.remove {limited}"),
    ]


def of_vm(vm: Mapping[str, Any]) -> list[Command]:
    """What can be done with a VM of ours as it is now; nothing with one that was enlisted."""
    if vm.get("enlisted") is not False:
        return []
    runs = vm.get("status") in _RUNS
    states = [("Stop", "stopped"), ("Restart", "restarted")] if runs else [("Start", "started")]
    states.append(("Release", "released"))
    if not vm.get("protected"):
        states.append(("Delete", "absent"))
    return [
        Command(title, _task("lxd_vm_compose", {"vmhost": vm["vmhost"], "vms": [{"name": vm["name"], "state": state}]}))
        for title, state in states
    ]


def _task(module: str, options: Mapping[str, Any]) -> str:
    # JSON writes every character beyond ASCII as a number, so that a name does nothing in a shell or a terminal.
    return f"{_ANSIBLE} -m tenantry.lxd.{module} -a {shlex.quote(json.dumps(options))}"
