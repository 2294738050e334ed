# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The VMs of a task on their way to a VM host: said, found, or still to be placed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Optional

from ..errors import TenantryError
from ..vm.host import VmHostReading
from ..vm.spec import VmSpec
from .candidates import HostFilters
from .demand import Demand, compute_demand
from .pinning import apply_pinning
from .search import PlacementChoice, place_vms


@dataclasses.dataclass(frozen=True)
class Assignment:
    """One VM of the task. `host` is None until it is known; it may then be made on one of `free`.

    `reason`: why there. `against`: the problems of other VM hosts, each reason with their names.
    """

    wanted: VmSpec
    host: Optional[str] = None
    reason: str = ""
    free: tuple[str, ...] = ()
    against: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)

    @property
    def group(self) -> str:
        """The group of its changes, and the name of its failure."""
        return f"{self.host or ''}/{self.wanted.name}"

    def places(self, hosts: Mapping[str, VmHostReading]) -> tuple[str, ...]:
        """Where it is or is declared to be, or where it may be made, as far as that could be read."""
        names = self.free if self.host is None else (self.host,)
        return tuple(name for name in names if name in hosts and not hosts[name].unread)

    def asks(self, hosts: Mapping[str, VmHostReading]) -> tuple[str, ...]:
        """The hosts to look for room on: where it would be made, or grow; none where it stays as it is."""
        names = self.places(hosts)
        return names if compute_demand("", self.wanted, [hosts[name] for name in names]) is not None else ()


@dataclasses.dataclass(frozen=True)
class AssignmentResult:
    """The VMs that have a host now, in their order, and by name those that are refused."""

    sited: list[Assignment]
    refused: list[tuple[str, TenantryError]]


def assign_hosts(sited: Sequence[Assignment], hosts: Mapping[str, VmHostReading], strategy: str) -> AssignmentResult:
    """A host for every VM, chosen over all of them together; where any is refused, nothing should be written."""
    keys = {host.name: key for key, host in hosts.items()}
    asks: list[Demand] = []
    filters: dict[tuple[str, ...], HostFilters] = {}
    for index, each in enumerate(sited):
        ask = _ask(str(index), each, hosts, filters)
        if ask is not None:
            asks.append(ask)
    asked = {name for ask in asks for name in ask.filters.vmhosts or ()}
    found = place_vms(asks, [host for host in hosts.values() if host.name in asked], strategy)
    return AssignmentResult(
        [
            _assign_choice(each, found.chosen.get(str(index)), keys, hosts)
            for index, each in enumerate(sited)
            if str(index) not in found.refused
        ],
        [(sited[int(key)].wanted.name, error) for key, error in found.refused.items()],
    )


def _ask(
    key: str, one: Assignment, hosts: Mapping[str, VmHostReading], filters: dict[tuple[str, ...], HostFilters]
) -> Optional[Demand]:
    names = one.places(hosts)
    if names not in filters:
        filters[names] = HostFilters(vmhosts=tuple(sorted(hosts[name].name for name in names)))
    return compute_demand(key, one.wanted, [hosts[name] for name in names], filters[names])


def _assign_choice(
    one: Assignment, choice: Optional[PlacementChoice], keys: Mapping[str, str], hosts: Mapping[str, VmHostReading]
) -> Assignment:
    """The VM with its host. In check mode there may be none to choose from: earlier tasks would have made them."""
    if choice is None:
        if one.host is None and one.free:
            one = dataclasses.replace(one, host=one.free[0], reason="of several that can't be read yet, the first")
        return _pinned(one, (), hosts)
    if one.host is None:
        more = {reason: list(names) for reason, names in choice.against.items()}
        target = choice.member or one.wanted.target
        wanted = dataclasses.replace(one.wanted, target=target)
        both = {**one.against, **more}
        one = Assignment(wanted, keys[choice.host], choice.reason, (), both)
    elif choice.member and one.host in hosts and one.wanted.name not in hosts[one.host].instances:
        one = dataclasses.replace(one, wanted=dataclasses.replace(one.wanted, target=choice.member))
    if choice.cores:
        one = dataclasses.replace(one, reason=choice.reason)
    return _pinned(one, choice.cores, hosts)


def _pinned(one: Assignment, cores: Sequence[int], hosts: Mapping[str, VmHostReading]) -> Assignment:
    host = hosts.get(one.host or "") if one.host is not None else None
    instance = host.instances.get(one.wanted.name) if host else None
    return dataclasses.replace(one, wanted=apply_pinning(one.wanted, cores, instance))
