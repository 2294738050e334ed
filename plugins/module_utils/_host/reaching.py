# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether this machine reaches a port of another."""

from __future__ import annotations

import socket

# Members of a cluster are near each other, or it would not work at all.
_SECONDS = 3.0


def answers(host: str, port: int) -> bool:
    """Whether somebody takes a connection there; nothing is sent."""
    try:
        with socket.create_connection((host, port), timeout=_SECONDS):
            return True
    except OSError:
        return False
