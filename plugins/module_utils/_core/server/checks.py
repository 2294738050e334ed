# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands in the way of a declaration on the server that was found: everything, before the first write."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Conflict, Invalid, TenantryError, Unsupported
from . import block_devices as devices
from . import settings as server_settings
from .found import PartReading, ServerReading
from .parts import POOL, Part
from .pools import FIXED_KEYS, INITIAL_SOURCE, SIZE, SOURCE, WIPES, PoolSpec
from .spec import ServerSpec

_WHOLE = ("Created", "")


def check_server(spec: ServerSpec, parts: list[Part], reading: ServerReading) -> None:
    """Raise everything that stands in the way as one error of the first one's kind."""
    refused = [*_of_settings(spec, reading), *(error for part in parts for error in _of_part(part, reading))]
    if not refused:
        return
    hints = " ".join(dict.fromkeys(f"{error.hint}." for error in refused if error.hint)).rstrip(".")
    message = " -- ".join(error.message for error in refused)
    raise type(refused[0])(message, hints, problems=[str(error) for error in refused])


def _of_settings(spec: ServerSpec, reading: ServerReading) -> Iterator[TenantryError]:
    said = spec.config.get(server_settings.HTTPS_ADDRESS)
    if reading.obstacle:
        # LXD would keep an address that it can't listen on.
        yield Invalid(
            f"https_address: {said}: {reading.obstacle}", "write an address and a port that are free on the host"
        )


def _of_part(part: Part, reading: ServerReading) -> Iterator[TenantryError]:
    strangers = sorted(set(part.wanted.members) - set(reading.members))
    if strangers and not reading.unread:
        have = f"its members are {', '.join(reading.members)}" if reading.members else "it isn't clustered"
        yield Invalid(f"{part.title}: members: {', '.join(strangers)}: {have}", "write names of members")
    there = part.found
    if there is not None and not there.managed:
        yield Conflict(
            f"{part.title}: the host has an interface of that name that LXD doesn't manage",
            "choose another name; VMs use such an interface as a parent",
        )
        return
    if there is not None:
        yield from _of_existing(part, there, reading)
    if part.kind is POOL and isinstance(part.wanted, PoolSpec) and (there is None or part.begun):
        yield from _of_new_pool(part, part.wanted, reading)


def _of_existing(part: Part, there: PartReading, reading: ServerReading) -> Iterator[TenantryError]:
    if there.kind != part.driver_or_type:
        yield Conflict(
            f"{part.title}: it exists with {part.kind.field} {there.kind}, not {part.driver_or_type}",
            "choose another name; an existing one is never recreated",
        )
        return
    if there.status not in _WHOLE and not part.begun:
        yield Conflict(f"{part.title}: its status is {there.status}", "repair it on the server, or delete it")
    if part.kind is not POOL or part.begun:
        return
    for member in there.on or ("",):
        where = f"{part.title} on {member}" if member else part.title
        has = there.on[member].config if member else there.config
        wants = part.differing(member)
        for key in FIXED_KEYS:
            said = wants.get(key)
            if key in wants:
                yield Conflict(
                    f"{where}: it exists with {key} {has.get(key) or '(none)'}, not {said or '(none)'}",
                    "choose another name; an existing one is never recreated",
                )
        if SIZE in wants and not reading.server.has("storage_pool_loop_resize"):
            yield Unsupported(f"{where}: this LXD can't change the size of a pool", "leave size as it is")


def _of_new_pool(part: Part, pool: PoolSpec, reading: ServerReading) -> Iterator[TenantryError]:
    for member in reading.members or ("",):
        if member and member != reading.here:
            yield from _of_pool_elsewhere(part, pool, member, reading)
        elif not part.made_on(member):
            yield from _of_pool_here(part, pool, member, reading)


def _of_pool_elsewhere(part: Part, pool: PoolSpec, member: str, reading: ServerReading) -> Iterator[TenantryError]:
    """The device of another machine, at which nobody can look: LXD does, where it can wipe, and else not for zfs."""
    device = pool.device(member)
    if not device or part.known_on(member) or reading.server.has(WIPES):
        return
    what = f"{part.title}: {device} on {member}"
    if pool.driver == "zfs" and not pool.wipe:
        yield Conflict(
            f"{what}: this LXD uses the device whatever it holds",
            "check that its data may be lost, and set wipe: true for this pool",
        )
    elif pool.wipe and pool.driver != "zfs":
        yield Unsupported(f"{what}: this LXD can't wipe it", "wipe it there, and leave wipe out")


def _of_pool_here(part: Part, pool: PoolSpec, member: str, reading: ServerReading) -> Iterator[TenantryError]:
    source = pool.on(member).get(SOURCE) or ""
    what = f"{part.title}: {source}"
    began = _began_with(part, member)
    if source and began and reading.resolved.get(source, source) not in {reading.resolved.get(e, e) for e in began}:
        yield Conflict(f"{what}: it was begun with {began[0]}", "set that; or delete on the server what was begun")
        return
    device, dataset = reading.devices.get(source), reading.datasets.get(source)
    if device is not None:
        owner = owner_of(device, reading, but=pool.name)
        refused = f"it belongs to storage pool {owner}" if owner else devices.find_device_problem(device, pool.wipe)
        if refused:
            yield Conflict(f"{what}: {refused}", "name an empty disk or partition")
    refused = devices.refusal_of_dataset(dataset) if dataset is not None else ""
    if refused:
        yield Conflict(f"{what}: {refused}", "name one that doesn't exist, which LXD creates, or one that is unused")


def _began_with(part: Part, member: str) -> list[str]:
    """What the pool was to be made of when somebody began it."""
    there = part.found
    config = (there.on[member].config if member in there.on else there.config) if there is not None else {}
    return [config[key] for key in (SOURCE, INITIAL_SOURCE) if config.get(key)]


def owner_of(device: devices.BlockDevice, reading: ServerReading, but: str) -> str:
    """The storage pool that LXD has already made of a device or of a part of it."""
    places = {reading.resolved.get(path, path) for path in (device.path, *device.parts)}
    for name, there in reading.pools.items():
        own = there.on[reading.here].config if reading.here in there.on else there.config
        used = [own[key] for key in (SOURCE, INITIAL_SOURCE) if own.get(key)]
        if name != but and any(reading.resolved.get(each, each) in places for each in used):
            return name
    return ""
