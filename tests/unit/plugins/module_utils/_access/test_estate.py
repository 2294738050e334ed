# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading many VM hosts side by side: what needs no server to be seen; tests/integration has the rest."""

from __future__ import annotations

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._access import estate, targets
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Connection
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.reader import Reader


def never(_to: targets.Target, _reader: Reader) -> str:
    raise AssertionError("nothing could be opened")


def test_every_host_that_can_not_be_opened_is_its_own_error_in_its_place() -> None:
    broken = {"name": "kvm-02", "error": {"code": "invalid", "message": "kvm-02/vmhost.yml: bad", "hint": "mend it"}}
    found = estate.read([{"name": "kvm-01"}, broken], {"registry": "/vmhosts"}, never)
    assert [type(each) for each in found] == [errors.NotFound, errors.Invalid]
    assert [getattr(each, "message", "") for each in found] == [
        "vmhost kvm-01: not in the registry /vmhosts",
        "kvm-02/vmhost.yml: bad",
    ]


def test_no_host_is_nothing_to_read() -> None:
    assert estate.read([], {}, never) == []


def test_without_a_project_nothing_is_asked() -> None:
    with pytest.raises(errors.Invalid, match="no project is said"):
        estate.demanded_project(targets.Target("kvm-01", Connection(("https://kvm-01:8443",)), None, None))
