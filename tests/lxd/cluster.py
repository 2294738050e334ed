# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throwaway cluster: daemons with a network of their own each, side by side on this machine.

Each member lives in a network namespace, on one switch with the others and with this machine, and sees its own /sys:
so every member has the cluster's managed bridge, which on one network could exist only once. The namespaces have no
names. A process of the member's holds them, and what was in them goes with it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.lxd import leftovers
from tests.lxd.admin import ApiError
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.place import Place, default_root, find
from tests.lxd.request_log import Request

_PORT = 8443
_PREFIX = 24
# The host's own place on the switch: what members see as the address of a client of ours.
_HOST = 254
# Seconds for one answer of a member that is well.
_PROMPT = 2.0
_HOLDER = ["sleep", "infinity"]
# sysfs shows the links of the network namespace that it was mounted in. What is below /sys comes along, but for that.
_HOLD = (
    "mount -t sysfs sysfs /mnt && mount --rbind /sys/fs/cgroup /mnt/fs/cgroup && mount --move /mnt /sys "
    f"&& exec {' '.join(_HOLDER)}"
)


class Member(Daemon):
    """One daemon of a cluster; `switch` and `subnet` (three numbers) are the cluster's, `number` counts from 1."""

    def __init__(self, place: Place, debug: bool = True, *, switch: str = "", subnet: str = "", number: int = 0):
        super().__init__(place, debug)
        self.member = f"m{number}"
        self.ip = f"{subnet}.{number}"
        self.address = f"{self.ip}:{_PORT}"
        self.url = f"https://{self.address}"
        self._switch, self._link = switch, f"{switch}v{number}"
        self._holding: subprocess.Popen[bytes] | None = None

    @property
    def certificate(self) -> str:
        """What every member of the cluster shows, PEM."""
        shared = self.directory / "cluster.crt"
        return shared.read_text() if shared.exists() else super().certificate

    def unplug(self) -> None:
        """Take the member off the network, as a power cut looks from outside: nothing refuses, nothing answers."""
        _ip("link", "set", self._link, "down")

    def plug(self) -> None:
        """Put it back."""
        _ip("link", "set", self._link, "up")

    def run(self, command: list[str], text: str = "") -> str:
        """What a program says that runs in the member's namespaces, with its daemon to talk to."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            self._inside(command), input=text, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def destroy(self) -> None:
        """Leave nothing: see Daemon.destroy; the namespaces end with the process that holds them."""
        super().destroy()
        if self._holding is not None:
            self._holding.wait(10)

    def _command(self) -> list[str]:
        if not self._holder:
            self._hold()
        return self._inside(super()._command())

    def _inside(self, command: list[str]) -> list[str]:
        return ["nsenter", f"--target={self._holder}", "--net", "--mount", "--wd=/", *command]

    @property
    def _holder(self) -> int:
        wanted = "\0".join(_HOLDER).encode() + b"\0"
        for pid in leftovers.processes_of(self.place.directory):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes() == wanted:
                    return pid
        return 0

    def _hold(self) -> None:
        """Make the namespaces, and a wire from the switch into them."""
        self._holding = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", _HOLD],
            env={**os.environ, leftovers.MARK: self.place.directory},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        holder = until(lambda: self._holder, 10, f"{self.name}: its namespaces")
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "uplink", "netns", str(holder))
        _ip("link", "set", self._link, "master", self._switch, "up")
        for said in (
            ["link", "set", "lo", "up"],
            ["address", "add", f"{self.ip}/{_PREFIX}", "dev", "uplink"],
            ["link", "set", "uplink", "up"],
        ):
            self.run(["ip", *said])

    def _set_up(self) -> None:
        """The cluster does it for all members."""


class Cluster:
    """Daemons that form one cluster: m1, m2, m3, each with a pool `default`, and with one bridge for them all."""

    def __init__(self, members: tuple[Member, ...]) -> None:
        self.members = members
        self.switch = members[0].place.bridge
        # A name and a subnet that nobody else on this machine has: a bridge of that name is in each namespace.
        self.bridge = members[1].place.bridge
        self._gateway = members[1].place.gateway

    @classmethod
    def new(cls, name: str, size: int = 3, root: Path | None = None, owned: bool = False) -> Cluster:
        """A cluster that was not there before, not started yet. `owned` as for Daemon.new."""
        members: list[Member] = []
        for number in range(1, size + 1):
            place = Daemon.new(f"{name}-{number}", root, owned).place
            first = members[0].place if members else place
            members.append(Member(place, switch=first.bridge, subnet=first.subnet, number=number))
        return cls(tuple(members))

    def __enter__(self) -> Cluster:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    # Running

    def start(self) -> Cluster:
        """Run the daemons and form the cluster."""
        _ip("link", "add", self.switch, "type", "bridge")
        _ip("address", "add", f"{self.members[0].place.subnet}.{_HOST}/{_PREFIX}", "dev", self.switch)
        _ip("link", "set", self.switch, "up")
        with ThreadPoolExecutor(len(self.members)) as starting:
            list(starting.map(lambda member: member.start(), self.members))
        self._found()
        for member in self.members[1:]:
            self._join(member)
        return self

    def destroy(self) -> None:
        """Leave nothing of any member, nor the switch."""
        for member in reversed(self.members):
            member.destroy()

    def __getitem__(self, member: str) -> Member:
        return next(each for each in self.members if each.member == member)

    def status(self, member: str) -> str:
        """The status of a member as the first other one tells it that knows; empty where none does."""
        for asked in sorted(self.members, key=lambda each: each.member == member):
            told = self._told_by(asked)
            if told:
                return told[member]
        return ""

    def awaits(self, member: str, status: str, seconds: float = 90) -> None:
        """Wait until the cluster calls a member so: one that died is Online for 20 seconds more."""
        until(lambda: self.status(member) == status, seconds, f"{member}: {status}", every=0.3)

    def heal(self) -> None:
        """Every member running, on the network, not evacuated, called Online by each, answering through the first."""
        hurt = not all(member.running for member in self.members) or not self._whole()
        for member in self.members:
            member.plug()
            if not member.running:
                member.start()
        until(lambda: all(self._told_by(member) for member in self.members), 90, "an answer of each member", every=0.3)
        for member in self.members:
            if self.status(member.member) == "Evacuated":
                self.api("POST", f"/1.0/cluster/members/{member.member}/state", {"action": "restore"}, timeout=120)
        until(self._whole, 90, "all members Online", every=0.3)
        if hurt:
            # One that came back is called Online before others reach it again.
            until(self._reached, 90, "an answer of each member through the first", every=0.3)

    def _reached(self) -> bool:
        began = time.monotonic()
        with contextlib.suppress(OSError, ApiError):
            for member in self.members:
                self.members[0].api("GET", "/1.0/resources", query={"target": member.member}, timeout=20)
            return time.monotonic() - began < _PROMPT * len(self.members)
        return False

    def _whole(self) -> bool:
        return all(set(self._told_by(member).values()) == {"Online"} for member in self.members)

    def _told_by(self, asked: Member) -> dict[str, str]:
        """What one member says of all; nothing where it has lost the others, or doesn't run."""
        with contextlib.suppress(OSError, ApiError):
            found = asked.api("GET", "/1.0/cluster/members", query={"recursion": 1}, timeout=20)
            return {each["server_name"]: each["status"] for each in found}
        return {}

    # Asking it: what a Daemon answers too

    @property
    def urls(self) -> list[str]:
        """The addresses of all members."""
        return [member.url for member in self.members]

    @property
    def url(self) -> str:
        """The address of the first."""
        return self.urls[0]

    @property
    def certificate(self) -> str:
        """What every member shows, PEM."""
        return self.members[0].certificate

    @property
    def answering(self) -> Member:
        """The first member that runs."""
        return next(member for member in self.members if member.running)

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, object] | None = None,
        wait: bool = True,
        timeout: float = 60,
    ) -> Any:
        """One request as administrator, to a member that runs: see Admin.api."""
        return self.answering.api(method, path, body, query, wait, timeout)

    def trust(self, certificate: str, name: str = "test", projects: Iterable[str] | None = None) -> str:
        """See Daemon.trust."""
        return self.answering.trust(certificate, name, projects)

    def fingerprint_of_world(self, exclude_project: str | Iterable[str] = ()) -> dict[str, Any]:
        """See Daemon.fingerprint_of_world; of instances it holds what the cluster's database has, wherever they are."""
        return self.answering.fingerprint_of_world(exclude_project)

    @contextlib.contextmanager
    def requests(self) -> Iterator[list[Request]]:
        """The list that, after the block, holds each request of ours to a running member; theirs are left out."""
        marks = {member: member.request_mark() for member in self.members if member.running}
        found: list[Request] = []
        yield found
        here = f"{self.members[0].place.subnet}.{_HOST}:"
        for member, mark in marks.items():
            found += [request for request in member.requests_since(mark) if request.client.startswith(here)]

    # Inside

    def _found(self) -> None:
        first = self.members[0]
        address = f"{self._gateway}/{_PREFIX}"
        first.api("PATCH", "/1.0", {"config": {"core.https_address": first.address}})
        first.api("POST", "/1.0/storage-pools", {"name": "default", "driver": "dir"})
        config = {"ipv4.address": address, "ipv4.nat": "false", "ipv6.address": "none"}
        first.api("POST", "/1.0/networks", {"name": self.bridge, "type": "bridge", "config": config})
        root = {"type": "disk", "path": "/", "pool": "default"}
        eth0 = {"type": "nic", "network": self.bridge, "name": "eth0"}
        first.api("PATCH", "/1.0/profiles/default", {"devices": {"root": root, "eth0": eth0}})
        first.api("PUT", "/1.0/cluster", {"server_name": first.member, "enabled": True})

    def _join(self, member: Member) -> None:
        token = self.members[0].run(["lxc", "cluster", "add", member.member]).split()[-1]
        said = [
            "cluster:",
            "  enabled: true",
            f"  server_name: {member.member}",
            f"  server_address: {member.address}",
            f"  cluster_token: {token}",
            "  member_config: [{entity: storage-pool, name: default, key: source, value: ''}]",
        ]
        member.run(["lxd", "init", "--preseed"], "\n".join(said))


def existing(name: str, root: Path | None = None) -> Cluster:
    """The cluster called `name` that an earlier process made."""
    members: list[Member] = []
    while (place := find(f"{name}-{len(members) + 1}", root or default_root())) is not None:
        first = members[0].place if members else place
        members.append(Member(place, switch=first.bridge, subnet=first.subnet, number=len(members) + 1))
    if not members:
        raise LookupError(f"cluster {name}: there is none")
    return Cluster(tuple(members))


def _ip(*said: str) -> None:
    subprocess.run(["ip", *said], check=True, capture_output=True)
