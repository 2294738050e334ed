# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands in the way of a declaration on the server that was found: everything, before the first write."""

from __future__ import annotations

from collections.abc import Iterator

from . import devices, server_settings
from .errors import Conflict, Invalid, TenantryError, Unsupported
from .server import Wanted
from .server_found import Found, FoundPart
from .server_parts import POOL, Part
from .server_pools import FIXED_KEYS, SIZE, SOURCE, WantedPool, is_device

_WHOLE = ("Created", "")


def check(wanted: Wanted, parts: list[Part], found: Found) -> None:
    """Raise everything that stands in the way as one error of the first one's kind."""
    refused = [*_of_settings(wanted, found), *(error for part in parts for error in _of_part(part, found))]
    if not refused:
        return
    hints = " ".join(dict.fromkeys(f"{error.hint}." for error in refused if error.hint)).rstrip(".")
    message = " -- ".join(error.message for error in refused)
    raise type(refused[0])(message, hints, problems=[str(error) for error in refused])


def _of_settings(wanted: Wanted, found: Found) -> Iterator[TenantryError]:
    said = wanted.config.get(server_settings.HTTPS_ADDRESS)
    if found.obstacle:
        # LXD would keep an address that it can't listen on.
        yield Invalid(
            f"https_address: {said}: {found.obstacle}", "write an address and a port that are free on the host"
        )


def _of_part(part: Part, found: Found) -> Iterator[TenantryError]:
    strangers = sorted(set(part.wanted.members) - set(found.members))
    if strangers and not found.unread:
        have = f"its members are {', '.join(found.members)}" if found.members else "it isn't clustered"
        yield Invalid(f"{part.title}: members: {', '.join(strangers)}: {have}", "write names of members")
    there = part.found
    if there is not None and not there.managed:
        yield Conflict(
            f"{part.title}: the host has an interface of that name that LXD doesn't manage",
            "choose another name; VMs use such an interface as a parent",
        )
        return
    if there is not None:
        yield from _of_existing(part, there, found)
    if part.kind is POOL and isinstance(part.wanted, WantedPool) and (there is None or part.begun):
        yield from _of_new_pool(part.wanted, found)


def _of_existing(part: Part, there: FoundPart, found: Found) -> Iterator[TenantryError]:
    if there.kind != part.said:
        yield Conflict(
            f"{part.title}: it exists with {part.kind.field} {there.kind}, not {part.said}",
            "choose another name; what exists is never made anew",
        )
        return
    if there.status not in _WHOLE and not part.begun:
        yield Conflict(f"{part.title}: LXD says that it is {there.status}", "put it right on the server, or delete it")
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
                    "choose another name; what exists is never made anew",
                )
        if SIZE in wants and not found.server.has("storage_pool_loop_resize"):
            yield Unsupported(f"{where}: this LXD can't change the size of a pool", "leave size as it is")


def _of_new_pool(pool: WantedPool, found: Found) -> Iterator[TenantryError]:
    for member in found.members or ("",):
        source = pool.on(member).get(SOURCE)
        if not is_device(source):
            continue
        what = f"storage pool {pool.name}: {source}"
        if member and member != found.here:
            if pool.wipe and not found.server.has("storage_pool_source_wipe"):
                yield Unsupported(f"{what} on {member}: this LXD can't wipe it", "wipe it there, and leave wipe out")
            continue
        device = found.devices.get(str(source))
        refused = devices.refusal(device, pool.wipe) if device else ""
        if refused:
            yield Conflict(f"{what}: {refused}", "name an empty disk or partition")
