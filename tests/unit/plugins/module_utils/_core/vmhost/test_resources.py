# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Counting what a VM host has: honest about what nobody can see, exact where somebody can."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.capacity.figures import compute_capacity
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import (
    Instance,
    Machine,
    Network,
    Project,
    Resources,
    Server,
    StoragePool,
    Volume,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost.found import (
    VmHostState,
    find_pools_with_volumes,
)
from ansible_collections.tenantry.lxd.plugins.module_utils._core.vmhost.resources import (
    build_resources_view,
    count_resources,
)

GIB = 1 << 30


def instance(
    name: str = "vm", container: bool = False, devices: Any = None, location: str = "none", **config: str
) -> Instance:
    body = {
        "name": name,
        "type": "container" if container else "virtual-machine",
        "location": location,
        "expanded_config": {key.replace("__", "."): value for key, value in config.items()},
        "expanded_devices": devices or {},
    }
    return Instance.from_api(body)


def machine(member: str = "none", cores: int = 4, memory: int = 8 * GIB, used: int = GIB) -> Machine:
    threads = [{"id": number, "numa_node": number * 2 // cores} for number in range(cores)]
    body = {
        "cpu": {"total": cores, "sockets": [{"cores": [{"threads": threads}]}]},
        "memory": {
            "total": memory,
            "used": used,
            "nodes": [{"numa_node": 0, "total": memory // 2}, {"numa_node": 1, "total": memory // 2}],
        },
    }
    return Machine(member, Resources.from_api(body))


def ratios(**said: str) -> dict[str, str]:
    return {"cpu": "1", "memory": "1", "storage": "1", **said}


def found(*instances: Instance, machines: tuple[Machine, ...] = (machine(),), **rest: Any) -> VmHostState:
    project = Project("p", "", rest.pop("config", {}), ())
    return VmHostState(Server.from_api({}), project, instances, machines=machines, **rest)


CAPACITIES = [
    (4, "1", 4),
    (4, "1.5", 6),
    (3, "1.5", 4),
    (10, "0.3", 3),
    # As floats these come out one too low.
    (100, "0.29", 29),
    (100, "0.57", 57),
    (25769803776, "1.1", 28346784153),
    (2, "0.1", 0),
]


@pytest.mark.parametrize(("total", "ratio", "expected"), CAPACITIES)
def test_capacity_is_exact_and_rounded_down(total: int, ratio: str, expected: int) -> None:
    assert compute_capacity(total, ratio) == expected


PROMISES = [
    pytest.param([instance()], 1, GIB, (), id="a VM that says nothing has one core and 1 GiB"),
    pytest.param([instance(limits__cpu="3", limits__memory="2GiB")], 3, 2 * GIB, (), id="limits"),
    pytest.param([instance(limits__cpu="0-2,5", limits__memory="1GB")], 4, 10**9, (), id="pinned cores"),
    pytest.param([instance(limits__cpu="2-2")], 1, GIB, (), id="one pinned core"),
    pytest.param([instance(limits__memory="25%")], 1, 2 * GIB, (), id="percentage of the host"),
    pytest.param([instance("c", container=True)], 0, 0, ("c",), id="container without limits"),
    pytest.param([instance("c", container=True, limits__cpu="2")], 2, 0, ("c",), id="container with half of them"),
    pytest.param([instance(limits__memory="much")], 1, 0, ("vm",), id="size that is none"),
    pytest.param([instance("a"), instance("b", limits__cpu="7")], 8, 2 * GIB, (), id="sum"),
]


@pytest.mark.parametrize(("instances", "cores", "memory", "uncounted"), PROMISES)
def test_promises(instances: list[Instance], cores: int, memory: int, uncounted: tuple[str, ...]) -> None:
    sum_of = count_resources(found(*instances))
    assert (sum_of.cores.ours, sum_of.memory.ours, sum_of.uncounted) == (cores, memory, uncounted)


def test_a_percentage_of_what_nobody_knows_is_not_counted() -> None:
    assert count_resources(found(instance(limits__memory="25%"), machines=(Machine("none", None),))).uncounted == (
        "vm",
    )


COUNTS = [
    pytest.param({}, "1", {"free": 2, "overcommitted": 0, "limit": None}, id="plain"),
    pytest.param({}, "2.5", {"free": 8, "overcommitted": 0}, id="overcommit"),
    pytest.param({"limits.cpu": "3"}, "2", {"free": 1, "limit": 3}, id="the project's limit is lower"),
    pytest.param({"limits.cpu": "100"}, "1", {"free": 2, "limit": 100}, id="the project's limit is higher"),
    pytest.param({}, "0.25", {"free": 0, "overcommitted": 0}, id="ratio below what is promised"),
]


@pytest.mark.parametrize(("config", "ratio", "expected"), COUNTS)
def test_cores(config: dict[str, str], ratio: str, expected: dict[str, Any]) -> None:
    cores = build_resources_view(found(instance(limits__cpu="2"), config=config), ratios(cpu=ratio))["cores"]
    assert cores == {**cores, **expected, "total": 4, "ours": 2, "others": None, "overcommit": ratio}


def test_more_than_there_is_shows_by_how_much() -> None:
    cores = build_resources_view(found(instance(limits__cpu="7")), ratios(cpu="2"))["cores"]
    assert cores["overcommitted"] == 3 and cores["free"] == 1


def test_a_cluster_counts_all_members_and_knows_nothing_while_one_is_down() -> None:
    both = build_resources_view(found(instance(), machines=(machine("a"), machine("b", cores=2))), ratios())
    assert both["cores"]["total"] == 6 and both["memory"]["total"] == 16 * GIB and both["memory"]["used"] == 2 * GIB
    assert [(node["member"], node["numa_node"]) for node in both["numa_nodes"]] == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
        ("b", 1),
    ]
    down = build_resources_view(found(instance(), machines=(machine("a"), Machine("b", None))), ratios())
    nothing = {"total": None, "free": None, "overcommitted": None}
    assert {key: down["cores"][key] for key in nothing} == nothing and down["cores"]["ours"] == 1
    assert down["memory"]["used"] is None and len(down["numa_nodes"]) == 2


def test_a_host_whose_project_nobody_could_read_has_nothing_of_ours() -> None:
    seen = dataclasses.replace(found(pools=(StoragePool("default", "dir", "Created", 100, 40),)), project=None)
    told = build_resources_view(seen, ratios())
    for kind in (told["cores"], told["memory"], told["storage_pools"][0]):
        assert kind["ours"] is None and kind["overcommitted"] is None
    assert told["cores"]["total"] == 4 and told["cores"]["free"] is None and told["storage_pools"][0]["free"] == 60


def root(size: str | None = None, pool: str = "default") -> dict[str, dict[str, str]]:
    device = {"type": "disk", "path": "/", "pool": pool}
    return {"root": {**device, **({"size": size} if size else {})}}


POOLS = [
    pytest.param([instance(devices=root("2GiB"))], [], 2 * GIB, id="root"),
    pytest.param([instance(devices=root())], [], 10 * GIB, id="a VM's root without a size has LXD's 10 GiB"),
    pytest.param([instance("c", container=True, devices=root())], [], 0, id="a container's is unlimited"),
    pytest.param([instance(devices=root("2GiB", "other"))], [], 0, id="another pool"),
    pytest.param([], [("default", "block", "5MiB")], 5 << 20, id="volume"),
    pytest.param([], [("default", "block", None)], 10 * GIB, id="block volume without a size"),
    pytest.param([], [("default", "filesystem", None), ("other", "block", "1GiB")], 0, id="no promise, or elsewhere"),
]


@pytest.mark.parametrize(("instances", "volumes", "ours"), POOLS)
def test_storage_pools(instances: list[Instance], volumes: list[tuple[str, str, str | None]], ours: int) -> None:
    kept = {}
    for number, (pool, kind, size) in enumerate(volumes):
        body = {"name": str(number), "content_type": kind, "config": {"size": size} if size else {}}
        kept[(pool, str(number))] = Volume.from_api(pool, body)
    pool = StoragePool("default", "dir", "Created", 4 * GIB, GIB)
    told = build_resources_view(found(*instances, volumes=kept, pools=(pool,)), ratios())["storage_pools"][0]
    # What is promised is as good as used, and what others use is used.
    assert told["ours"] == ours and told["free"] == 4 * GIB - min(4 * GIB, max(ours, GIB))
    assert told["others"] == max(0, GIB - ours)
    assert told["overcommitted"] == max(0, ours - 4 * GIB)


def test_a_pool_that_tells_nothing_is_unknown_not_empty() -> None:
    told = build_resources_view(found(pools=(StoragePool("gone", "ceph", "Unavailable"),)), ratios())["storage_pools"][
        0
    ]
    assert told["total"] is None and told["used"] is None and told["free"] is None and told["overcommitted"] is None


def test_networks_count_interfaces_by_network_and_by_parent() -> None:
    nics = {"a": {"type": "nic", "network": "br0"}, "b": {"type": "nic", "nictype": "bridged", "parent": "br0"}}
    networks = (Network("br0", "bridge", True, {}), Network("eth0", "physical", False, {}))
    told = build_resources_view(found(instance(devices=nics), networks=networks), ratios())["networks"]
    assert [(each["name"], each["ours"], each["others"]) for each in told] == [("br0", 2, None), ("eth0", 0, None)]


NODES = [
    pytest.param({"limits__cpu": "0-0"}, [["vm"], []], [1, 2], id="pinned to the first"),
    pytest.param({"limits__cpu": "1,2"}, [["vm"], ["vm"]], [1, 1], id="pinned across"),
    pytest.param({"limits__cpu": "2"}, [[], []], [2, 2], id="a number of any cores"),
    pytest.param({"limits__cpu": "2", "limits__cpu__nodes": "1"}, [[], ["vm"]], [2, 0], id="mapped to a node"),
]


@pytest.mark.parametrize(("config", "vms", "free"), NODES)
def test_numa_nodes(config: dict[str, str], vms: list[list[str]], free: list[int]) -> None:
    nodes = build_resources_view(found(instance(**config)), ratios())["numa_nodes"]
    assert [node["vms"] for node in nodes] == vms
    assert [node["cores"]["free"] for node in nodes] == free
    assert [node["cores"]["list"] for node in nodes] == [[0, 1], [2, 3]]


def test_pinned_cores_count_on_the_vms_own_member_only() -> None:
    pinned = instance(location="b", limits__cpu="0-0")
    nodes = build_resources_view(found(pinned, machines=(machine("a"), machine("b"))), ratios())["numa_nodes"]
    assert [node["vms"] for node in nodes] == [[], [], ["vm"], []]


def test_pools_with_volumes_are_those_that_the_project_or_an_instance_tells_of() -> None:
    used_by = (
        "/1.0/instances/vm?project=p",
        "/1.0/storage-pools/fast/volumes/custom/vm-data?project=p",
        "/1.0/storage-pools/a%20b/volumes/custom/x?project=p",
    )
    disks = {
        **root(),
        "data": {"type": "disk", "pool": "shared", "source": "v"},
        "iso": {"type": "disk", "source": "/x"},
    }
    assert find_pools_with_volumes(Project("p", "", {}, used_by), [instance(devices=disks)]) == [
        "a b",
        "fast",
        "shared",
    ]
