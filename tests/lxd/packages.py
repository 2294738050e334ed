# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Debian packages that the bed uses, each found by the program or file it is wanted for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

# package: what of it is used. A name is looked for in PATH, a path on disk.
RUNNING: Mapping[str, str] = {
    "lxd": "/usr/bin/lxd",
    "lxd-client": "/usr/bin/lxc",
    "dnsmasq-base": "dnsmasq",
    "iproute2": "ip",
    "nftables": "nft",
    "openssl": "openssl",
    "ovmf": "/usr/share/OVMF/OVMF_CODE.fd",
    "qemu-system-x86": "qemu-system-x86_64",
    "qemu-utils": "qemu-img",
    "genisoimage": "genisoimage",
    "btrfs-progs": "mkfs.btrfs",
    "e2fsprogs": "mkfs.ext4",
    "mount": "losetup",
}
BUILDING: Mapping[str, str] = {
    "apt": "apt-get",
    "binutils": "objcopy",
    "dosfstools": "mkfs.vfat",
    "dpkg": "dpkg-deb",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "fdisk": "sfdisk",
    "mmdebstrap": "mmdebstrap",
    "mtools": "mcopy",
    "openssh-client": "ssh",
    "squashfs-tools": "mksquashfs",
}
# For the tests of the report's pages; the demo looks at none.
BROWSING: Mapping[str, str] = {"chromium": "/usr/bin/chromium"}
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class PackagesMissing(Exception):
    """Names what is missing and the command that installs it."""

    def __init__(self, names: list[str]) -> None:
        listed = " ".join(names)
        super().__init__(
            f"missing packages: {listed}; `apt-get install --no-install-recommends {listed}` installs them"
        )
        self.names = names


def missing(wanted: Mapping[str, str] | None = None) -> list[str]:
    """Names of the packages that are not installed, of all that the bed can use unless `wanted` says which."""
    looked_for = {**RUNNING, **BUILDING} if wanted is None else wanted
    return [name for name, proof in looked_for.items() if not _found(proof)]


def require(wanted: Mapping[str, str] | None = None) -> None:
    """PackagesMissing, unless all of `wanted` (what a daemon needs, if nothing is said) are installed."""
    names = missing(RUNNING if wanted is None else wanted)
    if names:
        raise PackagesMissing(names)


def install(browser: bool = False) -> list[str]:
    """Install what is missing, as root or through sudo without a password; returns what was installed.

    A browser that this distribution has no package of is left out: the tests that want one say so.
    """
    needed = {**RUNNING, **BUILDING}
    names = missing({**needed, **(BROWSING if browser else {})})
    if not names:
        return []
    become = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if become and subprocess.run([*become, "true"], capture_output=True, check=False).returncode != 0:
        raise PackagesMissing(names)
    quiet = [*become, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    subprocess.run([*quiet, "update"], check=True)
    names = [name for name in names if name in needed or _offered(name)]
    subprocess.run([*quiet, "install", "-y", "--no-install-recommends", *names], check=True, stdout=subprocess.DEVNULL)
    require(needed)
    return names


def _offered(name: str) -> bool:
    return subprocess.run(["apt-cache", "show", name], capture_output=True, check=False).returncode == 0


def _found(proof: str) -> bool:
    return Path(proof).exists() if proof.startswith("/") else shutil.which(proof, path=_PATH) is not None
