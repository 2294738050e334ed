# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which VM hosts a VM may be on when its task doesn't say one, and where it is already."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Optional

from .. import units
from ..errors import Conflict, Invalid, TenantryError, Unreachable
from ..vm.host import VmHostReading


@dataclasses.dataclass(frozen=True)
class HostLabels:
    """What the registry says of a VM host, to choose hosts by; `name` is the registry's."""

    name: str
    zone: Optional[str] = None
    pool: Optional[str] = None
    tags: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class HostFilters:
    """What the task says of the VM hosts it is for; None is not set. Every tag must be there."""

    vmhosts: Optional[tuple[str, ...]] = None
    pool: Optional[str] = None
    zone: Optional[str] = None
    tags: frozenset[str] = frozenset()

    def against(self, host: HostLabels) -> str:
        """Why a VM host of the registry is no candidate; empty where it is one."""
        if self.vmhosts is not None and host.name not in self.vmhosts:
            return "not in vmhosts"
        if self.zone is not None and host.zone != self.zone:
            return f"zone is {host.zone or 'not set'}, not {self.zone}"
        if self.pool is not None and host.pool != self.pool:
            return f"pool is {host.pool or 'not set'}, not {self.pool}"
        lacking = sorted(self.tags - host.tags)
        return f"lacks the tag {', '.join(lacking)}" if lacking else ""


@dataclasses.dataclass(frozen=True)
class CandidateHosts:
    """The names of the VM hosts that fit, in order, and the reasons against each other one."""

    names: tuple[str, ...]
    against: Mapping[str, str]


def find_candidates(registry: Iterable[HostLabels], filters: HostFilters) -> CandidateHosts:
    """The VM hosts that a VM without a said one may be on; raises Invalid where none fits.

    A host that the task names and the registry lacks is kept: whoever reads it says so.
    """
    known = {host.name: host for host in registry}
    unknown = [name for name in filters.vmhosts or () if name not in known]
    against = {name: filters.against(host) for name, host in known.items()}
    names = tuple(sorted({*unknown, *(name for name, reason in against.items() if not reason)}))
    if not names:
        reasons = "; ".join(
            f"{units.shorten(those, 5)}: {reason}" for reason, those in group_by_reason(against).items()
        )
        raise Invalid(
            f"no VM host matches vmhosts, zone, pool and host_tags: {reasons or 'the registry is empty'}",
            "set vmhost, or widen zone, pool or host_tags",
        )
    return CandidateHosts(names, {name: reason for name, reason in against.items() if reason})


@dataclasses.dataclass(frozen=True)
class Whereabouts:
    """Where a VM without a said host is: on `host`, or on none, and then it may be made on one of `free`."""

    host: Optional[str] = None
    free: tuple[str, ...] = ()
    taken: Mapping[str, str] = dataclasses.field(default_factory=dict)


def locate_vm(
    name: str,
    names: Sequence[str],
    hosts: Mapping[str, VmHostReading],
    unread: Mapping[str, TenantryError],
    ignore: bool,
) -> Whereabouts:
    """Find a VM among its candidates; `unread`: those that could not be read, and why.

    Raises Conflict where two of them have it as ours, and Unreachable where none has it and one could not be read: it
    might be there. `ignore`: the task takes that risk.
    """
    found = {each: hosts[each].instances[name] for each in names if each in hosts and name in hosts[each].instances}
    ours = [each for each, instance in found.items() if instance.owner == hosts[each].owner or instance.is_unreachable]
    if len(ours) > 1:
        raise Conflict(
            f"VM {name}: it is on {' and on '.join(ours)}",
            "set vmhost, or rename one of them; nothing is moved",
        )
    if ours:
        return Whereabouts(host=ours[0])
    silent = [each for each in names if each in unread]
    if silent and not ignore:
        raise Unreachable(
            f"VM {name}: it may be on {', '.join(silent)}, which can't be read: {unread[silent[0]].message}",
            "run again when it answers, set vmhost, or risk a second VM with ignore_unreachable_hosts: true",
        )
    taken = dict.fromkeys(found, "an instance of that name exists and is not managed")
    return Whereabouts(free=tuple(each for each in names if each in hosts and each not in found), taken=taken)


def check_elsewhere(name: str, said: str, names: Collection[str], hosts: Mapping[str, VmHostReading]) -> None:
    """Raise Conflict where a VM that is declared to be on one host is ours on another candidate of the task."""
    for other in sorted(names):
        instance = hosts[other].instances.get(name) if other in hosts and other != said else None
        if instance is not None and instance.owner == hosts[other].owner:
            raise Conflict(
                f"VM {name}: its vmhost is {said}, and it is on {other}",
                "set vmhost to where it is, or rename the VM; nothing is moved",
            )


def group_by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Reasons by host turned into hosts by reason: many hosts, few reasons."""
    turned: dict[str, list[str]] = {}
    for name, reason in sorted(reasons.items()):
        turned.setdefault(reason, []).append(name)
    return turned
