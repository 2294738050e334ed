# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which members are asked for what: the silent ones not at all, and a store that all share only once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Server
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.machines import read_machines, sum_pools
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Answer, Connection
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.reader import Reader

SPACE = {"a": (100, 10), "b": (200, 20), "c": (300, 30), "": (50, 5)}


class Scripted:
    """LXD's answers for so many members; `silent` ones are Online and answer nothing."""

    connection = Connection(("https://one",))

    def __init__(self, members: dict[str, str], drivers: dict[str, str], silent: tuple[str, ...] = ()) -> None:
        environment = {"server_clustered": bool(members), "architectures": ["x86_64", "i686"]}
        self.server = Server.from_api({"environment": environment})
        self._members, self._drivers, self._silent = members, drivers, silent
        self.asked: list[tuple[str, str]] = []

    def call(self, method: str, path: Any, *, params: Any = None, **_rest: Any) -> Answer:
        target = (params or {}).get("target", "")
        self.asked.append(("/".join(path), target))
        if target in self._silent:
            raise errors.OperationFailed("Missing event connection with target cluster member")
        return Answer(self._answer(tuple(path), target))

    def _answer(self, path: tuple[str, ...], target: str) -> Any:
        if path == ("cluster", "members"):
            return [
                {"server_name": name, "status": status, "groups": ["default"], "architecture": "aarch64"}
                for name, status in self._members.items()
            ]
        if path == ("storage-pools",):
            return [{"name": name, "driver": driver, "status": "Created"} for name, driver in self._drivers.items()]
        if path == ("resources",):
            return {"cpu": {"total": 4}, "memory": {"total": SPACE[target][0]}}
        total, used = SPACE[target]
        return {"space": {"total": total, "used": used}}


def test_a_server_alone_is_one_machine() -> None:
    port = Scripted({}, {"default": "dir"})
    [only] = read_machines(Reader(port), Reader(port).pools())
    assert (only.member, only.status, only.architecture, only.groups) == ("none", "Online", "x86_64", frozenset())
    assert only.resources is not None and only.resources.memory_total == 50
    assert [(pool.name, pool.total, pool.used) for pool in only.pools] == [("default", 50, 5)]
    assert len(port.asked) == 3


def test_a_server_alone_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(errors.OperationFailed):
        read_machines(Reader(Scripted({}, {}, silent=("",))), ())


def test_members_come_by_name_with_their_own_share() -> None:
    port = Scripted({"b": "Online", "a": "Online"}, {"default": "zfs"})
    found = read_machines(Reader(port), Reader(port).pools())
    assert [(each.member, each.architecture, set(each.groups)) for each in found] == [
        ("a", "aarch64", {"default"}),
        ("b", "aarch64", {"default"}),
    ]
    assert [each.pools[0].total for each in found] == [100, 200]
    assert [(pool.total, pool.used) for pool in sum_pools(found)] == [(300, 30)]


@pytest.mark.parametrize("status", ["Offline", "Evacuated", "Blocked", ""])
def test_who_is_not_online_is_not_asked(status: str) -> None:
    port = Scripted({"a": "Online", "b": status}, {"default": "dir", "ceph": "ceph"})
    found = read_machines(Reader(port), Reader(port).pools())
    assert [bool(each.resources) for each in found] == [True, False]
    assert [each.status for each in found] == ["Online", status]
    assert ("resources", "b") not in port.asked
    assert not [path for path, target in port.asked if target == "b"]
    assert [pool.total for pool in found[1].pools] == [None, 100], "the common store is known all the same"
    assert [(pool.total, pool.used) for pool in sum_pools(found)] == [(None, None), (100, 10)]


def test_who_is_online_and_silent_is_asked_once_and_missing() -> None:
    port = Scripted({"a": "Online", "b": "Online"}, {"default": "dir"}, silent=("b",))
    found = read_machines(Reader(port), Reader(port).pools())
    assert [bool(each.resources) for each in found] == [True, False]
    assert [target for _path, target in port.asked].count("b") == 1
    assert found[1].pools[0].total is None


def test_a_shared_store_is_asked_for_once_by_one_that_answers() -> None:
    members = {"a": "Online", "b": "Online", "c": "Online"}
    port = Scripted(members, {"ceph": "ceph"})
    found = read_machines(Reader(port), Reader(port).pools())
    assert [(each.pools[0].total, each.pools[0].used) for each in found] == [(100, 10)] * 3
    assert [(pool.total, pool.used) for pool in sum_pools(found)] == [(100, 10)]
    assert [path for path, _target in port.asked].count("storage-pools/ceph/resources") == 1

    port = Scripted(members, {"ceph": "ceph"}, silent=("a",))
    assert read_machines(Reader(port), Reader(port).pools())[0].pools[0].total == 200


def test_members_read_already_are_not_read_again() -> None:
    port = Scripted({"a": "Online"}, {})
    told = Reader(port).members()
    port.asked.clear()
    assert [each.member for each in read_machines(Reader(port), Reader(port).pools(), told)] == ["a"]
    assert "cluster/members" not in [path for path, _target in port.asked]
