# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A member of a cluster as somebody wants it, checked, and the cluster as it was found."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import Invalid, TenantryError
from ..model import Server
from ..plan import KNOWN_AFTER_APPLY
from ..server import networks as server_networks
from ..server import pools as server_pools
from ..server import settings as server_settings
from ..server.block_devices import BlockDevice
from . import address as cluster_address
from . import join_token

ONLINE, OFFLINE, EVACUATED = "Online", "Offline", "Evacuated"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")


@dataclasses.dataclass(frozen=True)
class ClusterMemberSpec:
    """One member. `pools`, `networks`: what it has of its own in each, for joining. `token`: None where it's
    not set.
    """

    name: str
    state: str
    address: str = ""
    bootstrap: bool = False
    force: bool = False
    token: Optional[join_token.JoinToken] = None
    token_later: bool = False
    certificate: str = ""
    pools: tuple[server_pools.PoolSpec, ...] = ()
    networks: tuple[server_networks.NetworkSpec, ...] = ()


@dataclasses.dataclass(frozen=True)
class ClusterMember:
    """One member as the cluster tells of it."""

    name: str
    status: str
    url: str
    message: str = ""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> ClusterMember:
        """From LXD's JSON."""
        return cls(body["server_name"], body.get("status") or "", body.get("url") or "", body.get("message") or "")


@dataclasses.dataclass(frozen=True)
class ClusterReading:
    """The server, and its cluster where it is in one.

    `here`: its name in the cluster. `tokens`: those that nobody has used. `holds`: what a server that joined would
    lose. `left`: what is on the member that goes and can't move. `devices`: by the paths of pools. `door`: of the
    token's addresses one that this machine reaches; empty where that isn't known.
    """

    server: Server
    here: str = ""
    etag: Optional[str] = None
    members: tuple[ClusterMember, ...] = ()
    tokens: tuple[join_token.OpenJoinToken, ...] = ()
    holds: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    devices: Mapping[str, BlockDevice] = dataclasses.field(default_factory=dict)
    door: str = ""
    unread: bool = False

    def member(self, name: str) -> ClusterMember | None:
        """The member of that name."""
        return next((each for each in self.members if each.name == name), None)


def parse_member_spec(params: Mapping[str, Any], fingerprint: str) -> ClusterMemberSpec:
    """The options, checked; `fingerprint` is of the cluster's certificate. Raises Invalid with all that is wrong."""
    problems: list[str] = []
    name, state = str(params["name"]), str(params["state"])
    if not _NAME.fullmatch(name):
        problems.append(f"name: {name!r:.80} can't be a member's; write letters, digits, dots and hyphens, at most 63")
    said = str(params.get("token") or "")
    token = _token(said, name, fingerprint, problems)
    if said and params.get("bootstrap"):
        problems.append("bootstrap, token: a server begins a cluster or joins one; leave one of them out")
    if token and not params.get("cluster_certificate"):
        problems.append("cluster_certificate: set it to the cluster's certificate, so that the token goes nowhere else")
    wanted = ClusterMemberSpec(
        name=name,
        state=state,
        address=_address(params, problems),
        bootstrap=bool(params.get("bootstrap")),
        force=bool(params.get("force")),
        token=token,
        token_later=said == KNOWN_AFTER_APPLY,
        certificate=str(params.get("cluster_certificate") or ""),
        pools=server_pools.want(params.get("storage_pools"), problems),
        networks=server_networks.want(params.get("networks"), problems),
    )
    if problems:
        raise Invalid(" -- ".join(problems), problems=list(problems))
    return wanted


def _token(said: str, name: str, fingerprint: str, problems: list[str]) -> join_token.JoinToken | None:
    if not said or said == KNOWN_AFTER_APPLY:
        return None
    try:
        token = join_token.parse(said)
    except TenantryError as wrong:
        problems.append(str(wrong))
        return None
    if token.server_name != name:
        problems.append(f"token: it lets {token.server_name!r:.80} in, and this is {name}")
    if fingerprint and token.fingerprint != fingerprint:
        problems.append("cluster_certificate: it isn't the certificate of the cluster that the token is for")
    return token


def _address(params: Mapping[str, Any], problems: list[str]) -> str:
    said = str(params.get("address") or "")
    if not said:
        if params["state"] == "present" and (params.get("bootstrap") or params.get("token")):
            problems.append("address: set where the other members reach this one, such as 192.0.2.11:8443")
        return ""
    try:
        return server_settings.shown_address(*cluster_address.checked(said, "address"))
    except Invalid as wrong:
        problems.append(str(wrong))
        return said
