# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""LXD's answers as types: what is missing, null or unfinished in them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import (
    OWNER,
    Image,
    Instance,
    Project,
    Resources,
    Server,
    StoragePool,
    TrustEntry,
    Volume,
)

NEVER = "1970-01-01T00:00:00Z"
NEVER_IN_GO = "0001-01-01T00:00:00Z"


def instance(**body: Any) -> Instance:
    return Instance.from_api(
        {"name": "vm", "type": "virtual-machine", "status": "Stopped", "last_used_at": NEVER, **body}
    )


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        ({}, False),
        ({"last_used_at": NEVER_IN_GO}, False),
        ({"last_used_at": ""}, False),
        ({"config": {"volatile.uuid": "x", "volatile.eth0.hwaddr": "y"}}, False),
        ({"config": {"volatile.apply_template": ""}}, False),
        ({"config": {"volatile.apply_template": "create"}}, True),
        ({"config": {"volatile.last_state.power": "STOPPED"}}, True),
        ({"config": {"volatile.vsock_id": "3"}}, True),
        ({"last_used_at": "2026-05-06T07:08:09Z"}, True),
        ({"status": "Running"}, True),
        ({"status": "Ready"}, True),
        ({"status": "Error"}, False),
    ],
)
def test_whole(body: dict[str, Any], whole: bool) -> None:
    assert instance(**body).is_complete is whole


@pytest.mark.parametrize(
    ("config", "protected"),
    [
        ({}, False),
        ({"security.protection.delete": "true"}, True),
        ({"security.protection.delete": "1"}, True),
        ({"security.protection.delete": "false"}, False),
        ({"user.tenantry.protected": "true"}, True),
        ({"user.tenantry.protected": ""}, False),
    ],
)
def test_protected(config: dict[str, str], protected: bool) -> None:
    assert instance(expanded_config=config).is_protected is protected


def test_a_profile_protects_too() -> None:
    assert instance(config={}, expanded_config={"security.protection.delete": "yes"}).is_protected


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        ({"status": "Error", "config": None}, True),
        ({"status": "Error", "config": {}}, True),
        ({"status": "Error", "config": {OWNER: "us"}}, False),
        ({"status": "Stopped", "config": None}, False),
    ],
)
def test_lost(body: dict[str, Any], lost: bool) -> None:
    assert instance(**body).is_unreachable is lost


@pytest.mark.parametrize(
    ("status", "runs"), [("Running", True), ("Ready", True), ("Frozen", False), ("Stopped", False)]
)
def test_runs(status: str, runs: bool) -> None:
    assert instance(status=status).is_running is runs


@pytest.mark.parametrize(("config", "owner"), [({OWNER: "us"}, "us"), ({OWNER: ""}, None), ({}, None), (None, None)])
def test_owner(config: dict[str, str] | None, owner: str | None) -> None:
    assert instance(config=config).owner == owner
    assert Project.from_api({"name": "p", "config": config}).owner == owner
    assert Volume.from_api("default", {"name": "v", "config": config}).owner == owner


def test_an_owner_that_a_profile_gives_is_no_mark() -> None:
    assert instance(config={}, expanded_config={OWNER: "us"}).owner is None


def test_an_instance_on_a_dead_member_is_read() -> None:
    found = instance(config=None, devices=None, expanded_config=None, expanded_devices=None, profiles=None)
    assert (found.config, found.devices, found.profiles, found.is_vm) == ({}, {}, (), True)


def test_a_server_that_does_not_know_us_tells_its_extensions_only() -> None:
    server = Server.from_api({"auth": "untrusted", "api_extensions": ["projects"], "config": None})
    assert not server.trusted and server.has("projects") and not server.has("etag")
    assert (server.version, server.flavour, server.drivers, server.clustered) == ("", "lxd", (), False)


def test_a_server_that_trusts_us() -> None:
    environment = {
        "server_version": "5.0.2",
        "server": "incus",
        "server_clustered": True,
        "driver": "lxc | qemu",
        "architectures": ["x86_64"],
    }
    server = Server.from_api({"auth": "trusted", "environment": environment})
    assert server.trusted and server.clustered and server.drivers == ("lxc", "qemu") and server.flavour == "incus"


@pytest.mark.parametrize(("value", "own"), [("true", True), ("YES", True), ("false", False), ("", False)])
def test_a_projects_features(value: str, own: bool) -> None:
    assert Project.from_api({"name": "p", "config": {"features.images": value}}).has_own("images") is own
    assert not Project.from_api({"name": "p"}).has_own("images")


def test_the_order_of_a_trust_entrys_projects_says_nothing() -> None:
    bodies = [{"fingerprint": "f", "projects": projects} for projects in (["a", "b"], ["b", "a"])]
    assert TrustEntry.from_api(bodies[0]) == TrustEntry.from_api(bodies[1])
    assert not TrustEntry.from_api({"fingerprint": "f", "projects": None}).restricted


def test_a_pools_space_is_unknown_until_asked_for() -> None:
    body = {"name": "default", "config": None}
    assert StoragePool.from_api(body).total is None
    assert StoragePool.from_api(body, {"space": {"total": 5, "used": 2}}).used == 2


def test_an_image_without_aliases() -> None:
    assert Image.from_api({"fingerprint": "f", "aliases": None}).aliases == ()
    assert Image.from_api({"fingerprint": "f", "aliases": [{"name": "a"}]}).aliases == ("a",)


def threads(*ids: int, node: int = 0) -> dict[str, Any]:
    return {"threads": [{"id": number, "numa_node": node} for number in ids]}


def test_the_resources_of_one_node_are_the_machines() -> None:
    body = {
        "cpu": {"total": 2, "sockets": [{"cores": [threads(1), threads(0)]}]},
        "memory": {"total": 100, "used": 40, "hugepages_total": 8, "hugepages_size": 2, "nodes": None},
    }
    found = Resources.from_api(body)
    assert (found.threads, found.memory_total, found.memory_used) == (2, 100, 40)
    assert (found.hugepages_total, found.hugepages_size) == (8, 2)
    (node,) = found.nodes
    assert node == {
        "numa_node": 0,
        "cores": [0, 1],
        "memory": 100,
        "memory_used": 40,
        "hugepages": 8,
        "interfaces": [],
    }


def test_ports_belong_to_the_node_of_their_card() -> None:
    port = {"id": "eno1", "address": "00:16:3e:00:00:01", "link_detected": True, "link_speed": 10000}
    cards = [
        {"numa_node": 1, "ports": [port, {"id": "eno2"}], "sriov": {"maximum_vfs": 7}},
        {"ports": [{"id": "eth0"}]},
        {},
    ]
    memory = {"nodes": [{"numa_node": 0, "total": 1}, {"numa_node": 1, "total": 1}]}
    first, second = Resources.from_api({"network": {"cards": cards}, "memory": memory}).nodes
    unlinked = {"mac": None, "link": False, "speed": None}
    assert first["interfaces"] == [{"name": "eth0", **unlinked, "virtual_functions": 0}]
    assert second["interfaces"] == [
        {"name": "eno1", "mac": "00:16:3e:00:00:01", "link": True, "speed": 10000, "virtual_functions": 7},
        {"name": "eno2", **unlinked, "virtual_functions": 7},
    ]


def test_each_node_has_its_own_cores_and_memory() -> None:
    body = {
        "cpu": {"total": 4, "sockets": [{"cores": [threads(0, 1)]}, {"cores": [threads(2, 3, node=1)]}]},
        "memory": {"total": 90, "nodes": [{"numa_node": 1, "total": 60, "used": 5}, {"numa_node": 0, "total": 30}]},
    }
    nodes = [
        (node["numa_node"], node["cores"], node["memory"], node["memory_used"])
        for node in Resources.from_api(body).nodes
    ]
    assert nodes == [(0, [0, 1], 30, 0), (1, [2, 3], 60, 5)]


def test_resources_that_are_not_told() -> None:
    found = Resources.from_api({})
    assert (found.threads, found.memory_total) == (0, 0)
    assert [node["memory"] for node in found.nodes] == [0]
