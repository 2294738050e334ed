# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Composing: which hosts to read for which VMs, one plan over all of them, and what became of each VM."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from .._core import errors, view, vm, vm_plan
from .._core.model import Instance, Project, Server
from .._core.plan import Change, Plan
from .._core.vm_host import Host, Listings, needs
from .._lxd import operations
from .._lxd.port import Answer, Port
from .._lxd.reader import Reader
from . import targets
from .carry_out import Means, Outcome

# Without these a VM can't be composed as this module promises; every LXD since 5.0.0 has them.
_NEEDED = ("virtual-machines", "projects", "custom_block_volumes", "cloud_init")

# How long another run's create of the same VM may take before we stop waiting for its end.
_OTHERS_CREATE = 300


@dataclasses.dataclass
class _Open:
    """One VM host of this run: whom to ask, and what was asked last."""

    target: targets.Target
    wanted: list[vm.Wanted]
    port: Optional[Port] = None
    host: Optional[Host] = None


class ComposeJob:
    """The VMs of one task, over any number of VM hosts."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        for option in ("stop_timeout", "concurrency"):
            if params[option] < 1:
                raise errors.Invalid(f"{option}: {params[option]} is too few", "1 or more")
        self._policy = vm_plan.Policy(params["allow_restart"], params["stop_timeout"], params["force_stop"])
        self._hosts: dict[str, _Open] = {}
        self._order: list[tuple[str, str]] = []
        self._missing: list[errors.TenantryError] = []
        self._opened = False

    def plan(self) -> Plan:
        """Read every host that a VM is on, side by side, and plan all VMs before the first is touched."""
        if not self._opened:
            self._open()
        self._missing = []
        with ThreadPoolExecutor(max_workers=max(1, len(self._hosts))) as readers:
            list(readers.map(self._read, self._hosts.values()))
        changes: list[Change] = []
        waiting: list[Mapping[str, Any]] = []
        failed: list[errors.TenantryError] = []
        for opened in self._hosts.values():
            changes += targets.tightened(opened.target)
            for wanted in opened.wanted:
                try:
                    planned = vm_plan.plan(wanted, _known(opened), self._policy)
                except errors.TenantryError as error:
                    failed.append(error)
                    continue
                changes += planned.changes
                if planned.waiting:
                    waiting.append({"name": wanted.name, "vmhost": opened.target.name, "keys": list(planned.waiting)})
        _raise_all(failed)
        return Plan(tuple(changes), needs_restart=tuple(waiting), unverified=tuple(self._missing))

    def _open(self) -> None:
        failed: list[errors.TenantryError] = []
        for spec in vm.want_all(self._params["vms"], self._params.get("defaults")):
            try:
                wanted = vm.want(spec)
                opened = self._host_for(spec)
                if wanted.name in (other.name for other in opened.wanted):
                    # Once by the task's vmhost and once by its own.
                    raise errors.Invalid(f"vms: {wanted.name} is listed twice", "give each VM one entry")
            except errors.TenantryError as error:
                failed.append(error)
                continue
            opened.wanted.append(wanted)
            self._order.append((opened.target.name, wanted.name))
        _raise_all(failed)
        self._opened = True

    def _host_for(self, spec: Mapping[str, Any]) -> _Open:
        name = spec.get("vmhost") or self._only_host(spec)
        if name not in self._hosts:
            self._hosts[name] = _Open(self._target(name), [])
        return self._hosts[name]

    def _only_host(self, spec: Mapping[str, Any]) -> str:
        if self._params.get("vmhost") or self._params.get("url"):
            return str(self._params.get("vmhost") or "")
        rows = [row["name"] for row in self._params.get("_connections") or ()]
        candidates = list(self._params.get("vmhosts") or rows)
        if len(candidates) == 1:
            return str(candidates[0])
        raise errors.Invalid(
            f"VM {spec.get('name')}: which VM host it is for isn't said",
            f"say vmhost; in the registry: {', '.join(sorted(rows)) or 'none'}",
        )

    def _target(self, name: str) -> targets.Target:
        if not name or (self._params.get("url") and name == self._params.get("vmhost")):
            return targets.target(self._params)
        rows = {row["name"]: row for row in self._params.get("_connections") or ()}
        try:
            return targets.target_of_row(rows.get(name, {"name": name}), self._params)
        except errors.NotFound as missing:
            return targets.absent_target(name, self._params, missing)

    def _read(self, opened: _Open) -> None:
        target = opened.target
        owner = target.owner
        try:
            if target.missing is not None:
                raise target.missing
            if not owner or not target.project:
                lacking = "project" if owner else "owner"
                raise errors.Invalid(f"{target.name}: no {lacking} is said", f"say {lacking}, or register the host")
            if opened.port is None:
                opened.port = targets.trusted(target)
            opened.host = _found(opened, owner, target.project)
        except (errors.NotFound, errors.NotTrusted) as missing:
            if "fingerprint" in missing.details:
                # A server that isn't the pinned one stays so, whatever earlier tasks do.
                raise
            self._missing.append(missing)
            opened.host = _unread(target)

    def means(self) -> Means:
        """A port for each host, and a bounded number of VMs at once on each."""
        ports = {opened.target.name: opened.port for opened in self._hosts.values() if opened.port}
        return Means(ports=ports, workers=self._params["concurrency"] * max(1, len(ports)))

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """Every VM of the task that is or will be there, where it is, and what failed."""
        touched = {change.host for change in (outcome.done if outcome else ())} | {
            name.split("/", 1)[0] for name in (outcome.failed if outcome else ())
        }
        predicted = {} if outcome else _predicted(plan)
        vms = []
        for opened in self._hosts.values():
            if opened.target.name in touched:
                self._read_again(opened)
            vms += [self._view(opened, wanted, predicted) for wanted in opened.wanted]
        by_name = {(each["vmhost"], each["name"]): each for each in vms if each}
        result: dict[str, Any] = {
            "needs_restart": list(plan.needs_restart),
            "vms": [by_name[key] for key in self._order if key in by_name],
            "placements": [{"name": name, "vmhost": host, "reason": self._reason(name)} for host, name in self._order],
        }
        if outcome is not None:
            result["failed_vms"] = [_failed(group, error) for group, error in outcome.failed.items()]
        return result

    def _reason(self, name: str) -> str:
        said = any(each["name"] == name and each.get("vmhost") for each in self._params["vms"])
        default = (
            (self._params.get("defaults") or {}).get("vmhost") or self._params.get("vmhost") or self._params.get("url")
        )
        return "said by the task" if said or default else "the only candidate"

    def _read_again(self, opened: _Open) -> None:
        try:
            opened.host = _found(opened, opened.target.owner or "", opened.target.project or "")
        except errors.TenantryError:
            # The host went away in the middle: what was read before is the last that is known.
            return

    def _view(
        self,
        opened: _Open,
        wanted: vm.Wanted,
        predicted: Mapping[tuple[str, str], Mapping[str, Any] | None],
    ) -> Mapping[str, Any] | None:
        key = (opened.target.name, wanted.name)
        if key in predicted:
            return predicted[key]
        instance = opened.host.instances.get(wanted.name) if opened.host else None
        if opened.host is None or instance is None:
            return None
        return view.vm(instance, opened.target.name, opened.host.project.name, opened.host.volumes)

    def close(self) -> None:
        """Give connections back."""
        for opened in self._hosts.values():
            if opened.port:
                opened.port.close()


def _found(opened: _Open, owner: str, project_name: str) -> Host:
    port = opened.port
    if port is None:
        raise errors.Unreachable(f"{opened.target.name}: not connected", "run again")
    reader = Reader(port)
    missing = [name for name in _NEEDED if not port.server.has(name)]
    if missing:
        raise errors.Unsupported(
            f"{opened.target.name}: LXD {port.server.version} lacks the API extension {missing[0]}",
            "LXD 5.0 or newer, or Incus, is needed",
        )
    project = _owned(reader, opened.target, owner, project_name)
    instances = _settled(port, reader, project_name, owner, opened.wanted)
    entry = opened.target.entry
    host = Host(
        name=opened.target.name,
        owner=owner,
        project=project,
        server=port.server,
        instances=instances,
        volumes={},
        default_storage_pool=entry.default_storage_pool if entry else None,
        default_network=entry.default_network if entry else None,
    )
    return _with_needed(reader, host, opened.wanted)


def _owned(reader: Reader, target: targets.Target, owner: str, name: str) -> Project:
    project = reader.project(name)
    if project is None:
        raise errors.NotFound(f"{target.name}: project {name} is not there", "make it with tenantry.lxd.lxd_project")
    if project.owner != owner:
        whose = f"belongs to {project.owner}" if project.owner else "carries no owner's mark"
        raise errors.NotOwned(
            f"{target.name}: project {name} {whose}, and we are {owner}; no VM is made in it",
            "choose a project of our own, or let the admin hand it over with lxd_project adopt: true",
        )
    return project


def _settled(port: Port, reader: Reader, project: str, owner: str, wanted: Sequence[vm.Wanted]) -> dict[str, Instance]:
    """The project's instances, once no other run is in the middle of making one of ours."""
    instances = {instance.name: instance for instance in reader.instances(project)}
    names = {each.name for each in wanted}
    half = [name for name in names & set(instances) if not instances[name].whole and instances[name].owner == owner]
    if not half:
        return instances
    for operation in reader.running_operations(project):
        urls = [url for urls in (operation.get("resources") or {}).values() for url in urls]
        if any(url.split("?")[0].rsplit("/", 1)[-1] in half for url in urls):
            try:
                operations.finish(port, Answer(None, None, operation["id"]), _OTHERS_CREATE, ", ".join(half))
            except (errors.OperationFailed, errors.Lost):
                continue
    return {instance.name: instance for instance in reader.instances(project)}


def _with_needed(reader: Reader, host: Host, wanted: Sequence[vm.Wanted]) -> Host:
    need = needs(wanted, host)
    project = host.project.name
    listings = None
    if need.listings:
        listings = Listings(
            networks=tuple(reader.networks(project)),
            pools=tuple(reader.pools()),
            profiles={body["name"]: body for body in reader.profiles(project)},
            images=tuple(reader.images(project)),
        )
    pools = need.pools
    if pools is None or (listings and len(listings.pools) == 1):
        # With a single pool a disk needs no word about it.
        pools = frozenset(pool.name for pool in (listings.pools if listings else reader.pools()))
    volumes = {}
    for pool in sorted(pools):
        try:
            volumes.update({(pool, volume.name): volume for volume in reader.volumes(project, pool)})
        except errors.NotFound:
            # A pool that isn't there is said by name with the disk that asks for it.
            continue
    return dataclasses.replace(host, listings=listings, volumes=volumes)


def _unread(target: targets.Target) -> Host:
    project = Project(target.project or "", "", {}, ())
    return Host(target.name, target.owner or "", project, Server.of({}), {}, {}, unread=True)


def _known(opened: _Open) -> Host:
    return opened.host or _unread(opened.target)


def _raise_all(failed: Sequence[errors.TenantryError]) -> None:
    """Every VM's refusal at once, so that a list is put right in one go."""
    if not failed:
        return
    first = failed[0]
    if len(failed) == 1:
        raise first
    said = "; ".join(error.message for error in failed)
    raise type(first)(f"{len(failed)} VMs are refused: {said}", first.hint, refused=[str(error) for error in failed])


def _predicted(plan: Plan) -> dict[tuple[str, str], Mapping[str, Any] | None]:
    return {(change.host, change.name): change.after for change in plan.changes if change.kind == "VM"}


def _failed(group: str, error: errors.TenantryError) -> dict[str, Any]:
    host, _slash, name = group.rpartition("/")
    return {"name": name, "vmhost": host, "msg": error.message, "code": error.code, "hint": error.hint}
