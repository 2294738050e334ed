# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands that the pages offer, ready for a shell in the user's repository."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

_ANSIBLE = "ansible localhost -i inventory"
_RUNS = ("Running", "Ready")
# Ansible templates the options of a command: braces in a name would be evaluated where the command is run.
_VM = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VMHOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_UNPUBLISHED = "https://WHERE-THIS-IS-PUBLISHED/"


class Command(NamedTuple):
    """What a command does, and the line to run."""

    title: str
    line: str


def vmhost_commands(name: str) -> list[Command]:
    """Return the commands for a VM host; none for a name that the registry would refuse."""
    if not _VMHOST.fullmatch(name):
        return []
    limited = f"--limit {shlex.quote(name)}"
    new = [{"name": "NEW", "cores": 2, "memory": "4GiB", "image": "IMAGE"}]
    return [
        Command("Compose a VM", _task("lxd_vm_compose", {"vmhost": name, "vms": new})),
        Command("Refresh", _task("lxd_vmhost_info", {"vmhosts": [name]})),
        Command("Compose the VMs of the inventory", f"ansible-playbook -i inventory tenantry.lxd.compose {limited}"),
        Command("Remove the VM host, keep its VMs", f"ansible-playbook -i inventory tenantry.lxd.remove {limited}"),
    ]


def trust_commands(row: Mapping[str, Any], file: str, published_at: str) -> list[Command]:
    """Return the command that makes the server trust a published certificate."""
    incus = (row.get("server") or {}).get("flavour") == "incus"
    program = "incus config trust add-certificate" if incus else "lxc config trust add"
    url = _certificate_url(file, published_at)
    arguments = ("--name", f"{row['owner']}-{row['vmhost']}", "--restricted", "--projects", str(row["project"]))
    words = " ".join(shlex.quote(word) for word in arguments)
    return [Command("Trust the certificate, on the server", f"curl -fsS {shlex.quote(url)} | {program} - {words}")]


def fetch_command(file: str, published_at: str) -> Command:
    """Return the command that downloads a published certificate."""
    return Command("Fetch", f"curl -fsSO {shlex.quote(_certificate_url(file, published_at))}")


def vm_commands(vm: Mapping[str, Any]) -> list[Command]:
    """Return the commands for a VM in its current state; none for a VM that is, or may be, enlisted."""
    named = _VM.fullmatch(vm["name"]) and _VMHOST.fullmatch(vm["vmhost"])
    if vm.get("enlisted") is not False or not named:
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


def log_command(vm: Mapping[str, Any], flavour: Optional[str]) -> str:
    """Return the command that shows LXD's log of a VM on the server; none for what can't be a VM's name."""
    if not _VM.fullmatch(vm["name"]):
        return ""
    words = ("incus" if flavour == "incus" else "lxc", "info", vm["name"], "--show-log", "--project", vm["project"])
    return " ".join(shlex.quote(word) for word in words)


def _certificate_url(file: str, published_at: str) -> str:
    return f"{published_at or _UNPUBLISHED}certificates/{file}.crt"


def _task(module: str, options: Mapping[str, Any]) -> str:
    # JSON escapes every character beyond ASCII, so that a name has no effect in a shell or a terminal.
    return f"{_ANSIBLE} -m tenantry.lxd.{module} -a {shlex.quote(json.dumps(options))}"
