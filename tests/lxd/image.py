# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The micro machine: Debian's cloud kernel and busybox in one EFI program, made from Debian packages in seconds.

It takes an address by DHCP, lets root in by SSH if it was built for a key, says MICRO-READY on its serial port and
powers off on ACPI's request. It wants 144 MiB: with 128 the firmware runs out of memory and hangs, which LXD lists as
Running all the same.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import lzma
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from tests.lxd import packages
from tests.lxd.daemon import Daemon
from tests.lxd.place import default_root

# Each after those that it needs; one that a kernel has built in is not among its files.
_MODULES = [
    *("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci"),
    *("failover", "net_failover", "virtio_net", "button", "evdev"),
]
_COMMAND_LINE = "console=ttyS0 quiet net.ifnames=0 rdinit=/init mitigations=off"
_INIT = """#!/bin/sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts; mount -t devpts devpts /dev/pts
while read -r module; do insmod "/modules/$module"; done < /modules/order
mkdir -p /etc/acpi/PWRF
printf '#!/bin/sh\\npoweroff -f\\n' > /etc/acpi/PWRF/00000080
chmod +x /etc/acpi/PWRF/00000080
acpid -l /dev/null
ip link set lo up
for link in /sys/class/net/eth*; do
  name=${link##*/}
  ip link set "$name" up
  udhcpc -b -i "$name" -t 20 -T 1 -s /bin/leased
done
[ ! -x /bin/dropbear ] || dropbear -R -s
echo "MICRO-READY $(cat /proc/uptime)"
while :; do sleep 3600; done
"""
_LEASED = """#!/bin/sh
case $1 in bound|renew)
  ip addr flush dev "$interface"
  ip addr add "$ip/${mask:-24}" dev "$interface"
  [ -z "$router" ] || ip route add default via "${router%% *}" dev "$interface"
  [ -z "$hostname" ] || hostname "$hostname"
esac
exit 0
"""
# What listens to SSH, and the libraries that it is linked to, by package.
_SSH = {
    "dropbear-bin": "/usr/sbin/dropbear",
    "libtomcrypt1": r"/usr/lib/.*/libtomcrypt\.so\..*",
    "libtommath1": r"/usr/lib/.*/libtommath\.so\..*",
    "libgmp10": r"/usr/lib/.*/libgmp\.so\..*",
    "libcrypt1": r"(/usr)?/lib/.*/libcrypt\.so\..*",
    "zlib1g": r"(/usr)?/lib/.*/libz\.so\..*",
    "libc6": r"(/usr)?/lib/.*/(libc\.so\.6|ld-linux-x86-64\.so\.2)",
}
_EFI_STUB = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
_DISK_MIB, _START_MIB = 36, 1


def micro_image(directory: Path | None = None, login: str = "") -> Path:
    """The machine's disk (qcow2), built in `directory` unless an equal one is there already.

    `login`: a public key, whose owner root's door is open to by SSH; such a machine wants 192 MiB.
    """
    place = directory or default_root() / "images"
    kind = "login" if login else "micro"
    disk = place / f"{kind}-{_recipe(login)}.qcow2"
    place.mkdir(parents=True, exist_ok=True)
    # Two workers of one test run want it at the same time; the second waits and takes what the first made.
    with open(place / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not disk.exists():
            _make(place, disk, login)
    return disk


def _make(place: Path, disk: Path, login: str) -> None:
    packages.require({**packages.RUNNING, **packages.BUILDING})
    with tempfile.TemporaryDirectory(dir=place, prefix="building-") as work:
        built = _build(Path(work), login)
        for outdated in place.glob(f"{disk.name.partition('-')[0]}-*.qcow2"):
            outdated.unlink()
        built.rename(disk)


def import_image(
    daemon: Daemon,
    disk: Path,
    alias: str = "micro",
    properties: Mapping[str, str] | None = None,
    project: str = "default",
) -> str:
    """Put `disk` into the daemon under `alias`; returns the fingerprint. Other properties make it another image."""
    told = {"os": "debian", "description": "micro", "alias": alias, **(properties or {})}
    body, kind = _form({"metadata": metadata_archive(told), "rootfs.img": disk.read_bytes()})
    answer = daemon.admin.raw("POST", f"/1.0/images?project={project}", body, {"Content-Type": kind})
    operation = daemon.admin.finished(daemon.admin.decoded(*answer)["operation"])
    fingerprint = str(operation["metadata"]["fingerprint"])
    daemon.api("POST", "/1.0/images/aliases", {"name": alias, "target": fingerprint}, {"project": project})
    return fingerprint


def _recipe(login: str) -> str:
    """A name for this way of building it: a changed recipe builds anew."""
    return hashlib.sha256(Path(__file__).read_bytes() + login.encode()).hexdigest()[:12]


# Building


def _build(work: Path, login: str) -> Path:
    """Download, pick the few files out, and put them together; all below `work`."""
    kernel = _kernel_package()
    _download(work, [kernel, "busybox-static", "systemd-boot-efi"])
    _pick(work, kernel, r"/boot/vmlinuz-.*|/lib/modules/.*/({})\.ko(\.xz)?".format("|".join(_MODULES)))
    _pick(work, "busybox-static", "/bin/busybox|/usr/bin/busybox")
    _pick(work, "systemd-boot-efi", re.escape(_EFI_STUB))
    (work / "ssh").mkdir()
    if login:
        _download(work, list(_SSH))
        for package, wanted in _SSH.items():
            _pick(work, package, wanted, work / "ssh")
    files = [*_initial_files(work), *_ssh_files(work / "ssh", login)]
    (work / "initrd").write_bytes(gzip.compress(_archive(iter(files)), 6, mtime=0))
    (work / "cmdline").write_text(_COMMAND_LINE)
    _link_efi_program(work)
    return _disk(work)


def _kernel_package() -> str:
    """The package that linux-image-cloud-amd64 stands for today."""
    command = ["apt-cache", "depends", "linux-image-cloud-amd64"]
    said = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"Depends: (linux-image-\d\S*)", said.stdout)
    if found is None:
        raise LookupError("linux-image-cloud-amd64: unknown to apt; `apt-get update` makes it known")
    return found[1]


def _download(work: Path, names: list[str]) -> None:
    # apt's own unprivileged user could not write into a directory of ours.
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *names]
    subprocess.run(command, check=True, capture_output=True, cwd=work)


def _pick(work: Path, package: str, wanted: str, target: Path | None = None) -> None:
    """Take the files whose path in the package matches `wanted` into `target`, flat; module files uncompressed."""
    [archive] = work.glob(f"{package}_*.deb")
    files = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(archive)], check=True, stdout=subprocess.PIPE).stdout
    with tarfile.open(fileobj=io.BytesIO(files)) as content:
        for member in content:
            if member.isfile() and re.fullmatch(wanted, member.name.removeprefix(".")):
                _keep((target or work) / PurePosixPath(member.name).name, content.extractfile(member))


def _keep(target: Path, content: IO[bytes] | None) -> None:
    data = content.read() if content else b""
    packed = target.suffix == ".xz"
    (target.with_suffix("") if packed else target).write_bytes(lzma.decompress(data) if packed else data)


def _initial_files(work: Path) -> Iterator[tuple[str, int, bytes]]:
    """The whole system: path, mode and content of each directory and file."""
    for directory in ("bin", "dev", "etc", "modules", "proc", "sys", "tmp"):
        yield directory, stat.S_IFDIR | 0o755, b""
    modules = [f"{name}.ko" for name in _MODULES if (work / f"{name}.ko").exists()]
    yield "bin/busybox", stat.S_IFREG | 0o755, (work / "busybox").read_bytes()
    yield "bin/sh", stat.S_IFLNK | 0o777, b"busybox"
    yield "bin/leased", stat.S_IFREG | 0o755, _LEASED.encode()
    yield "init", stat.S_IFREG | 0o755, _INIT.encode()
    yield "modules/order", stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in modules).encode()
    for name in modules:
        yield f"modules/{name}", stat.S_IFREG | 0o644, (work / name).read_bytes()


def _ssh_files(place: Path, login: str) -> Iterator[tuple[str, int, bytes]]:
    """What SSH needs beside: the program, its libraries by the names it is linked to, and who may come in."""
    if not login:
        return
    for directory in ("lib", "lib64", "root", "root/.ssh", "etc/dropbear"):
        yield directory, stat.S_IFDIR | 0o700 if "root" in directory else stat.S_IFDIR | 0o755, b""
    for path in sorted(place.iterdir()):
        linked = re.match(r".*\.so\.\d+", path.name)
        folder = "bin" if path.name == "dropbear" else "lib64" if path.name.startswith("ld-") else "lib"
        yield f"{folder}/{linked[0] if linked else path.name}", stat.S_IFREG | 0o755, path.read_bytes()
    yield "etc/passwd", stat.S_IFREG | 0o644, b"root:*:0:0:root:/root:/bin/sh\n"
    yield "etc/shells", stat.S_IFREG | 0o644, b"/bin/sh\n"
    yield "root/.ssh/authorized_keys", stat.S_IFREG | 0o600, f"{login}\n".encode()


def _archive(files: Iterator[tuple[str, int, bytes]]) -> bytes:
    """A cpio archive of the kind the kernel unpacks ("newc"): thirteen numbers, a name and the content, padded."""
    out = io.BytesIO()
    for number, (name, mode, content) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        numbers = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        out.write(b"070701" + b"".join(b"%08X" % value for value in numbers) + name.encode() + b"\0")
        out.write(b"\0" * (-out.tell() % 4))
        out.write(content)
        out.write(b"\0" * (-out.tell() % 4))
    return out.getvalue()


def _link_efi_program(work: Path) -> None:
    """Stub, kernel, initial files and command line as one program that a firmware can start: micro.efi."""
    [kernel] = work.glob("vmlinuz-*")
    command = ["objcopy"]
    sections = [(".cmdline", "cmdline", 0x30000), (".linux", kernel.name, 0x100000), (".initrd", "initrd", 0x1000000)]
    for section, file, address in sections:
        command += ["--add-section", f"{section}={file}", "--change-section-vma", f"{section}={address:#x}"]
    subprocess.run([*command, PurePosixPath(_EFI_STUB).name, "micro.efi"], check=True, cwd=work)


def _disk(work: Path) -> Path:
    """A disk whose one partition, of the kind that firmware looks for, holds the program under the default name."""
    partition_mib = _DISK_MIB - _START_MIB - 1
    with open(work / "partition", "wb") as partition:
        partition.truncate(partition_mib << 20)
    with open(work / "disk", "wb") as disk:
        disk.truncate(_DISK_MIB << 20)
    layout = f"label: gpt\nstart={_START_MIB}MiB, size={partition_mib}MiB, type=U\n"
    subprocess.run(["sfdisk", "-q", "disk"], check=True, cwd=work, input=layout, text=True)
    subprocess.run(["mkfs.vfat", "partition"], check=True, cwd=work, capture_output=True)
    subprocess.run(["mmd", "-i", "partition", "::/EFI", "::/EFI/BOOT"], check=True, cwd=work)
    subprocess.run(["mcopy", "-i", "partition", "micro.efi", "::/EFI/BOOT/BOOTX64.EFI"], check=True, cwd=work)
    with open(work / "disk", "r+b") as disk, open(work / "partition", "rb") as partition:
        disk.seek(_START_MIB << 20)
        shutil.copyfileobj(partition, disk)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", "disk", "micro.qcow2"], check=True, cwd=work)
    return work / "micro.qcow2"


# Importing


def metadata_archive(properties: Mapping[str, str]) -> bytes:
    """The image's metadata archive, the same bytes for the same properties: they are part of the fingerprint."""
    lines = ["architecture: x86_64", "creation_date: 1700000000", "properties:"]
    text = "\n".join([*lines, *(f"  {key}: '{value}'" for key, value in sorted(properties.items())), ""]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("metadata.yaml")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return out.getvalue()


def _form(parts: Mapping[str, bytes]) -> tuple[bytes, str]:
    """`parts` as a multipart form with files, and its content type."""
    boundary = uuid.uuid4().hex
    out = io.BytesIO()
    for name, content in parts.items():
        out.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode())
        out.write(content + b"\r\n")
    out.write(f"--{boundary}--\r\n".encode())
    return out.getvalue(), f"multipart/form-data; boundary={boundary}"
