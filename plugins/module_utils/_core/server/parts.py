# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Making and changing one storage pool or network: in one step, and on a cluster member by member."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Optional

from .. import units
from ..plan import Change, Request
from . import networks as server_networks
from .found import BEGUN, MADE, PartReading, ServerReading
from .networks import NetworkSpec
from .pools import WIPE, WIPES, PoolSpec
from .settings import mask_secrets

Values = Mapping[str, Optional[str]]

# Formatting a large disk, or the first bridge of a machine, takes its time.
_DEADLINE = 600


@dataclasses.dataclass(frozen=True)
class Kind:
    """What storage pools and networks differ in. `field`: how LXD calls what kind it is."""

    noun: str
    path: str
    field: str
    changes: Callable[[Values, Mapping[str, str]], dict[str, Optional[str]]]


def _pool_changes(wanted: Values, found: Mapping[str, str]) -> dict[str, str | None]:
    return {key: value for key, value in wanted.items() if not units.is_same_value(key, value, found.get(key))}


POOL = Kind("storage pool", "storage-pools", "driver", _pool_changes)
NETWORK = Kind("network", "networks", "type", server_networks.changes)


@dataclasses.dataclass(frozen=True)
class Part:
    """One storage pool or network as wanted, and as found where it is there."""

    kind: Kind
    wanted: PoolSpec | NetworkSpec
    found: PartReading | None

    @property
    def driver_or_type(self) -> str:
        """Its driver or type."""
        return self.wanted.driver if isinstance(self.wanted, PoolSpec) else self.wanted.type

    @property
    def title(self) -> str:
        """What it is and how it is called."""
        return f"{self.kind.noun} {self.wanted.name}"

    @property
    def begun(self) -> bool:
        """Whether a cluster knows of it and some members don't have it yet: LXD goes on where it stopped."""
        return self.found is not None and self.found.status in BEGUN

    @property
    def stored(self) -> dict[str, str]:
        """Of one that is begun, what LXD has already for all members."""
        config = self.found.config if self.found else {}
        return {key: value for key, value in config.items() if key not in self.wanted.MEMBER_KEYS}

    @property
    def tried(self) -> bool:
        """Whether LXD began to make it, which didn't end well on every member: it takes nothing for all then."""
        return self.found is not None and (self.found.status == "Errored" or bool(self.stored))

    def made_on(self, member: str) -> bool:
        """Whether that member has it, whatever the others have."""
        return self.found is not None and member in self.found.on and self.found.on[member].status in MADE

    def known_on(self, member: str) -> bool:
        """Whether that member was told what it is to have of its own."""
        return self.found is not None and member in self.found.locations

    def differing(self, member: str = "") -> dict[str, str | None]:
        """The keys to change, on one member or, without one, those that are the same on all (or on the only server)."""
        if self.found is None:
            return {}
        if member:
            there = self.found.on[member].config if member in self.found.on else {}
            return self.kind.changes(self.wanted.on(member), there)
        return self.kind.changes(self.wanted.common if self.found.on else self.wanted.config, self.found.config)


def plan_part(part: Part, reading: ServerReading, host: str) -> list[Change]:
    """What makes it as wanted; nothing where it is."""
    if part.found is None or part.begun:
        finished = _finish(part, host) if part.tried else None
        return [_create(part, reading, host), *([finished] if finished else [])]
    shared = _change(part, host)
    own = [_change_of_member(part, member, host) for member in part.found.on if part.differing(member)]
    return [*([shared] if shared else []), *own]


def _create(part: Part, reading: ServerReading, host: str) -> Change:
    path, name, wanted, members = (part.kind.path,), part.wanted.name, part.wanted, reading.members
    head = {"name": name, part.kind.field: part.driver_or_type}
    own = {member: {**_without_nulls(wanted.on(member)), **_wipe(part, member, reading)} for member in members}
    begin = tuple(
        Request("POST", path, params={"target": member}, body={**head, "config": config})
        for member, config in own.items()
        if not part.known_on(member)
    )
    config = {} if part.tried else _without_nulls(wanted.common if members or part.found else wanted.config)
    body = {**head, "description": wanted.description or "", "config": config}
    end = Request("POST", path, body=body, creates=(*path, name), deadline=_DEADLINE, slow=True)
    after = {
        part.kind.field: part.driver_or_type,
        "description": wanted.description or "",
        "config": mask_secrets(config),
    }
    if members:
        after["members"] = {member: mask_secrets(config) for member, config in own.items()}
    lost = ", ".join(f"wipes {each}" for each in wiped_elsewhere(part, reading))
    return Change("create", part.kind.noun, name, (*begin, end), after=after, detail=lost, host=host)


def _wipe(part: Part, member: str, reading: ServerReading) -> dict[str, str]:
    """LXD wipes where we can't: the device of the member that runs here is read, and wiped, before."""
    wiped = isinstance(part.wanted, PoolSpec) and part.wanted.wipe and part.wanted.device(member)
    return {WIPE: "true"} if wiped and member != reading.here and reading.server.has(WIPES) else {}


def wiped_elsewhere(part: Part, reading: ServerReading) -> list[str]:
    """The devices of other members that lose what they hold, by where they are."""
    if not isinstance(part.wanted, PoolSpec) or not part.wanted.wipe:
        return []
    members = [member for member in reading.members if member != reading.here and not part.known_on(member)]
    devices = {member: part.wanted.device(member) for member in members}
    return [f"{device} on {member}" for member, device in devices.items() if device]


def _finish(part: Part, host: str) -> Change | None:
    """What LXD began with for all members is changed once it is there, if nobody else has changed it by then."""
    begun = part.found
    keys = part.kind.changes(part.wanted.common, part.stored)
    if begun is None or not keys:
        return None
    config = merge_values(begun.config, keys)
    body = {"description": begun.description, "config": config}
    step = Request(
        "PUT",
        (part.kind.path, begun.name),
        body=body,
        expect={"config": dict(begun.config)},
        deadline=_DEADLINE,
        slow=True,
    )
    before, after = {"config": mask_secrets(begun.config)}, {"config": mask_secrets(config)}
    detail = ", ".join(sorted(keys))
    return Change("change", part.kind.noun, begun.name, (step,), before, after, detail=detail, host=host)


def _change(part: Part, host: str) -> Change | None:
    found = part.found
    if found is None:
        return None
    keys = part.differing()
    description = found.description if part.wanted.description is None else part.wanted.description
    if not keys and description == found.description:
        return None
    config = merge_values(found.config, keys)
    body = {"description": description, "config": config}
    before: dict[str, Any] = {"description": found.description, "config": mask_secrets(found.config)}
    after = {**body, "config": mask_secrets(config)}
    path = (part.kind.path, found.name)
    step = Request("PUT", path, body=body, etag=found.etag, deadline=_DEADLINE, slow=True)
    detail = ", ".join([*sorted(keys), *(["description"] if description != found.description else [])])
    return Change("change", part.kind.noun, found.name, (step,), before, after, detail=detail, host=host)


def _change_of_member(part: Part, member: str, host: str) -> Change:
    """LXD takes a member's own keys by themselves, and only those."""
    there = part.found.on[member] if part.found else None
    config = {key: value for key, value in (there.config if there else {}).items() if key in part.wanted.MEMBER_KEYS}
    keys = part.differing(member)
    body = {"config": merge_values(config, keys)}
    step = Request(
        "PUT",
        (part.kind.path, part.wanted.name),
        params={"target": member},
        body=body,
        etag=there.etag if there else None,
        deadline=_DEADLINE,
        slow=True,
    )
    before, after = {"config": mask_secrets(config)}, {"config": mask_secrets(body["config"])}
    name, detail = f"{part.wanted.name} on {member}", ", ".join(sorted(keys))
    return Change("change", part.kind.noun, name, (step,), before, after, detail=detail, host=host)


def merge_values(found: Mapping[str, str], keys: Values) -> dict[str, str]:
    """A config with its changes: everything else stays as it is."""
    return _without_nulls({**found, **keys})


def _without_nulls(config: Values) -> dict[str, str]:
    return {key: value for key, value in sorted(config.items()) if value is not None}
