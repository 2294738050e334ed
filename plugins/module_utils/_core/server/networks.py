# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Managed networks as somebody wants them on a server or cluster: checked, and in LXD's words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from .. import units
from .part_spec import PartSpec, check_name, check_once, of_members, texts

TYPES = ("bridge", "macvlan", "sriov", "physical", "ovn")
# The kernel's limit for the name of an interface, which a bridge's is.
_LONGEST_INTERFACE, _LONGEST_NAME = 15, 63


@dataclasses.dataclass(frozen=True)
class NetworkSpec(PartSpec):
    """One network."""

    MEMBER_KEYS = frozenset({"bridge.external_interfaces", "bgp.ipv4.nexthop", "bgp.ipv6.nexthop", "parent"})

    type: str


def want(said: Any, problems: list[str]) -> tuple[NetworkSpec, ...]:
    """The list, checked; what is wrong is added to `problems`."""
    networks = [_network(dict(each), problems) for each in said or ()]
    check_once(networks, "networks", problems)
    return tuple(networks)


def _network(said: Mapping[str, Any], problems: list[str]) -> NetworkSpec:
    name, kind = str(said.get("name") or ""), str(said.get("type") or "bridge")
    what = f"network {name}"
    check_name(name, what, _LONGEST_INTERFACE if kind == "bridge" else _LONGEST_NAME, problems)
    if kind not in TYPES:
        problems.append(f"{what}: type: {kind!r:.40} is none of {', '.join(TYPES)}")
    config = texts(said.get("config"), {}, what, problems)
    for key, value in _services(said).items():
        if kind != "bridge":
            problems.append(f"{what}: dhcp, dns: only a bridge serves these; leave them out")
        elif key in config and not units.is_same_value(key, config[key], value):
            problems.append(f"{what}: config.{key}: dhcp or dns sets {value}; leave one of them out")
        config[key] = value
    members = of_members(said.get("members"), what, problems)
    if kind in ("macvlan", "sriov", "physical") and not (config.get("parent") or members):
        problems.append(f"{what}: a {kind} network is over an interface of the host; set it in config.parent")
    network = NetworkSpec(name, config, said.get("description"), members, kind)
    network.check_members(what, problems)
    return network


def _services(said: Mapping[str, Any]) -> dict[str, str]:
    """DHCP and DNS of LXD's own, on or off, in LXD's keys."""
    keys: dict[str, str] = {}
    if said.get("dhcp") is not None:
        keys.update({f"{family}.dhcp": "true" if said["dhcp"] else "false" for family in ("ipv4", "ipv6")})
    if said.get("dns") is not None:
        keys["dns.mode"] = "managed" if said["dns"] else "none"
    return keys


def changes(wanted: Mapping[str, Optional[str]], found: Mapping[str, str]) -> dict[str, str | None]:
    """What of `wanted` a network hasn't; `auto` is what LXD has already chosen an address for."""
    return {key: value for key, value in wanted.items() if not _same(key, value, found.get(key))}


def _same(key: str, wanted: str | None, found: str | None) -> bool:
    if wanted == "auto" and key.endswith(".address"):
        return found not in (None, "", "none")
    return units.is_same_value(key, wanted, found)
