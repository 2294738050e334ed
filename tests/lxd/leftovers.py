# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a daemon has put on this machine outside its directory, found from outside, and its removal.

Nothing here asks the daemon: it works as well after a crash. A process is taken for one of the daemon's when it carries
the daemon's mark in its environment, which children inherit; a shell with LXD_DIR set does not carry it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.lxd.deadline import until

MARK = "TENANTRY_BED_DAEMON"
_LINKS = Path("/sys/class/net")


@dataclasses.dataclass(frozen=True)
class Leftovers:
    """Processes by number, mount points, links and nft chains (family, table, chain) that belong to one directory."""

    processes: list[int]
    mounts: list[str]
    links: list[str]
    chains: list[tuple[str, str, str]]

    def lines(self) -> list[str]:
        """One line for each thing; empty when there is nothing."""
        chains = [" ".join(chain) for chain in self.chains]
        named: dict[str, Sequence[object]] = {
            "process": self.processes,
            "mount": self.mounts,
            "link": self.links,
            "nft chain": chains,
        }
        return [f"{kind} {thing}" for kind, things in named.items() for thing in things]


def find(directory: str, bridge: str) -> Leftovers:
    """All that the daemon of `directory`, whose own bridge is `bridge`, has on this machine."""
    links = links_of(directory, bridge)
    return Leftovers(processes_of(directory), mounts_of(directory), links, chains_of([*links, bridge]))


def erase(directory: str, bridge: str) -> None:
    """Remove all of it, and the directory. Can be cut short anywhere and run again."""
    end_processes(directory)
    links = links_of(directory, bridge)
    for family, table, chain in chains_of([*links, bridge]):
        subprocess.run(["nft", "delete", "chain", family, table, chain], capture_output=True, check=False)
    # What hangs on a bridge comes first in the list: it is found through the bridge.
    for link in links:
        subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False)
    detach_loops(directory)
    for mount in reversed(mounts_of(directory)):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    left = find(directory, bridge).lines()
    if left:
        raise RuntimeError(f"{directory}: could not be cleaned, left are {', '.join(left)}")
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        # A second time and loudly: a dying process may have written during the first.
        shutil.rmtree(directory)


def processes_of(directory: str) -> list[int]:
    """The processes that the daemon of `directory` started, itself included."""
    mark = f"{MARK}={directory}".encode()
    return [pid for pid in _processes() if mark in _read(pid, "environ").split(b"\0") or _monitored(pid, directory)]


def end_processes(directory: str, seconds: float = 10) -> None:
    """Kill them all, and those that they start meanwhile."""

    def none_left() -> bool:
        found = processes_of(directory)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    until(none_left, seconds, f"{directory}: the end of its processes")


def guests_of(directory: str, project: str) -> list[int]:
    """Return the QEMU processes of the project's VMs that the daemon of `directory` started."""
    # LXD names a VM's log folder after its project too, but for project default; a VM's name has no underscore.
    name = r"[^/_]+" if project == "default" else f"{re.escape(project)}_[^/]+"
    mark = re.compile(f"{re.escape(directory)}/logs/{name}/".encode())
    return [
        pid
        for pid in processes_of(directory)
        if b"qemu-system" in _read(pid, "cmdline").split(b"\0")[0] and mark.search(_read(pid, "cmdline"))
    ]


def kill_guests(directory: str, project: str, seconds: float = 10) -> list[int]:
    """Kill the project's QEMU processes, hung ones too, and return their numbers."""
    killed: set[int] = set()

    def none_left() -> bool:
        found = guests_of(directory, project)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(found)
        return not found

    until(none_left, seconds, f"{directory}: the end of the QEMU processes of project {project}")
    return sorted(killed)


def mounts_of(directory: str) -> list[str]:
    """Mount points in `directory`, in the order in which they were mounted."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4]) for line in lines]
    return [point for point in points if point.startswith(f"{directory}/")]


def loops_of(directory: str) -> list[str]:
    """The loop devices of files in `directory`: a machine's disks."""
    listed = subprocess.run(["losetup", "--json", "--list"], capture_output=True, text=True, check=False)
    found = json.loads(listed.stdout or "{}").get("loopdevices", [])
    return [str(loop["name"]) for loop in found if str(loop["back-file"]).startswith(f"{directory}/")]


def detach_loops(directory: str) -> None:
    """Free them."""
    for loop in loops_of(directory):
        subprocess.run(["losetup", "--detach", loop], capture_output=True, check=False)


def links_of(directory: str, bridge: str) -> list[str]:
    """Bridges of the daemon, each after what hangs on it: a killed machine leaves its tap there."""
    known = Path(directory, "networks")
    names = {bridge, *(os.listdir(known) if known.is_dir() else ())}
    bridges = sorted(name for name in names if (_LINKS / name / "bridge").is_dir())
    return [*(port for name in bridges for port in sorted(os.listdir(_LINKS / name / "brif"))), *bridges]


def chains_of(links: list[str]) -> list[tuple[str, str, str]]:
    """Chains of LXD's tables that are named after one of `links`, or that have a rule which names one."""
    listed = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, text=True, check=False)
    entries = json.loads(listed.stdout or "{}").get("nftables", []) if shutil.which("nft") else []
    wanted = set(links)
    found = {
        (body["family"], body["table"], body["name"] if kind == "chain" else body["chain"]): None
        for entry in entries
        for kind, body in entry.items()
        if kind in ("chain", "rule") and body["table"] == "lxd" and wanted & _names_in(kind, body)
    }
    return list(found)


def remove_empty_tables() -> None:
    """Remove LXD's nft tables where no daemon has a chain in them. Only for when no daemon of the bed is left."""
    listed = subprocess.run(["nft", "-j", "list", "chains"], capture_output=True, text=True, check=False)
    chains = [entry["chain"] for entry in json.loads(listed.stdout or "{}").get("nftables", []) if "chain" in entry]
    used = {chain["family"] for chain in chains if chain["table"] == "lxd"}
    for family in {"inet", "ip", "ip6", "bridge"} - used:
        subprocess.run(["nft", "delete", "table", family, "lxd"], capture_output=True, check=False)


def _names_in(kind: str, body: dict[str, object]) -> set[str]:
    """The last part of a chain's name (fwd.BRIDGE), or each word of a rule."""
    if kind == "chain":
        return {str(body["name"]).partition(".")[2]}
    return set(re.findall(r'"([^"]+)"', json.dumps(body["expr"])))


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _monitored(pid: int, directory: str) -> bool:
    """Whether it is a container's monitor, which overwrites its environment with its title, or a child of one."""
    title = b"[lxc monitor] %s/" % directory.encode()
    if _read(pid, "cmdline").startswith(title):
        return True
    parent = _read(pid, "stat").rpartition(b")")[2].split()[1:2]
    return bool(parent) and _read(int(parent[0]), "cmdline").startswith(title)


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""
