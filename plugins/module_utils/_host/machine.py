# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""This machine, as its kernel and its files tell of it."""

from __future__ import annotations

import json
import os
import shlex
import stat
from typing import Any, Optional

from . import programs

_INTERFACES = "/sys/class/net"

_FLAGS = ("vmx", "svm")


def release() -> tuple[str, tuple[int, ...], str]:
    """The distribution, its release as numbers, and what it calls itself."""
    said = {}
    for line in programs.lines("/etc/os-release"):
        key, equals, value = line.partition("=")
        if equals:
            said[key] = _unquote(value)
    numbers = tuple(int(part) for part in said.get("VERSION_ID", "").split(".") if part.isdigit())
    # One that has no number yet is newer than all that have.
    return said.get("ID", ""), numbers or (9999,), said.get("PRETTY_NAME", "")


def _unquote(value: str) -> str:
    try:
        return "".join(shlex.split(value))
    except ValueError:
        # A quote that nobody closed: what is there is still its name.
        return value.strip("\"' ")


def memory() -> int:
    """Bytes in all."""
    for line in programs.lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) << 10
    return 0


def hugepages(wanted: int) -> dict[str, int]:
    """The size of a huge page in bytes, how many hold `wanted` bytes, and how many there are now."""
    said = [line.split()[1] for line in programs.lines("/proc/meminfo") if line.startswith("Hugepagesize:")]
    size = int(said[0]) << 10 if said else 2 << 20
    now = programs.text("/proc/sys/vm/nr_hugepages").strip()
    return {"size": size, "count": -(-wanted // size), "now": int(now or 0)}


def is_device(path: str) -> bool:
    """Whether there is a character device of that name."""
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except OSError:
        return False


def cpu_virtualisation() -> bool:
    """Whether the processor says that it can."""
    words = set(programs.text("/proc/cpuinfo").split())
    return any(flag in words for flag in _FLAGS) or os.uname().machine == "aarch64"


def modules(names: tuple[str, ...]) -> frozenset[str]:
    """Of some kernel modules those that are in use, built in, or there to load."""
    folder = f"/lib/modules/{os.uname().release}"
    listed = programs.lines(f"{folder}/modules.dep") + programs.lines(f"{folder}/modules.builtin")
    there = {os.path.basename(line.split(":")[0]).split(".ko")[0].replace("-", "_") for line in listed}
    there |= {line.split()[-1] for line in programs.lines("/proc/filesystems") if line.split()}
    mapper = "device-mapper" in programs.text("/proc/misc") + programs.text("/proc/devices")
    there |= {"dm_mod"} if mapper else set()
    there |= {line.split()[0].replace("-", "_") for line in programs.lines("/proc/modules")}
    there |= {name for name in names if os.path.isdir(f"/sys/module/{name}")}
    return frozenset(there & set(names))


def is_clock_synchronised() -> Optional[bool]:
    """Whether something keeps the clock right; None where nobody can tell."""
    said = programs.run("timedatectl", "show", "--property=NTPSynchronized", "--value", seconds=10)
    if said is None or said.code:
        return None
    return said.out.strip() == "yes"


def addresses() -> dict[str, tuple[str, ...]]:
    """The addresses of each network interface."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(sorted(os.listdir("/sys/class/net")), ())
    for link in ip("address"):
        told = link.get("addr_info") or ()
        found[link["ifname"]] = tuple(each["local"] for each in told if each.get("scope") == "global")
    return found


def masters() -> dict[str, str]:
    """The bridge or bond of each network interface that is a port of one."""
    links = {name: os.path.join(_INTERFACES, name, "master") for name in sorted(os.listdir(_INTERFACES))}
    return {name: os.path.basename(os.readlink(link)) for name, link in links.items() if os.path.islink(link)}


def ssh_interface(known: dict[str, tuple[str, ...]]) -> str:
    """The interface that Ansible's connection comes in by, else that of the default route."""
    ours, at, scope = ssh_address().partition("%")
    if at and scope in known:
        return scope
    for name, has in known.items():
        if ours and ours in has:
            return name
    defaults = [route.get("dev", "") for route in ip("route", "show", "default")]
    return defaults[0] if defaults else ""


def ssh_address() -> str:
    """The address of ours that the SSH session which started us came in by; empty where none did.

    sudo doesn't hand it on, so the parents are asked.
    """
    process = os.getpid()
    while process > 1:
        for entry in programs.text(f"/proc/{process}/environ").split("\0"):
            if entry.startswith("SSH_CONNECTION="):
                words = entry.partition("=")[2].split()
                return words[2] if len(words) == 4 else ""
        status = programs.text(f"/proc/{process}/stat").rpartition(")")[2].split()
        process = int(status[1]) if len(status) > 1 else 0
    return ""


def ip(*words: str) -> list[dict[str, Any]]:
    """What `ip` says of the network."""
    said = programs.run("ip", "-json", *words, seconds=10)
    try:
        return list(json.loads(said.out)) if said and not said.code else []
    except ValueError:
        return []
