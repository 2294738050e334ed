# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Managed networks as somebody wants them on a server or cluster: checked, and in LXD's words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from . import units
from .server_pools import check_name, texts

# What a cluster takes for each member and not for all.
MEMBER_KEYS = frozenset({"bridge.external_interfaces", "bgp.ipv4.nexthop", "bgp.ipv6.nexthop", "parent"})
TYPES = ("bridge", "macvlan", "sriov", "physical", "ovn")
# The kernel's limit for the name of an interface, which a bridge's is.
_LONGEST_INTERFACE, _LONGEST_NAME = 15, 63


@dataclasses.dataclass(frozen=True)
class WantedNetwork:
    """One network as said; None is unsaid and kept, and as a value in `config` removes the key."""

    name: str
    type: str
    config: Mapping[str, Optional[str]]
    description: str | None
    members: Mapping[str, Mapping[str, Optional[str]]]

    def on(self, member: str) -> dict[str, str | None]:
        """The keys that one member has of its own; what is said for all holds for each that says nothing else."""
        shared = {key: value for key, value in self.config.items() if key in MEMBER_KEYS}
        return {**shared, **self.members.get(member, {})}

    @property
    def common(self) -> dict[str, str | None]:
        """The keys that are the same on every member."""
        return {key: value for key, value in self.config.items() if key not in MEMBER_KEYS}


def want(said: Any, problems: list[str]) -> tuple[WantedNetwork, ...]:
    """The list, checked; what is wrong is added to `problems`."""
    networks = [_network(dict(each), problems) for each in said or ()]
    names = [network.name for network in networks]
    problems.extend(f"networks: {name} is said twice" for name in sorted({n for n in names if names.count(n) > 1}))
    return tuple(networks)


def _network(said: Mapping[str, Any], problems: list[str]) -> WantedNetwork:
    name, kind = str(said.get("name") or ""), str(said.get("type") or "bridge")
    what = f"network {name}"
    check_name(name, what, _LONGEST_INTERFACE if kind == "bridge" else _LONGEST_NAME, problems)
    if kind not in TYPES:
        problems.append(f"{what}: type: {kind!r:.40} is none of {', '.join(TYPES)}")
    config = texts(said.get("config"), {}, what, problems)
    for key, value in _services(said).items():
        if kind != "bridge":
            problems.append(f"{what}: dhcp, dns: only a bridge serves these; leave them out")
        elif key in config and not units.same(key, config[key], value):
            problems.append(f"{what}: config.{key}: dhcp or dns says {value}; leave one of them out")
        config[key] = value
    members = {
        str(member): texts(values, {}, f"{what}: members.{member}", problems)
        for member, values in (said.get("members") or {}).items()
    }
    foreign = sorted({key for values in members.values() for key in values if key not in MEMBER_KEYS})
    if foreign:
        problems.append(f"{what}: members: {', '.join(foreign)} is the same on all members; say it in config")
    if kind in ("macvlan", "sriov", "physical") and not (config.get("parent") or members):
        problems.append(f"{what}: a {kind} network is over an interface of the host; say it in config.parent")
    return WantedNetwork(name, kind, config, said.get("description"), members)


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
    return units.same(key, wanted, found)
