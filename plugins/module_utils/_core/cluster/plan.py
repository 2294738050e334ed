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


def plan_member(spec: ClusterMemberSpec, reading: ClusterReading, host: str, now: datetime.datetime) -> Plan:
    """What should change. Everything that can be refused is refused here, before the first write."""
    if spec.state == "invited":
        return Plan(tuple(_invited(spec, reading, host, now)))
    kinds = {"present": _present, "uninvited": _uninvited, "absent": _absent}
    return Plan(tuple(kinds[spec.state](spec, reading, host)))


def predicted(spec: ClusterMemberSpec, reading: ClusterReading) -> tuple[tuple[ClusterMember, ...], str]:
    """The members as they will be, and the token that will be there."""
    others = tuple(each for each in reading.members if each.name != spec.name)
    there = reading.member(spec.name)
    if spec.state == "present":
        url = there.url if there else f"https://{spec.address}"
        return (*others, there or ClusterMember(spec.name, "Online", url)), ""
    if spec.state == "invited" and there is None:
        return reading.members, KNOWN_AFTER_APPLY
    return (others if spec.state == "absent" else reading.members), ""


def _present(spec: ClusterMemberSpec, reading: ClusterReading, host: str) -> Iterator[Change]:
    if reading.here == spec.name:
        return
    if reading.here:
        raise Conflict(
            f"{spec.name}: this server is the member {reading.here} of a cluster",
            "members keep their names; set that name",
        )
    if spec.bootstrap:
        yield _bootstrap(spec, reading, host)
        return
    if spec.token is None and not spec.token_later:
        raise Invalid(
            f"{spec.name}: this server is in no cluster, and neither bootstrap nor token is set",
            "set bootstrap: true for the first member, or token for one that joins; if the cluster issued no token, it "
            "already has a member of that name, which state: absent removes",
        )
    if reading.holds:
        raise Conflict(
            f"{spec.name}: a server that joins a cluster loses what it holds: {units.shorten(list(reading.holds))}",
            "move or delete those first",
            holds=list(reading.holds),
        )
    yield _join(spec, reading, host)


def _bootstrap(spec: ClusterMemberSpec, reading: ClusterReading, host: str) -> Change:
    settings = {CLUSTER_ADDRESS: spec.address}
    if not reading.server.config.get(server_settings.HTTPS_ADDRESS):
        settings[server_settings.HTTPS_ADDRESS] = spec.address
    missing = {key: value for key, value in settings.items() if reading.server.config.get(key) != value}
    listen = [Request("PATCH", (), body={"config": missing})] if missing else []
    enable = Request("PUT", _PATH, body={"server_name": spec.name, "enabled": True}, etag=reading.etag)
    after = {"address": spec.address, "enabled": True}
    return Change("begin", "cluster with", spec.name, (*listen, enable), {"enabled": False}, after, host=host)


def _join(spec: ClusterMemberSpec, reading: ClusterReading, host: str) -> Change:
    own = list(_own_config(spec))
    steps: list[Step] = list(_wipes(spec, reading))
    # Newer servers take the token by a name of its own, and Incus never had another.
    named = reading.server.flavour == "incus" or reading.server.has("explicit_trust_token")
    key = "cluster_token" if named else "cluster_password"
    door = reading.door or (spec.token.addresses[0] if spec.token else "")
    body = {
        "server_name": spec.name,
        "enabled": True,
        "server_address": spec.address,
        "cluster_address": door,
        "cluster_certificate": spec.certificate,
        key: spec.token.text if spec.token else "",
        "member_config": own,
    }
    steps.append(Request("PUT", _PATH, body=body, etag=reading.etag, deadline=_JOIN_SECONDS))
    of_own = {f"{each['entity']} {each['name']}: {each['key']}": each["value"] for each in own}
    after = {
        "address": spec.address,
        "enabled": True,
        "cluster": list(spec.token.addresses) if spec.token else [],
    }
    return Change("join", "cluster as", spec.name, tuple(steps), {"enabled": False}, {**after, **of_own}, host=host)


def _own_config(spec: ClusterMemberSpec) -> Iterator[dict[str, str]]:
    parts: list[tuple[str, str, Mapping[str, Optional[str]]]] = []
    parts += [("storage-pool", pool.name, pool.on(spec.name)) for pool in spec.pools]
    parts += [("network", network.name, network.on(spec.name)) for network in spec.networks]
    for entity, name, config in parts:
        for key, value in sorted(config.items()):
            if value is not None:
                yield {"entity": entity, "name": name, "key": key, "value": value}


def _wipes(spec: ClusterMemberSpec, reading: ClusterReading) -> Iterator[Step]:
    refused = []
    for pool in spec.pools:
        device = reading.devices.get(pool.on(spec.name).get(SOURCE) or "")
        if device is None:
            continue
        why = devices.find_device_problem(device, pool.wipe)
        if why:
            refused.append(f"storage pool {pool.name}: {device.path}: {why}")
        elif device.holds:
            yield WipeDevice(device.path)
    if refused:
        raise Conflict(" -- ".join(refused), "nothing was changed")


def _invited(spec: ClusterMemberSpec, reading: ClusterReading, host: str, now: datetime.datetime) -> Iterator[Change]:
    _demand_cluster(spec, reading)
    theirs = [each for each in reading.tokens if each.member == spec.name]
    if reading.member(spec.name) or any(each.lasts(now) for each in theirs):
        return
    yield from _uninvited(spec, reading, host)
    body = {"server_name": spec.name}
    make = Request("POST", _MEMBERS, body=body, keeps_operation=True)
    yield Change("make", "join token for", spec.name, (make,), after={"token": "(secret)"}, host=host)


def _uninvited(spec: ClusterMemberSpec, reading: ClusterReading, host: str) -> Iterator[Change]:
    for each in reading.tokens:
        if each.member == spec.name:
            cancel = Request("DELETE", ("operations", each.operation))
            yield Change("cancel", "join token for", each.member, (cancel,), before={"token": "(secret)"}, host=host)


def _demand_cluster(spec: ClusterMemberSpec, reading: ClusterReading) -> None:
    if not reading.here and not reading.unread:
        raise Conflict(
            f"{spec.name}: the server that was asked is in no cluster", "ask a member, or begin a cluster there first"
        )


def _absent(spec: ClusterMemberSpec, reading: ClusterReading, host: str) -> Iterator[Change]:
    member = reading.member(spec.name)
    if member is None:
        return
    if member.name == reading.here:
        others = [each.name for each in reading.members if each.name != member.name]
        raise Conflict(
            f"{spec.name}: a member doesn't remove itself",
            f"run this on {others[0]}" if others else "it is the last member: LXD can't go back to being alone",
        )
    gone = Request("DELETE", (*_MEMBERS, member.name), params={"force": "1"} if member.status == OFFLINE else {})
    before: dict[str, Any] = {"status": member.status, "url": member.url}
    if member.status == OFFLINE:
        _demand_force(spec, member, reading)
        yield Change("remove", "dead member", member.name, (gone,), {**before, "lost": list(reading.left)}, host=host)
        return
    if reading.left:
        raise Conflict(
            f"{spec.name}: it can't leave with what is on it and doesn't move: {units.shorten(list(reading.left))}",
            "move or delete those first; for an instance that LXD leaves behind by itself, cluster.evacuate: migrate",
            left=list(reading.left),
        )
    if member.status != EVACUATED:
        path, body = (*_MEMBERS, member.name, "state"), {"action": "evacuate"}
        move = Request("POST", path, body=body, deadline=_EVACUATE_SECONDS)
        after = {**before, "status": EVACUATED}
        yield Change("evacuate", "member", member.name, (move,), before, after, host=host)
    yield Change("remove", "member", member.name, (gone,), before, host=host)


def _demand_force(spec: ClusterMemberSpec, member: ClusterMember, reading: ClusterReading) -> None:
    if spec.force:
        return
    lost = f"; it is then no longer known of: {units.shorten(list(reading.left))}" if reading.left else ""
    raise NotFound(
        f"{spec.name}: it doesn't answer, so nothing on it can be moved ({member.message})",
        f"start it; or, if it is lost for good, set force: true{lost}",
        left=list(reading.left),
    )
