# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ports of a machine's network cards, from `GET /1.0/resources`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def read_node_ports(network: Mapping[str, Any], node: int) -> list[dict[str, Any]]:
    """Return the ports whose card belongs to a NUMA node; `speed` is in Mbit/s."""
    return [
        {
            "name": port["id"],
            "mac": port.get("address") or None,
            "link": bool(port.get("link_detected")),
            "speed": port.get("link_speed") or None,
            "virtual_functions": _functions(card),
        }
        for card, port in _ports(network)
        if (card.get("numa_node") or 0) == node
    ]


def count_virtual_functions(network: Mapping[str, Any]) -> dict[str, int]:
    """Return how many SR-IOV virtual functions each port offers, by the port's name."""
    return {port["id"]: _functions(card) for card, port in _ports(network)}


def _ports(network: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for card in network.get("cards") or ():
        for port in card.get("ports") or ():
            yield card, port


def _functions(card: Mapping[str, Any]) -> int:
    return int((card.get("sriov") or {}).get("maximum_vfs") or 0)
