# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that become one VM host: a cluster from one play, a member more, a member less, each as somebody would."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.callback.cut_short import ENDED
from tests.integration.playing import PlayResult, Site
from tests.integration.tenancy import OWNER
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.machine import Machine

NAMES = ("k1", "k2", "k3", "k4")
VM = {"memory": "160MiB", "secure_boot": False, "image": "micro", "disks": [{"name": "root", "size": "64MiB"}]}
DECLARED: dict[str, Any] = {
    "vmhost_cluster": "kvm",
    "vmhost_method": "ssh",
    "vmhost_owner": OWNER,
    "vmhost_project": "tenant-a",
    "vmhost_storage_pools": [{"name": "default", "driver": "dir"}],
    "vmhost_networks": [{"name": "lxdbr0", "config": {"ipv4.address": "10.213.9.1/24", "ipv6.address": "none"}}],
    "vmhost_default_storage_pool": "default",
    "vmhost_default_network": "lxdbr0",
    "vmhost_cpu_overcommit": 10,
    "vmhost_memory_overcommit": 4,
}


@pytest.fixture(scope="module")
def machines(outer: Daemon) -> Iterator[dict[str, Machine]]:
    """Four machines with LXD's package and nothing in it."""
    made = {name: Machine(outer, name, "lxd") for name in NAMES}
    try:
        # The first brings the image.
        for machine in made.values():
            machine.create()
        with ThreadPoolExecutor(2) as starting:
            list(starting.map(lambda machine: machine.start(), made.values()))
        yield made
    finally:
        for machine in made.values():
            machine.destroy()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One repository for all steps of the cluster's life."""
    return Site.create(tmp_path_factory.mktemp("cluster") / "site")


def declare(site: Site, machines: dict[str, Machine], **of_each: dict[str, Any]) -> None:
    hosts = {name: {**machines[name].inventory, **said} for name, said in of_each.items()}
    group = {"lxd_vmhosts": {"hosts": hosts, "vars": DECLARED}}
    (site.root / "inventory" / "hosts.yml").write_text(yaml.safe_dump(group, sort_keys=False))


def play(site: Site, *arguments: str, check: bool = False, name: str = "site", ends: int = 0) -> PlayResult:
    played = begin(site, *arguments, name=name, check=check)
    assert played.rc == ends, played.output
    return played


def begin(
    site: Site, *arguments: str, name: str = "site", callbacks: str = "collect", check: bool = False
) -> PlayResult:
    """A playbook of the collection, whatever its end."""
    environment = {"ANSIBLE_CALLBACKS_ENABLED": callbacks, "ANSIBLE_PIPELINING": "1"}
    return site.play(f"tenantry.lxd.{name}", python="", check=check, environment=environment, arguments=arguments)


def cut_short(site: Site, *arguments: str) -> str:
    """The task after which a run was ended, as a killed controller's: the first that changed something."""
    played = begin(site, *arguments, callbacks="collect,cut_short")
    assert played.rc == ENDED, played.output
    return played.output.rpartition("cut short after: ")[2].strip()


def members(machine: Machine) -> dict[str, str]:
    found = machine.api("GET", "/1.0/cluster/members?recursion=1")
    return {each["server_name"]: each["status"] for each in found}


def urls(site: Site) -> list[str]:
    assert [folder.name for folder in site.registry.iterdir() if folder.is_dir()] == ["kvm"], "one VM host"
    return list(yaml.safe_load((site.registry / "kvm" / "vmhost.yml").read_text())["urls"])


def locations(machine: Machine) -> dict[str, tuple[str, str]]:
    found = machine.api("GET", "/1.0/instances?recursion=1&project=tenant-a")
    return {each["name"]: (each["location"], each["status"]) for each in found}


def actions(played: PlayResult) -> list[str]:
    return [action for result in played.results for action in result.get("actions", ())]


def secrets_in(folder: Path, played: PlayResult) -> list[str]:
    """Where something that begins as a join token does (its first field) can be read."""
    begins = ("eyJzZXJ2ZXJfbmFtZS", "eyJjbGllbnRfbmFtZS")
    texts = {"output": played.output, **{str(file): file.read_text() for file in folder.rglob("*") if file.is_file()}}
    return [where for where, text in texts.items() if any(each in text for each in begins)]


def wall_off(machine: Machine) -> None:
    """A firewall that lets nobody but ssh in."""
    machine.run(
        "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install ufw"
        " && ufw allow 22/tcp && ufw --force enable"
    )


def alone(machine: Machine) -> bool:
    """Whether an LXD is in no cluster and has been given nothing."""
    return not machine.api("GET", "/1.0/cluster")["enabled"] and machine.api("GET", "/1.0/storage-pools") == []


# Each of its own: k2 listens at another port than the rest, behind a firewall.
THREE: dict[str, dict[str, Any]] = {"k1": {}, "k2": {"vmhost_listen_address": "[::]:9443"}, "k3": {}}
PORTS = {"k1": 8443, "k2": 9443, "k3": 8443, "k4": 8443}


def at(machines: dict[str, Machine], *names: str) -> list[str]:
    return [f"https://{machines[name].address}:{PORTS[name]}" for name in names]


def test_where_the_first_can_not_begin_nobody_goes_on_alone(site: Site, machines: dict[str, Machine]) -> None:
    declare(site, machines, k1={"vmhost_cluster_member": "k_1"}, k3={})
    failed = play(site, ends=2).output
    assert "it was not begun on the first host, so k3 can't join it" in failed, failed
    assert alone(machines["k1"]) and alone(machines["k3"])


def test_three_machines_become_one_vm_host_from_one_play(site: Site, machines: dict[str, Machine]) -> None:
    wall_off(machines["k2"])
    declare(site, machines, **THREE)
    predicted = actions(play(site, check=True))
    assert {"begin cluster with k1", "join cluster as k2", "join cluster as k3"} <= set(predicted), predicted
    assert alone(machines["k1"]), "check mode changed something"

    # The rules of k2's firewall come first.
    declare(site, machines, k1={}, k3={})
    assert cut_short(site).endswith("Create the cluster")
    # Nobody who knows of it answers, and what isn't in the registry yet is a cluster all the same.
    machines["k1"].run("systemctl stop lxd.socket lxd.service")
    declare(site, machines, k1={}, k3={}, k4={})
    refused = play(site, "--limit", "k3,k4", ends=2).output
    assert "nobody who answers is in the cluster, and k1 can't be asked" in " ".join(refused.split()), refused
    assert alone(machines["k3"]) and alone(machines["k4"])
    machines["k1"].run("systemctl start lxd.socket lxd.service")

    declare(site, machines, **THREE)
    declared = play(site, "-v")
    assert members(machines["k3"]) == {"k1": "Online", "k2": "Online", "k3": "Online"}
    assert secrets_in(site.root, declared) == []
    assert sorted(machines["k1"].api("GET", "/1.0/storage-pools/default")["locations"]) == ["k1", "k2", "k3"]
    assert urls(site) == at(machines, "k1", "k2", "k3")
    assert machines["k2"].api("GET", "/1.0")["config"]["core.https_address"] == ":9443"
    assert "ufw allow 9443/tcp" in machines["k2"].run("ufw show added").splitlines()
    (trusted,) = [
        each for each in machines["k3"].api("GET", "/1.0/certificates?recursion=1") if each["type"] == "client"
    ]
    assert (trusted["name"], trusted["restricted"], trusted["projects"]) == ("kvm", True, ["tenant-a"])


def test_one_member_does_not_take_the_vm_host_of_all_with_it(site: Site, machines: dict[str, Machine]) -> None:
    declare(site, machines, **THREE)
    refused = play(site, "--limit", "k2", "-e", "vmhost_vms=delete", name="remove", ends=2).output
    assert "k1, k3 is not to go in this run" in " ".join(refused.split()), refused
    everybody = play(site, "-e", "vmhost_cluster_state=absent", ends=2).output
    assert "k1, k2, k3 are to leave kvm, and the last member can't" in " ".join(everybody.split()), everybody
    assert len(urls(site)) == len(members(machines["k1"])) == 3


def test_a_fourth_joins_and_a_vm_runs_on_it(site: Site, machines: dict[str, Machine]) -> None:
    machines["k1"].import_micro("tenant-a")
    declare(site, machines, **THREE, k4={"vms_here": [{"name": "web-1", **VM}]})
    only = ("--limit", "k4")
    assert cut_short(site, *only).endswith("Create a join token for this member")
    done = actions(play(site, *only))
    assert "join cluster as k4" in done and "create VM web-1" in done, done
    assert not machines["k1"].run("lxc cluster list-tokens -f csv"), "the token of the run that was cut short is left"
    assert len(members(machines["k1"])) == 4 and urls(site) == at(machines, *NAMES)
    assert locations(machines["k1"]) == {"web-1": ("k4", "Running")}


def test_a_member_leaves_with_its_vms_moved(site: Site, machines: dict[str, Machine]) -> None:
    declare(site, machines, **THREE, k4={"vmhost_cluster_state": "absent"})
    predicted = actions(play(site, "--limit", "k4", check=True))
    assert "remove member k4" in predicted and "k4" in members(machines["k1"]), predicted
    play(site, "--limit", "k4")
    assert members(machines["k1"]) == {"k1": "Online", "k2": "Online", "k3": "Online"}
    assert urls(site) == at(machines, "k1", "k2", "k3")
    ((where, status),) = until(lambda: locations(machines["k1"]).values(), 10, "the VM")
    assert where in ("k1", "k2", "k3") and status == "Running"
    assert machines["k4"].api("GET", "/1.0/cluster")["enabled"] is False
    assert "changed=0" in play(site).output


def test_a_second_cluster_is_not_begun_in_place_of_one_that_the_registry_has(
    site: Site, machines: dict[str, Machine]
) -> None:
    declare(site, machines, k4={})
    refused = play(site, ends=2).output
    assert "kvm: the registry has it, and none of k4 is in it" in " ".join(refused.split()), refused
    assert alone(machines["k4"])


def test_a_dead_member_goes_only_by_force(site: Site, machines: dict[str, Machine]) -> None:
    declare(site, machines, **THREE)
    machines["k3"].kill()
    until(lambda: members(machines["k1"])["k3"] == "Offline", 90, "k3: Offline", every=0.5)
    leaves = ("--limit", "k3", "-e", "vmhost_cluster_state=absent")
    refused = play(site, *leaves, ends=2)
    assert refused.last["code"] == "not_found" and "force: true" in refused.last["hint"], refused.output
    forced = play(site, *leaves, "-e", "vmhost_cluster_force=true")
    assert "remove dead member k3" in actions(forced), forced.output
    assert members(machines["k1"]) == {"k1": "Online", "k2": "Online"}
    assert urls(site) == at(machines, "k1", "k2")
