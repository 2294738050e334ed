# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command for each thing that a person may want to do next, ready for a shell in the user's repository."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

_ANSIBLE = "ansible localhost -i inventory"
_RUNS = ("Running", "Ready")
# What ansible takes a command's options for is a template: braces in a name would do something where it is run.
_VM = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VMHOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_WHERE = "https://WHERE-THIS-IS-PUBLISHED/"


class Command(NamedTuple):
    """What it is for, and the line."""

    title: str
    line: str


def of_vmhost(name: str) -> list[Command]:
    """What can be done with a VM host; nothing by a name that the registry would refuse."""
    if not _VMHOST.fullmatch(name):
        return []
    limited = f"--limit {shlex.quote(name)}"
    new = [{"name": "NEW", "cores": 2, "memory": "4GiB", "image": "IMAGE"}]
    return [
        Command("Compose a VM", _task("lxd_vm_compose", {"vmhost": name, "vms": new})),
        Command("Refresh", _task("lxd_vmhost_info", {"vmhosts": [name]})),
        Command("Compose what the inventory says", f"ansible-playbook -i inventory tenantry.lxd.compose {limited}"),
        Command("Remove, VMs stay", f"ansible-playbook -i inventory tenantry.lxd.remove {limited}"),
    ]


def of_certificate(row: Mapping[str, Any], file: str, published_at: str) -> list[Command]:
    """How the server comes to trust a certificate that is on a web server: fetched, and given to its own client."""
    incus = (row.get("server") or {}).get("flavour") == "incus"
    program = "incus config trust add-certificate" if incus else "lxc config trust add"
    url = _published(file, published_at)
    said = ("--name", f"{row['owner']}-{row['vmhost']}", "--restricted", "--projects", str(row["project"]))
    words = " ".join(shlex.quote(word) for word in said)
    return [Command("On the server, trust it", f"curl -fsS {shlex.quote(url)} | {program} - {words}")]


def of_file(file: str, published_at: str) -> Command:
    """How a certificate is fetched from a web server."""
    return Command("Fetch", f"curl -fsSO {shlex.quote(_published(file, published_at))}")


def of_vm(vm: Mapping[str, Any]) -> list[Command]:
    """What can be done with a VM of ours as it is now; nothing with one that was enlisted, or may have been."""
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


def of_log(vm: Mapping[str, Any], flavour: Optional[str]) -> str:
    """The line that shows on the server what LXD wrote about a VM; none for what can't be a VM's name."""
    if not _VM.fullmatch(vm["name"]):
        return ""
    words = ("incus" if flavour == "incus" else "lxc", "info", vm["name"], "--show-log", "--project", vm["project"])
    return " ".join(shlex.quote(word) for word in words)


def _published(file: str, published_at: str) -> str:
    return f"{published_at or _WHERE}certificates/{file}.crt"


def _task(module: str, options: Mapping[str, Any]) -> str:
    # JSON writes every character beyond ASCII as a number, so that a name does nothing in a shell or a terminal.
    return f"{_ANSIBLE} -m tenantry.lxd.{module} -a {shlex.quote(json.dumps(options))}"
