# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each network manager keeps a bridge by: managed files alone, and the commands by which it takes them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .bridges import BridgeSpec, HostNetwork

Commands = list[list[str]]


class File(NamedTuple):
    """One file. `template`: the role's, without its ending. No bridge has a dot in its name, so that none collide."""

    path: str
    template: str
    mode: str


# netplan merges in the order of names, the last wins. networkd takes the first file that matches an interface. What
# NetworkManager would read of others it refuses. ifupdown may read only names without a dot.
_FILES: Mapping[str, tuple[File, ...]] = {
    "netplan": (File("/etc/netplan/90-tenantry-{}.yaml", "netplan.yaml", "0600"),),
    "networkd": (
        File("/etc/systemd/network/00-tenantry-{}.netdev", "networkd.netdev", "0644"),
        File("/etc/systemd/network/00-tenantry-{}.network", "networkd.network", "0644"),
        File("/etc/systemd/network/00-tenantry-{}.port.network", "networkd.port.network", "0644"),
    ),
    "NetworkManager": (
        File("/etc/NetworkManager/system-connections/tenantry-{}.nmconnection", "bridge.nmconnection", "0600"),
        File("/etc/NetworkManager/system-connections/tenantry-{}.port.nmconnection", "port.nmconnection", "0600"),
    ),
    "ifupdown": (File("/etc/network/interfaces.d/tenantry-{}", "interfaces", "0644"),),
}


def build_bridge_files(manager: str, bridge: str) -> list[File]:
    """The files by which a manager keeps a bridge."""
    return [each._replace(path=each.path.format(bridge)) for each in _FILES.get(manager, ())]


def build_activation_commands(found: HostNetwork) -> Commands:
    """What has a manager read its files, once for all bridges."""
    return {
        "netplan": [["netplan", "generate"], ["netplan", "apply"]],
        "networkd": [["networkctl", "reload"]],
        "NetworkManager": [["nmcli", "connection", "reload"]],
    }.get(found.manager, [])


def bring_up(bridge: BridgeSpec, found: HostNetwork) -> Commands:
    """What has one bridge as its files say, whatever it was like; VMs that are on it stay on it."""
    card = found.links.get(bridge.interface)
    inside = card is not None and card.master == bridge.name
    profile = f"tenantry-{bridge.name}"
    return {
        "networkd": [["networkctl", "reconfigure", bridge.interface, *([bridge.name] if inside else [])]],
        # Activating it again would let go of what is plugged into it.
        "NetworkManager": [["nmcli", "device", "reapply", name] for name in (bridge.interface, bridge.name)]
        if inside
        else [["nmcli", "--wait", "30", "connection", "up", f"{profile}-port"]],
        # Whatever it remembers of the bridge: somebody may have brought it up or down without it.
        "ifupdown": [
            *([["ifdown", "--force", bridge.name]] if bridge.name in found.links else []),
            ["ifup", "--force", bridge.name],
        ],
    }.get(found.manager, [])


def bring_down(bridge: BridgeSpec, found: HostNetwork) -> Commands:
    """What takes a bridge away, while its files are still there: what has no file any more would be nobody's."""
    if bridge.name not in found.links or bridge.name not in found.ours:
        return []
    profile = f"tenantry-{bridge.name}"
    return {
        # The port first: by itself it would have NetworkManager bring the bridge back.
        "NetworkManager": [["nmcli", "--wait", "30", "connection", "down", f"{profile}-port", profile]],
        "ifupdown": [["ifdown", "--force", bridge.name]],
    }.get(found.manager, [["ip", "link", "delete", bridge.name, "type", "bridge"]])
