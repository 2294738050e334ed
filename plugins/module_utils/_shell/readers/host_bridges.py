# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The bridges of a host: what its network, and an LXD that may be there, say of them, and what a role makes them by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ..._access import targets
from ..._core import errors
from ..._core.machine import bridge_checks as host_bridge_refusals
from ..._core.machine import bridge_files as host_bridge_files
from ..._core.machine import bridges as host_bridges
from ..._core.machine.bridges import BridgeSpec, HostNetwork
from ..._core.server import spec as server
from ..._host import network
from ..._lxd.reader import Reader


def read_bridges(
    params: Mapping[str, Any], ssh_interface: str, declared: server.ServerSpec
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The bridges that were declared, for the result, and every problem with what to do."""
    wrong: list[str] = []
    wanted = host_bridges.parse_bridge_specs(params["host_bridges"], wrong)
    found = _read_network(params, wanted, ssh_interface)
    rows = {
        "host_bridges": [_row(bridge, found) for bridge in wanted],
        "host_bridges_take_up": host_bridge_files.build_activation_commands(found) if wanted else [],
    }
    return rows, [*((each, "") for each in wrong), *host_bridge_refusals.find_bridge_problems(wanted, found, declared)]


def _read_network(params: Mapping[str, Any], wanted: Sequence[BridgeSpec], ssh_interface: str) -> HostNetwork:
    """The machine's network; LXD's part of it where an LXD answers."""
    found = network.read_network(wanted, ssh_interface)
    if not wanted:
        return found
    try:
        port = targets.open_trusted(targets.parse_target({**params, "url": params.get("url") or ["unix:"]}))
    except errors.TenantryError:
        return found
    try:
        return _with_lxd(found, wanted, Reader(port))
    except errors.TenantryError:
        return found
    finally:
        port.close()


def _with_lxd(found: HostNetwork, wanted: Sequence[BridgeSpec], reader: Reader) -> HostNetwork:
    managed = frozenset(each.name for each in reader.networks("default") if each.managed)
    leaving = {bridge.name for bridge in wanted if not bridge.present}
    users: dict[str, tuple[str, ...]] = dict.fromkeys(leaving, ())
    for project in reader.projects() if leaving else ():
        for instance in reader.instances(project.name):
            # On another member of a cluster the name is another bridge's.
            if instance.location in ("", "none", reader.server.name):
                for name in leaving & {device.get("parent", "") for device in instance.expanded_devices.values()}:
                    users[name] = (*users[name], f"{instance.name} of project {project.name}")
    return dataclasses.replace(found, managed=managed, users=users)


def _row(bridge: BridgeSpec, found: HostNetwork) -> dict[str, Any]:
    card = bridge.interface or found.ours.get(bridge.name) or ""
    link = found.links.get(card)
    pending = ["what was written of it isn't taken up"] if found.pending else []
    return {
        **dataclasses.asdict(bridge),
        "interface": card,
        "mac": link.mac if link else "",
        "there": bridge.name in found.links,
        "ours": bridge.name in found.ours,
        "lacks": [*host_bridges.lacks(bridge, found), *pending] if bridge.present else pending,
        "files": [file._asdict() for file in host_bridge_files.build_bridge_files(found.manager, bridge.name)],
        "bring_up": host_bridge_files.bring_up(bridge, found),
        "bring_down": host_bridge_files.bring_down(bridge, found),
    }
