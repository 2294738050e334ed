# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of one VM, the same for every entry of `vms` and for `defaults`."""

from __future__ import annotations

from typing import Any

from .._core.vm.spec import STATES

_DISK = {
    "name": {"type": "str"},
    "size": {"type": "str"},
    "storage_pool": {"type": "str"},
    "boot_priority": {"type": "int"},
    "config": {"type": "dict"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "delete_volume": {"type": "bool", "default": False},
}

_INTERFACE = {
    "name": {"type": "str"},
    "network": {"type": "str"},
    "parent": {"type": "str"},
    "type": {"type": "str", "choices": ["bridged", "macvlan", "sriov", "physical"]},
    "mac": {"type": "str"},
    "vlan": {"type": "int"},
    "ipv4": {"type": "str"},
    "ipv6": {"type": "str"},
    "mac_filter": {"type": "bool"},
    "ipv4_filter": {"type": "bool"},
    "ipv6_filter": {"type": "bool"},
    "mtu": {"type": "int"},
    "boot": {"type": "int"},
    "config": {"type": "dict"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}

# What a guest is told at its first boot may hold passwords.
_CLOUD_INIT = {
    "user_data": {"type": "str", "no_log": True},
    "network_config": {"type": "str", "no_log": True},
    "vendor_data": {"type": "str", "no_log": True},
}

DEFAULTS: dict[str, Any] = {
    "state": {"type": "str", "choices": list(STATES)},
    "vmhost": {"type": "str"},
    "target": {"type": "str"},
    "architecture": {"type": "str"},
    "cores": {"type": "int"},
    # A list or a map.
    "pinned_cores": {"type": "raw"},
    "memory": {"type": "str"},
    "hugepages": {"type": "bool"},
    "numa_nodes": {"type": "list", "elements": "int"},
    "disks": {"type": "list", "elements": "dict", "options": _DISK},
    "interfaces": {"type": "list", "elements": "dict", "options": _INTERFACE},
    "image": {"type": "raw"},
    "boot": {"type": "str", "choices": ["disk", "network"]},
    "secure_boot": {"type": "bool"},
    # The map too, for a key that is misspelt.
    "cloud_init": {"type": "dict", "options": _CLOUD_INIT, "no_log": True},
    "profiles": {"type": "list", "elements": "str"},
    "config": {"type": "dict"},
    "devices": {"type": "dict"},
    "description": {"type": "str"},
    "pool": {"type": "str"},
    "zone": {"type": "str"},
    "tags": {"type": "list", "elements": "str"},
    "annotations": {"type": "dict"},
    "protected": {"type": "bool"},
}

VM: dict[str, Any] = {"name": {"type": "str", "required": True}, **DEFAULTS}
