# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""lxd_vm_compose over several VM hosts, each a real LXD: where VMs go, what is refused, and who wins a race."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._registry import file_store, rows
from ansible_collections.tenantry.lxd.plugins.module_utils._shell import arguments, run
from ansible_collections.tenantry.lxd.plugins.module_utils._shell.jobs.vm_compose import ComposeJob
from ansible_collections.tenantry.lxd.plugins.modules.lxd_vm_compose import OPTIONS

from tests.integration.playing import Site
from tests.integration.tenancy import Tenant, create_confined_project, register_vm_host
from tests.lxd.daemon import Daemon
from tests.lxd.place import default_root
from tests.lxd.teardown import discard_project, take_down
from tests.lxd.world import differences


def bare(name: str, **more: Any) -> dict[str, Any]:
    """A VM without content that isn't started: the cheapest there is."""
    return {"name": name, "state": "present", "memory": "64MiB", "interfaces": [], **more}


@pytest.fixture(scope="module")
def second(lxd: Daemon) -> Iterator[Daemon]:
    """Another VM host, as good as the first."""
    daemon = Daemon.new(f"{lxd.name}-b", default_root(), owned=True)
    try:
        daemon.start()
        yield daemon
    finally:
        take_down(default_root(), [daemon.name])


@dataclasses.dataclass(frozen=True)
class Fleet:
    """Two VM hosts of one site's registry: kvm-01 in zone north, kvm-02 in zone south."""

    site: Site
    tenants: dict[str, Tenant]

    def compose(self, vms: list[dict[str, Any]], **rest: Any) -> dict[str, Any]:
        """Run lxd_vm_compose without saying a host."""
        about_run = {key: rest.pop(key) for key in ("check", "fails") if key in rest}
        return self.site.run_task("lxd_vm_compose", {"vms": vms, **rest}, **about_run)

    def whereabouts(self) -> dict[str, list[str]]:
        """The names that each LXD itself lists."""
        return {name: sorted(tenant.instances()) for name, tenant in self.tenants.items()}


@pytest.fixture
def fleet(lxd: Daemon, second: Daemon, site: Site, project_name: str) -> Iterator[Fleet]:
    """Two VM hosts where as much may be promised as there is, ten times."""
    ratios = {"user.tenantry.cpu_overcommit": "10", "user.tenantry.memory_overcommit": "1"}
    tenants = {}
    try:
        for number, daemon in enumerate((lxd, second), 1):
            create_confined_project(daemon, project_name, **ratios)
            labels: dict[str, Any] = {"zone": ("north", "south")[number - 1], "tags": ["ssd"] if number == 2 else []}
            tenants[f"kvm-0{number}"] = register_vm_host(site, daemon, project_name, f"kvm-0{number}", **labels)
        yield Fleet(site, tenants)
    finally:
        discard_project(second, project_name)


def placed(result: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["vmhost"] for each in result["placements"]}


def test_vms_are_spread_and_the_reasons_said(fleet: Fleet) -> None:
    vms = [bare(f"web-{number}") for number in range(4)]
    predicted = fleet.compose(vms, check=True)
    assert fleet.whereabouts() == {"kvm-01": [], "kvm-02": []}
    result = fleet.compose(vms)
    assert predicted["placements"] == result["placements"] and predicted["diff"] == result["diff"]
    assert {name: len(there) for name, there in fleet.whereabouts().items()} == {"kvm-01": 2, "kvm-02": 2}
    for each in result["placements"]:
        assert each["name"] in fleet.whereabouts()[each["vmhost"]]
        others = [name for names in each["against"].values() for name in names]
        assert each["reason"] and others == [{"kvm-01": "kvm-02", "kvm-02": "kvm-01"}[each["vmhost"]]]
    again = fleet.compose(list(reversed(vms)))
    assert not again["changed"] and placed(again) == placed(result)


def test_packed_vms_share_a_host_until_it_is_full(fleet: Fleet) -> None:
    fleet.compose([bare("old", vmhost="kvm-02")])
    result = fleet.compose([bare("a", cores=9), bare("b", cores=9), bare("c", cores=9)], strategy="pack")
    there = fleet.whereabouts()
    assert len(there["kvm-02"]) == 3 and len(there["kvm-01"]) == 1, result["placements"]


def test_labels_choose_the_hosts(fleet: Fleet) -> None:
    result = fleet.compose([bare("a")], zone="south")
    assert placed(result) == {"a": "kvm-02"}
    assert result["placements"][0]["against"] == {"zone is north, not south": ["kvm-01"]}
    assert placed(fleet.compose([bare("b")], host_tags=["ssd"])) == {"b": "kvm-02"}
    assert placed(fleet.compose([bare("c")], vmhosts=["kvm-01"])) == {"c": "kvm-01"}
    refused = fleet.compose([bare("d")], zone="west", fails=True)
    assert refused["code"] == "invalid" and "kvm-01: zone is north, not west" in refused["msg"]


def test_what_is_there_is_never_moved(fleet: Fleet) -> None:
    fleet.compose([bare(name, vmhost="kvm-01") for name in ("a", "b")])
    result = fleet.compose([bare("a", tags=["x"]), bare("c")])
    assert placed(result) == {"a": "kvm-01", "c": "kvm-02"}
    assert fleet.whereabouts() == {"kvm-01": ["a", "b"], "kvm-02": ["c"]}
    assert fleet.compose([{"name": "a", "state": "absent"}, {"name": "nowhere", "state": "absent"}])["changed"]
    assert fleet.whereabouts() == {"kvm-01": ["b"], "kvm-02": ["c"]}


def test_one_name_on_two_hosts_is_a_conflict(fleet: Fleet) -> None:
    fleet.compose([bare("a", vmhost="kvm-01"), bare("a", vmhost="kvm-02")])
    before = fleet.whereabouts()
    refused = fleet.compose([bare("a"), bare("b")], fails=True)
    assert refused["code"] == "conflict" and "VM a: it is on kvm-01 and on kvm-02" in refused["msg"]
    said = fleet.compose([bare("c", vmhost="kvm-01")], vmhosts=["kvm-01", "kvm-02"])
    assert said["changed"]
    elsewhere = fleet.compose([bare("c", vmhost="kvm-02"), bare("d")], vmhosts=["kvm-01", "kvm-02"], fails=True)
    assert elsewhere["code"] == "conflict" and "VM c: its vmhost is kvm-02, and it is on kvm-01" in elsewhere["msg"]
    assert fleet.whereabouts() == {"kvm-01": [*before["kvm-01"], "c"], "kvm-02": before["kvm-02"]}


def test_more_than_all_hosts_have_is_refused_with_the_figures(fleet: Fleet) -> None:
    worlds = {name: tenant.lxd.fingerprint_of_world() for name, tenant in fleet.tenants.items()}
    cores = 10 * fleet.tenants["kvm-01"].lxd.api("GET", "/1.0/resources")["cpu"]["total"]
    share = cores * 6 // 10
    for vms in (
        [bare("big", cores=cores + 1)],
        # Each fits alone, and any two on the two hosts: not the third.
        [bare(f"vm-{number}", cores=share) for number in range(3)],
        [bare("fits"), bare("huge", memory="100TiB")],
    ):
        refused = fleet.compose(vms, fails=True)
        assert refused["code"] == "no_room" and "kvm-01" in refused["msg"] and "kvm-02" in refused["msg"], refused[
            "msg"
        ]
        assert vms[-1]["name"] in refused["msg"] or len(vms) == 3
    said = fleet.compose([bare("a", vmhost="kvm-01", cores=cores), bare("b", vmhost="kvm-01")], fails=True)
    assert said["code"] == "no_room" and "kvm-01" in said["msg"]
    for name, tenant in fleet.tenants.items():
        assert differences(worlds[name], tenant.lxd.fingerprint_of_world()) == []


def test_growth_is_held_to_what_is_free(fleet: Fleet) -> None:
    cores = 10 * fleet.tenants["kvm-01"].lxd.api("GET", "/1.0/resources")["cpu"]["total"]
    fleet.compose([bare("a", vmhost="kvm-01", cores=cores - 2), bare("b", vmhost="kvm-01")])
    refused = fleet.compose([bare("b", vmhost="kvm-01", cores=3)], fails=True)
    assert refused["code"] == "no_room" and "b" in refused["msg"]
    assert fleet.compose([bare("b", vmhost="kvm-01", cores=2)])["changed"]


def configure(tenant: Tenant, **config: str | None) -> None:
    """Change the project's config as its admin."""
    project = tenant.lxd.api("GET", f"/1.0/projects/{tenant.project}")
    changed = {**project["config"], **config}
    body = {"description": project["description"], "config": {key: value for key, value in changed.items() if value}}
    tenant.lxd.api("PUT", f"/1.0/projects/{tenant.project}", body)


def test_cores_are_chosen_and_kept(fleet: Fleet) -> None:
    tenant = fleet.tenants["kvm-01"]
    fleet.compose([bare("first", vmhost="kvm-01", pinned_cores=[0])])
    vms = [bare("second", vmhost="kvm-01", pinned_cores={"count": 1})]
    predicted = fleet.compose(vms, check=True)
    result = fleet.compose(vms)
    assert predicted["diff"] == result["diff"] and predicted["placements"] == result["placements"]
    assert tenant.instance("second")["config"]["limits.cpu"] == "1-1", "not the least used core"
    assert "pinned to 1-1" in result["placements"][0]["reason"]
    with tenant.lxd.requests() as counted:
        assert not fleet.compose(vms)["changed"]
    assert len(counted) <= 3, [f"{each.method} {each.path}" for each in counted]
    tenant.change("second", config={"limits.cpu": "0-1"})
    assert fleet.compose(vms)["changed"]
    assert tenant.instance("second")["config"]["limits.cpu"] == "1-1"
    assert not fleet.compose(vms)["changed"]


REFUSED = [
    ({"pinned_cores": [0, 4095]}, {}, "invalid", "4095"),
    ({"pinned_cores": {"count": 4000}}, {}, "invalid", "4000 asked, it has"),
    ({"pinned_cores": {"count": 1, "numa_node": 7}}, {}, "invalid", "NUMA node 7"),
    ({"target": "m1"}, {}, "invalid", "target"),
    ({"hugepages": True}, {"restricted.virtual-machines.lowlevel": "allow"}, "unsupported", "hugepages"),
    ({"pinned_cores": [0]}, {"limits.cpu": "8"}, "unsupported", "vmhost_enforce"),
    ({"pinned_cores": {"count": 1}}, {"limits.cpu": "8"}, "unsupported", "vmhost_enforce"),
    ({"cores": 1}, {"user.tenantry.cpu_overcommit": "0"}, "invalid", "permits no allocation"),
]


@pytest.mark.parametrize(("said", "config", "code", "word"), REFUSED, ids=[f"{each[0]}{each[1]}" for each in REFUSED])
def test_what_a_machine_or_its_project_can_not_give_is_refused(
    tenant: Tenant, said: dict[str, Any], config: dict[str, str], code: str, word: str
) -> None:
    configure(tenant, **config)
    refused = tenant.compose([bare("good"), bare("bad", **said), bare("worse", **said)], fails=True)
    assert refused["code"] == code and word in f"{refused['msg']} {refused['hint']}", refused
    if "cpu_overcommit" not in str(config):
        assert len(refused["refused"]) == 2 and all(f"VM {name}" in refused["msg"] for name in ("bad", "worse"))
    assert tenant.instances() == {}


def silence(fleet: Fleet, vmhost: str) -> None:
    """Have the registry say an address at which nobody answers."""
    entry = fleet.site.registry / vmhost / "vmhost.yml"
    entry.write_text(entry.read_text().replace(fleet.tenants[vmhost].lxd.url, "https://127.0.0.1:1"))


def test_nothing_is_made_while_a_candidate_is_silent(fleet: Fleet) -> None:
    fleet.compose([bare("there", vmhost="kvm-01")])
    silence(fleet, "kvm-02")
    vms = [bare("new"), bare("there", tags=["x"]), bare("said", vmhost="kvm-01"), bare("lost", vmhost="kvm-02")]
    result = fleet.compose(vms, fails=True)
    assert {each["name"]: each["code"] for each in result["failed_vms"]} == {
        "new": "unreachable",
        "lost": "unreachable",
    }
    assert fleet.whereabouts()["kvm-01"] == ["said", "there"], "what has nothing to do with the silent host goes on"
    assert fleet.tenants["kvm-01"].instance("there")["config"]["user.tenantry.tags"] == "x"
    risked = fleet.compose([bare("new")], ignore_unreachable_hosts=True)
    assert placed(risked) == {"new": "kvm-01"}
    assert risked["placements"][0]["against"] == {"it gives no answer": ["kvm-02"]}


def test_pruning_takes_what_is_tagged_and_not_listed(fleet: Fleet) -> None:
    fleet.compose(
        [
            bare("web-1", vmhost="kvm-01", tags=["web"]),
            bare("web-2", vmhost="kvm-01", tags=["web"], disks=[{}, {"name": "data", "size": "5MiB"}]),
            bare("web-3", vmhost="kvm-01", tags=["web"], protected=True),
            bare("db-1", vmhost="kvm-01", tags=["db"]),
            bare("web-4", vmhost="kvm-02", tags=["web"]),
        ]
    )
    prune = {"prune": True, "prune_tag": "web", "vmhosts": ["kvm-01"]}
    few = fleet.compose([bare("web-1")], **prune, prune_max=1, check=True)
    assert few["actions"] == ["delete VM web-2", "delete volume default/web-2-data"], few["actions"]
    assert list(few["diff"]["before"]) == ["VM web-2", "volume default/web-2-data"], list(few["diff"]["before"])
    refused = fleet.compose([bare("db-1")], **prune, prune_max=1, fails=True)
    assert refused["code"] == "invalid" and "web-1 on kvm-01, web-2 on kvm-01" in refused["msg"]
    assert len(fleet.whereabouts()["kvm-01"]) == 4
    assert fleet.compose([bare("web-1")], **prune)["actions"] == few["actions"]
    assert fleet.whereabouts() == {"kvm-01": ["db-1", "web-1", "web-3"], "kvm-02": ["web-4"]}
    assert fleet.tenants["kvm-01"].volumes() == {}
    assert not fleet.compose([bare("web-1")], **prune)["changed"]
    assert fleet.compose([], **prune, fails=True)["code"] == "invalid"


@pytest.mark.parametrize("together", [False, True])
def test_of_two_runs_that_do_not_fit_together_one_wins(fleet: Fleet, together: bool) -> None:
    """Planned on the same reading, LXD's own limit on the project lets one through; else the later run sees it."""
    tenant = fleet.tenants["kvm-01"]
    configure(tenant, **{"limits.cpu": "10", "limits.memory": "4GiB"})
    jobs = [_job(fleet, [bare(f"{run}-{number}", cores=3) for number in range(2)]) for run in ("one", "other")]
    first, second = jobs
    try:
        if together:
            plans = [first.plan(), second.plan()]
            _plan, won = run._carry_out_until_stable(first, plans[0])
            _plan, lost = run._carry_out_until_stable(second, plans[1])
            assert not won.failed
            (refusal,) = lost.failed.values()
            assert refusal.code == "no_room" and "limits.cpu" in str(refusal), refusal
        else:
            run._carry_out_until_stable(first, first.plan())
            with pytest.raises(errors.NoRoom, match="3 cores asked, 4 cores free, 1 core beside"):
                second.plan()
    finally:
        for job in jobs:
            job.close()
    promised = [int(each["config"]["limits.cpu"]) for each in tenant.instances().values()]
    assert promised == [3] * (3 if together else 2)


def _job(fleet: Fleet, vms: list[dict[str, Any]]) -> ComposeJob:
    """One task's job in this process: only so are two of them sure to plan on the same reading."""
    row = rows.row(file_store.FileStore(str(fleet.site.registry)), "kvm-01", lambda path: Path(path).read_text(), {})
    unsaid = {name: option.get("default") for name, option in {**arguments.CONNECTION, **OPTIONS}.items()}
    return ComposeJob({**unsaid, "vmhost": "kvm-01", "vms": vms, "_connections": [row]})
