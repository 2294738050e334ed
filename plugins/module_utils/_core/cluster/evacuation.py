# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which instances LXD leaves where they are when their member is evacuated: it stops those, and says nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..model import Instance

_KEY = "cluster.evacuate"
# With these an instance is moved whatever it has, and by itself LXD looks at its devices.
_MOVES, _BY_ITSELF = ("migrate", "live-migrate"), ("", "auto")


def stays(instance: Instance, shared: Collection[str]) -> str:
    """Why an instance isn't moved, empty for one that is. `shared`: the storage pools that all members have."""
    said = instance.expanded_config.get(_KEY, "")
    if said in _MOVES:
        return ""
    if said not in _BY_ITSELF:
        return f"{_KEY}: {said}"
    stuck = [name for name, device in sorted(instance.expanded_devices.items()) if not _moves(device, shared)]
    return f"device {', '.join(stuck)}" if stuck else ""


def _moves(device: Mapping[str, str], shared: Collection[str]) -> bool:
    kind = device.get("type")
    if kind == "disk":
        return device.get("path") == "/" or device.get("pool") in shared
    if kind == "nic":
        # One with an interface of its own host for a parent finds that nowhere else.
        return bool(device.get("network")) or device.get("nictype") == "ovn"
    return kind == "tpm"
