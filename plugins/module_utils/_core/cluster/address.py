# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the other members of a cluster reach one of them: an address of its own, never all of them."""

from __future__ import annotations

import ipaddress

from ..errors import Invalid
from ..server import settings as server_settings

_HINT = "write an address of the host that the other members reach, such as 192.0.2.11:8443"


def checked(said: str, what: str) -> tuple[str, int]:
    """Host and port of an address that leads to one member."""
    host, port = server_settings.address(said, what)
    if not host or ipaddress.ip_address(host).is_unspecified:
        raise Invalid(f"{what}: {said} is every address of the host; members need one that leads to it", _HINT)
    return host, port


def complete_address(said: str, what: str, came_in_by: str) -> tuple[str, int]:
    """As `checked`; a port alone (":8443") is one of the address that somebody came in by."""
    if not said.startswith(":"):
        return checked(said, what)
    if not came_in_by:
        raise Invalid(f"{what}: this connection doesn't show by which address it came in", _HINT)
    return checked(server_settings.shown_address(came_in_by, server_settings.address(said, what)[1]), what)
