# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a new or changed VM refers to, looked up before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .errors import Invalid, NotFound, TenantryError, Unsupported
from .model import Image as HeldImage
from .units import is_true
from .vm import Image, Wanted
from .vm_host import Host

Devices = Mapping[str, Mapping[str, str]]


def check(wanted: Wanted, config: Mapping[str, str], devices: Devices, host: Host) -> None:
    """Raise NotFound, Invalid or Unsupported for the first thing that the server hasn't, or the project forbids."""
    _check_extensions(wanted, host)
    _check_confinement(config, devices, host)
    if host.listings is None:
        return
    # The host's own interfaces are listed too; they are a parent, and no network of LXD's.
    networks = {network.name for network in host.listings.networks if network.managed}
    pools = {pool.name for pool in host.listings.pools}
    for name, device in devices.items():
        if device.get("network"):
            _must_be(device["network"], networks, f"interface {name}: network", "or isn't one this project may use")
        if device.get("type") == "disk" and device.get("pool"):
            _must_be(device["pool"], pools, f"disk {name}: storage pool", "")
    for profile in wanted.profiles or ():
        _must_be(profile, host.listings.profiles, "profiles:", "")


def _must_be(name: str, known: Iterable[str], what: str, else_: str) -> None:
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise NotFound(f"{what} {name!r} is not there{' ' + else_ if else_ else ''}", f"there: {there}")


def _check_extensions(wanted: Wanted, host: Host) -> None:
    if "limits.cpu.nodes" in wanted.config and not host.unread and not host.server.has("numa_cpu_placement"):
        raise Unsupported(
            f"numa_nodes: LXD {host.server.version} can't place a VM on NUMA nodes",
            "it needs the API extension numa_cpu_placement (LXD 5.0.3); pinned_cores works on this one",
        )
    if wanted.target and not host.server.clustered and not host.unread:
        raise Invalid(f"target: {host.name} is not a cluster", "leave target out")


# LXD looks whether these are there, whatever their value (5.0.2).
_LOWLEVEL = ("limits.memory.hugepages", "boot.host_shutdown_timeout")

# Kinds of devices that LXD forbids in a confined project unless `restricted.devices.<kind>` allows them.
_CLOSED = {
    "gpu": "the graphics cards of the host",
    "infiniband": "the InfiniBand of the host",
    "pci": "every PCI device of the host",
    "proxy": "ports of the host",
    "unix-block": "every block device of the host",
    "unix-char": "every character device of the host",
    "unix-hotplug": "what is plugged into the host",
    "usb": "every USB device of the host",
}


def _check_confinement(config: Mapping[str, str], devices: Devices, host: Host) -> None:
    """Say what a confined project forbids by option and by the key that would open it."""
    project = host.project.config
    if not is_true(project.get("restricted")):
        return
    lowlevel = "restricted.virtual-machines.lowlevel"
    if project.get(lowlevel) != "allow":
        raw = [key for key in config if key.startswith("raw.") or key in _LOWLEVEL]
        if raw:
            option = "hugepages" if raw[0] == "limits.memory.hugepages" else f"config {raw[0]}"
            raise _forbidden(option, lowlevel, "the whole host to the holder of the certificate")
    for name, device in devices.items():
        kind = device.get("type", "")
        if kind == "nic":
            _check_nic(name, device, project)
        elif kind == "disk":
            _check_disk(name, device, project)
        elif kind in _CLOSED and project.get(f"restricted.devices.{kind}") != "allow":
            raise _forbidden(f"device {name} of type {kind}", f"restricted.devices.{kind}", _CLOSED[kind])


def _check_disk(name: str, device: Mapping[str, str], project: Mapping[str, str]) -> None:
    key = "restricted.devices.disk"
    mode = project.get(key) or "managed"
    if mode == "block" and device.get("path") != "/":
        raise _forbidden(f"disk {name}", key, "further disks", "managed")
    # LXD takes the drive with cloud-init's texts for harmless, and the one with its agent not (5.0.2).
    if mode != "allow" and not device.get("pool") and device.get("source") != "cloud-init:config":
        raise _forbidden(f"device {name}, a disk without a storage pool", key, "files of the host")


def _check_nic(name: str, device: Mapping[str, str], project: Mapping[str, str]) -> None:
    mode = project.get("restricted.devices.nic") or "managed"
    if mode == "block":
        raise _forbidden(f"interface {name}", "restricted.devices.nic", "the networks it may reach", "managed")
    if mode == "managed" and not device.get("network"):
        raise _forbidden(f"interface {name} with a parent", "restricted.devices.nic", "every network of the host")


def _forbidden(what: str, key: str, exposure: str, value: str = "allow") -> TenantryError:
    return Unsupported(
        f"{what}: the project is confined, and that forbids it",
        f"the admin may set {key}: {value} on the project, which opens {exposure}",
    )


def image_source(image: Image | None, host: Host) -> dict[str, str]:
    """Where LXD takes the first disk's content from, as its API says it; local images by their whole fingerprint."""
    if image is None:
        return {"type": "none"}
    if not image.is_local:
        return {
            "type": "image",
            "mode": "pull",
            "server": image.server or "",
            "protocol": image.protocol or "simplestreams",
            "alias": image.name,
        }
    if host.unread:
        return {"type": "image", "alias": image.name}
    held = _held(image.name, host.listings.images if host.listings else ())
    if held.type != "virtual-machine":
        raise Invalid(f"image: {image.name} is for containers", "VMs need an image of type virtual-machine")
    return {"type": "image", "fingerprint": held.fingerprint}


def _held(name: str, images: tuple[HeldImage, ...]) -> HeldImage:
    found = [image for image in images if name in image.aliases]
    if not found and len(name) >= 8:
        found = [image for image in images if image.fingerprint.startswith(name.lower())]
    if len(found) == 1:
        return found[0]
    there = ", ".join(sorted(alias for image in images for alias in image.aliases)) or "none"
    what = "is not there" if not found else "fits several images"
    raise NotFound(f"image: {name!r} {what}", f"aliases there: {there}; or say server, protocol and alias")
