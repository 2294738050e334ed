# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of three as one VM host: placed by member and group, one member dead, one evacuated, all back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.https import HttpsPort
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.machines import read_machines
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Connection
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.reader import Reader
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import pem

from tests.integration.playing import Site
from tests.integration.tenancy import TenantOf, create_confined_project, register_vm_host
from tests.integration.test_vm_compose import SMALL
from tests.lxd.cluster import Cluster
from tests.lxd.deadline import until
from tests.lxd.teardown import discard_project
from tests.lxd.world import differences

MEMBERS = ["m1", "m2", "m3"]
GROUP = "fast"
# A project that may say where its VMs go, which LXD forbids to a restricted one, and that has the image `micro`.
OPEN = {"features.images": "false", "restricted.cluster.target": "allow"}
# Room for more VMs than this machine has cores, whose three members have all of them each.
WIDE: dict[str, Any] = {"url": None, "cpu_overcommit": 10}
# Seconds that a member which is gone may add to a reading: five, in which others ask it in vain, and what a busy
# machine takes longer. LXD itself would wait for ten with each request.
PATIENCE = 8


def tiny(name: str, **more: Any) -> dict[str, Any]:
    """A VM without content that isn't started, and that is moved in no time."""
    return {"name": name, "state": "present", "memory": "160MiB", "disks": [{"size": "8MiB"}], **more}


def on_each(*names: str, **more: Any) -> list[dict[str, Any]]:
    """One VM on each member, said so."""
    return [tiny(name, target=member, **more) for name, member in zip(names, MEMBERS)]


def places(tenant: TenantOf[Cluster]) -> dict[str, str]:
    """Where each VM is, as LXD itself has it."""
    return {name: instance["location"] for name, instance in tenant.instances().items()}


def told(result: dict[str, Any]) -> dict[str, str]:
    """Where each VM is, as the result says."""
    return {vm["name"]: vm["location"] for vm in result["vms"]}


def timed(tenant: TenantOf[Cluster], vms: list[dict[str, Any]]) -> tuple[dict[str, Any], float]:
    """What the module says, and the seconds that it took without a playbook around it."""
    began = time.monotonic()
    said = tenant.compose(vms)
    return said, time.monotonic() - began


def port_to(tenant: TenantOf[Cluster], urls: list[str]) -> HttpsPort:
    """The tenant's own connection, with these addresses."""
    folder = tenant.site.registry / tenant.vmhost
    certificate, key = (folder / "client.crt").read_text(), (folder / "client.key").read_text()
    return HttpsPort(Connection(tuple(urls), certificate, key, pem.fingerprint(tenant.lxd.certificate), 30))


@pytest.fixture
def clustered(cluster: Cluster, site: Site) -> Iterator[TenantOf[Cluster]]:
    """The cluster as one VM host with the addresses of all members, and a confined project in it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    create_confined_project(cluster, name, **OPEN)
    yield register_vm_host(site, cluster, name, urls=cluster.urls, **WIDE)
    cluster.heal()
    discard_project(cluster, name)


@pytest.fixture
def group(cluster: Cluster) -> Iterator[str]:
    """A cluster group of m2 and m3."""
    cluster.api("POST", "/1.0/cluster/groups", {"name": GROUP, "members": ["m2", "m3"]})
    yield GROUP
    cluster.api("PUT", f"/1.0/cluster/groups/{GROUP}", {"description": "", "members": []})
    cluster.api("DELETE", f"/1.0/cluster/groups/{GROUP}")


# Where VMs go


def test_vms_are_composed_on_the_member_that_is_said(clustered: TenantOf[Cluster]) -> None:
    vms = on_each("a", "b", "c")
    result = clustered.compose(vms)
    assert told(result) == places(clustered) == {"a": "m1", "b": "m2", "c": "m3"}
    again = clustered.compose(vms)
    assert not again["changed"] and told(again) == told(result)


def test_vms_are_composed_in_the_group_that_is_said(clustered: TenantOf[Cluster], group: str) -> None:
    vms = [tiny(f"vm-{number}", target=f"@{group}") for number in range(4)]
    result = clustered.compose(vms)
    assert told(result) == places(clustered)
    assert set(places(clustered).values()) == {"m2", "m3"}
    assert not clustered.compose(vms)["changed"]


def test_vms_without_a_target_are_spread_over_the_members(clustered: TenantOf[Cluster]) -> None:
    vms = [tiny(f"vm-{number}") for number in range(6)]
    result = clustered.compose(vms)
    assert told(result) == places(clustered)
    assert set(places(clustered).values()) == set(MEMBERS)
    assert not clustered.compose(vms)["changed"]


def test_a_machine_from_an_image_runs_on_its_member(clustered: TenantOf[Cluster]) -> None:
    interfaces = [{"network": clustered.lxd.bridge}]
    vm = {**SMALL, "name": "web", "target": "m3", "disks": [{"size": "48MiB"}], "interfaces": interfaces}
    result = clustered.compose([vm])
    assert told(result) == {"web": "m3"}
    assert clustered.instance("web")["status"] == "Running"


@pytest.mark.parametrize("target", ["m2", f"@{GROUP}", None])
def test_a_disks_volume_is_on_the_member_of_its_vm(
    clustered: TenantOf[Cluster], group: str, target: str | None
) -> None:
    disks = [{"size": "8MiB"}, {"name": "data", "size": "5MiB"}]
    vms = [tiny(f"vm-{number}", disks=disks, target=target) for number in range(3)]
    clustered.compose([{**vm, "state": "started"} for vm in vms])
    held = {name.removesuffix("-data"): volume["location"] for name, volume in clustered.volumes().items()}
    assert held == places(clustered)
    assert not clustered.compose(vms)["changed"]


def test_the_target_of_a_vm_that_is_there_moves_nothing(clustered: TenantOf[Cluster]) -> None:
    clustered.compose([tiny("vm", target="m1")])
    result = clustered.compose([tiny("vm", target="m2")])
    assert not result["changed"] and result["actions"] == []
    assert told(result) == places(clustered) == {"vm": "m1"}


@pytest.mark.parametrize("target", ["m9", "@nowhere"])
def test_a_target_that_does_not_exist_is_refused_before_any_write(clustered: TenantOf[Cluster], target: str) -> None:
    before = clustered.lxd.fingerprint_of_world()
    refused = clustered.compose([tiny("good", target="m1"), tiny("bad", target=target)], fails=True)
    assert "bad" in refused["msg"] and target.strip("@") in refused["msg"]
    assert differences(before, clustered.lxd.fingerprint_of_world()) == []


def test_a_project_that_may_not_say_where_is_spread_by_lxd(clustered: TenantOf[Cluster]) -> None:
    body = clustered.lxd.api("GET", f"/1.0/projects/{clustered.project}")
    body["config"]["restricted.cluster.target"] = "block"
    clustered.lxd.api("PUT", f"/1.0/projects/{clustered.project}", body)
    vms = [tiny(f"vm-{number}") for number in range(3)]
    assert told(clustered.compose(vms)) == places(clustered)
    refused = clustered.compose([tiny("bad", target="m1")], fails=True)
    assert "restricted.cluster.target" in refused["msg"] + refused["hint"]
    assert set(places(clustered)) == {vm["name"] for vm in vms}


# A member dies


def test_a_dead_member_stops_nobody_else_and_loses_nothing(clustered: TenantOf[Cluster], cluster: Cluster) -> None:
    vms = on_each("a", "b", "c", state="started")
    clustered.compose(vms)
    before = cluster.fingerprint_of_world()["projects"][clustered.project]
    _quiet, usual = timed(clustered, vms)
    cluster["m2"].kill()

    # At first the cluster still calls it Online, and asking it anything takes LXD ten seconds.
    healthy = [vms[0], vms[2]]
    result, seconds = timed(clustered, [*healthy, tiny("new-1"), tiny("new-2")])
    assert result["changed"] and seconds < 2 * usual + PATIENCE
    assert told(result).keys() == {"a", "c", "new-1", "new-2"}
    assert "m2" not in told(result).values()

    cluster.awaits("m2", "Offline")
    with cluster.requests() as seen:
        result, seconds = timed(clustered, [*healthy, tiny("new-1"), tiny("new-3")])
    assert {vm["name"] for vm in result["vms"]} == {"a", "c", "new-1", "new-3"}
    assert seconds < 2 * usual + PATIENCE and len(seen) < 40
    assert not clustered.compose([*healthy, tiny("new-3")])["changed"]

    everybody = places(clustered)
    assert everybody["b"] == "m2" and sorted(everybody) == ["a", "b", "c", "new-1", "new-2", "new-3"]

    cluster["m2"].start()
    cluster.awaits("m2", "Online")
    until(lambda: clustered.instance("b")["status"] == "Running", 60, "b is told of again")
    quiet = clustered.compose(vms)
    assert not quiet["changed"] and quiet["failed_vms"] == []
    after = cluster.fingerprint_of_world()["projects"][clustered.project]
    assert {name: after["instances"][name] for name in "abc"} == before["instances"]
    assert {name: after["processes"][name] for name in "abc"} == before["processes"], "a VM was started anew"


@pytest.fixture(scope="class")
def fallen(formed_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TenantOf[Cluster]]:
    """The cluster with VMs a, b and c on m1, m2 and m3, and m2 dead and called so."""
    name = "test-fallen"
    create_confined_project(formed_cluster, name, **OPEN)
    site = Site.create(tmp_path_factory.mktemp("fallen") / "site")
    tenant = register_vm_host(site, formed_cluster, name, urls=formed_cluster.urls, **WIDE)
    tenant.compose(on_each("a", "b", "c"))
    formed_cluster["m2"].kill()
    try:
        formed_cluster.awaits("m2", "Offline")
        yield tenant
    finally:
        formed_cluster.heal()
        discard_project(formed_cluster, name)


class TestWithADeadMember:
    """One dead member for all of these: the cluster takes half a minute to call it so."""

    def test_a_vm_on_a_dead_member_is_reported_and_left_alone(self, fallen: TenantOf[Cluster]) -> None:
        wanted = [*on_each("a", "b", "c"), tiny("new", target="m3")]
        before = set(places(fallen))
        for check in (True, False):
            result = fallen.compose(wanted, check=check, fails=True)
            [failed] = result["failed_vms"]
            assert (failed["name"], failed["vmhost"], failed["code"]) == ("b", fallen.vmhost, "unreachable")
            assert "m2" in failed["msg"]
            assert set(places(fallen)) == (before if check else {*before, "new"})
        shown = {vm["name"]: vm for vm in result["vms"]}
        assert (shown["b"]["status"], shown["b"]["location"]) == ("Error", "m2")

    def test_a_vm_on_a_dead_member_is_not_deleted(self, fallen: TenantOf[Cluster]) -> None:
        gone = fallen.compose([{"name": "b", "state": "absent"}], fails=True)
        assert gone["failed_vms"][0]["code"] == "unreachable"
        assert places(fallen)["b"] == "m2"

    def test_a_dead_target_is_refused_before_any_write(self, fallen: TenantOf[Cluster]) -> None:
        before = places(fallen)
        with fallen.lxd.requests() as seen:
            refused = fallen.compose([tiny("good", target="m1"), tiny("bad", target="m2")], fails=True)
        assert "bad" in refused["msg"] and "m2" in refused["msg"]
        assert {request.method for request in seen} == {"GET"}
        assert places(fallen) == before

    def test_vms_on_a_dead_member_are_rows(self, fallen: TenantOf[Cluster]) -> None:
        rows = {row["name"]: row for row in fallen.site.run_task("lxd_vm_info", {"vmhost": fallen.vmhost})["vms"]}
        assert {name: rows[name]["location"] for name in "abc"} == {"a": "m1", "b": "m2", "c": "m3"}
        assert (rows["b"]["status"], rows["a"]["status"]) == ("Error", "Stopped")
        assert rows["b"]["enlisted"] is None, "whose it is can't be known"
        assert rows["a"]["enlisted"] is False

    def test_a_vm_host_with_a_dead_member_is_a_row(self, fallen: TenantOf[Cluster]) -> None:
        began = time.monotonic()
        [row] = fallen.site.run_task("lxd_vmhost_info", {"vmhosts": [fallen.vmhost]})["vmhosts"]
        assert time.monotonic() - began < PATIENCE
        statuses = {each["name"]: each["status"] for each in row["server"]["members"]}
        assert statuses == {"m1": "Online", "m2": "Offline", "m3": "Online"}
        assert {vm["name"]: vm["location"] for vm in row["vms"]}["b"] == "m2"
        assert row["resources"]["cores"]["total"] is None, "the sum over all members can't be known"
        assert {node["member"] for node in row["resources"]["numa_nodes"]} == {"m1", "m3"}


@pytest.mark.parametrize("ending", ["killed", "unplugged"])
def test_a_first_address_that_is_dead_delays_by_a_short_wait(
    clustered: TenantOf[Cluster], cluster: Cluster, ending: str
) -> None:
    vms = [tiny("vm", target="m3")]
    clustered.compose(vms)
    if ending == "killed":
        cluster["m1"].kill()
    else:
        cluster["m1"].unplug()
    cluster.awaits("m1", "Offline")
    began = time.monotonic()
    port = port_to(clustered, cluster.urls)
    # Two seconds of silence; a server with one address gets five.
    assert time.monotonic() - began < 4
    port.close()
    result = clustered.compose(vms)
    assert not result["changed"] and told(result) == {"vm": "m3"}


# How it is read


def test_a_connection_goes_on_with_the_next_member(clustered: TenantOf[Cluster], cluster: Cluster) -> None:
    port = port_to(clustered, cluster.urls)
    assert port.call("GET", ("projects", clustered.project)).metadata["name"] == clustered.project
    cluster["m1"].kill()
    body = {"name": "vm", "type": "virtual-machine", "source": {"type": "none"}, "profiles": []}
    body["devices"] = {"root": {"type": "disk", "path": "/", "pool": "default", "size": "8MiB"}}
    answer = port.call("POST", ("instances",), project=clustered.project, params={"target": "m2"}, body=body)
    assert answer.operation, "what could not be sent was not sent to the next"
    until(lambda: places(clustered) == {"vm": "m2"}, 20, "the VM is made through the next member")
    assert port.call("GET", ("projects", clustered.project)).metadata["name"] == clustered.project
    port.close()


def test_every_address_dead_is_said_by_the_first(clustered: TenantOf[Cluster], cluster: Cluster) -> None:
    with pytest.raises(errors.Unreachable) as refused:
        port_to(clustered, ["https://127.0.0.1:1", "https://127.0.0.1:2"])
    assert "https://127.0.0.1:1" in refused.value.message


def test_the_pin_holds_for_every_member(clustered: TenantOf[Cluster], cluster: Cluster) -> None:
    for url in cluster.urls:
        port = port_to(clustered, [url])
        assert port.server.trusted and port.server.clustered
        port.close()


def test_machines_are_the_members_with_what_each_has(
    clustered: TenantOf[Cluster], cluster: Cluster, group: str
) -> None:
    port = port_to(clustered, cluster.urls)
    with cluster.requests() as seen:
        found = read_machines(Reader(port), Reader(port).pools())
    assert [each.member for each in found] == MEMBERS
    assert [each.status for each in found] == ["Online"] * 3
    assert [each.architecture for each in found] == ["x86_64"] * 3
    assert [each.groups for each in found] == [frozenset({"default"}), *[frozenset({"default", group})] * 2]
    for each in found:
        assert each.resources and each.resources.threads and each.resources.memory_total
        assert [(pool.name, bool(pool.total), bool(pool.used)) for pool in each.pools] == [("default", True, True)]
    # Members, pools, and for each member its resources and its share of the one pool.
    assert len(seen) == 2 + 3 * 2

    cluster["m2"].kill()
    for status in ("Online", "Offline"):
        cluster.awaits("m2", status)
        began = time.monotonic()
        found = read_machines(Reader(port), Reader(port).pools())
        assert time.monotonic() - began < PATIENCE
        assert [bool(each.resources) for each in found] == [True, False, True]
        assert [each.status for each in found] == ["Online", status, "Online"]
        assert found[1].pools[0].total is None
    port.close()


# A member is evacuated


def test_a_vm_that_was_evacuated_is_the_same_vm(clustered: TenantOf[Cluster], cluster: Cluster) -> None:
    vms = on_each("a", "b", "c")
    clustered.compose(vms)
    cluster.api("POST", "/1.0/cluster/members/m2/state", {"action": "evacuate"}, timeout=120)
    moved = places(clustered)
    assert moved["b"] in ("m1", "m3")
    result = clustered.compose(vms)
    assert not result["changed"] and result["actions"] == [] and told(result) == moved
    refused = clustered.compose([tiny("new", target="m2")], fails=True)
    assert "new" in refused["msg"] and "m2" in refused["msg"]
    assert "m2" not in told(clustered.compose([tiny(f"new-{number}") for number in range(3)])).values()

    cluster.api("POST", "/1.0/cluster/members/m2/state", {"action": "restore"}, timeout=120)
    cluster.awaits("m2", "Online")
    back = clustered.compose(vms)
    there = places(clustered)
    assert not back["changed"] and told(back) == {name: there[name] for name in "abc"}
