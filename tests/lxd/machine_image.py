# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The systems that target machines start with: Debian with systemd, sshd and Python, made once for each bed.

Each is an image for system containers. `plain` has nothing of LXD, but holds the packages of LXD, QEMU and cloud-init
as files where apt looks for them, so that installing them takes seconds and downloads nothing. `lxd` has LXD and QEMU
installed and never started, `cloud-init` has cloud-init. The micro machine is in all of them, for LXDs that run inside.

What this machine says to apt, and where it asks for names, is copied as it is at the time of building.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.lxd import packages
from tests.lxd.daemon import Daemon
from tests.lxd.gaps import Gaps, System, measure
from tests.lxd.image import metadata_archive, micro_image
from tests.lxd.place import default_root

# What a person has on a server before Ansible comes to it.
_BASE = (
    *("systemd-sysv", "udev", "dbus", "iproute2", "openssh-server", "sudo", "ca-certificates"),
    *("python3", "python3-apt"),
)
_LXD = (
    *("lxd", "lxd-client", "dnsmasq-base", "nftables", "qemu-system-x86", "qemu-utils", "ovmf", "genisoimage"),
    *("btrfs-progs", "xfsprogs", "lvm2", "thin-provisioning-tools"),
)
# What each variant has installed; the files of all these packages are in `plain`.
VARIANTS = {"plain": (), "lxd": _LXD, "cloud-init": ("cloud-init",)}
# An unprivileged user with sudo, as a cloud's images have one.
USER = "admin"
# Inside: programs of the bed, and the micro machine.
BED = Path("/opt/bed")
_WITHOUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
_NETWORK = """[Match]
Name=eth0
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
[DHCPv4]
ClientIdentifier=mac
UseDNS=no
"""
# They wait for what a container never has.
_MASKED = ("systemd-networkd-wait-online.service", "systemd-binfmt.service", "systemd-udev-settle.service")
_INSIDE = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends"


@dataclasses.dataclass(frozen=True)
class Systems:
    """What was built, all in one directory: the image of each variant, and the key that opens them all."""

    directory: Path

    @property
    def key(self) -> Path:
        """The private key that root and USER let in."""
        return self.directory / "key"

    @property
    def known_hosts(self) -> Path:
        """What ssh may know beforehand: every machine shows the same host key."""
        return self.directory / "known_hosts"

    def disk(self, variant: str) -> Path:
        """The file system of a variant."""
        return self.directory / f"{variant}.squashfs"


def systems(root: Path | None = None) -> Systems:
    """All variants, built below `root` unless equal ones are there already: about 90 s, once."""
    place = (root or default_root()) / "images"
    found = measure(root or default_root())
    built = place / f"systems-{_recipe(found)}"
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "systems.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            packages.require({**packages.RUNNING, **packages.BUILDING})
            with tempfile.TemporaryDirectory(dir=place, prefix="building-") as work:
                _build(Path(work), found, micro_image())
                for outdated in place.glob("systems-*/"):
                    shutil.rmtree(outdated)
                (Path(work) / "done").rename(built)
    return Systems(built)


def import_system(daemon: Daemon, variant: str, built: Systems) -> str:
    """Have a variant in the daemon under the alias that is returned."""
    alias = f"system-{variant}"
    if f"/1.0/images/aliases/{alias}" not in daemon.api("GET", "/1.0/images/aliases"):
        command = ["lxc", "image", "import", str(built.directory / "metadata.tar"), str(built.disk(variant))]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(built.directory), **daemon.environment}
        subprocess.run([*command, "--alias", alias], check=True, capture_output=True, env=environment)
    return alias


def _recipe(found: Gaps) -> str:
    """A name for this way of building them, on a machine that lacks this."""
    here = Path(__file__).parent
    parts = [
        (here / name).read_bytes() for name in ("machine_image.py", "image.py", "gaps.py", "qemu.py", "memlock.py")
    ]
    return hashlib.sha256(
        b"\0".join([*parts, repr((found.kvm, found.vsock, found.tun, found.memlock)).encode()])
    ).hexdigest()[:12]


# Building


def _build(work: Path, found: Gaps, micro: Path) -> None:
    done, plain = work / "done", work / "plain"
    done.mkdir()
    _keys(work, done)
    _bootstrap(plain)
    _configure(plain, work)
    _put_bed(plain, found, micro)
    (done / "metadata.tar").write_bytes(metadata_archive({"os": "debian", "description": "target machine"}))
    _run(plain, "apt-get -qq update")
    _run(plain, f"{_INSIDE} --download-only install {' '.join(_LXD)}")
    _run(plain, f"{_INSIDE} --download-only install {' '.join(VARIANTS['cloud-init'])}")
    _pack(plain, done / "plain.squashfs")
    for variant, names in VARIANTS.items():
        if names:
            other = work / variant
            subprocess.run(["cp", "--archive", "--reflink=auto", str(plain), str(other)], check=True)
            _run(other, f"{_INSIDE} install {' '.join(names)}")
            _run(other, "apt-get clean")
            _pack(other, done / f"{variant}.squashfs")


def _keys(work: Path, done: Path) -> None:
    for key in (done / "key", work / "host"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bed", "-f", str(key)], check=True)
    (done / "known_hosts").write_text(f"* {(work / 'host.pub').read_text()}")


def _bootstrap(tree: Path) -> None:
    """Debian of this machine's release from this machine's mirror."""
    lines = list(_sources())
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(_BASE)}"]
    command += [f"--aptopt={option}" for option in _apt_options()]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _WITHOUT]
    done = subprocess.run([*command, "", str(tree), *lines], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mmdebstrap: {done.stderr.strip()[-2000:]}")


def _sources() -> Iterator[str]:
    """Debian's own archives that this machine's apt knows, and no third party's."""
    said = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]
    known = subprocess.run(
        [*said, "Created-By: Packages", "Origin: Debian"], check=True, capture_output=True, text=True
    )
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    for line in dict.fromkeys(known.stdout.splitlines()):
        yield f"deb [signed-by={keys}] {line}"


def _apt_options() -> Iterable[str]:
    """How this machine's apt fetches: proxies, certificates, dates; not where files are."""
    dumped = subprocess.run(["apt-config", "dump", "Acquire"], check=True, capture_output=True, text=True).stdout
    fetching = r'Acquire::(https?|ftp|Check-|Retries|ForceIPv|Languages)\S* "[^"]+";'
    return [line for line in dumped.splitlines() if re.fullmatch(fetching, line)]


def _configure(tree: Path, work: Path) -> None:
    """Names, network, keys and users: what an installer leaves behind."""
    public = (work / "done" / "key.pub").read_text()
    _run(tree, f"useradd --create-home --shell /bin/bash {USER}")
    for home in ("root", f"home/{USER}"):
        _write(tree / home / ".ssh" / "authorized_keys", public, 0o600)
        (tree / home / ".ssh").chmod(0o700)
    _run(tree, f"chown -R {USER}: /home/{USER}/.ssh")
    _write(tree / f"etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    for stale in (tree / "etc" / "ssh").glob("ssh_host_*"):
        stale.unlink()
    for name, mode in (("host", 0o600), ("host.pub", 0o644)):
        _write(tree / "etc/ssh" / name.replace("host", "ssh_host_ed25519_key"), (work / name).read_text(), mode)
    _write(tree / "etc/systemd/network/10-eth0.network", _NETWORK)
    _write(tree / "etc/resolv.conf", Path("/etc/resolv.conf").read_text())
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    if authorities.exists():
        _write(tree / str(authorities).lstrip("/"), authorities.read_text())
    _write(tree / "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    _write(tree / "etc/machine-id", "")
    (tree / "etc/hostname").unlink(missing_ok=True)
    # A range for machines inside of this one, below the end of what LXD gives to a machine itself.
    for file in ("subuid", "subgid"):
        _write(tree / "etc" / file, "root:1000000:1000000\n_lxd:1000000:1000000\n")
    # No daemon runs while packages are installed here; the last thing before packing takes it away again.
    _write(tree / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    _run(tree, f"systemctl enable systemd-networkd ssh && systemctl mask {' '.join(_MASKED)}")


def _put_bed(tree: Path, found: Gaps, micro: Path) -> None:
    """What an LXD inside needs to get over this machine's limits, and the micro machine."""
    inside = tree / str(BED).lstrip("/")
    inside.mkdir(parents=True)
    for script in ("qemu.py", "memlock.py"):
        shutil.copy(Path(__file__).with_name(script), inside / script)
    shutil.copy(micro, inside / "micro.qcow2")
    (inside / "micro.tar").write_bytes(metadata_archive({"os": "debian", "description": "micro", "alias": "micro"}))
    system = System(scripts=str(BED))
    found.write_programs(inside / "bin", system)
    start = shlex.join(found.command(["/usr/bin/lxd", "--group", "lxd", "--logfile=/var/log/lxd/lxd.log"], system))
    path = f"{BED}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    _write(
        tree / "etc/systemd/system/lxd.service.d/bed.conf",
        f"[Service]\nEnvironment=PATH={path}\nExecStart=\nExecStart={start}\n",
    )


def _pack(tree: Path, disk: Path) -> None:
    (tree / "usr/sbin/policy-rc.d").unlink()
    command = ["mksquashfs", str(tree), str(disk), "-noappend", "-comp", "lz4", "-quiet", "-no-progress"]
    subprocess.run(command, check=True, capture_output=True)
    _write(tree / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)


def _run(tree: Path, script: str) -> None:
    command: Sequence[str] = ["chroot", str(tree), "sh", "-ec", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{script}: {(done.stderr or done.stdout).strip()[-2000:]}")


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)
