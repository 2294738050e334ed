# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines reached by real ssh as a user with sudo: from an operating system to a VM host of ours with a VM on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.callback.cut_short import ENDED
from tests.integration.playing import PlayResult, Site
from tests.integration.tenancy import OWNER
from tests.lxd import snapd_stand_in
from tests.lxd.daemon import Daemon
from tests.lxd.machine import Machine
from tests.lxd.world import differences, fingerprint_of_world

VM = {"name": "web-1", "memory": "128MiB", "secure_boot": False}
# A container has neither its own clock nor a kernel of its own to speak of.
DECLARED: dict[str, Any] = {
    "vmhost_method": "ssh",
    "vmhost_owner": OWNER,
    "vmhost_project": "tenant-a",
    "vmhost_storage_pools": [{"name": "default", "driver": "dir"}],
    "vmhost_networks": [
        {"name": "lxdbr0", "config": {"ipv4.address": "10.213.7.1/24", "ipv6.address": "none", "ipv4.nat": "false"}}
    ],
    "vmhost_default_storage_pool": "default",
    "vmhost_default_network": "lxdbr0",
    "vmhost_server_config": {"images.auto_update_interval": 0},
    "vms_here": [VM],
}


@pytest.fixture(scope="module")
def fresh(outer: Daemon) -> Iterator[Machine]:
    """A machine with nothing of LXD."""
    with Machine(outer, "fresh-se") as machine:
        yield machine


@pytest.fixture(scope="module")
def installed(outer: Daemon) -> Iterator[Machine]:
    """A machine with LXD's package, and nothing in it."""
    with Machine(outer, "installed-se", "lxd") as machine:
        yield machine


def declare(site: Site, machine: Machine, **said: Any) -> None:
    """An inventory of that one machine."""
    host = {**machine.inventory, **DECLARED, **said}
    hosts = {"lxd_vmhosts": {"hosts": {"kvm-01": {key: value for key, value in host.items() if value is not None}}}}
    (site.root / "inventory" / "hosts.yml").write_text(yaml.safe_dump(hosts, sort_keys=False))


def play(site: Site, name: str = "site", *, ends: int = 0, **rest: Any) -> PlayResult:
    played = begin(site, name, **rest)
    assert played.rc == ends, played.output
    return played


def begin(site: Site, name: str = "site", callbacks: str = "collect", **rest: Any) -> PlayResult:
    """A playbook of the collection, whatever its end."""
    environment = {"ANSIBLE_CALLBACKS_ENABLED": callbacks, "ANSIBLE_PIPELINING": "1"}
    return site.play(f"tenantry.lxd.{name}", python="", environment=environment, **rest)


def files_of(machine: Machine) -> str:
    """What an installation would leave, and the network: equal before and after, nothing was written."""
    return machine.run(
        "dpkg-query --show; find /etc /var/lib /var/snap /snap /opt /root -xdev -type f -newer /proc/1/stat"
        " ! -path '*/systemd/*' ! -path '*/private/*' 2>/dev/null | sort; ip -o address | grep -o ' inet.* scope'"
    )


class InMachine:
    """The LXD in a machine, asked as the bed asks its own."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def api(self, method: str, path: str, query: Mapping[str, object] | None = None) -> Any:
        """A reading, in one ssh session."""
        words = "&".join(f"{key}={value}" for key, value in (query or {}).items())
        return self._machine.api(method, f"{path}?{words}" if words else path)


def test_from_nothing_to_a_running_vm_however_often_it_is_cut_short(fresh: Machine, site: Site) -> None:
    # Huge pages are the kernel's, which a container shares: they are predicted, and not set aside.
    declare(site, fresh, vmhost_hugepages="16MiB")
    before = files_of(fresh)
    predicted = play(site, check=True)
    hugepages = "Configure the number of huge pages for the next boot"
    assert predicted.named(f"tenantry.lxd.vmhost : {hugepages}")["changed"]
    declare(site, fresh)
    assert files_of(fresh) == before, "check mode wrote on the machine"
    assert not site.registry.exists(), "check mode wrote a registry"
    told = [action for result in predicted.results for action in result.get("actions", ())]
    assert "create storage pool default" in told and "create VM web-1" in told

    cut: list[str] = []
    for _run in range(20):
        played = begin(site, callbacks="collect,cut_short")
        if played.rc != ENDED:
            break
        cut.append(played.output.rpartition("cut short after: ")[2].strip())
    assert played.rc == 0, played.output
    # After every task that changes anything: what check mode only tells of, it says by tasks of its own.
    changing = [task["task"].rpartition(" : ")[2] for task in predicted.tasks if task["result"].get("changed")]
    foretold = {name for name in changing if not name.startswith("Show in check mode ")} - {hugepages}
    assert len(cut) == len(set(cut)) and set(cut) == foretold | {"Verify and register the VM host"}, cut

    (vm,) = fresh.api("GET", "/1.0/instances?project=tenant-a&recursion=1")
    assert (vm["name"], vm["status"], vm["type"]) == ("web-1", "Running", "virtual-machine")
    (trusted,) = fresh.api("GET", "/1.0/certificates?recursion=1")
    assert (trusted["restricted"], trusted["projects"]) == (True, ["tenant-a"])
    entry = yaml.safe_load((site.registry / "kvm-01" / "vmhost.yml").read_text())
    assert entry["url"] == f"https://{fresh.address}:8443"
    declare(site, fresh)
    again = play(site)
    assert "changed=0" in again.output, again.output


def test_a_machine_that_runs_an_lxd_already_is_adopted_with_all_that_is_in_it(installed: Machine, site: Site) -> None:
    preseed = {
        "config": {"core.https_address": "[::]:9443"},
        "storage_pools": [{"name": "theirs", "driver": "dir"}],
        "networks": [{"name": "lxdbr0", "type": "bridge", "config": {"ipv4.address": "10.213.8.1/24"}}],
        "projects": [{"name": "other", "config": {"features.images": "true"}}],
    }
    installed.run("lxd init --preseed", json.dumps(preseed))
    for name, project in (("a", "default"), ("b", "default"), ("c", "other")):
        source = {"name": name, "type": "virtual-machine", "source": {"type": "none"}}
        root = {"type": "disk", "path": "/", "pool": "theirs", "size": "64MiB"}
        installed.api("POST", f"/1.0/instances?project={project}", {**source, "devices": {"root": root}})
    installed.run(
        "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install ufw"
        " && ufw allow 22/tcp && ufw --force enable"
    )
    world = fingerprint_of_world(InMachine(installed), "tenant-a")
    pools = [{"name": "theirs", "driver": "dir"}]
    declare(
        site,
        installed,
        vmhost_storage_pools=pools,
        vmhost_default_storage_pool="theirs",
        vmhost_networks=[{"name": "lxdbr0"}],
        vmhost_server_config=None,
        vms_here=[],
    )
    predicted = play(site, "deploy", check=True).named(
        "tenantry.lxd.vmhost : Show in check mode which rules would be added"
    )
    rules = [each["msg"] for each in predicted["results"]]
    assert predicted["changed"] and {"ufw allow 9443/tcp", "ufw route allow in on lxdbr0"} <= set(rules), rules
    play(site, "deploy")
    now = fingerprint_of_world(InMachine(installed), "tenant-a")
    ours = {entry["projects"][0]: name for name, entry in now["certificates"].items() if entry["restricted"]}
    del now["certificates"][ours["tenant-a"]]
    assert differences(world, now) == []
    entry = yaml.safe_load((site.registry / "kvm-01" / "vmhost.yml").read_text())
    assert entry["url"] == f"https://{installed.address}:9443", "the address it listened on was changed"
    opened = installed.run("ufw show added").splitlines()
    assert "ufw allow 9443/tcp" in opened and "ufw route allow in on lxdbr0" in opened, opened

    # It is down when the play begins, as after an upgrade that was cut short, and listens where it did when it is up.
    listens = f"{installed.address}:9443"
    installed.api("PATCH", "/1.0", {"config": {"core.https_address": listens}})
    half = "'/^Package: lxd$/,/^$/s/^Status: .*/Status: install ok half-configured/' /var/lib/dpkg/status"
    installed.run(f"systemctl stop lxd.socket lxd.service && sed -i {half}")
    play(site, "deploy")
    assert installed.api("GET", "/1.0")["config"]["core.https_address"] == listens


def test_everything_that_speaks_against_a_machine_is_said_at_once(installed: Machine, site: Site) -> None:
    installed.run(
        "systemd-run --unit=taken --collect python3 -m http.server 8446; mount --bind /etc/os-release /dev/kvm"
    )
    try:
        installed.run("sed -i 's/VERSION_ID=.*/VERSION_ID=\"10\"/' /etc/os-release")
        declare(
            site,
            installed,
            vmhost_package="apt",
            vmhost_channel="5.21/stable",
            vmhost_listen_address=f"{installed.address}:8446",
            vmhost_storage_pools=[
                {"name": "theirs", "driver": "btrfs"},
                {"name": "new", "driver": "zfs", "source": "/dev/none"},
            ],
            vmhost_networks=[{"name": "lxdbr9", "config": {"bridge.external_interfaces": "eth0"}}],
            vmhost_default_network="lxdbr9",
            vms_here=[],
        )
        before = files_of(installed)
        said = play(site, "deploy", ends=2).last["problems"]
        for words in (
            "is too old",
            "there is no /dev/kvm",
            "5.21/stable is of the snap",
            "port 8446 is in use",
            "storage pool theirs: it exists with driver dir, not btrfs",
            "/dev/none: there is no such device",
            "this kernel has no zfs",
            "eth0 carries Ansible's connection",
        ):
            assert any(words in each for each in said), f"{words!r} is not in {said}"
        assert files_of(installed) == before
    finally:
        installed.run(
            "systemctl stop taken; umount /dev/kvm; sed -i 's/VERSION_ID=.*/VERSION_ID=\"12\"/' /etc/os-release"
        )


def test_without_become_nothing_is_changed(installed: Machine, site: Site) -> None:
    declare(site, installed, vms_here=[])
    wrong = {"ansible_become": False}
    before = files_of(installed)
    failed = play(site, "deploy", ends=2, variables=wrong)
    assert any("not root" in problem for problem in failed.last["problems"]), failed.output
    assert files_of(installed) == before


SNAP = Path(snapd_stand_in.__file__).read_text(encoding="utf-8")


def asked(machine: Machine) -> list[str]:
    """What the stand-in for snapd was asked to change."""
    return machine.run(
        f"touch {snapd_stand_in.ASKED}; cat {snapd_stand_in.ASKED}; rm {snapd_stand_in.ASKED}"
    ).splitlines()


def test_the_snap_from_its_channel_to_its_end_by_a_stand_in_for_snapd(outer: Daemon, site: Site) -> None:
    with Machine(outer, "snap-se", "lxd") as machine:
        # QEMU may stay: the real snap brings its own.
        machine.run(f"cp /usr/bin/lxd {snapd_stand_in.PROGRAM}; apt-get -qq -y purge lxd; rm -rf /var/lib/lxd")
        machine.run(
            f"(echo '#!/usr/bin/python3'; cat) > /usr/bin/snap; chmod +x /usr/bin/snap; touch {snapd_stand_in.BUSY}",
            SNAP,
        )
        held = {"vmhost_package": "snap", "vmhost_snap_hold": True, "vms_here": []}
        for channel, why in {
            "7.9/stable": "there is no 7.9/stable; write one of 5.0/stable, 5.21/stable, latest/stable",
            "edge": "'edge' names no track",
        }.items():
            declare(site, machine, **held, vmhost_channel=channel)
            refused = play(site, "deploy", ends=2).last["problems"]
            assert any(why in each for each in refused), refused
        assert asked(machine) == []

        declare(site, machine, **held, vmhost_channel="5.0/stable")
        play(site, "deploy")
        tried = ["install snapd", "install snapd", "install lxd --channel=5.0/stable", "refresh --hold lxd"]
        assert asked(machine) == tried, "the first try met a snapd that is at something else"
        assert "changed=0" in play(site, "deploy").output
        assert asked(machine) == []

        declare(site, machine, **held, vmhost_channel="5.21/stable")
        predicted = play(site, "deploy", check=True)
        assert "follow channel 5.21/stable instead of 5.0/stable" in predicted.output
        assert "changed=1" in predicted.output
        assert "changed=1" in play(site, "deploy").output
        assert asked(machine) == ["refresh lxd --channel=5.21/stable"]

        declare(site, machine, **held, vmhost_channel="5.0/stable")
        back = play(site, "deploy", ends=2).last["problems"]
        assert any("5.0.4-497fe1e in 5.0/stable is older than 5.21.3-c5ae129" in each for each in back), back

        play(site, "remove", variables={"vmhost_uninstall": True}, arguments=("--limit", "kvm-01"))
        assert asked(machine) == ["remove lxd"]
        assert machine.run("ls -d /var/snap/lxd /snap/lxd 2> /dev/null || true") == ""
