# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a machine's network speaks against the bridges that its manager is to keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..server.spec import ServerSpec as Server
from .bridges import MANAGERS, BridgeSpec, HostNetwork, Link, same_addresses

# What a card may be: a container's is one end of a pair.
_CARDS = ("", "veth")
# What to do where a manager wouldn't read our files.
_UNHEARD = {
    "ifupdown": "add the line: source /etc/network/interfaces.d/*",
    "netplan": "make the bridge by hand, and list it in vmhost_bridges",
}
# These take a card's traffic before a bridge could.
_TAKERS = ("macvlan", "macvtap", "ipvlan", "ipvtap")


def find_bridge_problems(wanted: Sequence[BridgeSpec], found: HostNetwork, server: Server) -> list[tuple[str, str]]:
    """Every problem, each with what to do."""
    if not wanted:
        return []
    if not found.manager:
        known = ", ".join(MANAGERS)
        return [("host_bridges: no supported network manager configures this machine", f"known are {known}")]
    told = [each for bridge in wanted if bridge.present for each in _of_present(bridge, found, server)]
    told += [each for bridge in wanted if not bridge.present for each in _of_absent(bridge, found)]
    return [*_of_manager(wanted, found), *told]


def _of_manager(wanted: Sequence[BridgeSpec], found: HostNetwork) -> Iterator[tuple[str, str]]:
    there = [bridge for bridge in wanted if bridge.present]
    if there and found.unheard:
        yield f"host_bridges: {found.unheard}", _UNHEARD.get(found.manager, "")
    if any(bridge.dhcp for bridge in there) and not found.leases:
        yield "host_bridges: dhcp: ifupdown finds no DHCP client here", "install isc-dhcp-client"
    if found.resolver and any(bridge.nameservers for bridge in there):
        yield (
            f"host_bridges: nameservers: {found.manager} gives them to {found.resolver}, which isn't there",
            "leave them out, and the machine asks those that it has",
        )


def _of_present(bridge: BridgeSpec, found: HostNetwork, server: Server) -> Iterator[tuple[str, str]]:
    what = f"host bridge {bridge.name}"
    for message, hint in (
        *_of_name(bridge, found, server),
        *_of_card(bridge, found, server),
        *_of_reaching(bridge, found),
        *_of_addresses(bridge, found),
    ):
        yield f"{what}: {message}", hint


def _of_name(bridge: BridgeSpec, found: HostNetwork, server: Server) -> Iterator[tuple[str, str]]:
    if bridge.name in [network.name for network in server.networks]:
        yield "networks has a network of that name, which LXD would keep", "declare it in one of them"
        return
    if bridge.name in found.ours:
        before = found.ours[bridge.name]
        if before and bridge.interface and before != bridge.interface:
            yield f"it is over {before}, not {bridge.interface}", "set state: absent for it first, then create it again"
        return
    link = found.links.get(bridge.name)
    other = "name another; or list it in vmhost_bridges as it is, and leave it out here"
    if bridge.name in found.managed:
        yield "LXD keeps a network of that name", "declare it in networks, or name another bridge"
    elif link and link.kind != "bridge":
        yield "an interface has that name, and is no bridge", "name another"
    elif link:
        yield "a bridge of that name exists, and this collection didn't create it", other
    elif bridge.name in found.claimed:
        yield f"{found.claimed[bridge.name]} creates it, and is not managed by this collection", other


def _of_card(bridge: BridgeSpec, found: HostNetwork, server: Server) -> Iterator[tuple[str, str]]:
    card = found.links.get(bridge.interface)
    if not bridge.interface:
        return
    if card is None:
        yield f"interface: there is no {bridge.interface}", "write one that `ip link` shows"
        return
    if card.kind not in _CARDS or not card.ethernet:
        made = f"made as {card.kind}" if card.kind else "no Ethernet"
        yield f"interface: {card.name} is {made}", "write a network card"
    if card.master and not _is_in_ours(bridge, found):
        yield f"interface: {card.name} is in {card.master} already", "take it out there, or name another card"
    if bridge.mtu and card.largest_mtu and bridge.mtu > card.largest_mtu:
        yield f"mtu: {card.name} goes up to {card.largest_mtu}", "set a smaller one"
    yield from _of_others(card, found, server)


def _of_others(card: Link, found: HostNetwork, server: Server) -> Iterator[tuple[str, str]]:
    """Who else takes the card's traffic, or is to."""
    takers = sorted(name for name in found.above(card.name) if name in found.links and _takes(found.links[name]))
    if takers:
        yield f"interface: {', '.join(takers)} takes the traffic of {card.name}", "remove that, or name another card"
    for network in server.networks:
        taken = f"{network.config.get('bridge.external_interfaces') or ''},{network.config.get('parent') or ''}"
        if card.name in [name.strip() for name in taken.split(",")]:
            yield f"interface: network {network.name} is over {card.name} too", "declare it in one of them"


def _takes(link: Link) -> bool:
    return link.kind in _TAKERS


def _is_in_ours(bridge: BridgeSpec, found: HostNetwork) -> bool:
    card = found.links.get(bridge.interface)
    return bridge.name in found.ours and card is not None and card.master == bridge.name


def _of_reaching(bridge: BridgeSpec, found: HostNetwork) -> Iterator[tuple[str, str]]:
    """Whether we, and the machine's answers, would still get through."""
    ours = found.above(bridge.name) | {bridge.name} if _is_in_ours(bridge, found) else set()
    below = ({bridge.interface} | found.above(bridge.interface)) - ours
    link = found.links.get(bridge.name)
    if found.ssh_interface in below:
        on = "" if found.ssh_interface == bridge.interface else f", by {found.ssh_interface}"
        yield f"a bridge over {bridge.interface} would cut the SSH connection off{on}", "name another card"
    elif found.ssh_interface == bridge.name and link and bridge.name in found.ours and not _keeps(bridge, link, found):
        yield f"the SSH connection comes in by {found.ssh_address}, which it would lose", "keep that address"
    routed = below & found.routed
    if routed and found.ssh_interface not in below:
        yield f"{bridge.interface} has the default route", "name another card, or give the machine another route first"


def _keeps(bridge: BridgeSpec, link: Link, found: HostNetwork) -> bool:
    """Whether the bridge keeps the address that Ansible's connection comes in by."""
    has = [each for each in link.addresses if each.split("/")[0] == found.ssh_address]
    return bool(set(has) & (link.leased if bridge.dhcp else same_addresses(bridge.addresses)))


def _of_addresses(bridge: BridgeSpec, found: HostNetwork) -> Iterator[tuple[str, str]]:
    card = found.links.get(bridge.interface)
    said = same_addresses(bridge.addresses)
    if card and not _is_in_ours(bridge, found):
        # What a router gave by itself it gives again.
        has = {each for each in card.addresses if "." in each or each not in card.leased}
        lost = sorted(has - (card.leased if bridge.dhcp else said))
        if lost:
            listed = ", ".join(lost)
            yield (
                f"{card.name} has {listed}, which would be lost",
                "set dhcp: true for one that DHCP gave, or that very address; or remove it first",
            )
        if card.name in found.fixed:
            yield found.fixed[card.name], "configure that manager to ignore the interface"
    for link in found.links.values():
        if link.name in (bridge.name, bridge.interface):
            continue
        ours = {each.split("/")[0] for each in said} & {each.split("/")[0] for each in link.addresses}
        if ours:
            yield f"addresses: {', '.join(sorted(ours))} is on {link.name} already", "choose another"


def _of_absent(bridge: BridgeSpec, found: HostNetwork) -> Iterator[tuple[str, str]]:
    what, link = f"host bridge {bridge.name}: it stays", found.links.get(bridge.name)
    if bridge.name not in found.ours:
        if link:
            yield f"{what}: this collection didn't create it", "leave it out here"
        return
    card = found.ours[bridge.name]
    others = [each for each in found.ports(bridge.name) if each != card]
    on = [*found.users.get(bridge.name, ()), *(f"port {each}" for each in others)]
    if on:
        yield f"{what}: on it are {', '.join(on)}", "take these off it first"
    upon = {bridge.name} | found.above(bridge.name)
    if found.ssh_interface in upon:
        yield f"{what}: without it the SSH connection would be cut off", "come in by another address"
    elif found.default_routes and set(found.default_routes) <= upon:
        yield f"{what}: it has the default route", "give the machine another one first"
