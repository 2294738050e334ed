# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges over network cards: what can't be said, what a machine says against them, and what they lack."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core.machine import bridge_files as made
from ansible_collections.tenantry.lxd.plugins.module_utils._core.machine import bridges as host_bridges
from ansible_collections.tenantry.lxd.plugins.module_utils._core.machine.bridge_checks import find_bridge_problems
from ansible_collections.tenantry.lxd.plugins.module_utils._core.machine.bridges import HostNetwork, Link
from ansible_collections.tenantry.lxd.plugins.module_utils._core.server import spec as server

CARD = Link("eth1", mac="02:00:00:00:00:01", largest_mtu=9000)
UPLINK = Link("eth0", addresses=("192.0.2.11/24",))
BARE = HostNetwork(
    "networkd",
    {"eth0": UPLINK, "eth1": CARD},
    ssh_interface="eth0",
    ssh_address="192.0.2.11",
    default_routes={"eth0": ("192.0.2.1",)},
    routed=frozenset({"eth0"}),
)
BRIDGE = Link("br0", "bridge", addresses=("198.51.100.2/24",))
MADE = dataclasses.replace(
    BARE,
    links={"eth0": UPLINK, "eth1": dataclasses.replace(CARD, master="br0"), "br0": BRIDGE},
    ours={"br0": "eth1"},
)
STATIC = {"addresses": ["198.51.100.2/24"]}


def want(*said: dict[str, Any]) -> tuple[tuple[host_bridges.BridgeSpec, ...], list[str]]:
    problems: list[str] = []
    return host_bridges.parse_bridge_specs(
        [{"name": "br0", "interface": "eth1", **each} for each in said], problems
    ), problems


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"dhcp": True},
        {"dhcp": True, "nameservers": ["192.0.2.53"], "mtu": 9000},
        {"addresses": ["192.0.2.2/24", "2001:db8::2/64"], "gateway": "2001:db8::1", "nameservers": ["2001:db8::53"]},
        {"addresses": ["192.0.2.0/31"], "gateway": "192.0.2.1"},
        {"name": "br-with_15-chars"[:15]},
        {"state": "absent", "interface": None},
        # What an absent bridge would have had is nobody's concern.
        {"state": "absent", "dhcp": True, "addresses": ["x"]},
    ],
)
def test_what_can_be_said(said: dict[str, Any]) -> None:
    assert want(said)[1] == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": "br0123456789abcd"}, "the name has 16 characters; the kernel takes 15"),
    ({"name": "br0.100"}, "can't be a name"),
    ({"name": "../br0"}, "can't be a name"),
    ({"name": "default"}, "can't be a name"),
    ({"interface": None}, "interface: write the network card"),
    ({"interface": "eth*"}, "'eth*' can't be the name of a network card"),
    ({"dhcp": True, "addresses": ["192.0.2.2/24"]}, "dhcp, addresses: set one of them"),
    ({"addresses": ["192.0.2.2"]}, "'192.0.2.2' is no address with its prefix length"),
    ({"addresses": ["192.0.2.300/24"]}, "is no address with its prefix length"),
    ({"addresses": ["192.0.2.0/24"]}, "is the subnet's own"),
    ({"addresses": ["192.0.2.255/24"]}, "is the subnet's own"),
    ({"gateway": "192.0.2.1"}, "192.0.2.1 is outside of the addresses' subnets"),
    ({"addresses": ["192.0.2.2/24"], "gateway": "198.51.100.1"}, "is outside of the addresses' subnets"),
    ({"addresses": ["192.0.2.2/24"], "gateway": "2001:db8::1"}, "is outside of the addresses' subnets"),
    ({"addresses": ["192.0.2.2/24"], "gateway": "192.0.2.2"}, "is an address of the bridge itself"),
    ({"addresses": ["192.0.2.2/24"], "gateway": "router"}, "'router' is no address"),
    ({"dhcp": True, "gateway": "192.0.2.1"}, "gateway: DHCP gives it"),
    ({"dhcp": True, "nameservers": ["ns.example.com"]}, "nameservers: 'ns.example.com' is no address"),
    ({"nameservers": ["192.0.2.53"]}, "has no IPv4 address to reach 192.0.2.53 by"),
    ({"dhcp": True, "nameservers": ["2001:db8::53"]}, "has no IPv6 address"),
    ({"mtu": 100}, "mtu: write 576 to 65535"),
    ({"mtu": 1000, "addresses": ["2001:db8::2/64"]}, "mtu: write 1280 to 65535"),
]


@pytest.mark.parametrize(("said", "why"), WRONG, ids=[why for _said, why in WRONG])
def test_what_cannot_be_said(said: dict[str, Any], why: str) -> None:
    (problem,) = want(said)[1]
    assert problem.startswith("host bridge") and why in problem


def test_names_and_cards_are_said_once() -> None:
    assert want({}, {"interface": "eth2"})[1] == ["host_bridges: br0 is declared twice"]
    assert "eth1 is declared for two bridges" in want({}, {"name": "br1"})[1][0]
    assert want({}, {"name": "br1", "state": "absent"})[1] == []


def against(found: HostNetwork, said: dict[str, Any], declared: dict[str, Any] | None = None) -> list[str]:
    wanted, problems = want(said)
    assert problems == []
    return [
        f"{message}; {hint}"
        for message, hint in find_bridge_problems(wanted, found, server.parse_server_spec(declared or {}))
    ]


def on(base: HostNetwork, *links: Link, **changed: Any) -> HostNetwork:
    """A network with links added or replaced."""
    return dataclasses.replace(base, links={**base.links, **{link.name: link for link in links}}, **changed)


def card(**changed: Any) -> Link:
    return dataclasses.replace(CARD, **changed)


LEASE = "203.0.113.7/24"
SSH_ON_BRIDGE = {"ssh_interface": "br0", "ssh_address": "198.51.100.2"}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (BARE, {}),
        (BARE, {"dhcp": True, "mtu": 9000}),
        (on(BARE, card(kind="veth")), {}),
        (on(BARE, card(addresses=(LEASE,), leased=frozenset({LEASE}))), {"dhcp": True}),
        (on(BARE, card(addresses=(LEASE,))), {"addresses": [LEASE]}),
        # A router gives such an address again.
        (on(BARE, card(addresses=("2001:db8::7/64",), leased=frozenset({"2001:db8::7/64"}))), {}),
        (on(BARE, Link("eth1.5", "vlan", over="eth1")), {}),
        # One route of several, and not the one that is used.
        (on(BARE, default_routes={"eth0": ("192.0.2.1",), "eth1": ("203.0.113.1",)}), {}),
        (MADE, {}),
        (MADE, STATIC),
        (on(MADE, default_routes={"br0": ("198.51.100.1",)}), {**STATIC, "gateway": "198.51.100.1"}),
        (on(MADE, **SSH_ON_BRIDGE), STATIC),
        (
            on(MADE, dataclasses.replace(BRIDGE, leased=frozenset(BRIDGE.addresses)), **SSH_ON_BRIDGE),
            {"dhcp": True},
        ),
        (on(MADE, Link("tap1", "tun", master="br0")), {"mtu": 1400}),
        (MADE, {"state": "absent"}),
        (MADE, {"state": "absent", "interface": None}),
        (BARE, {"state": "absent"}),
        (dataclasses.replace(BARE, manager="ifupdown", leases=False), {}),
        (dataclasses.replace(BARE, resolver="resolvconf"), {}),
    ],
)
def test_nothing_speaks_against_it(found: HostNetwork, said: dict[str, Any]) -> None:
    assert against(found, said) == []


AGAINST: list[tuple[HostNetwork, dict[str, Any], str]] = [
    (
        dataclasses.replace(BARE, manager=""),
        {},
        "no supported network manager configures this machine; known are netplan, NetworkManager, networkd, ifupdown",
    ),
    (
        dataclasses.replace(BARE, manager="ifupdown", unheard="it doesn't read ours"),
        {},
        "it doesn't read ours; add the line: source",
    ),
    (dataclasses.replace(BARE, manager="netplan", unheard="it goes to another"), {}, "make the bridge by hand"),
    (dataclasses.replace(BARE, leases=False), {"dhcp": True}, "no DHCP client here; install isc-dhcp-client"),
    (
        dataclasses.replace(BARE, resolver="systemd-resolved"),
        {"dhcp": True, "nameservers": ["192.0.2.53"]},
        "networkd gives them to systemd-resolved, which isn't there",
    ),
    (BARE, {"interface": "eth9"}, "there is no eth9"),
    (BARE, {"interface": "eth0", "addresses": ["192.0.2.11/24"]}, "over eth0 would cut the SSH connection off;"),
    (
        on(BARE, Link("eth1.5", "vlan", over="eth1"), ssh_interface="eth1.5"),
        {},
        "over eth1 would cut the SSH connection off, by eth1.5",
    ),
    (
        on(BARE, Link("eth1.5", "vlan", over="eth1", master="br5"), Link("br5", "bridge"), ssh_interface="br5"),
        {},
        "would cut the SSH connection off, by br5",
    ),
    (on(BARE, routed=frozenset({"eth1"})), {}, "eth1 has the default route"),
    (on(BARE, Link("eth1.5", "vlan", over="eth1"), routed=frozenset({"eth1.5"})), {}, "has the default route"),
    (on(BARE, card(master="br9"), Link("br9", "bridge")), {}, "eth1 is in br9 already"),
    (on(BARE, card(master="bond0"), Link("bond0", "bond")), {}, "eth1 is in bond0 already"),
    (on(BARE, Link("bond0", "bond")), {"interface": "bond0"}, "bond0 is made as bond; write a network card"),
    (on(BARE, Link("lo", ethernet=False)), {"interface": "lo"}, "lo is no Ethernet"),
    (on(BARE, Link("wlan0", "wireless")), {"interface": "wlan0"}, "made as wireless"),
    (on(BARE, Link("mac0", "macvlan", over="eth1")), {}, "mac0 takes the traffic of eth1"),
    (BARE, {"mtu": 9001}, "mtu: eth1 goes up to 9000"),
    (on(BARE, Link("br0", "dummy")), {}, "an interface has that name, and is no bridge"),
    (on(BARE, BRIDGE), {}, "a bridge of that name exists, and this collection didn't create it"),
    (on(BARE, BRIDGE, managed=frozenset({"br0"})), {}, "LXD keeps a network of that name"),
    (dataclasses.replace(BARE, claimed={"br0": "/etc/x"}), {}, "/etc/x creates it, and is not managed"),
    (dataclasses.replace(BARE, fixed={"eth1": "/etc/y brings eth1 up"}), {}, "/etc/y brings eth1 up"),
    (on(MADE, Link("eth2")), {"interface": "eth2"}, "it is over eth1, not eth2; set state: absent for it first"),
    (on(BARE, card(addresses=(LEASE,))), {}, "eth1 has 203.0.113.7/24, which would be lost"),
    (on(BARE, card(addresses=(LEASE,))), {"dhcp": True}, "which would be lost"),
    (on(BARE, card(addresses=(LEASE,))), {"addresses": ["203.0.113.8/24"]}, "which would be lost"),
    (BARE, {"addresses": ["192.0.2.11/24"]}, "192.0.2.11 is on eth0 already"),
    (on(MADE, **SSH_ON_BRIDGE), {}, "comes in by 198.51.100.2, which it would lose"),
    (on(MADE, **SSH_ON_BRIDGE), {"dhcp": True}, "which it would lose"),
    (on(MADE, Link("tap1", "tun", master="br0")), {"state": "absent"}, "it stays: on it are port tap1"),
    (
        dataclasses.replace(MADE, users={"br0": ("web of project a",)}),
        {"state": "absent"},
        "on it are web of project a; take these off",
    ),
    (on(BARE, BRIDGE), {"state": "absent"}, "it stays: this collection didn't create it"),
    (on(MADE, **SSH_ON_BRIDGE), {"state": "absent"}, "the SSH connection would be cut off"),
    (on(MADE, default_routes={"br0": ("198.51.100.1",)}), {"state": "absent"}, "it has the default route"),
]


@pytest.mark.parametrize(("found", "said", "why"), AGAINST, ids=[why for *_rest, why in AGAINST])
def test_what_speaks_against_it(found: HostNetwork, said: dict[str, Any], why: str) -> None:
    (problem,) = against(found, said)
    assert why in problem


@pytest.mark.parametrize(
    ("network", "why"),
    [
        ({"name": "br0"}, "networks has a network of that name"),
        ({"name": "lxdbr0", "config": {"bridge.external_interfaces": "eth2, eth1"}}, "network lxdbr0 is over eth1 too"),
        ({"name": "up", "type": "physical", "config": {"parent": "eth1"}}, "network up is over eth1 too"),
    ],
)
def test_what_lxd_is_to_have_is_left_to_it(network: dict[str, Any], why: str) -> None:
    (problem,) = against(BARE, {}, {"networks": [network]})
    assert why in problem


def test_all_of_it_is_said_at_once_and_nothing_where_nothing_was_asked() -> None:
    bad = on(BARE, card(master="br9", addresses=(LEASE,)), Link("br9", "bridge"), BRIDGE, leases=False)
    assert len(against(bad, {"dhcp": True, "mtu": 9001})) == 5
    assert find_bridge_problems((), dataclasses.replace(BARE, manager=""), server.parse_server_spec({})) == []


@pytest.mark.parametrize(
    ("found", "said", "lacks"),
    [
        (BARE, {}, ["it isn't there"]),
        (MADE, STATIC, []),
        (MADE, {}, []),
        (MADE, {"dhcp": True}, []),
        (on(MADE, CARD), {}, ["eth1 isn't in it"]),
        (MADE, {"addresses": ["2001:DB8:0::2/64"]}, ["it hasn't 2001:db8::2/64"]),
        (on(MADE, Link("br0", "bridge", addresses=("2001:db8::2/64",))), {"addresses": ["2001:DB8:0::2/64"]}, []),
        (on(MADE, Link("br0", "bridge")), {"dhcp": True}, ["it has no address by DHCP"]),
        (MADE, {"mtu": 1400}, ["its mtu isn't 1400"]),
        (MADE, {"mtu": 1500}, []),
        (MADE, {**STATIC, "gateway": "198.51.100.1"}, ["it has no route by 198.51.100.1"]),
        (on(MADE, default_routes={"br0": ("198.51.100.1",)}), {**STATIC, "gateway": "198.51.100.1"}, []),
    ],
)
def test_what_it_lacks(found: HostNetwork, said: dict[str, Any], lacks: list[str]) -> None:
    (bridge,), _problems = want(said)
    assert host_bridges.lacks(bridge, found) == lacks


@pytest.mark.parametrize("manager", host_bridges.MANAGERS)
def test_every_manager_has_files_of_ours_alone_and_a_way_up_and_down(manager: str) -> None:
    (bridge,), _problems = want({})
    bare, there = (dataclasses.replace(each, manager=manager) for each in (BARE, MADE))
    paths = {
        name: [file.path for file in made.build_bridge_files(manager, name)] for name in ("br0", "br0-port", "br1")
    }
    assert len(set().union(*paths.values())) == sum(map(len, paths.values())), "two bridges share a file"
    assert all("tenantry-br0" in path for path in paths["br0"])
    assert made.build_activation_commands(bare) + made.bring_up(bridge, bare)
    assert made.bring_down(bridge, bare) == []
    assert made.bring_down(bridge, there)


def test_what_is_plugged_into_a_bridge_stays_there_when_it_changes() -> None:
    (bridge,), _problems = want({"mtu": 1400})
    commands = made.bring_up(bridge, dataclasses.replace(MADE, manager="NetworkManager"))
    assert commands == [["nmcli", "device", "reapply", "eth1"], ["nmcli", "device", "reapply", "br0"]]
