# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bridges over a network card that the host's own network manager is to keep: as said, checked; and as found."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Union

MANAGERS = ("netplan", "NetworkManager", "networkd", "ifupdown")
# The kernel's limit for the name of an interface.
_LONGEST = 15
# Every manager takes it as the name of a file, and none as a VLAN; the kernel has these two for itself.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_RESERVED = ("all", "default")
_CARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LEAST_MTU, _LEAST_MTU_IPV6 = 576, 1280

Interface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]


@dataclasses.dataclass(frozen=True)
class BridgeSpec:
    """One bridge as it was declared. `addresses` with their prefix lengths; an mtu of 0 is not set."""

    name: str
    interface: str
    dhcp: bool
    addresses: tuple[str, ...]
    gateway: str
    nameservers: tuple[str, ...]
    mtu: int
    present: bool


@dataclasses.dataclass(frozen=True)
class Link:
    """One network interface as the kernel has it.

    `kind`: the kernel's word for what it is made as, nothing for a network card. `over`: the interface that it is made
    on, as a VLAN is. `master`: the bridge or bond that it is in. `addresses`: with prefix lengths; `leased` are those
    of them that end by themselves.
    """

    name: str
    kind: str = ""
    ethernet: bool = True
    mac: str = ""
    mtu: int = 1500
    largest_mtu: int = 0
    over: str = ""
    master: str = ""
    addresses: tuple[str, ...] = ()
    leased: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class HostNetwork:
    """The network of a machine as it was found.

    `ssh_interface`: the one that Ansible's connection comes in by, else the default route's. `default_routes`: the
    gateways by interface; `routed`: the interfaces that are used of them, one for each family. `ours`: the bridges
    that we made, and over which card. `claimed`: names that a file of somebody else's makes, and the file. `fixed`:
    cards that the manager would not give us, and why. `unheard`: why it would not read our files as it should.
    `leases`: whether it can ask for addresses by DHCP. `resolver`: what is missing for name servers of ours to be
    asked. `pending`: something was written and not taken up. `managed`: what LXD calls its own; `users`: the instances
    on a bridge.
    """

    manager: str
    links: Mapping[str, Link]
    ssh_interface: str = ""
    ssh_address: str = ""
    default_routes: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    routed: frozenset[str] = frozenset()
    ours: Mapping[str, str] = dataclasses.field(default_factory=dict)
    claimed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    fixed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    unheard: str = ""
    leases: bool = True
    resolver: str = ""
    pending: bool = False
    managed: frozenset[str] = frozenset()
    users: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def ports(self, bridge: str) -> tuple[str, ...]:
        """What is plugged into a bridge."""
        return tuple(sorted(link.name for link in self.links.values() if link.master == bridge))

    def above(self, name: str) -> set[str]:
        """Everything that is made on an interface, or of it: its VLANs, its bridge, and what is made of those."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            below = waiting.pop()
            master = self.links[below].master if below in self.links else ""
            direct = {link.name for link in self.links.values() if link.over == below} | ({master} if master else set())
            waiting.extend(direct - found)
            found |= direct
        return found


def parse_bridge_specs(said: Optional[Sequence[Mapping[str, Any]]], problems: list[str]) -> tuple[BridgeSpec, ...]:
    """The list, checked; what can't be whatever the machine is like is added to `problems`."""
    bridges = tuple(_bridge(each, problems) for each in said or ())
    there = [bridge for bridge in bridges if bridge.present]
    problems.extend(f"host_bridges: {name} is declared twice" for name in _twice([bridge.name for bridge in bridges]))
    problems.extend(
        f"host_bridges: interface {name} is declared for two bridges, and can be in one"
        for name in _twice([bridge.interface for bridge in there if bridge.interface])
    )
    return bridges


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _bridge(said: Mapping[str, Any], problems: list[str]) -> BridgeSpec:
    bridge = BridgeSpec(
        name=str(said.get("name") or ""),
        interface=str(said.get("interface") or ""),
        dhcp=bool(said.get("dhcp")),
        addresses=tuple(str(each) for each in said.get("addresses") or ()),
        gateway=str(said.get("gateway") or ""),
        nameservers=tuple(str(each) for each in said.get("nameservers") or ()),
        mtu=int(said.get("mtu") or 0),
        present=said.get("state", "present") != "absent",
    )
    wrong = [*_of_name(bridge.name), *(_of_wanted(bridge) if bridge.present else ())]
    problems.extend(f"host bridge {bridge.name}: {each}" for each in wrong)
    return bridge if not wrong else dataclasses.replace(bridge, addresses=tuple(filter(_interface, bridge.addresses)))


def _of_name(name: str) -> Iterator[str]:
    if len(name) > _LONGEST:
        yield f"the name has {len(name)} characters; the kernel takes {_LONGEST}"
    elif not _NAME.fullmatch(name) or name in _RESERVED:
        yield "it can't be a name; write a letter, then letters, digits, hyphens, underscores"


def _of_wanted(bridge: BridgeSpec) -> Iterator[str]:
    if not bridge.interface:
        yield "interface: write the network card that it is over"
    elif not _CARD.fullmatch(bridge.interface):
        yield f"interface: {bridge.interface!r:.40} can't be the name of a network card"
    if bridge.dhcp and bridge.addresses:
        yield "dhcp, addresses: set one of them"
    yield from (each for text in bridge.addresses for each in _of_address(text))
    yield from _of_gateway(bridge)
    yield from (each for text in bridge.nameservers for each in _of_nameserver(text, bridge))
    least = _LEAST_MTU_IPV6 if any(":" in text for text in bridge.addresses) else _LEAST_MTU
    if bridge.mtu and not least <= bridge.mtu <= 65535:
        yield f"mtu: write {least} to 65535"


def _of_address(text: str) -> Iterator[str]:
    interface = _interface(text)
    if interface is None:
        yield f"addresses: {text!r:.60} is no address with its prefix length; write 192.0.2.11/24 or 2001:db8::11/64"
        return
    edges = (interface.network.network_address, interface.network.broadcast_address)
    if interface.version == 4 and interface.network.prefixlen < 31 and interface.ip in edges:
        yield f"addresses: {text} is the subnet's own; choose one of a machine"


def _of_nameserver(text: str, bridge: BridgeSpec) -> Iterator[str]:
    families = {4} if bridge.dhcp else {each.version for each in map(_interface, bridge.addresses) if each is not None}
    address = _address(text)
    if address is None:
        yield f"nameservers: {text!r:.60} is no address"
    elif address.version not in families:
        yield f"nameservers: the bridge has no IPv{address.version} address to reach {text} by"


def _of_gateway(bridge: BridgeSpec) -> Iterator[str]:
    if not bridge.gateway:
        return
    gateway = _address(bridge.gateway)
    if gateway is None:
        yield f"gateway: {bridge.gateway!r:.60} is no address"
        return
    subnets = [interface for interface in map(_interface, bridge.addresses) if interface is not None]
    if bridge.dhcp:
        yield "gateway: DHCP gives it; leave it out"
    elif gateway in [interface.ip for interface in subnets]:
        yield f"gateway: {gateway} is an address of the bridge itself"
    elif not any(gateway in interface.network for interface in subnets):
        yield f"gateway: {gateway} is outside of the addresses' subnets"


def _address(text: str) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _interface(text: str) -> Optional[Interface]:
    if "/" not in text:
        return None
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        return None


def same_addresses(texts: Sequence[str]) -> set[str]:
    """Addresses with prefix lengths, each in the one form that compares."""
    return {str(interface) for interface in map(_interface, texts) if interface is not None}


def lacks(bridge: BridgeSpec, found: HostNetwork) -> list[str]:
    """What of it isn't so yet on the running machine; what else is on the bridge is none of ours."""
    link, card = found.links.get(bridge.name), found.links.get(bridge.interface)
    if link is None:
        return ["it isn't there"]
    missing = [] if card and card.master == bridge.name else [f"{bridge.interface} isn't in it"]
    missing += [f"it hasn't {each}" for each in sorted(same_addresses(bridge.addresses) - set(link.addresses))]
    if bridge.dhcp and not any("." in each for each in link.addresses):
        missing.append("it has no address by DHCP")
    if bridge.mtu and {bridge.mtu} != {each.mtu for each in (link, card) if each}:
        missing.append(f"its mtu isn't {bridge.mtu}")
    gateways = [_address(each) for each in found.default_routes.get(bridge.name, ())]
    if bridge.gateway and _address(bridge.gateway) not in gateways:
        missing.append(f"it has no route by {bridge.gateway}")
    return missing
