# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Why a machine is no candidate for a VM, whatever is free on it: said before anything is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Optional

from ..errors import Conflict, Invalid, NotFound, TenantryError, Unreachable, Unsupported
from ..units import is_true
from ..vm.images import find_images
from .candidates import HostLabels
from .demand import Demand
from .room import HostLedger, MachineLedger


@dataclasses.dataclass(frozen=True)
class Objection:
    """One reason, and the error that it is where nothing else is left."""

    text: str
    error: type[TenantryError]
    hint: str = ""


def find_host_objection(ask: Demand, book: HostLedger, several: bool) -> Optional[Objection]:
    """The problem of a whole VM host; None: nothing. `several`: there are other VM hosts to choose from."""
    host = book.host
    text = ask.filters.against(HostLabels(host.name, host.zone, host.pool, host.tags))
    if text:
        return Objection(text, NotFound, "widen zone, pool or host_tags")
    if book.wrong is not None:
        return Objection(book.wrong.message.split(": ", 1)[-1], Invalid, book.wrong.hint)
    if host.unread:
        return None
    if ask.target and ask.at is None and not host.server.clustered:
        return Objection("target: it is not a cluster", Invalid, "leave target out")
    return _limited(ask, book) or (_lacking(ask, book) if several else None)


def _limited(ask: Demand, book: HostLedger) -> Optional[Objection]:
    """What LXD can't count under a limit of the project, it refuses."""
    config = book.host.project.config
    if config.get("limits.cpu") and (ask.pinned or ask.pinning):
        return Objection(
            "pinned_cores: the project has limits.cpu, under which LXD takes no pinned cores",
            Unsupported,
            "set cores; or let the admin take cpu out of vmhost_enforce (enforce of lxd_vmhost) and limits.cpu off the "
            "project: then the ratio holds only when VMs are planned",
        )
    if config.get("limits.memory") and ask.percent:
        return Objection(
            "memory: the project has limits.memory, under which LXD takes no percentage",
            Unsupported,
            "set memory to a size, such as 2GiB",
        )
    return None


def _lacking(ask: Demand, book: HostLedger) -> Optional[Objection]:
    """What a VM refers to; where there is one VM host only, its plan says it with the device it is about."""
    listings = book.host.listings
    networks = {each.name for each in listings.networks if each.managed} if listings else ask.networks
    for network in sorted(ask.networks - networks):
        return Objection(f"has no network {network}", NotFound, "choose a network that the project may use")
    if listings and ask.image and not find_images(ask.image, listings.images):
        return Objection(f"has no image {ask.image}", NotFound, "choose an image that exists, or one with its server")
    pools = [each.name for each in listings.pools] if listings else book.pools
    for pool in sorted({name or "" for name in ask.disks}):
        if pool and pools and pool not in pools:
            return Objection(f"has no storage pool {pool}", NotFound, "choose a storage pool that exists")
        if not pool and book.default_pool is None and (pools or book.known):
            return Objection("has no default_storage_pool", Invalid, "set storage_pool or default_storage_pool")
    return None


def find_machine_objection(ask: Demand, place: MachineLedger) -> Optional[Objection]:
    """The problem of one machine of a VM host; None: nothing."""
    if place.room is None:
        return None
    for check in (_member, _machine, _cores, _pools):
        found = check(ask, place)
        if found is not None:
            return found
    return None


def is_requested(ask: Demand, place: MachineLedger) -> bool:
    """Whether the machine is one of those that the VM may be on at all: its own, or its target."""
    if place.room is None:
        return True
    if ask.at is not None:
        return ask.at[1] == place.member or not place.book.host.server.clustered
    if not ask.target:
        return True
    if ask.target.startswith("@"):
        return ask.target[1:] in place.room.machine.groups
    return ask.target == place.member


def target_not_found(ask: Demand, book: HostLedger) -> Objection:
    """None of the machines of a cluster is asked."""
    members = [place.member for place in book.places]
    groups = sorted({group for place in book.places if place.room for group in place.room.machine.groups})
    if ask.at is not None:
        return Objection(
            f"it is on {ask.at[1]}, which isn't a member", Unreachable, "run again when the member is back"
        )
    if (ask.target or "").startswith("@"):
        return Objection(
            f"target: no member is in {ask.target}", NotFound, f"groups there: {', '.join(groups) or 'none'}"
        )
    return Objection(f"target: it has no member {ask.target}", NotFound, f"members: {', '.join(members)}")


def _member(ask: Demand, place: MachineLedger) -> Optional[Objection]:
    machine = place.room.machine if place.room else None
    if machine is None:
        return None
    status = machine.status or "Online"
    if status.lower() == "evacuated":
        stays = ask.at is not None and place.room is not None and place.room.known
        return None if stays else Objection("is evacuated", Conflict, "restore the member, or choose another target")
    if status.lower() != "online" or (place.room and not place.room.known):
        said = "doesn't answer" if status.lower() == "online" else f"is {status.lower()}"
        return Objection(said, Unreachable, "run again when the member is back, or choose another target")
    config = place.book.host.project.config
    allowed = {name.strip() for name in (config.get("restricted.cluster.groups") or "").split(",") if name.strip()}
    if allowed and ask.at is None and is_true(config.get("restricted")) and not allowed & machine.groups:
        return Objection("is in no cluster group of the project", NotFound, f"groups: {', '.join(sorted(allowed))}")
    return None


def _machine(ask: Demand, place: MachineLedger) -> Optional[Objection]:
    machine = place.room.machine if place.room else None
    architecture = machine.architecture if machine else ""
    known = {architecture} if architecture else set(place.book.host.server.architectures)
    if ask.architecture and known and ask.architecture not in known:
        return Objection(f"is {', '.join(sorted(known))}, not {ask.architecture}", NotFound, "choose another VM host")
    if ask.hugepages and place.room and not place.room.hugepages.total:
        return Objection(
            "hugepages: it has none",
            Unsupported,
            "the admin sets some aside with the kernel's vm.nr_hugepages; or leave hugepages out",
        )
    return None


def _cores(ask: Demand, place: MachineLedger) -> Optional[Objection]:
    nodes = {node.number: node.cores for node in place.room.nodes} if place.room else {}
    there = sorted(core for cores in nodes.values() for core in cores)
    missing = sorted(set(ask.pinned) - set(there))
    if missing:
        what = f"core{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))}"
        return Objection(f"pinned_cores: it has no {what}", Invalid, f"cores there: {_range(there)}")
    said = ask.pinning
    lost = sorted((set(ask.numa_nodes) | ({said.node} if said and said.node is not None else set())) - set(nodes))
    if lost:
        return Objection(
            f"it has no NUMA node {', '.join(map(str, lost))}", Invalid, f"NUMA nodes there: {_range(sorted(nodes))}"
        )
    if said is None:
        return None
    have = len(there) if said.node is None else len(nodes[said.node])
    where = "" if said.node is None else f" on NUMA node {said.node}"
    if have < said.count:
        return Objection(f"pinned_cores: {said.count} asked, it has {have}{where}", Invalid, "ask for fewer")
    return None


def _pools(ask: Demand, place: MachineLedger) -> Optional[Objection]:
    for pool in sorted({name or place.default_pool or "" for name in ask.disks}):
        space = place.room.pools.get(pool) if place.room else None
        if space is not None and space.status and space.status not in ("Created", "Pending"):
            return Objection(f"storage pool {pool} is {space.status.lower()}", Unreachable, "ask the admin to fix it")
    return None


def _range(numbers: Sequence[int]) -> str:
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers)) or "none"
