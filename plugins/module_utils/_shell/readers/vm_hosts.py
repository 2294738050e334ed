# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The VM hosts of one compose run: opened once, read side by side, and no deeper than their VMs need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from ..._access import targets
from ..._access.descriptors import raise_open_file_limit
from ..._core import errors
from ..._core.model import Instance, Project, Server
from ..._core.placement.candidates import HostLabels
from ..._core.vm.host import VmHostListings, VmHostReading, find_reading_needs
from ..._core.vm.spec import VmSpec
from ..._core.vmhost.found import find_pools_with_volumes
from ..._core.vmhost.overcommit import find_ratios_in_force
from ..._lxd import operations, promised
from ..._lxd.machines import read_machines
from ..._lxd.port import Answer, Port
from ..._lxd.reader import Reader

# Without these a VM can't be composed as this module documents; every LXD since 5.0.0 has them.
_NEEDED = ("virtual-machines", "projects", "custom_block_volumes", "cloud_init")

# How long another run's create of the same VM may take before we stop waiting for its end.
_OTHERS_CREATE = 300

# Reading is waiting for the network, until the controller's own cores are busy with TLS and JSON.
_READERS = 32


@dataclasses.dataclass
class OpenVmHost:
    """One VM host of this run: whom to ask, what it answered, and why it didn't."""

    target: targets.Target
    names: set[str] = dataclasses.field(default_factory=set)
    port: Optional[Port] = None
    host: Optional[VmHostReading] = None
    refused: Optional[errors.TenantryError] = None


class VmHostFleet:
    """The VM hosts that the VMs of one task are on, or may be on."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._rows = {row["name"]: row for row in params.get("_connections") or ()}
        self.opened: dict[str, OpenVmHost] = {}
        self.missing: list[errors.TenantryError] = []

    def labels(self) -> list[HostLabels]:
        """What the registry says of each of its VM hosts."""
        return [
            HostLabels(name, entry.get("zone"), entry.get("pool"), frozenset(entry.get("tags") or ()))
            for name, entry in ((name, row.get("entry") or {}) for name, row in self._rows.items())
        ]

    def open(self, name: str) -> OpenVmHost:
        """A VM host by its name in the registry, or the one that the task's url says; nothing is sent yet."""
        if name not in self.opened:
            self.opened[name] = OpenVmHost(self._target(name))
        return self.opened[name]

    def _target(self, name: str) -> targets.Target:
        if not name or (self._params.get("url") and name == self._params.get("vmhost")):
            return targets.parse_target(self._params)
        try:
            return targets.parse_row_target(self._rows.get(name, {"name": name}), self._params)
        except errors.NotFound as missing:
            return targets.build_absent_target(name, self._params, missing)

    @property
    def hosts(self) -> dict[str, VmHostReading]:
        """Every VM host that could be read, and in check mode those that an earlier task would have made."""
        return {name: opened.host for name, opened in self.opened.items() if opened.host is not None}

    @property
    def silent(self) -> dict[str, errors.TenantryError]:
        """The VM hosts that gave no answer, and how."""
        return {name: opened.refused for name, opened in self.opened.items() if opened.refused is not None}

    @property
    def moving(self) -> dict[str, errors.TenantryError]:
        """The clusters that move a VM just now: one that isn't listed may be the copy that is on its way."""
        return {
            name: errors.Unreachable(f"{host.name}: LXD moves a VM to another member", "run again when it is there")
            for name, host in self.hosts.items()
            if any(instance.is_move_copy for instance in host.instances.values())
        }

    def read(self) -> None:
        """The server, the project and its instances, of all hosts: at most three requests each."""
        self.missing = []
        raise_open_file_limit(len(self.opened))
        self._all(self.opened, lambda _name, opened: self._read(opened))

    def look_closer(self, names: Iterable[str]) -> None:
        """What these hosts have to place VMs on, and what a new VM may refer to."""
        self._all(names, lambda _name, opened: _update(opened, _with_room))

    def read_needed(self, wanted: Mapping[str, Collection[VmSpec]]) -> None:
        """What else the plans of these VMs, by host, are made from."""
        self._all(
            wanted, lambda name, opened: _update(opened, lambda reader, host: _with_needed(reader, host, wanted[name]))
        )

    def read_again(self, wanted: Mapping[str, Collection[VmSpec]]) -> None:
        """These hosts, with their VMs, as they are now; one that went away in the middle stays as it was last seen."""
        self._all(wanted, lambda name, opened: _again(opened, wanted[name]))

    def _all(self, names: Iterable[str], each: Callable[[str, OpenVmHost], None]) -> None:
        asked = list(names)
        if len(asked) < 2:
            for name in asked:
                each(name, self.opened[name])
            return
        with ThreadPoolExecutor(max_workers=min(_READERS, len(asked))) as readers:
            list(readers.map(each, asked, [self.opened[name] for name in asked]))

    def _read(self, opened: OpenVmHost) -> None:
        target, opened.refused = opened.target, None
        try:
            if target.missing is not None:
                raise target.missing
            if not target.owner or not target.project:
                lacking = "project" if target.owner else "owner"
                raise errors.Invalid(f"{target.name}: no {lacking} is set", f"set {lacking}, or register the VM host")
            if opened.port is None:
                opened.port = targets.open_trusted(target)
            opened.host = _read_host(opened)
        except (errors.NotFound, errors.NotTrusted) as missing:
            if "fingerprint" in missing.details:
                # A server that isn't the pinned one stays so, whatever earlier tasks do.
                raise
            self.missing.append(missing)
            opened.host = _predict_host(target)
        except errors.Unreachable as silence:
            opened.host, opened.refused = None, silence

    def close(self) -> None:
        """Give connections back."""
        for opened in self.opened.values():
            if opened.port:
                opened.port.close()


def _update(opened: OpenVmHost, more: Callable[[Reader, VmHostReading], VmHostReading]) -> None:
    if opened.host is None or opened.host.unread or opened.port is None:
        return
    try:
        opened.host = more(Reader(opened.port), opened.host)
    except errors.Unreachable as silence:
        opened.host, opened.refused = None, silence


def _again(opened: OpenVmHost, wanted: Collection[VmSpec]) -> None:
    if opened.host is None or opened.host.unread or opened.port is None:
        return
    reader = Reader(opened.port)
    try:
        found = {instance.name: instance for instance in reader.instances(opened.host.project.name)}
        # What was read of volumes and addresses is of a moment ago.
        as_now = dataclasses.replace(opened.host, instances=found, volumes={}, read_pools=frozenset(), addresses={})
        opened.host = _with_needed(reader, as_now, wanted)
    except errors.TenantryError:
        # The host went away in the middle: what was read before is the last that is known.
        return


def _read_host(opened: OpenVmHost) -> VmHostReading:
    port, target = opened.port, opened.target
    if port is None or not target.project:
        raise errors.Unreachable(f"{target.name}: not connected", "run again")
    missing = [name for name in _NEEDED if not port.server.has(name)]
    if missing:
        raise errors.Unsupported(
            f"{target.name}: LXD {port.server.version} lacks the API extension {missing[0]}",
            "LXD 5.0 or newer, or Incus, is needed",
        )
    reader = Reader(port)
    project = _read_own_project(reader, target, target.project)
    entry = target.entry
    return VmHostReading(
        name=target.name,
        owner=target.owner or "",
        project=project,
        server=port.server,
        instances=_read_instances(port, reader, opened),
        volumes={},
        default_storage_pool=entry.default_storage_pool if entry else None,
        default_network=entry.default_network if entry else None,
        ratios=find_ratios_in_force(project.config, dataclasses.asdict(entry) if entry else {}),
        zone=entry.zone if entry else None,
        pool=entry.pool if entry else None,
        tags=frozenset(entry.tags if entry else ()),
    )


def _read_own_project(reader: Reader, target: targets.Target, name: str) -> Project:
    project = reader.project(name)
    if project is None:
        raise errors.NotFound(f"{target.name}: project {name} is not there", "make it with tenantry.lxd.lxd_project")
    if project.owner != target.owner:
        whose = f"belongs to {project.owner}" if project.owner else "carries no owner's mark"
        raise errors.NotOwned(
            f"{target.name}: project {name} {whose}; no VM of {target.owner} is created in it",
            "choose the tenant's own project, or have an administrator hand it over with lxd_project adopt: true",
        )
    return project


def _read_instances(port: Port, reader: Reader, opened: OpenVmHost) -> dict[str, Instance]:
    """The project's instances, once no other run is in the middle of making one of ours."""
    project, owner = opened.target.project or "", opened.target.owner
    instances = {instance.name: instance for instance in reader.instances(project)}
    half = [
        name
        for name in opened.names & set(instances)
        if not instances[name].is_complete and instances[name].owner == owner
    ]
    if not half:
        return instances
    for operation in reader.running_operations(project):
        if any(operation.concerns(name) for name in half):
            try:
                operations.wait_for_operation(port, Answer(None, None, operation.id), _OTHERS_CREATE, ", ".join(half))
            except (errors.OperationFailed, errors.AnswerLost):
                continue
    return {instance.name: instance for instance in reader.instances(project)}


def _with_room(reader: Reader, host: VmHostReading) -> VmHostReading:
    """What a VM host has and what of it is allocated, as the info modules read it: their figures are the same."""
    host = _with_listings(reader, host)
    if host.machines or host.listings is None:
        return host
    found, state = read_machines(reader, host.listings.pools), promised.read_project_usage(reader, host.project)
    host = dataclasses.replace(host, machines=found, state=state)
    return _with_volumes(reader, host, find_pools_with_volumes(host.project, host.instances.values()))


def _with_volumes(reader: Reader, host: VmHostReading, pools: Iterable[str]) -> VmHostReading:
    """The custom volumes of these storage pools too; each is read once."""
    unread = set(pools) - host.read_pools
    volumes = {**host.volumes, **promised.read_volumes(reader, host.project.name, unread)}
    return dataclasses.replace(host, volumes=volumes, read_pools=host.read_pools | unread)


def _with_listings(reader: Reader, host: VmHostReading) -> VmHostReading:
    if host.listings is not None:
        return host
    project = host.project.name
    listings = VmHostListings(
        networks=tuple(reader.networks(project)),
        pools=tuple(reader.pools()),
        profiles={body["name"]: body for body in reader.profiles(project)},
        images=tuple(reader.images(project)),
    )
    return dataclasses.replace(host, listings=listings)


def _with_needed(reader: Reader, host: VmHostReading, wanted: Collection[VmSpec]) -> VmHostReading:
    need = find_reading_needs(list(wanted), host)
    if need.listings:
        host = _with_listings(reader, host)
    listings, pools = host.listings, need.pools
    further = any(not disk.root for each in wanted for disk in each.disks or ())
    if pools is None or (further and listings and len(listings.pools) == 1):
        # With a single pool a disk needs no word about it.
        pools = frozenset(pool.name for pool in (listings.pools if listings else reader.pools()))
    host = _with_volumes(reader, host, pools)
    unread = sorted(need.addressed - set(host.addresses))
    addresses = {name: reader.network_addresses(host.project.name, name) for name in unread}
    return dataclasses.replace(host, addresses={**host.addresses, **addresses})


def _predict_host(target: targets.Target) -> VmHostReading:
    project = Project(target.project or "", "", {}, ())
    return VmHostReading(target.name, target.owner or "", project, Server.from_api({}), {}, {}, unread=True)
