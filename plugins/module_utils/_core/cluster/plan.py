# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a server becomes the first member of a cluster, joins one, is let in, or leaves."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from .. import units
from ..errors import Conflict, Invalid, NotFound
from ..plan import KNOWN_AFTER_APPLY, Change, Plan, Request, Step, WipeDevice
from ..server import block_devices as devices
from ..server import settings as server_settings
from ..server.pools import SOURCE
from .spec import EVACUATED, OFFLINE, ClusterMember, ClusterMemberSpec, ClusterReading

_PATH = ("cluster",)
_MEMBERS = ("cluster", "members")
CLUSTER_ADDRESS = "cluster.https_address"
# A join copies the database and makes every pool and network; an evacuation moves instances with their disks.
_JOIN_SECONDS, _EVACUATE_SECONDS = 600, 3600


def plan_member(wanted: ClusterMemberSpec, found: ClusterReading, host: str, now: datetime.datetime) -> Plan:
    """What should change. Everything that can be refused is refused here, before the first write."""
    if wanted.state == "invited":
        return Plan(tuple(_invited(wanted, found, host, now)))
    kinds = {"present": _present, "uninvited": _uninvited, "absent": _absent}
    return Plan(tuple(kinds[wanted.state](wanted, found, host)))


def predicted(wanted: ClusterMemberSpec, found: ClusterReading) -> tuple[tuple[ClusterMember, ...], str]:
    """The members as they will be, and the token that will be there."""
    others = tuple(each for each in found.members if each.name != wanted.name)
    there = found.member(wanted.name)
    if wanted.state == "present":
        url = there.url if there else f"https://{wanted.address}"
        return (*others, there or ClusterMember(wanted.name, "Online", url)), ""
    if wanted.state == "invited" and there is None:
        return found.members, KNOWN_AFTER_APPLY
    return (others if wanted.state == "absent" else found.members), ""


def _present(wanted: ClusterMemberSpec, found: ClusterReading, host: str) -> Iterator[Change]:
    if found.here == wanted.name:
        return
    if found.here:
        raise Conflict(
            f"{wanted.name}: this server is the member {found.here} of a cluster", "members keep their names; say that"
        )
    if wanted.bootstrap:
        yield _bootstrap(wanted, found, host)
        return
    if wanted.token is None and not wanted.token_later:
        raise Invalid(
            f"{wanted.name}: this server is in no cluster, and how it should come into one is not said",
            "say bootstrap: true for the first, or token for one that joins; where the cluster gave none, it has "
            "a member of that name already, which state: absent removes",
        )
    if found.holds:
        raise Conflict(
            f"{wanted.name}: a server that joins a cluster loses what it holds: {units.shorten(list(found.holds))}",
            "move or delete those first",
            holds=list(found.holds),
        )
    yield _join(wanted, found, host)


def _bootstrap(wanted: ClusterMemberSpec, found: ClusterReading, host: str) -> Change:
    settings = {CLUSTER_ADDRESS: wanted.address}
    if not found.server.config.get(server_settings.HTTPS_ADDRESS):
        settings[server_settings.HTTPS_ADDRESS] = wanted.address
    missing = {key: value for key, value in settings.items() if found.server.config.get(key) != value}
    listen = [Request("PATCH", (), body={"config": missing})] if missing else []
    enable = Request("PUT", _PATH, body={"server_name": wanted.name, "enabled": True}, etag=found.etag)
    after = {"address": wanted.address, "enabled": True}
    return Change("begin", "cluster with", wanted.name, (*listen, enable), {"enabled": False}, after, host=host)


def _join(wanted: ClusterMemberSpec, found: ClusterReading, host: str) -> Change:
    own = list(_own_config(wanted))
    steps: list[Step] = list(_wipes(wanted, found))
    # Newer servers take the token by a name of its own, and Incus never had another.
    named = found.server.flavour == "incus" or found.server.has("explicit_trust_token")
    key = "cluster_token" if named else "cluster_password"
    door = found.door or (wanted.token.addresses[0] if wanted.token else "")
    body = {
        "server_name": wanted.name,
        "enabled": True,
        "server_address": wanted.address,
        "cluster_address": door,
        "cluster_certificate": wanted.certificate,
        key: wanted.token.text if wanted.token else "",
        "member_config": own,
    }
    steps.append(Request("PUT", _PATH, body=body, etag=found.etag, deadline=_JOIN_SECONDS))
    of_own = {f"{each['entity']} {each['name']}: {each['key']}": each["value"] for each in own}
    after = {
        "address": wanted.address,
        "enabled": True,
        "cluster": list(wanted.token.addresses) if wanted.token else [],
    }
    return Change("join", "cluster as", wanted.name, tuple(steps), {"enabled": False}, {**after, **of_own}, host=host)


def _own_config(wanted: ClusterMemberSpec) -> Iterator[dict[str, str]]:
    parts: list[tuple[str, str, Mapping[str, Optional[str]]]] = []
    parts += [("storage-pool", pool.name, pool.on(wanted.name)) for pool in wanted.pools]
    parts += [("network", network.name, network.on(wanted.name)) for network in wanted.networks]
    for entity, name, config in parts:
        for key, value in sorted(config.items()):
            if value is not None:
                yield {"entity": entity, "name": name, "key": key, "value": value}


def _wipes(wanted: ClusterMemberSpec, found: ClusterReading) -> Iterator[Step]:
    refused = []
    for pool in wanted.pools:
        device = found.devices.get(pool.on(wanted.name).get(SOURCE) or "")
        if device is None:
            continue
        why = devices.find_device_problem(device, pool.wipe)
        if why:
            refused.append(f"storage pool {pool.name}: {device.path}: {why}")
        elif device.holds:
            yield WipeDevice(device.path)
    if refused:
        raise Conflict(" -- ".join(refused), "nothing was changed")


def _invited(wanted: ClusterMemberSpec, found: ClusterReading, host: str, now: datetime.datetime) -> Iterator[Change]:
    _demand_cluster(wanted, found)
    theirs = [each for each in found.tokens if each.member == wanted.name]
    if found.member(wanted.name) or any(each.lasts(now) for each in theirs):
        return
    yield from _uninvited(wanted, found, host)
    body = {"server_name": wanted.name}
    make = Request("POST", _MEMBERS, body=body, keeps_operation=True)
    yield Change("make", "join token for", wanted.name, (make,), after={"token": "(secret)"}, host=host)


def _uninvited(wanted: ClusterMemberSpec, found: ClusterReading, host: str) -> Iterator[Change]:
    for each in found.tokens:
        if each.member == wanted.name:
            cancel = Request("DELETE", ("operations", each.operation))
            yield Change("cancel", "join token for", each.member, (cancel,), before={"token": "(secret)"}, host=host)


def _demand_cluster(wanted: ClusterMemberSpec, found: ClusterReading) -> None:
    if not found.here and not found.unread:
        raise Conflict(
            f"{wanted.name}: the server that was asked is in no cluster", "ask a member, or begin a cluster there first"
        )


def _absent(wanted: ClusterMemberSpec, found: ClusterReading, host: str) -> Iterator[Change]:
    member = found.member(wanted.name)
    if member is None:
        return
    if member.name == found.here:
        others = [each.name for each in found.members if each.name != member.name]
        raise Conflict(
            f"{wanted.name}: a member doesn't remove itself",
            f"run this on {others[0]}" if others else "it is the last member: LXD can't go back to being alone",
        )
    gone = Request("DELETE", (*_MEMBERS, member.name), params={"force": "1"} if member.status == OFFLINE else {})
    before: dict[str, Any] = {"status": member.status, "url": member.url}
    if member.status == OFFLINE:
        _demand_force(wanted, member, found)
        yield Change("remove", "dead member", member.name, (gone,), {**before, "lost": list(found.left)}, host=host)
        return
    if found.left:
        raise Conflict(
            f"{wanted.name}: it can't leave with what is on it and doesn't move: {units.shorten(list(found.left))}",
            "move or delete those first; for an instance that LXD leaves behind by itself, cluster.evacuate: migrate",
            left=list(found.left),
        )
    if member.status != EVACUATED:
        path, body = (*_MEMBERS, member.name, "state"), {"action": "evacuate"}
        move = Request("POST", path, body=body, deadline=_EVACUATE_SECONDS)
        after = {**before, "status": EVACUATED}
        yield Change("evacuate", "member", member.name, (move,), before, after, host=host)
    yield Change("remove", "member", member.name, (gone,), before, host=host)


def _demand_force(wanted: ClusterMemberSpec, member: ClusterMember, found: ClusterReading) -> None:
    if wanted.force:
        return
    lost = f"; it is then no longer known of: {units.shorten(list(found.left))}" if found.left else ""
    raise NotFound(
        f"{wanted.name}: it doesn't answer, so nothing on it can be moved ({member.message})",
        f"start it; or, where it is gone for good, say force: true{lost}",
        left=list(found.left),
    )
