# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in a project already and stands against a new limit or restriction: LXD itself looks late, or never."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import units
from ..errors import Conflict, Invalid
from ..model import Instance
from .config import access
from .found import Found

# LXD's own lists (5.0 to 6.x) of what is low-level for containers and for VMs.
_LOW_CONTAINER = frozenset(
    {
        "boot.host_shutdown_timeout",
        "linux.kernel_modules",
        "linux.kernel_modules.load",
        "raw.apparmor",
        "raw.idmap",
        "raw.lxc",
        "raw.seccomp",
        "security.devlxd.images",
        "security.idmap.base",
        "security.idmap.size",
    }
)
_LOW_VM = frozenset({"boot.host_shutdown_timeout", "limits.memory.hugepages", "raw.idmap", "raw.qemu", "raw.qemu.conf"})
_DEVICES = frozenset({"gpu", "infiniband", "pci", "proxy", "unix-block", "unix-char", "unix-hotplug", "usb"})


def check_restrictions(name: str, config: Mapping[str, str], found: Found) -> None:
    """Raise Conflict for what the restricted project would hold and forbid: until 5.21.5 LXD lets it go on working."""
    wrong = []
    for instance in found.instances:
        kinds = ("virtual-machines",) if instance.is_vm else ("containers",)
        thing = f"{'VM' if instance.is_vm else 'container'} {instance.name}"
        wrong += [f"{thing}: {it}" for it in _forbidden(instance.config, instance.devices, kinds, config)]
    for profile in found.profiles:
        both = ("containers", "virtual-machines")
        it_has = _forbidden(profile.get("config") or {}, profile.get("devices") or {}, both, config)
        wrong += [f"profile {profile['name']}: {it}" for it in it_has]
    if wrong:
        raise Conflict(
            f"project {name}: it holds what its restrictions would forbid: {units.shorten(wrong)}",
            "change those first, or open the key in brackets with restrictions (for a network, with networks)",
            forbidden=wrong,
        )


def _forbidden(
    values: Mapping[str, str],
    devices: Mapping[str, Mapping[str, str]],
    kinds: Sequence[str],
    config: Mapping[str, str],
) -> Iterator[str]:
    for key, value in sorted(values.items()):
        restriction = _of_key(key, value, kinds, config)
        if restriction:
            yield f"config {key} ({restriction})"
    for name, device in sorted(devices.items()):
        restriction = _of_device(device, config)
        if restriction:
            yield f"device {name} ({restriction})"


def _of_key(key: str, value: str, kinds: Sequence[str], config: Mapping[str, str]) -> str:
    """The restriction that forbids a config key; empty where it is allowed."""
    for kind, low in (("containers", _LOW_CONTAINER), ("virtual-machines", _LOW_VM)):
        restriction = f"restricted.{kind}.lowlevel"
        # Which host users raw.idmap may name has keys of its own, which LXD itself compares.
        mapped = key == "raw.idmap" and config.get("restricted.idmap.uid")
        if kind in kinds and key in low and not mapped and config.get(restriction) != "allow":
            return restriction
    if "containers" in kinds and units.is_true(value):
        if key == "security.nesting" and config.get("restricted.containers.nesting") != "allow":
            return "restricted.containers.nesting"
        if key == "security.privileged" and config.get("restricted.containers.privilege") != "allow":
            return "restricted.containers.privilege"
    return ""


def _of_device(device: Mapping[str, str], config: Mapping[str, str]) -> str:
    kind = device.get("type", "")
    if kind == "nic":
        return _of_nic(device, config)
    if kind == "disk":
        return _of_disk(device, config)
    restriction = f"restricted.devices.{kind}"
    return restriction if kind in _DEVICES and config.get(restriction) != "allow" else ""


def _of_nic(device: Mapping[str, str], config: Mapping[str, str]) -> str:
    mode = config.get("restricted.devices.nic") or "managed"
    if mode == "block" or (mode == "managed" and not device.get("network")):
        return "restricted.devices.nic"
    may = access(config)
    name = device.get("network") or device.get("parent") or ""
    own = units.is_true(config.get("features.networks"))
    return "restricted.networks.access" if name and may is not None and name not in may and not own else ""


def _of_disk(device: Mapping[str, str], config: Mapping[str, str]) -> str:
    mode = config.get("restricted.devices.disk") or "managed"
    root = device.get("path") == "/" and device.get("pool")
    if root or device.get("source") == "cloud-init:config" or mode == "allow":
        return ""
    return "" if mode == "managed" and device.get("pool") else "restricted.devices.disk"


def check_limits(name: str, limits: Mapping[str, str], found: Found) -> None:
    """Raise Conflict for limits below what is promised already, and for instances that LXD couldn't count."""
    wrong = []
    for key, value in sorted(limits.items()):
        usage = (found.state.get(key[len("limits.") :]) or {}).get("Usage") or 0
        limit = _number(value)
        if limit is not None and limit < usage:
            in_use = units.format_size(usage) if key in ("limits.memory", "limits.disk") else usage
            wrong.append(f"{key} {value} is below the {in_use} in use")
        without = [each.name for each in found.instances if not _countable(each, key)]
        if without:
            wrong.append(
                f"{key} needs each instance to say its own as a plain figure, and these don't: {units.shorten(without)}"
            )
    if wrong:
        raise Conflict(
            f"project {name}: {'; '.join(wrong)}", "choose a higher limit, or change the instances first", limits=wrong
        )


def _number(value: object) -> int | None:
    try:
        return units.parse_size(value, "")
    except Invalid:
        return None


def _countable(instance: Instance, key: str) -> bool:
    """Whether LXD can add an instance up under a limit of the project: pinned cores and percentages it can't."""
    if key == "limits.cpu":
        return (instance.expanded_config.get(key) or "").isdigit()
    if key == "limits.memory":
        return _number(instance.expanded_config.get(key)) is not None
    if key == "limits.processes":
        return instance.is_vm or bool(instance.expanded_config.get(key))
    if key == "limits.disk":
        roots: list[Any] = [device for device in instance.expanded_devices.values() if device.get("path") == "/"]
        return bool(roots) and bool(roots[0].get("size"))
    return True
