# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The server of the machine that a module runs on, which an earlier task of the same play may only just install."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..._access import targets
from ..._core import errors
from ..._core.model import Server
from ..._lxd.port import Port
from ..carry_out import ExecutionContext

# What a server is taken for as long as nobody could ask it.
UNREAD = Server.from_api({})


class OwnServer:
    """What the jobs on it share: one port, opened when it is first wanted, and what couldn't be read."""

    def __init__(self, params: Mapping[str, Any], why: str) -> None:
        self._target = targets.parse_target({**params, "url": params.get("url") or ["unix:"]})
        if not self._target.local:
            raise errors.Invalid(why, "set url: unix: and become: true, on the VM host")
        self._missing: list[errors.TenantryError] = []
        self._opened: Optional[Port] = None

    @property
    def _port(self) -> Port:
        if self._opened is None:
            self._opened = targets.open_trusted(self._target)
        return self._opened

    def execution_context(self) -> ExecutionContext:
        """The one port."""
        return ExecutionContext(ports={self._target.name: self._opened} if self._opened else {})

    def close(self) -> None:
        """Give the connection back."""
        if self._opened:
            self._opened.close()
