# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""lxd_vm_compose against a real LXD, through a restricted certificate: made, mended, powered, gone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.playing import Site
from tests.integration.tenancy import OVERCOMMITTED, OWNER, Tenant, create_confined_project, register_vm_host
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.teardown import discard_project
from tests.lxd.world import differences

# The firmware needs 144 MiB; the guest is a kernel and a shell.
SMALL = {"image": "micro", "memory": "160MiB", "secure_boot": False}


def bare(name: str, **more: Any) -> dict[str, Any]:
    """A VM without content that isn't started: the cheapest there is."""
    return {"name": name, "state": "present", "memory": "160MiB", **more}


def test_a_list_of_vms_is_composed_as_said(tenant: Tenant) -> None:
    vms = [
        {
            **SMALL,
            "name": "web-1",
            "cores": 2,
            "disks": [{"size": "48MiB"}, {"name": "data", "size": "10MiB"}],
            "interfaces": [{"network": tenant.lxd.bridge, "mac": "00:16:3E:00:00:01"}],
            "cloud_init": {"user_data": {"hostname": "web"}},
            "description": "front",
            "tags": ["b", "a"],
            "annotations": {"team": "red"},
            "pool": "prod",
            "zone": "north",
            "config": {"boot.autostart": True},
        },
        bare("pxe-1"),
    ]
    result = tenant.compose(vms)
    assert result["changed"] and result["failed_vms"] == []
    assert [vm["name"] for vm in result["vms"]] == ["web-1", "pxe-1"]

    web = tenant.instance("web-1")
    assert web["status"] == "Running" and web["type"] == "virtual-machine"
    assert web["profiles"] == [], "a profile came along that nobody said"
    assert web["description"] == "front"
    assert web["devices"] == {
        "root": {"type": "disk", "path": "/", "pool": "default", "size": "48MiB"},
        "data": {"type": "disk", "pool": "default", "source": "web-1-data"},
        "eth0": {"type": "nic", "name": "eth0", "network": tenant.lxd.bridge, "hwaddr": "00:16:3e:00:00:01"},
    }
    said = {
        "limits.cpu": "2",
        "limits.memory": "160MiB",
        "security.secureboot": "false",
        "boot.autostart": "true",
        "user.tenantry.owner": OWNER,
        "user.tenantry.tags": "a,b",
        "user.tenantry.annotation.team": "red",
        "user.tenantry.pool": "prod",
        "user.tenantry.zone": "north",
    }
    assert {key: web["config"].get(key) for key in said} == said
    assert web["config"]["cloud-init.user-data"] == '#cloud-config\n{\n  "hostname": "web"\n}\n'
    assert tenant.volumes()["web-1-data"]["config"] == {
        "size": "10MiB",
        "user.tenantry.owner": OWNER,
        "user.tenantry.vm": "web-1",
    }

    pxe = tenant.instance("pxe-1")
    assert pxe["status"] == "Stopped"
    assert "volatile.base_image" not in pxe["config"]
    assert int(pxe["devices"]["eth0"]["boot.priority"]) > 1, "an empty VM doesn't boot from the network"

    again = tenant.compose(vms)
    assert not again["changed"] and again["actions"] == []
    assert again["vms"] == result["vms"]


def test_check_mode_predicts_and_writes_nothing(tenant: Tenant) -> None:
    tenant.compose([bare("old", disks=[{}, {"name": "data", "size": "5MiB"}]), bare("kept", tags=["a"])])
    vms = [
        bare("new", image="micro", disks=[{"size": "48MiB"}, {"name": "log", "size": "5MiB"}]),
        bare("kept", tags=["b"], cores=3, disks=[{}, {"name": "more", "size": "5MiB"}]),
        {"name": "old", "state": "absent"},
    ]
    before = tenant.lxd.fingerprint_of_world()
    predicted = tenant.compose(vms, check=True)
    assert differences(before, tenant.lxd.fingerprint_of_world()) == []
    real = tenant.compose(vms)
    assert predicted["changed"] and real["changed"]
    assert predicted["actions"] == real["actions"]
    assert predicted["diff"] == real["diff"]
    assert set(tenant.instances()) == {"new", "kept"}
    assert set(tenant.volumes()) == {"new-log", "kept-more"}
    for check in (True, False):
        quiet = tenant.compose(vms, check=check)
        assert not quiet["changed"] and quiet["diff"] == {"before": {}, "after": {}}


DRIFT: dict[str, dict[str, Any]] = {
    "cores": {"config": {"limits.cpu": "1"}},
    "memory": {"config": {"limits.memory": "999MiB"}},
    "tags": {"config": {"user.tenantry.tags": "mine"}},
    "annotation": {"config": {"user.tenantry.annotation.team": None}},
    "config": {"config": {"boot.autostart": "false"}},
    "description": {"description": "somebody's"},
    "interface": {"devices": {"eth0": None}},
    "disk": {"devices": {"data": None}},
    "protection": {"config": {"security.protection.delete": "true"}},
}


def test_drift_of_every_kind_is_found_and_mended(tenant: Tenant) -> None:
    said = {
        "cores": 2,
        "tags": ["a"],
        "annotations": {"team": "red"},
        "config": {"boot.autostart": True},
        "description": "ours",
        "disks": [{}, {"name": "data", "size": "5MiB"}],
        "interfaces": [{"network": tenant.lxd.bridge}],
        "boot": "network",
        "protected": False,
    }
    vms = [bare(f"vm-{name}", **said) for name in DRIFT]
    tenant.compose(vms)
    made = tenant.instances()
    for name, drift in DRIFT.items():
        tenant.change(f"vm-{name}", **drift)
    drifted = tenant.instances()
    assert all(drifted[name] != made[name] for name in made), "a drift of this test doesn't change anything"
    predicted = tenant.compose(vms, check=True)
    real = tenant.compose(vms)
    assert real["changed"] and predicted["diff"] == real["diff"]
    assert len(real["actions"]) == len(DRIFT)
    mended = tenant.instances()
    for name, vm in made.items():
        for field in ("config", "devices", "description"):
            assert _without_volatile(mended[name][field]) == _without_volatile(vm[field]), name
    assert not tenant.compose(vms)["changed"]


def _without_volatile(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: inner for key, inner in value.items() if not key.startswith("volatile.")}


def test_what_is_not_said_is_kept(tenant: Tenant) -> None:
    tenant.compose([bare("vm", cores=2, tags=["a"], annotations={"a": "1", "b": "2"}, config={"user.x": "y"})])
    before = tenant.instance("vm")
    assert not tenant.compose([{"name": "vm", "state": "present"}])["changed"]
    result = tenant.compose(
        [{"name": "vm", "state": "present", "annotations": {"a": None}, "config": {"user.x": None}}]
    )
    assert result["changed"]
    gone = {"user.tenantry.annotation.a", "user.x"}
    expected = {key: value for key, value in before["config"].items() if key not in gone}
    assert tenant.instance("vm")["config"] == expected


def test_values_are_compared_by_what_they_mean(tenant: Tenant) -> None:
    tenant.compose([bare("vm", disks=[{"size": "1GiB"}], config={"boot.autostart": "yes"})])
    same = bare("vm", memory="167772160", disks=[{"size": "1073741824"}], config={"boot.autostart": True})
    assert not tenant.compose([same])["changed"]


def test_states(tenant: Tenant) -> None:
    vm = {**SMALL, "name": "vm", "annotations": {"lent": "to red"}}
    tenant.compose([vm])

    def status() -> str:
        return str(tenant.instance("vm")["status"])

    assert status() == "Running"
    assert not tenant.compose([{"name": "vm", "state": "present"}])["changed"]

    started = tenant.lxd.api("GET", "/1.0/instances/vm/state", query={"project": tenant.project})["pid"]
    assert tenant.compose([{"name": "vm", "state": "restarted"}], force_stop=True)["actions"] == ["restart VM vm"]
    assert tenant.lxd.api("GET", "/1.0/instances/vm/state", query={"project": tenant.project})["pid"] != started

    assert tenant.compose([{"name": "vm", "state": "stopped"}], force_stop=True)["changed"]
    assert status() == "Stopped"
    assert not tenant.compose([{"name": "vm", "state": "stopped"}])["changed"]
    assert tenant.compose([{"name": "vm"}])["actions"] == ["start VM vm"]

    released = tenant.compose([{"name": "vm", "state": "released"}], force_stop=True)
    assert released["vms"][0]["annotations"] == {} and status() == "Stopped"
    assert not tenant.compose([{"name": "vm", "state": "released"}])["changed"]

    assert tenant.compose([{"name": "vm", "state": "absent"}])["changed"]
    assert tenant.instances() == {}
    assert not tenant.compose([{"name": "vm", "state": "absent"}])["changed"]


def test_a_guest_that_listens_is_asked_to_shut_down(tenant: Tenant) -> None:
    tenant.compose([{**SMALL, "name": "vm"}])
    query = {"project": tenant.project}

    def answers() -> bool:
        network = tenant.lxd.api("GET", "/1.0/instances/vm/state", query=query)["network"] or {}
        return any(a["family"] == "inet" for nic in network.values() for a in nic["addresses"])

    until(answers, 300, "the guest has an address")
    assert tenant.compose([{"name": "vm", "state": "stopped"}])["changed"]
    assert tenant.instance("vm")["config"]["volatile.last_state.power"] == "STOPPED"


def test_what_needs_a_restart_is_reported_and_done_when_allowed(tenant: Tenant) -> None:
    tenant.compose([{**SMALL, "name": "vm", "disks": [{}, {"name": "data", "size": "5MiB"}]}])
    bigger = [
        {
            **SMALL,
            "name": "vm",
            "memory": "176MiB",
            "tags": ["live"],
            "disks": [{}, {"name": "data", "size": "8MiB"}, {"name": "hot", "size": "5MiB"}],
        }
    ]
    pid = tenant.lxd.api("GET", "/1.0/instances/vm/state", query={"project": tenant.project})["pid"]
    first = tenant.compose(bigger)
    assert first["needs_restart"] == [
        {"name": "vm", "vmhost": tenant.vmhost, "keys": ["limits.memory", "size of disk data"]}
    ]
    found = tenant.instance("vm")
    assert found["config"]["user.tenantry.tags"] == "live", "what LXD changes live waited too"
    assert found["devices"]["hot"]["source"] == "vm-hot"
    assert found["config"]["limits.memory"] == "160MiB"
    assert tenant.lxd.api("GET", "/1.0/instances/vm/state", query={"project": tenant.project})["pid"] == pid

    second = tenant.compose(bigger)
    assert not second["changed"] and second["needs_restart"] == first["needs_restart"]

    allowed = tenant.compose(bigger, allow_restart=True, force_stop=True)
    assert allowed["changed"] and allowed["needs_restart"] == []
    found = tenant.instance("vm")
    assert found["config"]["limits.memory"] == "176MiB" and found["status"] == "Running"
    assert tenant.volumes()["vm-data"]["config"]["size"] == "8MiB"
    assert not tenant.compose(bigger, allow_restart=True)["changed"]


def test_disks_grow_come_and_go_and_keep_their_content(tenant: Tenant) -> None:
    tenant.compose([bare("vm", disks=[{"size": "1GiB"}, {"name": "data", "size": "5MiB"}])])
    grown = [bare("vm", disks=[{"size": "2GiB"}, {"name": "data", "size": "6MiB"}])]
    assert tenant.compose(grown)["changed"]
    assert tenant.instance("vm")["devices"]["root"]["size"] == "2GiB"
    assert tenant.volumes()["vm-data"]["config"]["size"] == "6MiB"

    shrunk = tenant.compose([bare("vm", disks=[{"size": "1GiB"}])], fails=True)
    assert shrunk["code"] == "invalid" and "never shrunk" in shrunk["msg"]

    detached = [bare("vm", disks=[{}, {"name": "data", "state": "absent"}])]
    assert tenant.compose(detached)["changed"]
    assert "data" not in tenant.instance("vm")["devices"]
    assert "vm-data" in tenant.volumes(), "a detached disk lost its volume though nobody said so"
    assert not tenant.compose(detached)["changed"]

    attached = tenant.compose(grown)
    assert attached["actions"] == ["update VM vm: device data"], "the volume was made anew instead of taken up"

    gone = [bare("vm", disks=[{}, {"name": "data", "state": "absent", "delete_volume": True}])]
    assert tenant.compose(gone)["changed"]
    assert tenant.volumes() == {}
    assert not tenant.compose(gone)["changed"]


def test_a_vm_goes_with_the_volumes_made_for_it_and_no_other(tenant: Tenant) -> None:
    tenant.compose([bare("vm", disks=[{}, {"name": "data", "size": "5MiB"}])])
    path = "/1.0/storage-pools/default/volumes/custom"
    body = {"name": "vm-mine", "type": "custom", "content_type": "block", "config": {"size": "5MiB"}}
    tenant.lxd.api("POST", path, body, query={"project": tenant.project})
    tenant.change("vm", devices={"mine": {"type": "disk", "pool": "default", "source": "vm-mine"}})
    tenant.compose([{"name": "vm", "state": "absent"}])
    assert set(tenant.volumes()) == {"vm-mine"}


@pytest.mark.smoke
def test_s7_a_vm_is_composed_in_the_tracked_project_and_nothing_else_changes(tenant: Tenant) -> None:
    before = tenant.lxd.fingerprint_of_world(exclude_project=tenant.project)
    tenant.compose([bare("vm", image="micro", disks=[{}, {"name": "data", "size": "5MiB"}])])
    assert tenant.instance("vm")["project"] == tenant.project
    tenant.compose([{"name": "vm", "state": "absent"}])
    assert differences(before, tenant.lxd.fingerprint_of_world(exclude_project=tenant.project)) == []


@pytest.mark.parametrize("mark", [None, "somebody-else"])
@pytest.mark.smoke
def test_s6_no_vm_is_made_in_a_project_that_is_not_ours(
    lxd: Daemon, site: Site, project_name: str, mark: str | None
) -> None:
    # The certificate could: LXD trusts it for this project. It is us who refuse.
    create_confined_project(lxd, project_name, owner=mark)
    tenant = register_vm_host(site, lxd, project_name)
    before = lxd.fingerprint_of_world()
    for check in (True, False):
        refused = tenant.compose([bare("vm")], fails=True, check=check)
        assert refused["code"] == "not_owned" and project_name in refused["msg"] and refused["hint"]
    assert differences(before, lxd.fingerprint_of_world()) == []


def test_what_is_not_ours_is_refused_and_stays(tenant: Tenant) -> None:
    query = {"project": tenant.project}
    for name, mark in (("theirs", {"user.tenantry.owner": "others"}), ("nobodys", {})):
        body = {
            "name": name,
            "type": "virtual-machine",
            "source": {"type": "none"},
            "config": mark,
            "profiles": [],
            "devices": {"root": {"type": "disk", "path": "/", "pool": "default"}},
        }
        tenant.lxd.api("POST", "/1.0/instances", body, query=query)
    before = tenant.lxd.fingerprint_of_world()
    for name, whose in (("theirs", "belongs to others"), ("nobodys", "not composed by this tenant")):
        for state in ("present", "started", "restarted", "absent"):
            refused = tenant.compose([{"name": name, "state": state}, bare("new")], fails=True)
            assert refused["code"] == "not_owned" and whose in refused["msg"]
    assert differences(before, tenant.lxd.fingerprint_of_world()) == []


def test_a_protected_vm_is_refused_before_it_is_stopped(tenant: Tenant) -> None:
    tenant.compose([{**SMALL, "name": "vm", "protected": True}, {**SMALL, "name": "late"}])
    tenant.compose([{"name": "late", "protected": True}])
    before = tenant.instances()
    for name in ("vm", "late"):
        refused = tenant.compose([{"name": name, "state": "absent"}], fails=True)
        assert refused["code"] == "protected"
    assert {name: vm["status"] for name, vm in tenant.instances().items()} == {"vm": "Running", "late": "Running"}
    assert tenant.instances()["vm"]["config"] == before["vm"]["config"]
    tenant.compose([{"name": "vm", "state": "stopped"}, {"name": "late", "state": "stopped"}], force_stop=True)
    tenant.compose(
        [
            {"name": "vm", "state": "present", "protected": False},
            {"name": "late", "state": "present", "protected": False},
        ]
    )
    assert tenant.compose([{"name": "vm", "state": "absent"}, {"name": "late", "state": "absent"}])["changed"]


def test_profiles_come_along_only_when_said(tenant: Tenant) -> None:
    query = {"project": tenant.project}
    root = {"root": {"type": "disk", "path": "/", "pool": "default"}}
    tenant.lxd.api(
        "POST", "/1.0/profiles", {"name": "big", "config": {"limits.cpu": "3"}, "devices": root}, query=query
    )
    vms = [{"name": "vm", "state": "present", "profiles": ["big"], "interfaces": []}]
    result = tenant.compose(vms)
    assert result["vms"][0]["cores"] == 3
    assert tenant.instance("vm")["devices"] == {}
    assert not tenant.compose(vms)["changed"]


def test_one_that_fails_does_not_stop_the_others(tenant: Tenant) -> None:
    # LXD finds this one out only while it makes the VM.
    result = tenant.compose([bare("bad", config={"limits.nonsense": "1"}), bare("good")], fails=True)
    assert [failed["name"] for failed in result["failed_vms"]] == ["bad"]
    assert result["failed_vms"][0]["code"] == "operation_failed"
    assert set(tenant.instances()) == {"good"}
    assert result["changed"] and "create VM good" in result["actions"]


def test_a_quiet_run_over_100_vms_costs_3_requests_and_one_a_pool_with_extra_disks(tenant: Tenant) -> None:
    plain = [bare(f"vm-{number:03}") for number in range(99)]
    disks = [bare("vm-disk", disks=[{}, {"name": "data", "size": "5MiB"}])]
    tenant.compose(plain + disks)
    assert len(tenant.instances()) == 100

    assert _requests(tenant, plain) == [
        "/1.0",
        f"/1.0/projects/{tenant.project}",
        f"/1.0/instances?recursion=1&project={tenant.project}",
    ]
    with_disks = _requests(tenant, plain + disks)
    assert len(with_disks) == 4 and "/storage-pools/default/volumes/custom" in with_disks[3]

    tenant.change("vm-disk", devices={"data": None})
    mended = tenant.compose(plain + disks)
    assert mended["actions"] == ["update VM vm-disk: device data"]
    assert tenant.instance("vm-disk")["devices"]["data"]["source"] == "vm-disk-data"


def _requests(tenant: Tenant, vms: list[dict[str, Any]]) -> list[str]:
    with tenant.lxd.requests() as seen:
        assert not tenant.compose(vms)["changed"]
    return [request.url for request in seen]


def test_two_vms_on_two_hosts_in_one_task(tenant: Tenant, lxd: Daemon) -> None:
    # The same daemon under a second name: what matters here is that each VM goes where it is said to go.
    other = f"{tenant.project}-b"
    create_confined_project(lxd, other, **OVERCOMMITTED)
    try:
        register_vm_host(tenant.site, lxd, other, "kvm-02")
        vms = [bare("one", vmhost="kvm-01"), bare("one", vmhost="kvm-02"), bare("two", vmhost="kvm-02")]
        result = tenant.site.run_task("lxd_vm_compose", {"vms": vms})
        assert [(vm["vmhost"], vm["name"]) for vm in result["vms"]] == [
            ("kvm-01", "one"),
            ("kvm-02", "one"),
            ("kvm-02", "two"),
        ]
        assert set(tenant.instances()) == {"one"}
        assert not tenant.site.run_task("lxd_vm_compose", {"vms": vms})["changed"]
    finally:
        discard_project(lxd, other)
