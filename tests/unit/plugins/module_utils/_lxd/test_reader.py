# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a listing asks for, by what the server says it can do; tests/integration has what LXD answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Server
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer, Connection
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.reader import Reader


class Heard:
    """A port that keeps what was asked, and answers with an empty list."""

    def __init__(self, *extensions: str) -> None:
        self.connection = Connection(("https://kvm-01:8443",))
        self.server = Server.from_api({"api_extensions": list(extensions)})
        self.recursion = ""

    def call(self, _method: str, _path: Sequence[str], **said: Any) -> Answer:
        params: Mapping[str, str] = said["params"]
        self.recursion = params["recursion"]
        return Answer([])

    def text(self, _path: Sequence[str], *, project: str) -> str:
        raise AssertionError(project)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("extensions", "state", "expected"),
    [
        ((), False, "1"),
        ((), True, "2"),
        (("instances_state_selective_recursion",), False, "1"),
        (("instances_state_selective_recursion",), True, "2;fields=state.network"),
    ],
)
def test_guests_disks_are_measured_only_where_it_can_not_be_left_out(
    extensions: tuple[str, ...], state: bool, expected: str
) -> None:
    port = Heard(*extensions)
    assert Reader(port).instances("tenant-a", state=state) == []
    assert port.recursion == expected
