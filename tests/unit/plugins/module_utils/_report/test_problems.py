# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told as wrong, and how bad it is; and what is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._report.problems import find_problems

from tests.unit.plugins.module_utils._report.report_world import GIB, row, unread, vm

CLOSED = {"restricted": "true", "restricted.networks.access": "lxdbr0", "features.networks": "false"}
OWN = {f"features.{name}": "true" for name in ("images", "profiles", "storage.volumes")}
CONFINED = {"config": {**CLOSED, **OWN}, "exposure": []}


def found(host: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(each.severity, each.kind) for each in find_problems(host, 30)]


def test_nothing_is_wrong_with_a_host_in_order() -> None:
    assert found(row(vms=[vm("web-1")], **CONFINED)) == []


SERVER = {"fingerprint": "ab", "not_after": "2026-12-01T00:00:00Z"}
CASES: list[Any] = [
    pytest.param(row(days_left=31, **CONFINED), [], id="a certificate with more than a month"),
    pytest.param(row(days_left=30, **CONFINED), [("warning", "certificate_expiring")], id="one with a month"),
    pytest.param(row(days_left=0, **CONFINED), [("warning", "certificate_expiring")], id="its last day"),
    pytest.param(row(days_left=-1, **CONFINED), [("error", "certificate_expired")], id="ended"),
    pytest.param(
        row(server_certificate={**SERVER, "days_left": 3}, **CONFINED),
        [("warning", "server_certificate_expiring")],
        id="the server's own",
    ),
    pytest.param(
        row(vms=[vm("a", cores="17")], **CONFINED), [("error", "over_limit")], id="more cores than may be promised"
    ),
    pytest.param(
        row(vms=[vm("a", cores="17")], **{**CONFINED, "config": {"user.tenantry.cpu_overcommit": "2"}}),
        [],
        id="more cores than there are, as the ratio allows",
    ),
    pytest.param(
        row(vms=[vm("a", memory="8GiB")], **{**CONFINED, "config": {"limits.memory": "4GiB"}}),
        [("error", "over_limit")],
        id="more memory than the project's limit",
    ),
    pytest.param(
        row(vms=[vm("a")], space=(10 * GIB, GIB), **CONFINED), [("error", "over_limit")], id="more disk than there is"
    ),
    pytest.param(row(project_owner="team-b", **CONFINED), [("error", "drift")], id="another owner's project"),
    pytest.param(row(project_owner=None, **CONFINED), [("error", "drift")], id="nobody's project"),
    pytest.param(
        row(declared={"cpu_overcommit": "3"}, **CONFINED), [("warning", "drift")], id="a ratio that isn't in force"
    ),
    pytest.param(
        row(entry={"default_network": "gone", "default_storage_pool": "gone"}, **CONFINED),
        [("error", "drift")] * 2,
        id="defaults that aren't there",
    ),
    pytest.param(
        row(vms=[vm("a", config={"user.tenantry.zone": "south"})], entry={"zone": "north"}, **CONFINED),
        [("notice", "drift")],
        id="a VM of another zone",
    ),
    pytest.param(row(vms=[vm("a", status="Error")], **CONFINED), [("error", "vm_error")], id="a VM in error"),
    pytest.param(
        row(vms=[vm("c", memory="lots")], **CONFINED), [("warning", "uncounted")], id="a limit that is no number"
    ),
    pytest.param(
        row(
            orphaned_trust=[{"name": "x", "fingerprint": "ab" * 32, "because": "unused", "command": "lxc ..."}],
            **CONFINED,
        ),
        [("warning", "orphaned_trust")],
        id="a certificate left over",
    ),
    pytest.param(
        row(unused_volumes=[{"storage_pool": "default", "name": "web-1-data", "size": None}], **CONFINED),
        [("notice", "orphaned_volume")],
        id="a volume left over",
    ),
    pytest.param(row(exposure=["Its holder could."]), [("notice", "exposure")], id="a shared project"),
    pytest.param(unread(), [("error", "unreachable")], id="no answer"),
]


@pytest.mark.parametrize(("host", "expected"), CASES)
def test_what_is_wrong(host: Mapping[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(host) == expected


def test_a_host_that_does_not_trust_us_shows_how_to_be_trusted() -> None:
    (problem,) = find_problems(unread(code="not_trusted"), 30)
    assert problem.command.startswith("lxc config trust add - --name team-a-kvm-dead --restricted --projects tenant-a")
    assert "BEGIN CERTIFICATE" in problem.command


@pytest.mark.parametrize(
    ("name", "flavour", "line"),
    [
        ("web-1", "lxd", "lxc info web-1 --show-log --project tenant-a"),
        ("web-1", "incus", "incus info web-1 --show-log --project tenant-a"),
        ("--help; id", "lxd", ""),
    ],
)
def test_a_vm_in_error_shows_the_line_that_tells_more(name: str, flavour: str, line: str) -> None:
    there = row(vms=[vm(name, status="Error"), vm("web-2", status="Error")], **CONFINED)
    there["server"]["flavour"] = flavour
    first, second = find_problems(there, 30)
    assert first.command == line
    assert first.hint == second.hint, "what is alike on many VMs is told once"


def test_worst_comes_first() -> None:
    kinds = [severity for severity, _kind in found(row(days_left=5, exposure=["It could."], project_owner=None))]
    assert kinds == ["error", "warning", "notice"]
