# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that say what a server is to have; doc fragment `server` says the same to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import arguments

# Nothing here is about a project.
CONNECTION = {option: spec for option, spec in arguments.CONNECTION.items() if option != "project"}

_POOL = {
    "name": {"type": "str", "required": True},
    "driver": {"type": "str", "required": True},
    "source": {"type": "str"},
    "size": {"type": "str"},
    "config": {"type": "dict"},
    "description": {"type": "str"},
    "wipe": {"type": "bool", "default": False},
    "members": {"type": "dict"},
}
_NETWORK = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["bridge", "macvlan", "sriov", "physical", "ovn"], "default": "bridge"},
    "config": {"type": "dict"},
    "description": {"type": "str"},
    "dhcp": {"type": "bool"},
    "dns": {"type": "bool"},
    "members": {"type": "dict"},
}
OPTIONS: Mapping[str, Any] = {
    "config": {"type": "dict"},
    "secret_config": {"type": "dict", "no_log": True},
    "https_address": {"type": "str"},
    "storage_pools": {"type": "list", "elements": "dict", "options": _POOL},
    "networks": {"type": "list", "elements": "dict", "options": _NETWORK},
}
