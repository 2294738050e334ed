# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Counting a VM host: each instance's promise, pools that are one, limits that LXD holds, machines of a cluster."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.capacity.allocation import compute_allocation
from ansible_collections.tenantry.lxd.plugins.module_utils._core.capacity.figures import (
    CapacityInput,
    HostFigures,
    count_capacity,
    parse_ratio,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Instance, Volume

from tests.unit.plugins.module_utils._core.placement.placement_world import (
    GIB,
    PAGE,
    host_of,
    instance,
    machine,
    raw_host,
)


def counted(raw: dict[str, Any]) -> HostFigures:
    host = host_of(raw)
    instances, volumes = tuple(host.instances.values()), tuple(host.volumes.values())
    pools = host.listings.pools if host.listings else ()
    return count_capacity(
        CapacityInput(host.project, instances, volumes, host.machines, pools, host.state, host.ratios)
    )


PROMISES: list[Any] = [
    pytest.param({}, {"cores": 1, "memory": GIB, "pinned": (), "nodes": ()}, id="a VM that says nothing"),
    pytest.param({"limits.cpu": "2-3"}, {"cores": 2, "pinned": (2, 3)}, id="a pinned VM counts its cores"),
    pytest.param({"limits.cpu": "2", "limits.cpu.nodes": "1"}, {"cores": 2, "nodes": (1,)}, id="node"),
    pytest.param({"limits.cpu.nodes": "0,2-3"}, {"nodes": (0, 2, 3)}, id="nodes"),
    pytest.param({"limits.cpu.nodes": "balanced"}, {"nodes": ()}, id="nodes that LXD chooses"),
    pytest.param({"limits.memory": "50%"}, {"memory": 4 * GIB}, id="a share of the machine"),
    pytest.param({"limits.memory": "3MiB", "limits.memory.hugepages": "1"}, {"hugepages": 2 * PAGE}, id="whole pages"),
    pytest.param({"limits.memory": "1GiB", "limits.memory.hugepages": "false"}, {"hugepages": 0}, id="no pages"),
]


@pytest.mark.parametrize(("config", "expected"), PROMISES)
def test_what_an_instance_is_promised(config: dict[str, str], expected: dict[str, Any]) -> None:
    body = {"name": "vm", "type": "virtual-machine", "expanded_config": config}
    promise = compute_allocation(Instance.from_api(body), 8 * GIB, PAGE)
    assert {key: getattr(promise, key) for key in expected} == expected and promise.counted


def test_a_promise_tells_the_volumes_that_were_given_with_it() -> None:
    devices = {
        "root": {"type": "disk", "path": "/", "pool": "fast"},
        "data": {"type": "disk", "pool": "slow", "source": "vm-data"},
        "more": {"type": "disk", "pool": "slow", "source": "vm-more"},
        "agent": {"type": "disk", "source": "agent:config"},
    }
    body = {"name": "vm", "type": "virtual-machine", "expanded_devices": devices}
    volumes = {("slow", "vm-data"): Volume.from_api("slow", {"name": "vm-data", "config": {"size": "3GiB"}})}
    assert compute_allocation(Instance.from_api(body), volumes=volumes).disks == {"fast": 10 * GIB, "slow": 3 * GIB}
    container = Instance.from_api({**body, "type": "container"})
    assert compute_allocation(container).disks == {} and not compute_allocation(container).counted


@pytest.mark.parametrize("text", ["0", "-1", "0.0", "none", "", "1/0"])
def test_a_ratio_that_leaves_nothing_is_refused(text: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        parse_ratio(text, "kvm: cpu_overcommit")
    assert refused.value.message.startswith("kvm: cpu_overcommit")


def test_stopped_vms_keep_what_they_were_promised() -> None:
    seen = counted(raw_host(instances=[instance("a", cores="2"), instance("b", status="Running")]))
    assert (seen.cores.ours, seen.cores.free, seen.memory.ours) == (3, 1, 2 * GIB)


def test_what_others_use_is_shown_and_leaves_free_as_it_is() -> None:
    # 1 GiB of the machine is in use, and of ours nothing runs.
    seen = counted(raw_host(instances=[instance("a")]))
    assert seen.memory.others == GIB and seen.memory.free == 7 * GIB and seen.cores.others is None
    running = counted(raw_host(instances=[instance("a", status="Running", memory="768MiB")]))
    assert running.memory.others == GIB // 4


DIR = ("dir", 100 * GIB, 30 * GIB)
POOLS: list[Any] = [
    pytest.param([("default", *DIR), ("other", *DIR)], [60, 60], [("other",), ("default",)], id="one filesystem"),
    pytest.param(
        [("default", *DIR), ("other", "dir", 100 * GIB, 30 * GIB + 4096)], [60, 60], [("other",), ("default",)],
        id="one filesystem, written to between the two readings",
    ),
    pytest.param(
        [("default", *DIR), ("other", "dir", 100 * GIB, 50 * GIB)], [70, 50], [(), ()], id="two of the same size"
    ),
    pytest.param(
        [("default", "zfs", *DIR[1:]), ("other", "zfs", *DIR[1:])], [70, 70], [(), ()], id="two that only look alike"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("pools", "free", "beside"), POOLS)
def test_pools_on_one_filesystem_count_once(pools: list[Any], free: list[int], beside: list[Any]) -> None:
    vms = [instance("a", disk="20GiB"), instance("b", disk="20GiB", pool="other")]
    seen = counted(raw_host("kvm", machine(pools=pools), instances=vms))
    assert [space.free for space in seen.pools.values()] == [each * GIB for each in free]
    assert [space.beside for space in seen.pools.values()] == beside
    assert [space.ours for space in seen.pools.values()] == [20 * GIB, 20 * GIB]


USES = [(100, 0, 60, 40), (100, 80, 60, 20), (100, 10, 120, 0)]


@pytest.mark.parametrize(("total", "used", "promised", "free"), USES)
def test_a_pool_leaves_what_is_neither_used_nor_promised(total: int, used: int, promised: int, free: int) -> None:
    pool = ("default", "zfs", total * GIB, used * GIB)
    seen = counted(raw_host("kvm", machine(pools=[pool]), instances=[instance("a", disk=f"{promised}GiB")]))
    space = seen.pools["default"]
    assert (space.free, space.others) == (free * GIB, max(0, used - promised) * GIB)


def cluster(**more: Any) -> dict[str, Any]:
    ceph, local = ("ceph", "ceph", 100 * GIB, 0), ("local", "zfs", 50 * GIB, 0)
    members = [machine(member=name, pools=[ceph, local]) for name in ("a", "b")]
    vms = [
        instance("one", cores="3", location="a", pool="ceph", disk="30GiB"),
        instance("two", cores="1", location="b", pool="local", disk="30GiB"),
    ]
    return raw_host("kvm", *members, instances=vms, **more)


def test_a_shared_pool_counts_once_a_cluster_and_a_local_one_by_member() -> None:
    seen = counted(cluster())
    assert [(space.total, space.ours, space.free) for space in seen.pools.values()] == [
        (100 * GIB, 30 * GIB, 70 * GIB),
        (100 * GIB, 30 * GIB, 70 * GIB),
    ]
    a, b = seen.rooms
    assert [a.pools[name].free for name in ("ceph", "local")] == [70 * GIB, 50 * GIB]
    assert [b.pools[name].free for name in ("ceph", "local")] == [70 * GIB, 20 * GIB]
    assert (a.cores.free, b.cores.free, seen.cores.free) == (1, 3, 4)


def test_what_one_member_has_too_much_of_is_no_room_on_another() -> None:
    raw = cluster()
    raw["instances"].append(instance("big", cores="5", location="a"))
    seen = counted(raw)
    assert (seen.cores.total, seen.cores.ours, seen.cores.free) == (8, 9, 3)


def test_a_member_that_is_down_leaves_the_whole_unknown_and_the_others_known() -> None:
    raw = cluster()
    raw["machines"][1]["status"] = "Offline"
    seen = counted(raw)
    assert seen.cores.free is None and [room.cores.free for room in seen.rooms] == [1, None]


LIMITS: list[Any] = [
    pytest.param({"limits.cpu": "3"}, {}, "cores", 1, id="cpu"),
    pytest.param({"limits.cpu": "3"}, {"cpu": {"Limit": 3, "Usage": 3}}, "cores", 0, id="cpu as LXD counts it"),
    pytest.param({"limits.cpu": "100"}, {}, "cores", 2, id="a limit above what there is"),
    pytest.param({"limits.memory": "2GiB"}, {}, "memory", GIB, id="memory"),
    pytest.param({"limits.memory": "512MiB"}, {}, "memory", 0, id="memory below what is promised"),
]


@pytest.mark.parametrize(("project", "state", "what", "free"), LIMITS)
def test_the_projects_limits_cap_what_is_free(project: Any, state: Any, what: str, free: int) -> None:
    seen = counted(raw_host(project=project, state=state, instances=[instance("a", cores="2")]))
    assert getattr(seen, what).free == free and getattr(seen.rooms[0], what).free == free


def test_limits_on_disk_cap_every_pool_and_their_own() -> None:
    pools = [("default", "zfs", 100 * GIB, 0), ("fast", "zfs", 100 * GIB, 0)]
    project = {"limits.disk": "50GiB", "limits.disk.pool.fast": "20GiB", "limits.instances": "7"}
    volume = {"name": "a-data", "pool": "fast", "content_type": "block", "config": {"size": "5GiB"}}
    raw = raw_host("kvm", machine(pools=pools), project=project, volumes=[volume], instances=[instance("a")])
    seen = counted(raw)
    assert {name: space.free for name, space in seen.pools.items()} == {"default": 44 * GIB, "fast": 15 * GIB}
    assert seen.limits["instances"].remaining == 6


def test_hugepages_are_no_memory_to_others_and_are_never_overcommitted() -> None:
    huge = instance("h", memory="1GiB", config={"limits.memory.hugepages": "true"})
    raw = raw_host("kvm", machine(hugepages=2 * GIB), ratios={"memory": "1.5"}, instances=[huge, instance("o")])
    seen = counted(raw)
    assert (seen.hugepages.total, seen.hugepages.ours, seen.hugepages.free) == (2 * GIB, GIB, GIB)
    # One and a half times the 6 GiB that are no hugepages, less the 1 GiB of the VM that has none.
    assert seen.memory.free == 8 * GIB and seen.memory.remaining == 10 * GIB


def test_numa_nodes_count_pinned_vms_and_mapped_ones_only() -> None:
    vms = [
        instance("any", cores="2"),
        instance("pinned", cores="1,2"),
        instance("mapped", cores="1", config={"limits.cpu.nodes": "1"}),
    ]
    nodes = counted(raw_host(instances=vms)).rooms[0].nodes
    assert [(node.number, node.vms, node.pins) for node in nodes] == [
        (0, ("pinned",), {1: 1}),
        (1, ("mapped", "pinned"), {2: 2, 3: 1}),
    ]


def test_a_project_that_nobody_could_see_has_nothing_of_ours() -> None:
    host = host_of(raw_host())
    seen = count_capacity(dataclasses.replace(CapacityInput(host.project, machines=host.machines), project=None))
    assert (seen.cores.total, seen.cores.ours, seen.cores.free, seen.memory.others) == (4, None, None, None)
    assert seen.pools["default"].ours is None and seen.pools["default"].free == 100 * GIB
