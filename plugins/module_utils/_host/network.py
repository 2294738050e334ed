# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network of this machine: what keeps it, its interfaces, and what is declared of them in the manager's files."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .._core.machine.bridge_files import build_bridge_files
from .._core.machine.bridges import BridgeSpec, HostNetwork, Link
from . import machine, programs

# Something was written and not taken up yet. After a restart everything is taken up.
_PENDING = "/run/tenantry-host-bridges"
# What we write begins so.
_OURS = re.compile(r"# Written by Ansible, tenantry\.lxd, role vmhost: bridge \S+ over (\S+)$", re.MULTILINE)
_READS_FOLDER = re.compile(r"^\s*source(-directory)?\s+(/etc/network/)?interfaces\.d", re.MULTILINE)
_INTERFACES = ("/etc/network/interfaces", "/etc/network/interfaces.d/*")
# Where a manager has what makes an interface, and how it says the name there.
_MAKES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "netplan": (("/etc/netplan/*.yaml",), r"^\s+[\"']?{}[\"']?\s*:"),
    "networkd": (("/etc/systemd/network/*.netdev",), r"^Name\s*=\s*{}\s*$"),
    "NetworkManager": (("/etc/NetworkManager/system-connections/*",), r"^interface-name\s*=\s*{}\s*$"),
    "ifupdown": (_INTERFACES, r"^\s*(iface|auto|allow-\S+)\s(.*\s)?{}(\s|$)"),
}
_DHCP_CLIENTS = ("dhclient", "dhcpcd", "udhcpc")


def manager() -> str:
    """What keeps the network: netplan where it has files, for it writes those of others; else what runs."""
    if programs.find("netplan") and glob.glob("/etc/netplan/*.yaml"):
        return "netplan"
    if _says("nmcli", "--terse", "--fields", "RUNNING", "general") == "running":
        return "NetworkManager"
    if _runs("systemd-networkd"):
        return "networkd"
    return "ifupdown" if programs.find("ifup") and os.path.isfile(_INTERFACES[0]) else ""


def read_network(wanted: Iterable[BridgeSpec], ssh_interface: str) -> HostNetwork:
    """Everything that bridges on this machine have to do with."""
    keeper, bridges = manager(), list(wanted)
    names = {bridge.name for bridge in bridges}
    ours = {name: over for name in names for over in [_over(keeper, name)] if over is not None}
    cards = {bridge.interface for bridge in bridges if bridge.present} - set(ours.values())
    gateways, routed = _default_routes()
    return HostNetwork(
        manager=keeper,
        links=links(),
        ssh_interface=ssh_interface,
        ssh_address=machine.ssh_address(),
        default_routes=gateways,
        routed=routed,
        ours=ours,
        claimed=_find_claims(keeper, names),
        fixed={card: why for card in cards for why in [_find_fixed_settings(keeper, card)] if why},
        unheard=_unheard(keeper),
        leases=keeper != "ifupdown" or any(programs.find(name) for name in _DHCP_CLIENTS),
        resolver=_missing_resolver(keeper),
        pending=os.path.exists(_PENDING),
    )


def _unheard(keeper: str) -> str:
    if keeper == "ifupdown" and not _READS_FOLDER.search(programs.text(_INTERFACES[0])):
        return "/etc/network/interfaces doesn't read the folder interfaces.d"
    if keeper == "netplan" and glob.glob("/run/NetworkManager/system-connections/netplan-*"):
        return "netplan hands its files to NetworkManager here, and `netplan apply` would disconnect every card"
    return ""


def links() -> dict[str, Link]:
    """The network interfaces."""
    return {told["ifname"]: _link(told) for told in machine.ip("-details", "address")}


def _link(told: Mapping[str, Any]) -> Link:
    name, addresses = told["ifname"], [each for each in told.get("addr_info") or () if each.get("scope") == "global"]
    texts = {f"{each['local']}/{each['prefixlen']}": bool(each.get("dynamic")) for each in addresses}
    wireless = os.path.exists(f"/sys/class/net/{name}/phy80211")
    return Link(
        name=name,
        kind="wireless" if wireless else (told.get("linkinfo") or {}).get("info_kind") or "",
        ethernet=told.get("link_type") == "ether",
        mac=told.get("address") or "",
        mtu=int(told.get("mtu") or 0),
        largest_mtu=int(told.get("max_mtu") or 0),
        over=told.get("link") or "",
        master=told.get("master") or "",
        addresses=tuple(texts),
        leased=frozenset(text for text, ends in texts.items() if ends),
    )


def _default_routes() -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """The gateways by interface, and of each family the interface that is used."""
    gateways: dict[str, tuple[str, ...]] = {}
    used = set()
    for family in ("-4", "-6"):
        routes = machine.ip(family, "route", "show", "default")
        first = min((route.get("metric") or 0 for route in routes), default=0)
        for route in routes:
            for hop in route.get("nexthops") or [route]:
                device = hop.get("dev") or ""
                gateways[device] = (*gateways.get(device, ()), hop.get("gateway") or "")
                used |= {device} if (route.get("metric") or 0) == first else set()
    return gateways, frozenset(used)


def _says(name: str, *words: str) -> str:
    said = programs.run(name, *words, seconds=10)
    return said.out.strip() if said else ""


def _missing_resolver(keeper: str) -> str:
    """Whom a manager would give name servers to, and can't."""
    if keeper == "ifupdown":
        return "" if programs.find("resolvconf") else "resolvconf"
    by_networkd = keeper in ("networkd", "netplan")
    return "systemd-resolved" if by_networkd and not _runs("systemd-resolved") else ""


def _runs(service: str) -> bool:
    return _says("systemctl", "is-active", service) == "active"


def _over(keeper: str, bridge: str) -> str | None:
    """Over which card we made a bridge; None where we didn't, nothing where the file doesn't tell."""
    there = [file.path for file in build_bridge_files(keeper, bridge) if os.path.exists(file.path)]
    if not there:
        return None
    told = _OURS.search(programs.text(there[0]))
    return told[1] if told else ""


def _find_claims(keeper: str, names: Collection[str]) -> dict[str, str]:
    ours = {file.path for name in names for file in build_bridge_files(keeper, name)}
    told = {name: _find_files_naming(keeper, name, ours) for name in names}
    return {name: path for name, path in told.items() if path}


def _find_files_naming(keeper: str, name: str, without: Collection[str]) -> str:
    """The file, none of ours, in which a manager is told of an interface."""
    places, form = _MAKES.get(keeper, ((), ""))
    pattern = re.compile(form.format(re.escape(name)), re.MULTILINE)
    paths = sorted(path for place in places for path in glob.glob(place) if path not in without)
    return next((path for path in paths if pattern.search(programs.text(path))), "")


def _find_fixed_settings(keeper: str, card: str) -> str:
    """Why a card can't be taken, whatever our own files say."""
    by_hand = _find_files_naming("ifupdown", card, ()) if programs.find("ifup") else ""
    if by_hand:
        return f"{by_hand} brings {card} up"
    if keeper == "NetworkManager":
        state = _says("nmcli", "--get-values", "GENERAL.STATE", "device", "show", card)
        return f"NetworkManager leaves {card} alone (unmanaged)" if state.startswith("10 ") else ""
    if keeper != "netplan":
        return ""
    given = _says("netplan", "get", f"ethernets.{card}.addresses".replace(card, card.replace(".", r"\.")))
    # netplan adds lists of several files up, so that no file of ours could take one away.
    return f"netplan gives {card} addresses of its own" if given not in ("", "null") else _find_new_name(card)


def _find_new_name(card: str) -> str:
    """Whether netplan has a card under a name that isn't the card's: ours would be a second one for it."""
    mac = re.escape(programs.text(f"/sys/class/net/{card}/address").strip())
    means = re.compile(rf"^(Name={re.escape(card)}|(Permanent)?MACAddress={mac})\s*$", re.MULTILINE | re.IGNORECASE)
    for path in sorted(glob.glob("/run/systemd/network/10-netplan-*.network")):
        if path != f"/run/systemd/network/10-netplan-{card}.network" and means.search(programs.text(path)):
            return f"netplan has {card} under another name, by {path}"
    return ""
