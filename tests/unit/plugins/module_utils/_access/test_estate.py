# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading many VM hosts side by side: what needs no server to be seen; tests/integration has the rest."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._access import estate, targets
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Connection
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.reader import Reader

from tests.lxd.certificate import new_client_certificate

SAID = {"schema": 1, "project": "p", "owner": "us"}


def never(_to: targets.Target, _reader: Reader) -> str:
    raise AssertionError("nothing could be opened")


def test_every_host_that_can_not_be_opened_is_its_own_error_in_its_place() -> None:
    broken = {"name": "kvm-02", "error": {"code": "invalid", "message": "kvm-02/vmhost.yml: bad", "hint": "mend it"}}
    found = estate.read_targets([{"name": "kvm-01"}, broken], {"registry": "/vmhosts"}, never)
    assert [type(each) for each in found] == [errors.NotFound, errors.Invalid]
    assert [getattr(each, "message", "") for each in found] == [
        "vmhost kvm-01: not in the registry /vmhosts",
        "kvm-02/vmhost.yml: bad",
    ]


def test_64_silent_hosts_cost_the_timeout_once(tmp_path: Path) -> None:
    """The kernel takes up their connections, and nobody is there to say anything."""
    certificate, key = new_client_certificate(tmp_path)
    pem = certificate.read_text()
    pair = {"certificate": pem, "private_key": key.read_text(), "server_cert": pem}
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _each in range(64)]
        urls = [f"https://127.0.0.1:{each.getsockname()[1]}" for each in silent]
        hosts = [{"name": f"kvm-{place}", "entry": {**SAID, "url": url}, **pair} for place, url in enumerate(urls)]
        began = time.monotonic()
        found = estate.read_targets(hosts, {"registry": str(tmp_path), "timeout": 4}, never)
        took = time.monotonic() - began
    assert {type(each) for each in found} == {errors.Unreachable}, found[:3]
    assert took < 8, f"{took:.1f} s: they were read one after the other"


def test_no_host_is_nothing_to_read() -> None:
    assert estate.read_targets([], {}, never) == []


def test_without_a_project_nothing_is_asked() -> None:
    with pytest.raises(errors.Invalid, match="no project is set"):
        estate.get_tracked_project(targets.Target("kvm-01", Connection(("https://kvm-01:8443",)), None, None))
