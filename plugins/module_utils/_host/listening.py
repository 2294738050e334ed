# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether this machine could listen on an address: asked of the kernel, which is who decides."""

from __future__ import annotations

import errno
import socket

_ALL_OF_IPV4 = "0.0.0.0"  # noqa: S104 (asked about, not listened on)


def obstacle(host: str, port: int) -> str:
    """Why nobody could begin to listen there now; empty when one could. Port 0 asks for the address alone."""
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as refused:
        if refused.errno == errno.EADDRNOTAVAIL:
            return f"{host} is not an address of this machine"
        if refused.errno == errno.EADDRINUSE:
            return f"port {port} is in use by another program"
        if refused.errno == errno.EAFNOSUPPORT and not host:
            # A machine without IPv6: LXD then listens by IPv4 alone.
            return obstacle(_ALL_OF_IPV4, port)
        return refused.strerror or type(refused).__name__
    return ""
