# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of a VM's addresses to connect to: by network, subnet and family, in the order in which they were declared."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Union

from ..errors import Invalid

FAMILIES = {"ipv4": 4, "ipv6": 6}
_Subnet = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is preferred, first things first; nothing said of networks or subnets allows all, in the VM's own order."""

    networks: tuple[str, ...] = ()
    subnets: tuple[_Subnet, ...] = ()
    families: tuple[int, ...] = (4, 6)


def rule(networks: Sequence[str], subnets: Sequence[str], families: Sequence[str]) -> Rule:
    """A rule from options; every subnet that is none is named at once."""
    found, wrong = [], []
    for text in subnets:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            wrong.append(text)
    if wrong:
        raise Invalid(f"address_subnets: {', '.join(map(repr, wrong))}: not a subnet", "write 10.0.0.0/24 or fd42::/64")
    return Rule(tuple(networks), tuple(found), tuple(FAMILIES[family] for family in families))


def chosen(vm: Mapping[str, Any], by: Rule) -> Optional[str]:
    """The address of a VM's row that the rule likes best; None where it has none that the rule allows."""
    ranked = min(_ranked(vm["interfaces"], by), default=None)
    return ranked[1] if ranked else None


def _ranked(interfaces: Sequence[Mapping[str, Any]], by: Rule) -> Iterator[tuple[tuple[int, ...], str]]:
    for position, interface in enumerate(interfaces):
        network = _place([interface["network"] or interface["parent"]], by.networks)
        for place, text in enumerate(interface["addresses"] if network is not None else ()):
            address = _reachable(text)
            if address is None:
                continue
            subnet = _place([each for each in by.subnets if address in each], by.subnets)
            family = _place([address.version], by.families)
            if network is not None and subnet is not None and family is not None:
                yield (network, subnet, family, position, place), text


def _reachable(text: str) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
    """An address of a machine that isn't this one: a guest says of itself what it likes, and 127.0.0.1 would be us."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    meant = getattr(address, "ipv4_mapped", None) or address
    if meant.is_loopback or meant.is_unspecified or meant.is_multicast or meant.is_link_local or "%" in text:
        return None
    return address


def _place(found: Sequence[Any], order: Sequence[Any]) -> Optional[int]:
    """How far in front the first of what was found is; None where it isn't in an order that was declared."""
    if not order:
        return 0
    return min((order.index(each) for each in found if each in order), default=None)
