# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throwaway LXD: the distribution's daemon with a directory, an address, a bridge and a storage pool of its own."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import ssl
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.lxd import leftovers, packages
from tests.lxd.admin import Admin, ApiError
from tests.lxd.deadline import until
from tests.lxd.gaps import Gaps, make_kvm_device, measure
from tests.lxd.place import Place, default_root, find, reserve
from tests.lxd.request_log import Request, RequestLog
from tests.lxd.world import fingerprint_of_world


class Daemon:
    """One LXD server. Any number run side by side; later processes know each by its name until it is destroyed."""

    def __init__(self, place: Place, debug: bool = True) -> None:
        self.place = place
        self.name = place.name
        self.directory = Path(place.directory)
        self.bridge = place.bridge
        self.address = f"127.0.0.1:{place.port}"
        self.url = f"https://{self.address}"
        self.admin = Admin(place.directory)
        self.gaps: Gaps | None = None
        self._debug = debug
        self._log = RequestLog(place.log, self.admin)
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def new(cls, name: str, root: Path | None = None, owned: bool = False, debug: bool = True) -> Daemon:
        """A daemon that was not there before, not started yet. `owned`: `down` may remove it when this process is gone.

        `debug=False` logs no requests (`requests` is then refused): for measurements, since LXD's debug log holds each
        answer in full.
        """
        return cls(reserve(name, root or default_root(), owned), debug)

    @classmethod
    def existing(cls, name: str, root: Path | None = None) -> Daemon:
        """The daemon called `name` that an earlier process made."""
        place = find(name, root or default_root())
        if place is None:
            raise LookupError(f"daemon {name}: there is none; `python3 -m tests.lxd up {name}` makes one")
        return cls(place)

    def __enter__(self) -> Daemon:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.destroy()

    # Running

    def start(self, timeout: float = 60) -> Daemon:
        """Run it, for the first time or again, until it answers. Machines that ran when it ended run again."""
        packages.require()
        if self.running:
            raise RuntimeError(f"daemon {self.name}: runs already")
        self.gaps = measure(Path(self.place.root))
        self.gaps.write_programs(self.place.programs)
        if self.gaps.kvm:
            make_kvm_device(Path(self.place.root))
        with open(self.place.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self.environment, **self._programs_first()},
            )
        until(self._ready, timeout, f"daemon {self.name}: its first answer; see {self.place.log}")
        self._set_up()
        return self

    @property
    def pid(self) -> int:
        """The daemon's own process, 0 when it does not run."""
        program = os.path.realpath("/usr/bin/lxd")
        found = [pid for pid in leftovers.processes_of(self.place.directory) if self._is_daemon(pid, program)]
        return min(found, default=0)

    @property
    def running(self) -> bool:
        """Whether there is a daemon process."""
        return self.pid != 0

    def stop(self, timeout: float = 10) -> None:
        """End the daemon as a package upgrade does: machines go on running. After `timeout` it is killed."""
        self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """End the daemon as a crash does: machines go on running, operations are lost."""
        self._end(signal.SIGKILL, 10)

    def destroy(self) -> None:
        """Leave nothing: no process, mount, link, nft chain or file. Works on one that was killed or never started."""
        leftovers.erase(self.place.directory, self.bridge)
        if self._process is not None:
            self._process.wait(10)
        self.place.forget()

    # Asking it

    @property
    def environment(self) -> dict[str, str]:
        """What `lxc` and other local programs need in their environment to talk to this daemon."""
        return {"LXD_DIR": self.place.directory}

    @property
    def certificate(self) -> str:
        """The server's certificate, PEM, as it is on disk: what a client has to pin."""
        return (self.directory / "server.crt").read_text()

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, object] | None = None,
        wait: bool = True,
        timeout: float = 60,
    ) -> Any:
        """One request as administrator over the unix socket: see Admin.api. Not counted by `requests`."""
        return self.admin.api(method, path, body, query, wait, timeout)

    def trust(self, certificate: str, name: str = "test", projects: Iterable[str] | None = None) -> str:
        """Trust a client certificate (PEM), for `projects` only where given. Returns its fingerprint."""
        der = ssl.PEM_cert_to_DER_cert(certificate)
        body = {"type": "client", "name": name, "certificate": base64.b64encode(der).decode()}
        restriction = {} if projects is None else {"restricted": True, "projects": list(projects)}
        known = {entry["fingerprint"] for entry in self.api("GET", "/1.0/certificates", query={"recursion": 1})}
        self.api("POST", "/1.0/certificates", {**body, **restriction})
        now = {entry["fingerprint"] for entry in self.api("GET", "/1.0/certificates", query={"recursion": 1})}
        return str((now - known).pop())

    @contextlib.contextmanager
    def requests(self) -> Iterator[list[Request]]:
        """The list that, after the block, holds each request the daemon took up over https during the block."""
        found: list[Request] = []
        start = self.request_mark()
        yield found
        found += self.requests_since(start)

    def request_mark(self) -> int:
        """Now, as a position for `requests_since`."""
        if not self._debug:
            raise RuntimeError(f"daemon {self.name}: counts no requests, it was made with debug=False")
        return self._log.mark()

    def requests_since(self, mark: int) -> list[Request]:
        """Each request over https that the daemon took up between `mark` and now."""
        return self._log.between(mark, self._log.mark())

    def fingerprint_of_world(self, exclude_project: str | Iterable[str] = ()) -> dict[str, Any]:
        """All it holds outside the excluded projects: see world.py. Equal before and after: nothing was touched."""
        return fingerprint_of_world(self.admin, exclude_project)

    # Inside

    def _command(self) -> list[str]:
        program = ["lxd", "--group", "root", *(["--debug"] if self._debug else [])]
        return self.gaps.command(program) if self.gaps else program

    def _programs_first(self) -> dict[str, str]:
        return {
            leftovers.MARK: self.place.directory,
            "PATH": f"{self.place.programs}:/usr/sbin:/usr/bin:/sbin:/bin",
        }

    def _is_daemon(self, pid: int, program: str) -> bool:
        """LXD starts its own binary for many small jobs, all with an argument that says which."""
        with contextlib.suppress(OSError):
            said = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            return os.readlink(f"/proc/{pid}/exe") == program and said[1:2] == [b"--group"]
        return False

    def _end(self, number: signal.Signals, timeout: float) -> None:
        pid = self.pid
        if not pid:
            return
        os.kill(pid, number)
        try:
            until(lambda: self._gone(pid), timeout, f"daemon {self.name}: its end")
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            until(lambda: self._gone(pid), 10, f"daemon {self.name}: its end after SIGKILL")

    def _gone(self, pid: int) -> bool:
        if self._process is not None and self._process.pid == pid:
            return self._process.poll() is not None
        return pid not in leftovers.processes_of(self.place.directory)

    def _ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            tail = "\n".join(self.place.log.read_text(errors="replace").splitlines()[-5:])
            raise RuntimeError(f"daemon {self.name}: ended at once, saying\n{tail}")
        with contextlib.suppress(OSError, ApiError):
            self.api("GET", "/internal/ready", timeout=5)
            return True
        return False

    def _set_up(self) -> None:
        """Storage pool, bridge, default profile and address, each unless it is there: a start cut short is resumed."""
        place = self.place
        config = {"ipv4.address": f"{place.gateway}/24", "ipv4.nat": "false", "ipv6.address": "none"}
        self._make_unless_there("/1.0/storage-pools", {"name": "default", "driver": "dir"})
        self._make_unless_there("/1.0/networks", {"name": self.bridge, "type": "bridge", "config": config})
        profile = self.api("GET", "/1.0/profiles/default")
        if not profile["devices"]:
            root = {"type": "disk", "path": "/", "pool": "default"}
            eth0 = {"type": "nic", "network": self.bridge, "name": "eth0"}
            self.api("PUT", "/1.0/profiles/default", {**profile, "devices": {"root": root, "eth0": eth0}})
        if not self.api("GET", "/1.0")["config"].get("core.https_address"):
            self.api("PATCH", "/1.0", {"config": {"core.https_address": self.address}})

    def _make_unless_there(self, path: str, body: Mapping[str, object]) -> None:
        if f"{path}/{body['name']}" not in self.api("GET", path):
            self.api("POST", path, body)
