# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Static addresses of a VM's interfaces: inside the subnet of their network, as far as a tenant may know it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Optional, Union

from ..errors import Invalid
from ..model import Network
from ..units import is_true

Interface = Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]


def check_static_addresses(
    name: str, device: Mapping[str, str], network: Network, own: Optional[Sequence[str]]
) -> None:
    """Refuse a static address that LXD wouldn't give on a bridge of its own.

    `own`: the bridge's addresses as "10.0.0.1/24", None where they weren't read. A restricted certificate sees no
    config of a network (LXD 5.0), and then they are all that is known of it.
    """
    for family in (4, 6):
        said = device.get(f"ipv{family}.address")
        if said:
            filtered = is_true(device.get(f"security.ipv{family}_filtering"))
            _check_address(f"interface {name}: ipv{family}", said, family, filtered, network, own)


def _check_address(
    option: str, said: str, family: int, filtered: bool, network: Network, own: Optional[Sequence[str]]
) -> None:
    without = f"leave it out, or set ipv{family}_filter: true to allow the guest no other address"
    if said == "none":
        if not filtered:
            raise Invalid(
                f"{option}: none goes with ipv{family}_filter: true", "LXD keeps the guest from any address then"
            )
        return
    subnets = _subnets(family, network, own)
    # With the filter, LXD takes any address where it gives none itself.
    if subnets is None or (filtered and not _gives(family, network, subnets)):
        return
    if not _gives(family, network, subnets):
        raise Invalid(f"{option}: LXD gives no static IPv{family} addresses on network {network.name}", without)
    address = ipaddress.ip_address(said)
    inside = [subnet for subnet in subnets if address in subnet.network]
    if not inside:
        if filtered and not network.config:
            return
        there = ", ".join(str(subnet.network) for subnet in subnets)
        raise Invalid(
            f"{option}: {said} is not in {there}, the subnet of network {network.name}", "set an address of that subnet"
        )
    _check_free(option, address, inside[0], network)


def _check_free(
    option: str, address: Union[ipaddress.IPv4Address, ipaddress.IPv6Address], subnet: Interface, network: Network
) -> None:
    if address == subnet.ip:
        raise Invalid(f"{option}: {address} is the address of network {network.name} itself", "set another one")
    edges = (subnet.network.network_address, subnet.network.broadcast_address)
    # LXD 5.0 takes these two, and no guest can use them.
    if subnet.version == 4 and subnet.network.prefixlen < 31 and address in edges:
        raise Invalid(
            f"{option}: {address} can't be the address of an interface in {subnet.network}", "set another one"
        )


def _subnets(family: int, network: Network, own: Optional[Sequence[str]]) -> Optional[list[Interface]]:
    """The bridge's own addresses with their subnets; None where nobody told."""
    said = network.config.get(f"ipv{family}.address")
    if said is None and own is None:
        return None
    texts = list(own or ()) if said is None else [said]
    found = [ipaddress.ip_interface(text) for text in texts if "/" in text]
    return [subnet for subnet in found if subnet.version == family]


def _gives(family: int, network: Network, subnets: Sequence[Interface]) -> bool:
    """Whether LXD's DHCP can give static addresses, as far as the network's config is to be seen."""
    if not subnets or not network.config:
        return bool(subnets)
    if network.config.get(f"ipv{family}.dhcp", "").lower() in ("false", "0", "no", "off"):
        return False
    return family == 4 or is_true(network.config.get("ipv6.dhcp.stateful"))
