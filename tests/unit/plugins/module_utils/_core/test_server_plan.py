# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a declaration and a server to a plan: what is kept, what is changed, and what is refused before any write."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import server, server_plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.devices import Device, refusal
from ansible_collections.tenantry.lxd.plugins.module_utils._core.errors import TenantryError
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Server
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Plan, Request, WipeDevice
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server_found import Found, FoundMember, FoundPart

NET = FoundPart("br0", "bridge", "theirs", {"ipv4.address": "10.0.0.1/24", "ipv4.nat": "true"}, etag="n1")
POOL = FoundPart(
    "fast", "btrfs", "", {"source": "/dev/disk/by-uuid/1", "volatile.initial_source": "/dev/vdb"}, etag="p1"
)
CONFIG = {"core.https_address": ":8443", "core.trust_password": True, "images.auto_update_interval": "6"}


def found(config: dict[str, Any] | None = None, extensions: tuple[str, ...] = (), **rest: Any) -> Found:
    body = {"config": CONFIG if config is None else config, "api_extensions": extensions}
    return Found(Server.of(body), etag="s1", **{"pools": {"fast": POOL}, "networks": {"br0": NET}, **rest})


def plan(said: dict[str, Any], there: Found | None = None) -> Plan:
    return server_plan.plan(server.want(said), found() if there is None else there, "here")


def requests(planned: Plan) -> list[Request]:
    return [step for change in planned.changes for step in change.steps if isinstance(step, Request)]


def pool(**said: Any) -> dict[str, Any]:
    return {"storage_pools": [{"name": "fast", "driver": "btrfs", **said}]}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"https_address": "[::]:8443"},
        {"secret_config": {"core.trust_password": "any"}},
        {"config": {"images.auto_update_interval": 6, "core.proxy_http": None}},
        pool(),
        pool(source="/dev/vdb", wipe=True),
        pool(source="/dev/disk/by-id/x"),
        {"networks": [{"name": "br0", "config": {"ipv4.address": "auto", "ipv4.nat": True}}]},
    ],
)
def test_what_is_as_it_should_be_is_left_alone(said: dict[str, Any]) -> None:
    resolved = {"/dev/disk/by-id/x": "/dev/vdb", "/dev/disk/by-uuid/1": "/dev/vdb"}
    assert plan(said, found(resolved=resolved)).changes == ()


def test_settings_are_patched_so_that_no_secret_has_to_be_sent_back() -> None:
    planned = plan({"config": {"images.auto_update_interval": None}, "secret_config": {"loki.auth.password": "hidden"}})
    (request,) = requests(planned)
    assert (request.method, request.path, request.etag) == ("PATCH", (), "s1")
    assert request.body == {"config": {"images.auto_update_interval": "", "loki.auth.password": "hidden"}}
    assert "hidden" not in str(planned.diff()) + str([change.sentence for change in planned.changes])


def test_a_change_keeps_everything_else() -> None:
    planned = plan({"networks": [{"name": "br0", "dhcp": False, "config": {"ipv4.nat": None}}]})
    (request,) = requests(planned)
    assert (request.method, request.path, request.etag) == ("PUT", ("networks", "br0"), "n1")
    assert request.body == {
        "description": "theirs",
        "config": {"ipv4.address": "10.0.0.1/24", "ipv4.dhcp": "false", "ipv6.dhcp": "false"},
    }


def test_on_a_cluster_each_member_is_told_its_own_and_then_all_the_rest() -> None:
    said = pool(source="/dev/vdb", config={"btrfs.mount_options": "noatime"}, members={"two": {"source": "/dev/vdc"}})
    planned = plan(said, found(pools={}, members=("one", "two"), here="one"))
    first, second, last = requests(planned)
    assert [first.params, second.params, last.params] == [{"target": "one"}, {"target": "two"}, {}]
    assert [each.body["config"] for each in (first, second, last)] == [
        {"source": "/dev/vdb"},
        {"source": "/dev/vdc"},
        {"btrfs.mount_options": "noatime"},
    ]
    begun = FoundPart("fast", "btrfs", "", {}, "Pending", ("one",))
    resumed = requests(plan(said, found(pools={"fast": begun}, members=("one", "two"), here="one")))
    assert [each.params for each in resumed] == [{"target": "two"}, {}]


def test_a_members_own_key_is_changed_on_that_member_alone() -> None:
    on = {
        "one": FoundMember({"bridge.external_interfaces": "eth1", "ipv4.nat": "true"}, "e1"),
        "two": FoundMember({"ipv4.nat": "true"}, "e2"),
    }
    there = FoundPart("br0", "bridge", "", {"ipv4.nat": "true"}, "Created", ("one", "two"), on=on)
    said = {"networks": [{"name": "br0", "config": {"bridge.external_interfaces": "eth1"}}]}
    (request,) = requests(plan(said, found(networks={"br0": there}, members=("one", "two"), here="one")))
    assert (request.params, request.etag) == ({"target": "two"}, "e2")
    assert request.body == {"config": {"bridge.external_interfaces": "eth1"}}


EXT4 = Device("/dev/vdc", signatures=("ext4 filesystem",))
USED = Device("/dev/vdc", signatures=("ext4 filesystem",), users=("/dev/vdc is mounted at /srv",))
REFUSED: list[tuple[dict[str, Any], Found, str]] = [
    ({"storage_pools": [{"name": "fast", "driver": "zfs"}]}, found(), "exists with driver btrfs, not zfs"),
    (pool(source="/dev/vdc"), found(), "exists with source /dev/disk/by-uuid/1, not /dev/vdc"),
    (pool(size="2GiB"), found(), "can't change the size"),
    ({"networks": [{"name": "br0", "type": "ovn"}]}, found(), "exists with type bridge, not ovn"),
    (
        {"networks": [{"name": "eth0"}]},
        found(networks={"eth0": FoundPart("eth0", "physical", "", {}, managed=False)}),
        "LXD doesn't manage",
    ),
    (pool(source="/dev/vdc"), found(pools={}, devices={"/dev/vdc": EXT4}), "it holds data: ext4 filesystem"),
    (pool(source="/dev/vdc", wipe=True), found(pools={}, devices={"/dev/vdc": USED}), "mounted at /srv"),
    (pool(members={"x": {}}), found(), "members: x: it isn't clustered"),
    ({"https_address": "192.0.2.1"}, found(obstacle="port 8443 is in use"), "port 8443 is in use"),
    (
        pool(source="/dev/vdc", wipe=True),
        found(pools={}, members=("one", "two"), here="one", devices={"/dev/vdc": Device("/dev/vdc")}),
        "/dev/vdc on two: this LXD can't wipe it",
    ),
]


@pytest.mark.parametrize(("said", "there", "why"), REFUSED, ids=[why for *_rest, why in REFUSED])
def test_what_stands_in_the_way_is_refused(said: dict[str, Any], there: Found, why: str) -> None:
    with pytest.raises(TenantryError) as refused:
        plan(said, there)
    assert why in refused.value.message


def test_wiping_comes_before_the_pool_and_only_where_there_is_something() -> None:
    said = pool(source="/dev/vdc", wipe=True)
    planned = plan(said, found(pools={}, devices={"/dev/vdc": EXT4}))
    assert [type(step) for change in planned.changes for step in change.steps] == [WipeDevice, Request]
    empty = plan(said, found(pools={}, devices={"/dev/vdc": Device("/dev/vdc")}))
    assert [change.sentence for change in empty.changes] == ["create storage pool fast"]


@pytest.mark.parametrize(
    ("device", "wipe", "why"),
    [
        (Device("/dev/vdc"), False, ""),
        (Device("/dev/vdc", there=False), True, "no such device"),
        (Device("/dev/vdc", is_block=False), True, "no block device"),
        (Device("/dev/vdc", parts=("/dev/vdc1",)), False, "partition /dev/vdc1"),
        (Device("/dev/vdc", parts=("/dev/vdc1",)), True, ""),
        (USED, True, "in use"),
    ],
)
def test_which_devices_may_become_a_pool(device: Device, wipe: bool, why: str) -> None:
    assert (why in refusal(device, wipe)) if why else refusal(device, wipe) == ""
