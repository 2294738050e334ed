# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a VM looks to people: one shape for results, diffs, inventory and report."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from ..cpu_limit import count_cores, parse_pinned_cores
from ..model import COMMISSIONED, MARK, Instance, Volume
from ..plan import Later
from .spec import ANNOTATION

# What a guest is told at its first boot may hold passwords, and a short one could be guessed from any digest of it.
_GUEST_TEXT = re.compile(r"(cloud-init\.|user\.)(user-data|network-config|vendor-data|meta-data)")
_SAID_ELSEWHERE = ("volatile.", "image.", MARK)


def build_vm_view(
    instance: Instance, vmhost: str, project: str, volumes: Mapping[tuple[str, str], Volume] | None = None
) -> dict[str, Any]:
    """One VM. `volumes`, by pool and name, give the sizes of disks that are volumes of their own."""
    config = instance.expanded_config
    return {
        "name": instance.name,
        "vmhost": vmhost,
        "project": project,
        "location": instance.location,
        "status": instance.status,
        "type": instance.type,
        "description": instance.description,
        "architecture": instance.architecture,
        "owner": instance.owner,
        "cores": None if instance.is_unreachable else count_cores(config.get("limits.cpu")),
        "pinned_cores": parse_pinned_cores(config.get("limits.cpu")),
        "memory": config.get("limits.memory"),
        "disks": _disks(instance, volumes or {}),
        "interfaces": _interfaces(instance),
        "addresses": list_addresses(instance.state),
        "profiles": list(instance.profiles),
        "pool": config.get(f"{MARK}pool"),
        "zone": config.get(f"{MARK}zone"),
        "tags": [tag for tag in config.get(f"{MARK}tags", "").split(",") if tag],
        "annotations": {k[len(ANNOTATION) :]: v for k, v in sorted(config.items()) if k.startswith(ANNOTATION)},
        "protected": instance.is_protected,
        "commissioned": instance.config.get(COMMISSIONED),
        "config": _config(config),
    }


def build_vm_row(
    instance: Instance,
    vmhost: str,
    project: str,
    owner: str | None,
    volumes: Mapping[tuple[str, str], Volume] | None = None,
) -> dict[str, Any]:
    """One VM as it was read: with its times, each interface's addresses, and whether it was enlisted.

    It was composed where it carries the mark of `owner`. Of one on a member that doesn't answer nobody can tell, nor
    where nobody said who we are.
    """
    shown = build_vm_view(instance, vmhost, project, volumes)
    shown["interfaces"] = _add_addresses(shown["interfaces"], instance.state)
    shown["created_at"] = instance.created_at or None
    shown["last_used_at"] = instance.last_used_at if instance.was_started else None
    shown["enlisted"] = None if instance.is_unreachable or owner is None else instance.owner != owner
    return shown


def _add_addresses(interfaces: list[dict[str, Any]], state: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The interfaces with the addresses that the guest has on each: what it made itself, like docker0, is none of them.

    A device that was passed through whole has no MAC that LXD knows: what is on no other interface is on that one.
    """
    by_mac = _addresses_by_mac(state)
    known = {str(each["mac"]).lower() for each in interfaces}
    strange = [address for mac, found in by_mac.items() if mac not in known for address in found]
    for each in interfaces:
        if isinstance(each["mac"], Later):
            each["mac"], each["addresses"], strange = None, strange, []
        else:
            each["addresses"] = by_mac.get(each["mac"].lower(), [])
    return interfaces


def _disks(instance: Instance, volumes: Mapping[tuple[str, str], Volume]) -> list[dict[str, Any]]:
    found = []
    for name, device in instance.expanded_devices.items():
        if device.get("type") != "disk":
            continue
        volume = volumes.get((device.get("pool", ""), device.get("source", "")))
        found.append(
            {
                "name": name,
                "root": device.get("path") == "/",
                "size": volume.config.get("size") if volume else device.get("size"),
                "storage_pool": device.get("pool"),
                "volume": device.get("source"),
                "boot_priority": device.get("boot.priority"),
            }
        )
    return sorted(found, key=lambda disk: (not disk["root"], disk["name"]))


def _interfaces(instance: Instance) -> list[dict[str, Any]]:
    found = []
    for name, device in sorted(instance.expanded_devices.items()):
        if device.get("type") != "nic":
            continue
        mac = device.get("hwaddr") or instance.config.get(f"volatile.{name}.hwaddr")
        found.append(
            {
                "name": name,
                "network": device.get("network"),
                "parent": device.get("parent"),
                "type": device.get("nictype"),
                "mac": mac or Later("mac"),
                "vlan": device.get("vlan"),
                "ipv4": device.get("ipv4.address"),
                "ipv6": device.get("ipv6.address"),
                "boot": device.get("boot.priority"),
            }
        )
    return found


def list_addresses(state: Mapping[str, Any] | None) -> list[str]:
    """The guest's addresses that others can reach, as leases or its agent tell them; empty where nobody asked."""
    return [address for found in _addresses_by_mac(state).values() for address in found]


def _addresses_by_mac(state: Mapping[str, Any] | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, network in ((state or {}).get("network") or {}).items():
        if name == "lo":
            continue
        told = [each["address"] for each in network.get("addresses") or () if each.get("scope") == "global"]
        # What the guest stacks on an interface, such as a bridge, has its MAC.
        found.setdefault((network.get("hwaddr") or "").lower(), []).extend(told)
    return found


def _config(config: Mapping[str, str]) -> dict[str, str]:
    shown = {}
    for key, value in sorted(config.items()):
        if key.startswith(_SAID_ELSEWHERE):
            continue
        shown[key] = f"{len(value)} characters" if is_guest_text(key) else value
    return shown


def show_new_texts(shown: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """The view after a change of `keys`: a new text for the guest may be as long as the one before."""
    texts = {key: f"{text}, changed" for key, text in shown["config"].items() if key in keys and is_guest_text(key)}
    return {**shown, "config": {**shown["config"], **texts}}


def is_guest_text(key: str) -> bool:
    """Whether a key of a VM's config is what its guest is told at its first boot."""
    return _GUEST_TEXT.fullmatch(key) is not None
