# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine lacks for LXD's virtual machines; each gap is measured, and bridged only where it exists."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.lxd.firmware_probe import ProbeResult, probe_firmware

QEMU = "qemu-system-x86_64"
_KVM, _KVM_MADE = Path("/dev/kvm"), "kvm-device-made"
_NULL_DEVICE = (1, 3)
_RAISE_MEMLOCK = "import resource as r; r.setrlimit(r.RLIMIT_MEMLOCK, (r.RLIM_INFINITY, r.RLIM_INFINITY))"


@dataclasses.dataclass(frozen=True)
class System:
    """Where, on the system that a daemon runs on, the programs are that bridge a gap."""

    python: str = "/usr/bin/python3"
    scripts: str = str(Path(__file__).parent)
    qemu: str = f"/usr/bin/{QEMU}"
    modprobe: str = "/usr/sbin/modprobe"

    @classmethod
    def here(cls) -> System:
        """This machine."""
        return cls(sys.executable, qemu=real_qemu(), modprobe=shutil.which("modprobe") or "false")


@dataclasses.dataclass(frozen=True)
class Gaps:
    """True for what is missing; `kvm_reason` says why KVM can't be used."""

    kvm: bool
    vsock: bool
    tun: bool
    memlock: bool
    kvm_reason: str = ""

    def lines(self) -> list[str]:
        """Return one line for each gap: what is missing, and what is done about it."""
        known = {
            f"kvm: {self.kvm_reason}; QEMU translates instead (TCG), several times slower": self.kvm,
            "vsock: no /dev/vhost-vsock and no module for it; machines run without one, so no LXD agent": self.vsock,
            "tun: /dev/net/tun opens for root only; QEMU keeps root's rights instead of becoming nobody": self.tun,
            "memlock: RLIMIT_MEMLOCK can't be raised; the daemon is made to believe that it was": self.memlock,
        }
        return [line for line, missing in known.items() if missing]

    def command(self, program: list[str], system: System | None = None) -> list[str]:
        """How to start the daemon `program` so that it gets over the limits of this machine."""
        there = system or System.here()
        return [there.python, "-I", f"{there.scripts}/memlock.py", *program] if self.memlock else program

    def write_programs(self, directory: Path, system: System | None = None) -> None:
        """Fill `directory`, which the daemon has first in its PATH, with stand-ins for what can't work here."""
        there = system or System.here()
        directory.mkdir(exist_ok=True)
        named = ",".join(name for name in ("kvm", "vsock", "tun") if getattr(self, name))
        if named:
            wrapper = [there.python, "-I", f"{there.scripts}/qemu.py", there.qemu, named]
            _write_script(directory / QEMU, f'exec {shlex.join(wrapper)} "$@"')
        if self.vsock:
            quiet = f'case " $* " in *" vhost_vsock "*) exit 0;; esac\nexec {there.modprobe} "$@"'
            _write_script(directory / "modprobe", quiet)


def measure(root: Path, fresh: bool = False) -> Gaps:
    """The gaps of this machine. Whether KVM runs a guest is remembered in `root` until the next boot or `fresh`."""
    kvm = _remembered_kvm(root, fresh)
    return Gaps(
        kvm=not kvm.works,
        vsock=not vsock_works(),
        tun=not tun_works(),
        memlock=not memlock_works(),
        kvm_reason=kvm.reason,
    )


def real_qemu() -> str:
    """The distribution's QEMU."""
    found = shutil.which(QEMU)
    if found is None:
        raise FileNotFoundError(f"{QEMU}: not installed; `python3 -m tests.lxd packages --install` installs it")
    return found


def probe_kvm() -> ProbeResult:
    """Try whether KVM gets a guest through the firmware, and why not."""
    if not _KVM.exists():
        return ProbeResult(False, "there is no /dev/kvm")
    found = probe_firmware(real_qemu(), "kvm")
    return found if found.works else ProbeResult(False, f"/dev/kvm gets no guest through the firmware: {found.reason}")


def make_kvm_device(root: Path) -> None:
    """A /dev/kvm that does nothing, where there is none: LXD offers no machines without, though QEMU can do without."""
    if not _KVM.exists():
        (root / _KVM_MADE).touch()
        with contextlib.suppress(FileExistsError):
            os.mknod(_KVM, stat.S_IFCHR | 0o600, os.makedev(*_NULL_DEVICE))


def remove_kvm_device(root: Path) -> None:
    """Take it away again, if it was made for this root."""
    if (root / _KVM_MADE).exists():
        _KVM.unlink(missing_ok=True)
        (root / _KVM_MADE).unlink()


def vsock_works() -> bool:
    """Whether QEMU can have a vsock device, after trying what LXD tries: to load the module."""
    device = Path("/dev/vhost-vsock")
    if not device.exists() and shutil.which("modprobe"):
        subprocess.run(["modprobe", "-q", "vhost_vsock"], capture_output=True, check=False)
    return device.exists()


def tun_works() -> bool:
    """Whether a QEMU that has given up root's rights, as LXD tells it to, can still be given a network interface."""
    device = Path("/dev/net/tun")
    return device.exists() and device.stat().st_mode & 0o006 == 0o006


def memlock_works() -> bool:
    """Whether a process of ours may raise RLIMIT_MEMLOCK. Tried in another process: it can't be taken back."""
    return (
        subprocess.run([sys.executable, "-I", "-c", _RAISE_MEMLOCK], capture_output=True, check=False).returncode == 0
    )


def _remembered_kvm(root: Path, fresh: bool) -> ProbeResult:
    """Return the result of the probe, which may take seconds, from an earlier daemon's start on the same machine."""
    memory = root / "kvm.json"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    here = {"boot": boot, "device": _KVM.exists(), "qemu": real_qemu()}
    known = _read(memory)
    if not fresh and known.items() >= here.items() and "reason" in known:
        return ProbeResult(bool(known["works"]), str(known["reason"]))
    found = probe_kvm()
    root.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({**here, "works": found.works, "reason": found.reason}))
    return found


def _read(memory: Path) -> Mapping[str, object]:
    try:
        return dict(json.loads(memory.read_text()))
    except (FileNotFoundError, ValueError):
        return {}


def _write_script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
