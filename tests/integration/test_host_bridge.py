# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges over a network card, by each network manager on a machine of its own, reached by ssh over the other card."""

from __future__ import annotations

import concurrent.futures
import functools
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.integration.callback.cut_short import ENDED
from tests.integration.playing import PlayResult, Site
from tests.integration.tenancy import OWNER
from tests.lxd.daemon import Daemon
from tests.lxd.deadline import until
from tests.lxd.machine import Machine

_INSTALL = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install"
_WITHOUT_NETWORKD = (
    "rm /etc/systemd/network/10-eth0.network; systemctl disable -q systemd-networkd systemd-networkd.socket"
)
# What makes the manager the one that keeps eth0 from the next start on.
PREPARED: Mapping[str, str] = {
    "networkd": "true",
    "netplan": f"""{_INSTALL} netplan.io; rm /etc/systemd/network/10-eth0.network; umask 077
cat > /etc/netplan/50-installed.yaml <<'END'
network: {{version: 2, ethernets: {{eth0: {{dhcp4: true, dhcp-identifier: mac, link-local: []}}}}}}
END
""",
    # It gives eth1 an address of its own accord, by DHCP too.
    "NetworkManager": f"""{_INSTALL} network-manager; {_WITHOUT_NETWORKD}; umask 077
cat > /etc/NetworkManager/system-connections/installed.nmconnection <<'END'
[connection]
id=installed
type=ethernet
interface-name=eth0
[ipv4]
method=auto
route-metric=50
END
""",
    "ifupdown": f"""{_INSTALL} ifupdown isc-dhcp-client; {_WITHOUT_NETWORKD}
printf 'source /etc/network/interfaces.d/*\\nauto eth0\\niface eth0 inet dhcp\\n' > /etc/network/interfaces
""",
}
# The role's part alone, without a deployment around it.
PLAY = [
    {
        "hosts": "lxd_vmhosts",
        "gather_facts": False,
        "tasks": [
            {
                "tenantry.lxd.lxd_preflight": {
                    "url": "unix:",
                    "skip": ["virtualisation"],
                    "host_bridges": "{{ vmhost_host_bridges }}",
                },
                "become": True,
                "register": "__vmhost_preflight",
            },
            {"ansible.builtin.include_role": {"name": "tenantry.lxd.vmhost", "tasks_from": "deploy/host_bridges"}},
        ],
    }
]


def made(outer: Daemon, manager: str) -> Machine:
    """A machine, not running, with a second card on the same wire that nobody uses."""
    machine = Machine(outer, f"hb-{manager.lower()}", "lxd" if manager == "networkd" else "plain")
    machine.create()
    wire = {"type": "nic", "network": outer.bridge, "name": "eth1"}
    outer.api("PATCH", f"/1.0/instances/{machine.name}", {"devices": {"eth1": wire}})
    return machine


def prepared(manager: str, machine: Machine) -> None:
    """Start it, and have the manager keep its network."""
    machine.start()
    if PREPARED[manager] != "true":
        machine.run(f"set -e\n{PREPARED[manager]}")
        machine.stop()
        machine.start()


@pytest.fixture(scope="module")
def machines(outer: Daemon) -> Iterator[dict[str, Machine]]:
    """One machine for each manager, by the manager's name."""
    names_of(outer, "none")
    try:
        there = {manager: made(outer, manager) for manager in PREPARED}
        at_once(lambda each: prepared(*each), there.items())
        yield there
    finally:
        for manager in PREPARED:
            Machine(outer, f"hb-{manager.lower()}").destroy()
        names_of(outer, "managed")


def names_of(outer: Daemon, mode: str) -> None:
    """Who knows the names on the wire: where LXD does, no machine has two cards there."""
    outer.api("PATCH", f"/1.0/networks/{outer.bridge}", {"config": {"dns.mode": mode}})


def at_once(what: Callable[[Any], Any], over: Any) -> list[Any]:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(what, over))


def declare(site: Site, machines: Mapping[str, Machine], bridges: Callable[[int], list[dict[str, Any]]]) -> None:
    """An inventory of these machines; `bridges` of the one in that place."""
    hosts = {
        name: {**machine.inventory, "vmhost_host_bridges": bridges(place)}
        for place, (name, machine) in enumerate(machines.items())
    }
    (site.root / "inventory" / "hosts.yml").write_text(yaml.safe_dump({"lxd_vmhosts": {"hosts": hosts}}))
    (site.root / "bridges.yml").write_text(yaml.safe_dump(PLAY, sort_keys=False))


def play(
    site: Site, name: str = "bridges.yml", *, ends: int = 0, callbacks: str = "collect", **rest: Any
) -> PlayResult:
    environment = {"ANSIBLE_CALLBACKS_ENABLED": callbacks, "ANSIBLE_PIPELINING": "1"}
    played = site.play(name, python="", environment=environment, **rest)
    assert played.rc == ends, played.output
    return played


def changed(played: PlayResult) -> dict[str, int]:
    """How many tasks have changed something, by machine."""
    return {
        name: int(count) for name, count in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", played.output, re.MULTILINE)
    }


def files_of(machine: Machine) -> list[str]:
    """The files that managers of networks read, each with its mode."""
    return machine.run(
        "find /etc/netplan /etc/systemd/network /etc/NetworkManager /etc/network /run/tenantry-host-bridges"
        " -type f -printf '%m %p\\n' 2>/dev/null | grep -v '/default.*\\|/if-' | sort || true"
    ).splitlines()


def links_of(machine: Machine) -> dict[str, dict[str, Any]]:
    told = json.loads(machine.run("ip -json -details address show"))
    return {link["ifname"]: link for link in told}


def addresses(link: Mapping[str, Any]) -> list[str]:
    return [f"{each['local']}/{each['prefixlen']}" for each in link["addr_info"] if each["scope"] == "global"]


def bridged(machine: Machine) -> list[str]:
    return addresses(links_of(machine)["br0"])


def wire_of(outer: Daemon) -> ipaddress.IPv4Network:
    config = outer.api("GET", f"/1.0/networks/{outer.bridge}")["config"]
    return ipaddress.ip_interface(config["ipv4.address"]).network  # type: ignore[return-value]


def test_a_bridge_by_each_manager_from_the_first_look_to_the_last(
    outer: Daemon, machines: dict[str, Machine], site: Site
) -> None:
    bare = {name: (files_of(machine), links_of(machine)) for name, machine in machines.items()}
    declare(site, machines, lambda _place: [{"name": "br0", "interface": "eth1", "dhcp": True}])

    predicted = play(site, check=True)
    assert all(count >= 1 for count in changed(predicted).values()), predicted.output
    for name, machine in machines.items():
        assert files_of(machine) == bare[name][0], f"{name}: check mode wrote"
        assert "br0" not in links_of(machine), f"{name}: check mode made a bridge"

    play(site)
    for name, machine in machines.items():
        links = links_of(machine)
        assert links["eth1"].get("master") == "br0", f"{name}: {links}"
        assert links["br0"]["address"] == links["eth1"]["address"] == bare[name][1]["eth1"]["address"], name
        assert addresses(links["eth1"]) == [], f"{name}: the port has an address"
        (leased,) = addresses(links["br0"])
        assert ipaddress.ip_interface(leased).ip in wire_of(outer), f"{name}: {leased}"
        said = machine.run(
            "cd /sys/class/net/br0/bridge; cat stp_state ../brif/eth1/state forward_delay; ip route get 192.0.2.1"
        ).split()
        # 3 is forwarding. NetworkManager sets a delay only together with STP.
        assert said[:2] == ["0", "3"] and (said[2] == "0" or name == "NetworkManager"), f"{name}: STP is on: {said}"
        assert said[said.index("dev") + 1] == "eth0", f"{name}: the default route is taken away: {said}"
        new = set(files_of(machine)) - set(bare[name][0])
        assert new and all("tenantry-br0" in line for line in new), f"{name}: {new}"
        secret = name in ("netplan", "NetworkManager")
        assert {line.split()[0] for line in new} == {"600" if secret else "644"}, f"{name}: {new}"

    # Nobody but the manager brings it back after a power cut.
    at_once(lambda machine: (machine.kill(), machine.start()), machines.values())
    for name, machine in machines.items():
        until(functools.partial(bridged, machine), 60, f"{name}: br0 has an address after a start")
    again = play(site)
    assert changed(again) == dict.fromkeys(machines, 0), again.output


def test_a_change_that_was_cut_short_is_taken_up_by_the_next_run_with_a_port_that_stays(
    machines: dict[str, Machine], site: Site
) -> None:
    declare(site, machines, lambda _place: [{"name": "br0", "interface": "eth1", "dhcp": True}])
    play(site)
    for machine in machines.values():
        machine.run("ip link add port0 type veth peer name port0-far && ip link set port0 master br0 up")
    # Nothing of the running bridge contradicts this but a lease, which is none of the declaration's concern: only the
    # mark tells that the files were not taken up.
    declare(site, machines, lambda _place: [{"name": "br0", "interface": "eth1"}])
    cut = play(site, callbacks="collect,cut_short", ends=ENDED)
    assert "cut short after: Write the files" in cut.output, cut.output
    play(site)
    for name, machine in machines.items():
        links = links_of(machine)
        assert links["port0"].get("master") == links["eth1"].get("master") == "br0", f"{name}: {links}"
        assert addresses(links["br0"]) == [], f"{name}: what was written before the end was not taken up"

    declare(
        site,
        machines,
        lambda place: [
            {
                "name": "br0",
                "interface": "eth1",
                "addresses": [f"198.51.100.{place + 2}/24", f"2001:db8::{place + 2}/64"],
                "gateway": "198.51.100.1",
                "mtu": 1400,
            }
        ],
    )
    play(site)
    for name, machine in machines.items():
        links = links_of(machine)
        place = list(machines).index(name) + 2
        assert set(addresses(links["br0"])) == {f"198.51.100.{place}/24", f"2001:db8::{place}/64"}, f"{name}: {links}"
        assert (links["br0"]["mtu"], links["eth1"]["mtu"]) == (1400, 1400), f"{name}: {links}"
        assert links["port0"].get("master") == "br0", f"{name}: what was on the bridge was taken off"
        routes = machine.run("ip route show default")
        assert "via 198.51.100.1 dev br0" in routes and "dev eth0" in routes, f"{name}: {routes}"
    again = play(site)
    assert changed(again) == dict.fromkeys(machines, 0), again.output

    declare(site, machines, lambda _place: [{"name": "br0", "state": "absent"}])
    refused = play(site, ends=2)
    assert refused.output.count("on it are port port0") >= len(machines), refused.output
    for machine in machines.values():
        machine.run("ip link delete port0")
    gone = play(site)
    assert gone.output.count("br0 is gone; eth1 has") >= len(machines), gone.output
    for name, machine in machines.items():
        assert "br0" not in links_of(machine), name
        assert not [line for line in files_of(machine) if "tenantry" in line], name
    again = play(site)
    assert changed(again) == dict.fromkeys(machines, 0), again.output


def test_everything_that_speaks_against_bridges_is_said_at_once(machines: dict[str, Machine], site: Site) -> None:
    for machine in machines.values():
        machine.run(
            "ip link add theirs type bridge; ip link add d0 type veth peer name d1; ip link set d0 master theirs"
        )
    declare(
        site,
        machines,
        lambda _place: [
            {"name": "br1", "interface": "eth0", "dhcp": True},
            {"name": "br2", "interface": "eth9"},
            {"name": "br3", "interface": "d0"},
            {"name": "theirs", "interface": "eth1"},
            {"name": "lo", "interface": "lo"},
            {"name": "a-name-that-is-too-long", "state": "absent"},
            {"name": "br4", "interface": "eth2", "dhcp": True, "addresses": ["192.0.2.7"], "gateway": "192.0.2.1"},
        ],
    )
    before = {name: files_of(machine) for name, machine in machines.items()}
    # By the deployment itself: nothing of it is begun.
    told = play(
        site,
        "tenantry.lxd.deploy",
        ends=2,
        variables={
            "vmhost_method": "ssh",
            "vmhost_owner": OWNER,
            "vmhost_project": "tenant-a",
            "vmhost_preflight_skip": ["virtualisation"],
        },
    )
    said = [task["result"]["problems"] for task in told.tasks if task["result"].get("problems")]
    assert len(said) == len(machines), told.output
    for problems in said:
        for words in (
            "a bridge over eth0 would cut the SSH connection off",
            "there is no eth9",
            "d0 is in theirs already",
            "a bridge of that name exists, and this collection didn't create it",
            "an interface has that name, and is no bridge",
            "the name has 23 characters",
            "dhcp, addresses: set one of them",
            "'192.0.2.7' is no address with its prefix length",
        ):
            assert any(words in each for each in problems), f"{words!r} is not in {problems}"
    for name, machine in machines.items():
        assert files_of(machine) == before[name], name
        machine.run("ip link delete theirs; ip link delete d0")


def test_vms_are_composed_on_a_bridge_that_the_deployment_made(machines: dict[str, Machine], site: Site) -> None:
    machine = machines["networkd"]
    said = {
        "vmhost_method": "ssh",
        "vmhost_owner": OWNER,
        "vmhost_project": "tenant-a",
        "vmhost_preflight_skip": ["virtualisation"],
        "vmhost_storage_pools": [{"name": "default", "driver": "dir"}],
        "vmhost_default_storage_pool": "default",
        "vmhost_bridges": ["br0"],
        "vms_here": [
            {
                "name": "web",
                "memory": "128MiB",
                "state": "present",
                "interfaces": [{"parent": "br0", "type": "bridged"}],
            }
        ],
    }
    declare(site, {"kvm-01": machine}, lambda _place: [{"name": "br0", "interface": "eth1", "dhcp": True}])
    play(site, "tenantry.lxd.site", variables=said)
    (vm,) = machine.api("GET", "/1.0/instances?project=tenant-a&recursion=1")
    assert [device["parent"] for device in vm["devices"].values() if device["type"] == "nic"] == ["br0"], vm["devices"]

    declare(site, {"kvm-01": machine}, lambda _place: [{"name": "br0", "state": "absent"}])
    refused = play(site, "tenantry.lxd.deploy", ends=2, variables=said)
    assert "br0: it stays: on it are web of project tenant-a" in str(refused.last["problems"]), refused.output
    machine.api("POST", "/1.0/networks", {"name": "lxdbr7", "config": {"ipv4.address": "none", "ipv6.address": "none"}})
    declare(site, {"kvm-01": machine}, lambda _place: [{"name": "lxdbr7", "interface": "eth1"}])
    refused = play(site, "tenantry.lxd.deploy", ends=2, variables=said)
    assert "LXD keeps a network of that name" in str(refused.last["problems"]), refused.output
