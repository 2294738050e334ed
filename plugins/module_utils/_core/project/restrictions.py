# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restricted project forbids of its instances, and the `restricted.*` key that permits it.

The same rules serve two questions: whether a VM may be created or changed, and whether a project that exists already
may be restricted with what is in it. Every row of docs/reference/confined.md is decided here; its test asks LXD the
same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from ..errors import TenantryError, Unsupported
from ..units import format_list, is_true, parse_list

Config = Mapping[str, str]
Devices = Mapping[str, Mapping[str, str]]

CONTAINER, VM = "containers", "virtual-machines"
NETWORKS_ACCESS = "restricted.networks.access"
DEVICES_NIC = "restricted.devices.nic"
_DEVICES_DISK = "restricted.devices.disk"
_DISK_PATHS = "restricted.devices.disk.paths"
_SNAPSHOTS = "restricted.snapshots"
_CLUSTER_TARGET = "restricted.cluster.target"
_CLUSTER_GROUPS = "restricted.cluster.groups"

# The keys that LXD (5.0 to 6.x) calls low-level, beside all that begin with `raw.`. It only checks whether they are
# set.
_LOW_LEVEL = {
    VM: frozenset({"boot.host_shutdown_timeout", "limits.memory.hugepages"}),
    CONTAINER: frozenset(
        {
            "boot.host_shutdown_timeout",
            "linux.kernel_modules",
            "linux.kernel_modules.load",
            "security.devlxd.images",
            "security.idmap.base",
            "security.idmap.size",
        }
    ),
}
# Devices that are forbidden unless `restricted.devices.<type>` is "allow", and what that would permit.
_FORBIDDEN_DEVICES = {
    "gpu": "the graphics cards of the host",
    "infiniband": "the InfiniBand devices of the host",
    "pci": "every PCI device of the host",
    "proxy": "ports of the host",
    "unix-block": "the block devices of the host",
    "unix-char": "the character devices of the host",
    "unix-hotplug": "devices that are plugged into the host",
    "usb": "every USB device of the host",
}
# LXD has these for containers only: no key gives one to a VM.
_CONTAINER_DEVICES = ("unix-block", "unix-char", "unix-hotplug")


@dataclasses.dataclass(frozen=True)
class Violation:
    """Something that a restricted project forbids.

    `what` names the config key, device or option. `value` of `key` on the project would permit it, and with it what
    `permits` says.
    """

    what: str
    key: str
    permits: str
    value: str = "allow"

    def error(self) -> TenantryError:
        """Return the error for a VM that would have it."""
        return Unsupported(
            f"{self.what}: the project is confined, which forbids it",
            f"an administrator can set {self.key}: {self.value} on the project, which permits {self.permits}",
        )


def check_vm(config: Config, devices: Devices, project: Config) -> None:
    """Raise Unsupported for the first thing of a VM that the project forbids, with the key that permits it.

    `config` and `devices`: those of the VM that are new or changed. `project`: the config of the project.
    """
    if not is_true(project.get("restricted")):
        return
    for name, device in devices.items():
        if device.get("type") in _CONTAINER_DEVICES:
            raise Unsupported(
                f"device {name} of type {device['type']}: LXD has these for containers only",
                "give a VM a disk with disks, or a device of type usb or pci",
            )
    for violation in find_violations(config, devices, (VM,), project):
        # LXD doesn't list a network that the project may not use, so the check of the VM's networks reports it.
        if violation.key != NETWORKS_ACCESS or violation.what.endswith(_PARENT_MARK):
            raise violation.error()


def check_target(target: str, project: Config) -> None:
    """Raise Unsupported if the project forbids its instances to choose a cluster member or group."""
    if not is_true(project.get("restricted")):
        return
    if project.get(_CLUSTER_TARGET) != "allow":
        # This includes groups (5.0.2).
        raise Violation(f"target {target}", _CLUSTER_TARGET, "every member of the cluster, one by one").error()
    groups = parse_list(project.get(_CLUSTER_GROUPS))
    if target.startswith("@") and groups and target[1:] not in groups:
        value = format_list([*groups, target[1:]])
        raise Violation(f"target {target}", _CLUSTER_GROUPS, "the members of that group", value).error()


def find_violations(config: Config, devices: Devices, kinds: Sequence[str], project: Config) -> Iterator[Violation]:
    """Yield what a restricted project forbids of an instance, or of a profile.

    `kinds`: CONTAINER, VM, or both for a profile, which any instance may use. `project`: the config of the project.
    """
    for key, value in config.items():
        yield from _config_violations(key, value, kinds, project)
    for name, device in devices.items():
        kind = device.get("type", "")
        if kind == "nic":
            yield from _nic_violations(name, device, project)
        elif kind == "disk":
            yield from _disk_violations(name, device, project)
        elif kind in _FORBIDDEN_DEVICES and project.get(f"restricted.devices.{kind}") != "allow":
            yield Violation(f"device {name} of type {kind}", f"restricted.devices.{kind}", _FORBIDDEN_DEVICES[kind])


def _config_violations(key: str, value: str, kinds: Sequence[str], project: Config) -> Iterator[Violation]:
    what = "hugepages" if key == "limits.memory.hugepages" else f"config {key}"
    for kind in kinds:
        restriction = f"restricted.{kind}.lowlevel"
        # Keys of its own say which users of the host raw.idmap may name; LXD compares them itself.
        is_mapped = key == "raw.idmap" and project.get("restricted.idmap.uid")
        is_low_level = key.startswith("raw.") or key in _LOW_LEVEL[kind]
        if is_low_level and not is_mapped and project.get(restriction) != "allow":
            yield Violation(what, restriction, "the holder of the certificate to become root on the host")
            return
    if CONTAINER in kinds and is_true(value):
        nesting, privilege = "restricted.containers.nesting", "restricted.containers.privilege"
        if key == "security.nesting" and project.get(nesting) != "allow":
            yield Violation(what, nesting, "containers inside containers")
        if key == "security.privileged" and project.get(privilege) != "allow":
            yield Violation(what, privilege, "containers whose root is the host's root")
    if key == "snapshots.schedule" and value and project.get(_SNAPSHOTS) != "allow":
        # LXD accepts the schedule and then never takes a snapshot, without a message (5.0.2).
        yield Violation(what, _SNAPSHOTS, "snapshots that take space in the storage pools without a limit of their own")


def _disk_violations(name: str, device: Mapping[str, str], project: Config) -> Iterator[Violation]:
    source = device.get("source", "")
    # LXD always permits the drive with the texts for cloud-init (5.0.2), and the root disk.
    if source == "cloud-init:config" or (device.get("path") == "/" and device.get("pool")):
        return
    mode = project.get(_DEVICES_DISK) or "managed"
    if mode == "block":
        yield Violation(f"disk {name}", _DEVICES_DISK, "further disks", "managed")
    elif device.get("pool"):
        return
    elif mode != "allow":
        yield Violation(f"device {name}, a disk without a storage pool", _DEVICES_DISK, "files of the host")
    else:
        paths = parse_list(project.get(_DISK_PATHS))
        if paths and not any(source == path or source.startswith(path.rstrip("/") + "/") for path in paths):
            value = format_list([*paths, source])
            yield Violation(f"device {name}, a disk from {source}", _DISK_PATHS, "that path of the host", value)


# How the text of a violation ends that is about the parent of an interface.
_PARENT_MARK = " as its parent"


def _nic_violations(name: str, device: Mapping[str, str], project: Config) -> Iterator[Violation]:
    mode, network, parent = project.get(DEVICES_NIC) or "managed", device.get("network"), device.get("parent")
    if mode == "block":
        yield Violation(f"interface {name}", DEVICES_NIC, "the networks that the project may use", "managed")
        return
    if mode == "managed" and not network:
        yield Violation(f"interface {name} without a network", DEVICES_NIC, "every network of the host")
        return
    usable = usable_networks(project)
    if usable is None:
        return
    if parent and parent not in usable:
        what = f"interface {name} with {parent}{_PARENT_MARK}"
        yield Violation(what, NETWORKS_ACCESS, "that network", add_network(parent, project))
    # A project with networks of its own may use all of those.
    if network and network not in usable and not is_true(project.get("features.networks")):
        what = f"interface {name} on network {network}"
        yield Violation(what, NETWORKS_ACCESS, "that network", add_network(network, project))


def usable_networks(project: Config) -> tuple[str, ...] | None:
    """Return the networks and parents that the project may use; None if it may use all of them.

    LXD reads the key only while the project is restricted, and an empty one as "all".
    """
    if not is_true(project.get("restricted")):
        return None
    if project.get(DEVICES_NIC) == "block":
        return ()
    return parse_list(project.get(NETWORKS_ACCESS)) or None


def usable_bridges(project: Config) -> tuple[str, ...]:
    """Return the bridges to which instances are connected by `parent`, which gives no right to configure them.

    A project with networks of its own doesn't see those of the server, so its tenant can't change their configuration.
    """
    own = is_true(project.get("features.networks"))
    return (usable_networks(project) or ()) if own and project.get(DEVICES_NIC) == "allow" else ()


def add_network(name: str, project: Config) -> str:
    """Return the value of `restricted.networks.access` that permits one more network."""
    return format_list([*parse_list(project.get(NETWORKS_ACCESS)), name])
