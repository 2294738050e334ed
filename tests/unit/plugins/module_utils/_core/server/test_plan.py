# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a declaration and a server to a plan: what is kept, what is changed, and what is refused before any write."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.errors import TenantryError
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Server
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import Plan, Request, WipeDevice
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server import plan as server_plan
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server import spec as server
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server.block_devices import (
    BlockDevice,
    Dataset,
    find_device_problem,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server.found import (
    MemberReading,
    PartReading,
    ServerReading,
)

NET = PartReading("br0", "bridge", "theirs", {"ipv4.address": "10.0.0.1/24", "ipv4.nat": "true"}, etag="n1")
POOL = PartReading(
    "fast", "btrfs", "", {"source": "/dev/disk/by-uuid/1", "volatile.initial_source": "/dev/vdb"}, etag="p1"
)
CONFIG = {"core.https_address": ":8443", "core.trust_password": True, "images.auto_update_interval": "6"}


def found(config: dict[str, Any] | None = None, extensions: tuple[str, ...] = (), **rest: Any) -> ServerReading:
    body = {"config": CONFIG if config is None else config, "api_extensions": extensions}
    return ServerReading(
        Server.from_api(body), etag="s1", **{"pools": {"fast": POOL}, "networks": {"br0": NET}, **rest}
    )


def plan(said: dict[str, Any], there: ServerReading | None = None) -> Plan:
    return server_plan.plan_server(server.parse_server_spec(said), found() if there is None else there, "here")


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
    begun = PartReading("fast", "btrfs", "", {}, "Pending", ("one",))
    resumed = requests(plan(said, found(pools={"fast": begun}, members=("one", "two"), here="one")))
    assert [each.params for each in resumed] == [{"target": "two"}, {}]


def test_a_members_own_key_is_changed_on_that_member_alone() -> None:
    on = {
        "one": MemberReading({"bridge.external_interfaces": "eth1", "ipv4.nat": "true"}, "e1"),
        "two": MemberReading({"ipv4.nat": "true"}, "e2"),
    }
    there = PartReading("br0", "bridge", "", {"ipv4.nat": "true"}, "Created", ("one", "two"), on=on)
    said = {"networks": [{"name": "br0", "config": {"bridge.external_interfaces": "eth1"}}]}
    (request,) = requests(plan(said, found(networks={"br0": there}, members=("one", "two"), here="one")))
    assert (request.params, request.etag) == ({"target": "two"}, "e2")
    assert request.body == {"config": {"bridge.external_interfaces": "eth1"}}


EXT4 = BlockDevice("/dev/vdc", signatures=("ext4 filesystem",))
USED = BlockDevice("/dev/vdc", signatures=("ext4 filesystem",), users=("/dev/vdc is mounted at /srv",))
REFUSED: list[tuple[dict[str, Any], ServerReading, str]] = [
    ({"storage_pools": [{"name": "fast", "driver": "zfs"}]}, found(), "exists with driver btrfs, not zfs"),
    (pool(source="/dev/vdc"), found(), "exists with source /dev/disk/by-uuid/1, not /dev/vdc"),
    (pool(size="2GiB"), found(), "can't change the size"),
    ({"networks": [{"name": "br0", "type": "ovn"}]}, found(), "exists with type bridge, not ovn"),
    (
        {"networks": [{"name": "eth0"}]},
        found(networks={"eth0": PartReading("eth0", "physical", "", {}, managed=False)}),
        "LXD doesn't manage",
    ),
    (pool(source="/dev/vdc"), found(pools={}, devices={"/dev/vdc": EXT4}), "it holds data: ext4 filesystem"),
    (pool(source="/dev/vdc", wipe=True), found(pools={}, devices={"/dev/vdc": USED}), "mounted at /srv"),
    (pool(members={"x": {}}), found(), "members: x: it isn't clustered"),
    ({"https_address": "192.0.2.1"}, found(obstacle="port 8443 is in use"), "port 8443 is in use"),
    (
        pool(source="/dev/vdc", wipe=True),
        found(pools={}, members=("one", "two"), here="one", devices={"/dev/vdc": BlockDevice("/dev/vdc")}),
        "/dev/vdc on two: this LXD can't wipe it",
    ),
]


@pytest.mark.parametrize(("said", "there", "why"), REFUSED, ids=[why for *_rest, why in REFUSED])
def test_what_stands_in_the_way_is_refused(said: dict[str, Any], there: ServerReading, why: str) -> None:
    with pytest.raises(TenantryError) as refused:
        plan(said, there)
    assert why in refused.value.message


def test_wiping_comes_before_the_pool_and_only_where_there_is_something() -> None:
    said = pool(source="/dev/vdc", wipe=True)
    planned = plan(said, found(pools={}, devices={"/dev/vdc": EXT4}))
    assert [type(step) for change in planned.changes for step in change.steps] == [WipeDevice, Request]
    empty = plan(said, found(pools={}, devices={"/dev/vdc": BlockDevice("/dev/vdc")}))
    assert [change.sentence for change in empty.changes] == ["create storage pool fast"]


WIPES = ("storage_pool_source_wipe",)
TWO: dict[str, Any] = {"members": ("one", "two"), "here": "one"}


def begun(status: str, here: MemberReading | None = None, **config: str) -> PartReading:
    return PartReading("fast", "btrfs", "", config, status, ("one", "two"), on={"one": here} if here else {})


def test_a_disk_of_another_member_is_wiped_by_its_own_lxd_and_that_is_shown() -> None:
    there = found(pools={}, extensions=WIPES, devices={"/dev/vdb": BlockDevice("/dev/vdb")}, **TWO)
    planned = plan(pool(source="/dev/vdb", wipe=True), there)
    here, other, last = requests(planned)
    assert other.params == {"target": "two"}
    assert other.body["config"] == {"source": "/dev/vdb", "source.wipe": "true"}
    assert (here.body["config"], last.body["config"]) == ({"source": "/dev/vdb"}, {})
    (change,) = planned.changes
    assert change.sentence == "create storage pool fast: wipes /dev/vdb on two"
    assert change.after is not None and change.after["members"]["two"]["source.wipe"] == "true"


def test_zfs_takes_another_members_disk_where_somebody_says_that_it_may() -> None:
    said = {"storage_pools": [{"name": "tank", "driver": "zfs", "source": "/dev/vdb"}]}
    with pytest.raises(TenantryError, match="/dev/vdb on two: this LXD uses the device whatever it holds") as refused:
        plan(said, found(pools={}, **TWO))
    assert "wipe: true" in refused.value.hint
    # One that can wipe doesn't force it otherwise.
    assert plan(said, found(pools={}, extensions=WIPES, **TWO)).changed
    said["storage_pools"][0]["wipe"] = True
    planned = plan(said, found(pools={}, **TWO))
    assert [change.sentence for change in planned.changes] == ["create storage pool tank: wipes /dev/vdb on two"]
    assert all("source.wipe" not in request.body["config"] for request in requests(planned))


@pytest.mark.parametrize("there", [begun("Errored"), begun("Pending", **{"rsync.bwlimit": "10MB"})])
def test_what_failed_on_a_member_is_taken_up_again_without_what_lxd_has_already(there: PartReading) -> None:
    said = pool(config={"rsync.bwlimit": "10MB"})
    first, *rest = requests(plan(said, found(pools={"fast": there}, **TWO)))
    assert (first.method, first.params, first.body["config"]) == ("POST", {}, {})
    # What LXD began with is changed once it is there.
    assert [each.body["config"] for each in rest] == ([] if there.config else [{"rsync.bwlimit": "10MB"}])
    assert all(each.method == "PUT" and each.expect == {"config": {}} for each in rest)


@pytest.mark.parametrize("status", ["Created", "Unavailable"])
def test_the_disk_of_a_pool_that_is_made_here_is_neither_looked_at_nor_wiped(status: str) -> None:
    here = MemberReading({"source": "/dev/disk/by-uuid/1", "volatile.initial_source": "/dev/vdc"}, status=status)
    there = found(pools={"fast": begun("Errored", here)}, devices={"/dev/vdc": USED}, **TWO)
    assert [change.verb for change in plan(pool(source="/dev/vdc"), there).changes] == ["create"]
    there = found(pools={"fast": begun("Errored", here)}, devices={"/dev/vdc": EXT4}, extensions=WIPES, **TWO)
    assert [change.verb for change in plan(pool(source="/dev/vdc", wipe=True), there).changes] == ["create"]


def test_a_pool_that_is_begun_and_not_made_here_is_made_of_what_it_was_begun_with() -> None:
    here = MemberReading({"source": "/dev/vdc"}, status="Pending")
    there = found(pools={"fast": begun("Errored", here)}, devices={"/dev/vdc": EXT4}, extensions=WIPES, **TWO)
    verbs = [change.verb for change in plan(pool(source="/dev/vdc", wipe=True), there).changes]
    assert verbs == ["wipe", "create"]
    with pytest.raises(TenantryError, match="it holds data: ext4"):
        plan(pool(source="/dev/vdc"), there)
    with pytest.raises(TenantryError, match="/dev/vdd: it was begun with /dev/vdc"):
        plan(pool(source="/dev/vdd"), there)


def test_a_pool_that_is_begun_on_a_server_alone_is_taken_up_without_what_it_has_of_its_own() -> None:
    there = PartReading("fast", "btrfs", "", {"source": "/dev/vdc"}, "Pending")
    (request,) = requests(plan(pool(source="/dev/vdc"), found(pools={"fast": there})))
    assert (request.params, request.body["config"]) == ({}, {})


@pytest.mark.parametrize("key", ["source", "volatile.initial_source"])
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("device", [BlockDevice("/dev/vdc"), BlockDevice("/dev/vda", parts=("/dev/vdc",))])
def test_a_disk_of_another_pool_is_never_wiped(key: str, clustered: bool, device: BlockDevice) -> None:
    config = {key: "/dev/disk/by-id/x"}
    other = PartReading("old", "lvm", "", {} if clustered else config, "Created")
    if clustered:
        other = dataclasses.replace(other, on={"one": MemberReading(config, status="Created")})
    there = found(
        pools={"old": other},
        devices={device.path: device},
        resolved={"/dev/disk/by-id/x": "/dev/vdc"},
        extensions=WIPES,
        **(TWO if clustered else {}),
    )
    with pytest.raises(TenantryError, match="it belongs to storage pool old"):
        plan(pool(source=device.path, wipe=True), there)


@pytest.mark.parametrize(
    ("dataset", "why"),
    [
        (Dataset("tank/data", 96 << 10), ""),
        (Dataset("tank/data", 96 << 10, "/srv"), "it is mounted at /srv"),
        (Dataset("tank/data", 5 << 30), "it holds 5GiB"),
        (Dataset("tank/data", unread="no zfs"), "its content can't be read: no zfs"),
    ],
)
def test_a_dataset_with_something_in_it_is_refused(dataset: Dataset, why: str) -> None:
    said = {"storage_pools": [{"name": "tank", "driver": "zfs", "source": "tank/data"}]}
    there = found(datasets={"tank/data": dataset})
    if not why:
        assert plan(said, there).changed
        return
    with pytest.raises(TenantryError, match=why):
        plan(said, there)


def test_a_disk_by_any_name_is_refused_for_what_it_is() -> None:
    there = found(pools={}, devices={"/disks/data1": dataclasses.replace(EXT4, path="/disks/data1")})
    with pytest.raises(TenantryError, match="/disks/data1: it holds data"):
        plan(pool(source="/disks/data1"), there)
    assert [change.verb for change in plan(pool(source="/disks/data1", wipe=True), there).changes] == ["wipe", "create"]


def test_no_password_is_shown_anywhere() -> None:
    """In what is there already, what is made, what is changed, on one server and on a cluster."""
    key = "bgp.peers.x.password"
    old = PartReading("old", "bridge", "", {key: "hunter2"}, "Created")
    changed = PartReading("br1", "bridge", "", {key: "hunter2"}, "Created")
    pools = {"old": PartReading("old", "ceph", "", {"ceph.api.token": "hunter2"})}
    there = found(pools=pools, networks={"old": old, "br1": changed})
    said: dict[str, Any] = {
        "storage_pools": [{"name": "new", "driver": "x", "config": {"x.gateway.password": "hunter2"}}],
        "networks": [
            {"name": "new", "config": {key: "hunter2"}},
            {"name": "br1", "config": {key: "hunter22", "ipv4.nat": True}},
        ],
    }
    wanted = server.parse_server_spec(said)
    for those in (there, dataclasses.replace(there, members=("one",), here="one")):
        planned = server_plan.plan_server(wanted, those, "here")
        assert len(planned.changes) == 3
        told = [planned.diff(), server_plan.predicted(wanted, those), server_plan.view(those)]
        told += [change.sentence for change in planned.changes]
        assert "hunter2" not in str(told), told
        assert "hunter2" in str([request.body for request in requests(planned)]), "LXD was not told either"
    said["storage_pools"][0]["members"] = {"one": {"x.secret": "hunter3"}}
    assert server.secrets(said) == {"hunter2", "hunter22", "hunter3"}
    assert server.secrets({"storage_pools": 7, "networks": ["a"], "config": []}) == set()


@pytest.mark.parametrize("members", [(), ("kvm-01", "kvm-02")])
def test_a_server_that_will_be_a_member_goes_by_what_is_said_for_it(members: tuple[str, ...]) -> None:
    said = pool(source="/dev/vdb", members={"kvm-03": {"source": "/dev/vdc"}, "kvm-02": {"source": "/dev/vdd"}})
    wanted = server.parse_server_spec(said)
    seen = server.seen_by(wanted, "kvm-03", members)
    if members:
        # Of a cluster that kvm-03 isn't in yet.
        assert seen.pools[0].on("kvm-02")["source"] == "/dev/vdd" and "kvm-03" not in seen.pools[0].members
        there = found(pools={}, members=members, here="kvm-01", extensions=WIPES)
    else:
        assert seen.pools[0].on("")["source"] == "/dev/vdc" and seen.pools[0].members == {}
        there = found(pools={})
    assert server_plan.plan_server(seen, there, "here").changed
    with pytest.raises(TenantryError, match="members: "):
        server_plan.plan_server(wanted, there, "here")


@pytest.mark.parametrize(
    ("device", "wipe", "why"),
    [
        (BlockDevice("/dev/vdc"), False, ""),
        (BlockDevice("/dev/vdc", there=False), True, "no such device"),
        (BlockDevice("/dev/vdc", is_block=False), True, "no block device"),
        (BlockDevice("/dev/vdc", parts=("/dev/vdc1",)), False, "partition /dev/vdc1"),
        (BlockDevice("/dev/vdc", parts=("/dev/vdc1",)), True, ""),
        (USED, True, "in use"),
        (BlockDevice("/dev/vdc", unread="Permission denied"), True, "can't be read"),
    ],
)
def test_which_devices_may_become_a_pool(device: BlockDevice, wipe: bool, why: str) -> None:
    assert (why in find_device_problem(device, wipe)) if why else find_device_problem(device, wipe) == ""
