# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target machine: Debian with systemd as process 1 and sshd, and nothing of LXD unless said, to deploy on.

It is a system container of a daemon of the bed, and behaves as a server does: one reaches it by ssh as root, or as a
user with sudo; it reboots; its power can be cut; it installs packages from the mirror; an LXD on it runs containers and
virtual machines, the micro machine among them.

    with Daemon.new("outer", owned=True) as daemon, Machine(daemon, "h1") as machine:
        machine.run("apt-get install -qq -y --no-install-recommends lxd")
        hosts = {"h1": machine.inventory}

In tests the fixture `outer` is such a daemon. Name an IPv4 subnet for a bridge of an LXD inside: where this machine's
network answers for every address, LXD finds none that is free by itself.

Measured on two cores with much else running: 5 s from nothing to ssh, and 2 s for each power cut and start. Once for
each bed the systems are built (190 s; 90 s on an idle machine), and once for each daemon and variant 5 s go into the
image. In the machine `apt-get update` takes 3 s, installing LXD 15 s and QEMU another 18 s; a micro VM in it has an
address after 17 s. A file system can be mounted, and a pool be made on a disk or a loop file, where `privileged`: btrfs
does, LVM wants a device mapper that not every kernel has.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.lxd import leftovers
from tests.lxd.admin import ApiError
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.gaps import Gaps
from tests.lxd.machine_image import BED, USER, import_system, systems

_CONFIG = {
    "security.nesting": "true",
    # An LXD inside makes groups of its own for what runs there.
    "raw.lxc": "lxc.mount.auto=cgroup:mixed:force",
}
_NOTHING = {"major": "1", "minor": "3"}


class Machine:
    """One machine. `variant`: see machine_image; `privileged` may mount file systems and use loop devices.

    `files` (path: text) are there before its first start, `config` is LXD's for the container.
    """

    def __init__(
        self,
        daemon: Daemon,
        name: str,
        variant: str = "plain",
        *,
        privileged: bool = False,
        files: Mapping[str, str] | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        self.daemon, self.name, self.variant = daemon, name, variant
        self._systems = systems(Path(daemon.place.root))
        self._privileged = privileged
        self._files = dict(files or {})
        self._config = {**_CONFIG, **({"security.privileged": "true"} if privileged else {}), **(config or {})}
        self._path = f"/1.0/instances/{name}"

    def __enter__(self) -> Machine:
        self.create()
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    # Life

    def create(self) -> None:
        """Make it, not running."""
        alias = import_system(self.daemon, self.variant, self._systems)
        # Out to the mirror, as this machine itself.
        self.daemon.api("PATCH", f"/1.0/networks/{self.daemon.bridge}", {"config": {"ipv4.nat": "true"}})
        body = {
            "name": self.name,
            "type": "container",
            "source": {"type": "image", "alias": alias},
            "config": self._config,
            "devices": {**_devices(self.daemon.gaps), **(_loops() if self._privileged else {})},
        }
        self.daemon.api("POST", "/1.0/instances", body, timeout=120)
        for path, text in self._files.items():
            self._put(path, text)

    def start(self) -> Machine:
        """Power on, until ssh lets in."""
        self._act("start")
        until(self._lets_in, 60, f"{self.name}: ssh", every=0.1)
        return self

    def stop(self) -> None:
        """Shut down, as an administrator does."""
        self._act("stop", timeout=60)

    def kill(self) -> None:
        """Cut the power: what ran is gone, what was not on the disk too."""
        self._act("stop", force=True)

    def destroy(self) -> None:
        """Take it away with all that was in it, its disks too."""
        with contextlib.suppress(ApiError):
            self.kill()
        with contextlib.suppress(ApiError):
            self.daemon.api("DELETE", self._path)
        leftovers.detach_loops(str(self._disks))
        shutil.rmtree(self._disks, ignore_errors=True)

    # Reaching it

    @property
    def address(self) -> str:
        """Its IPv4 address, empty until it has one."""
        state = self.daemon.api("GET", f"{self._path}/state")
        told = ((state["network"] or {}).get("eth0") or {}).get("addresses", [])
        return next((str(each["address"]) for each in told if each["family"] == "inet"), "")

    @property
    def ssh_arguments(self) -> list[str]:
        """What ssh wants to know to get in, the machine's host key among it; user and address are not in it."""
        key, known = self._systems.key, self._systems.known_hosts
        said = {"IdentitiesOnly": "yes", "StrictHostKeyChecking": "yes", "UserKnownHostsFile": str(known)}
        options = [part for option, value in said.items() for part in ("-o", f"{option}={value}")]
        return ["-F", "none", "-i", str(key), *options]

    def run(self, script: str, text: str = "", user: str = "root") -> str:
        """What a shell script says that runs on it, over ssh; RuntimeError with its words when it fails."""
        done = self._ssh(script, text, user)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {script}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    @property
    def inventory(self) -> dict[str, Any]:
        """What an inventory says of it: real ssh as a user without rights, who becomes root."""
        return {
            "ansible_host": self.address,
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(self._systems.key),
            "ansible_ssh_common_args": shlex.join(self.ssh_arguments),
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    # Having LXD inside

    def api(self, method: str, path: str, body: object = None) -> Any:
        """One request to the LXD inside, by its unix socket, as `lxc query` makes it."""
        said = f"lxc query --wait --request {method} {shlex.quote(path)}"
        answer = self.run(said if body is None else f'{said} --data "$(cat)"', json.dumps(body))
        return json.loads(answer) if answer.strip() else None

    def import_micro(self, project: str = "default") -> None:
        """Have the micro machine in a project of the LXD inside, under the alias `micro`."""
        self.run(f"lxc image import {BED}/micro.tar {BED}/micro.qcow2 --alias micro --project {project}")

    # Disks

    def add_disk(self, name: str, mib: int) -> str:
        """Plug in an empty disk; returns its path inside."""
        self._disks.mkdir(exist_ok=True)
        file = self._disks / name
        with open(file, "wb") as disk:
            disk.truncate(mib << 20)
        said = subprocess.run(
            ["losetup", "--find", "--show", str(file)], check=True, capture_output=True, text=True
        ).stdout.strip()
        device = {"type": "unix-block", "source": said, "path": said, "mode": "0660"}
        self.daemon.api("PATCH", self._path, {"devices": {f"disk-{name}": device}})
        return said

    # Inside

    @property
    def _disks(self) -> Path:
        return self.daemon.directory / f"disks-{self.name}"

    def _act(self, action: str, **more: object) -> None:
        self.daemon.api("PUT", f"{self._path}/state", {"action": action, **more}, timeout=120)

    def _put(self, path: str, text: str) -> None:
        parent = str(Path(path).parent)
        for each in [*reversed(Path(parent).parents), Path(parent)][1:]:
            self._post_file(str(each), b"", "directory")
        self._post_file(path, text.encode(), "file")

    def _post_file(self, path: str, content: bytes, kind: str) -> None:
        headers = {"X-LXD-type": kind, "X-LXD-mode": "0755" if kind == "directory" else "0644"}
        target = f"{self._path}/files?path={path}"
        status, body = self.daemon.admin.raw("POST", target, content, {**headers, "X-LXD-uid": "0", "X-LXD-gid": "0"})
        if status != 200 and kind == "file":
            raise ApiError(status, body.decode(errors="replace"))

    def _ssh(self, script: str, text: str, user: str) -> subprocess.CompletedProcess[str]:
        command = ["ssh", *self.ssh_arguments, "-o", "ConnectTimeout=5", f"{user}@{self.address}", script]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    def _lets_in(self) -> bool:
        return bool(self.address) and self._ssh("true", "", USER).returncode == 0


def _devices(gaps: Gaps | None) -> dict[str, dict[str, str]]:
    """What an LXD inside needs for machines. Where there is no vsock, a device that does nothing has its name."""
    found = {
        name.replace("/", "-").removeprefix("-dev-"): {"type": "unix-char", "source": name, "path": name}
        for name in ("/dev/kvm", "/dev/vsock", "/dev/net/tun", "/dev/vhost-vsock", "/dev/fuse")
        if os.path.exists(name)
    }
    if gaps and gaps.vsock:
        found["vhost-vsock"] = {"type": "unix-char", "path": "/dev/vhost-vsock", "mode": "0666", **_NOTHING}
    return found


def _loops() -> dict[str, dict[str, str]]:
    """The devices that a file is mounted through."""
    control = {"loop-control": {"type": "unix-char", "source": "/dev/loop-control", "path": "/dev/loop-control"}}
    numbered = sorted(path.name for path in Path("/dev").glob("loop[0-9]*"))
    return {
        **control,
        **{name: {"type": "unix-block", "source": f"/dev/{name}", "path": f"/dev/{name}"} for name in numbered},
    }
