# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one daemon lives: directory, port, bridge and subnet, used by nobody else, written down until it is gone."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import random
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

# A unix socket's path holds 107 characters. LXD puts one at devices/PROJECT_INSTANCE/virtio-fs.DEVICE.sock, which
# wants about 70 of them for names of a usual length.
LONGEST_DIRECTORY = 37
# Below the range from which the kernel takes ports for outgoing connections, so a port found free stays free.
PORTS = range(20000, 30000)
# What every bridge of the bed begins with.
BRIDGES = "tb"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def default_root() -> Path:
    """The directory of everything the bed keeps: $TENANTRY_BED, or .build/lxd in this repository."""
    said = os.environ.get("TENANTRY_BED")
    return Path(said).absolute() if said else Path(__file__).resolve().parents[2] / ".build" / "lxd"


def process_start(pid: int) -> str:
    """When process `pid` started, in clock ticks: tells it from a later one of that number. Empty: no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclasses.dataclass(frozen=True)
class Place:
    """What one daemon occupies. `owner` is the process (a test run) that it must not outlive, 0 when it may."""

    name: str
    root: str
    directory: str
    port: int
    bridge: str
    subnet: str
    owner: int = 0
    owner_start: str = ""

    @property
    def file(self) -> Path:
        """The written-down state, there from before the daemon's first start until nothing of it is left."""
        return Path(self.root) / "state" / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """Everything the daemon says."""
        return self.file.with_suffix(".log")

    @property
    def programs(self) -> Path:
        """The directory of stand-ins, first in the daemon's PATH."""
        return self.file.with_suffix(".bin")

    @property
    def gateway(self) -> str:
        """The bridge's own address."""
        return f"{self.subnet}.1"

    @property
    def abandoned(self) -> bool:
        """Whether its owner ended without taking it down."""
        return bool(self.owner) and process_start(self.owner) != self.owner_start

    def forget(self) -> None:
        """Delete the files about it, the written-down state last, so that a run cut short can be repeated."""
        shutil.rmtree(self.programs, ignore_errors=True)
        self.log.unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)


def places(root: Path) -> list[Place]:
    """All that is written down under `root`."""
    return [Place(**json.loads(file.read_text())) for file in sorted((root / "state").glob("*.json"))]


def find(name: str, root: Path) -> Place | None:
    """The place called `name`, if there is one."""
    return next((place for place in places(root) if place.name == name), None)


def reserve(name: str, root: Path, owned: bool) -> Place:
    """A new place called `name`, written down at once. `owned`: it is abandoned when this process ends."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"daemon name {name!r}: want a letter, then up to 30 of a-z, 0-9 and -")
    with _locked(root):
        taken = places(root)
        if any(place.name == name for place in taken):
            raise FileExistsError(f"daemon {name}: there is one already; take it down first")
        place = Place(
            name=name,
            root=str(root),
            directory=_directory(root, name),
            port=_free_port({place.port for place in taken}),
            bridge=f"{BRIDGES}{secrets.token_hex(4)}",
            subnet=_free_subnet({place.subnet for place in taken}),
            owner=os.getpid() if owned else 0,
            owner_start=process_start(os.getpid()) if owned else "",
        )
        draft = place.file.with_suffix(".new")
        draft.write_text(json.dumps(dataclasses.asdict(place), indent=1))
        draft.rename(place.file)
    return place


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One reservation at a time under `root`."""
    (root / "state").mkdir(parents=True, exist_ok=True)
    with open(root / "state" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _directory(root: Path, name: str) -> str:
    """A directory for LXD: below `root` where the path is short and everybody may pass through it, else in /tmp."""
    wanted = root / name
    passable = all(parent.stat().st_mode & 0o001 for parent in wanted.parents)
    if passable and len(str(wanted)) <= LONGEST_DIRECTORY:
        wanted.mkdir()
        return str(wanted)
    return tempfile.mkdtemp(prefix="tenantry-bed-", dir="/tmp")


def _free_port(taken: set[int]) -> int:
    for port in random.sample(PORTS, len(PORTS)):
        if port in taken:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no free port between {PORTS.start} and {PORTS.stop}")


def _free_subnet(taken: set[str]) -> str:
    """Three numbers of a /24 that no route of this machine knows."""
    routes = subprocess.run(["ip", "-4", "route", "show", "table", "all"], capture_output=True, text=True, check=True)
    known = taken | set(re.findall(r"\b(\d+\.\d+\.\d+)\.\d+", routes.stdout))
    candidates = [f"10.{second}.{third}" for second in range(201, 251) for third in range(256)]
    return next(subnet for subnet in random.sample(candidates, len(candidates)) if subnet not in known)
