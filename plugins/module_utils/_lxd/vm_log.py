# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What QEMU wrote to a VM's log before it failed."""

from __future__ import annotations

from .._core import errors
from .port import Port

_LONGEST = 200


def read_last_line(port: Port, project: str, name: str) -> str:
    """Read the last line of a VM's `qemu.log`; empty if it has none, or if this connection may not read it."""
    try:
        log = port.text(("instances", name, "logs", "qemu.log"), project=project)
    except errors.TenantryError:
        return ""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return lines[-1][:_LONGEST] if lines else ""
