# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The volumes behind a VM's further disks: named after the VM, marked as managed, and deleted only if asked to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ..errors import Conflict, NotOwned
from ..model import COMPOSING, MARK, OWNER, Instance, Volume
from ..plan import Change, Request
from ..units import format_size, parse_size
from .desired import check_growth, pool_of
from .devices import DiskSpec
from .host import VmHostReading
from .spec import VmSpec

VM = f"{MARK}vm"
# A volume that still carries COMPOSING was interrupted and never held data.

# What LXD gives a block volume without a size.
_DEFAULT_SIZE = "10GiB"


@dataclasses.dataclass(frozen=True)
class VolumeChange:
    """A change of one volume; `early` ones come before the VM's own change, the rest after it."""

    change: Change
    early: bool
    live: bool
    label: str

    @property
    def offline_keys(self) -> tuple[str, ...]:
        """What waits for the VM to stop."""
        return () if self.live else (self.label,)


def changes_before(changes: Sequence[VolumeChange], live_only: bool) -> list[Change]:
    """What comes before the VM's own change: volumes to attach must be there."""
    return [each.change for each in changes if each.early and (each.live or not live_only)]


def changes_after(changes: Sequence[VolumeChange], live_only: bool) -> list[Change]:
    """What comes after it: volumes to delete must be detached."""
    return [each.change for each in changes if not each.early and (each.live or not live_only)]


def _path(pool: str, name: str) -> tuple[str, ...]:
    return ("storage-pools", pool, "volumes", "custom", name)


def _view(volume: Volume) -> dict[str, str | None]:
    return {"storage_pool": volume.pool, "size": volume.config.get("size"), "vm": volume.config.get(VM)}


def _build_change(
    verb: str,
    wanted: str,
    host: VmHostReading,
    volume: Volume,
    steps: tuple[Request, ...],
    after: bool,
    before: Volume | None,
) -> Change:
    return Change(
        verb,
        "volume",
        f"{volume.pool}/{volume.name}",
        steps=steps,
        before=_view(before) if before else None,
        after=_view(volume) if after else None,
        group=f"{host.name}/{wanted}",
        host=host.name,
    )


def plan_creates(spec: VmSpec, host: VmHostReading, attached: frozenset[str]) -> tuple[Change, ...]:
    """The volumes that must come to be for disks that aren't `attached` yet."""
    changes: list[Change] = []
    for disk in spec.disks or ():
        if not disk.root and not disk.absent and disk.name not in attached:
            changes += _one_made(spec, disk, host)
    return tuple(changes)


def undoing(changes: Sequence[Change]) -> dict[str, Request]:
    """What deletes the volumes again that these changes make, by kind and name; those that only grow stay."""
    made = {
        f"{change.kind} {change.name}": step
        for change in changes
        for step in change.steps
        if isinstance(step, Request) and step.method == "POST"
    }
    return {name: Request("DELETE", step.creates, step.project, params=step.params) for name, step in made.items()}


def _predict_volume(spec: VmSpec, disk: DiskSpec, host: VmHostReading) -> Volume:
    config = {"size": format_size(disk.size) if disk.size else _DEFAULT_SIZE, OWNER: host.owner, VM: spec.name}
    return Volume(pool_of(disk, host), disk.volume, "block", "", config, (), "")


def predict_volumes(spec: VmSpec, host: VmHostReading) -> dict[tuple[str, str], Volume]:
    """The volumes of the said disks as they will be: for a view of the VM before it is made."""
    found = {}
    for disk in spec.disks or ():
        pool = disk.pool or host.default_storage_pool
        if not disk.root and not disk.absent and disk.size and (pool or host.listings or host.unread):
            volume = _predict_volume(spec, disk, host)
            found[(volume.pool, volume.name)] = volume
    return found


def _one_made(spec: VmSpec, disk: DiskSpec, host: VmHostReading) -> list[Change]:
    volume = _predict_volume(spec, disk, host)
    there = host.volumes.get((volume.pool, volume.name))
    if there is not None and not there.config.get(COMPOSING):
        return _taken_up(spec, disk, there, host)
    project = host.project.name
    where = {"target": spec.target} if spec.target and not spec.target.startswith("@") else {}
    marked = {**volume.config, COMPOSING: "true"}
    body = {"name": volume.name, "type": "custom", "content_type": "block", "config": marked}
    path = _path(volume.pool, volume.name)
    steps = [
        Request("POST", path[:-1], project, params=where, body=body, creates=path),
        Request(
            "PUT",
            path,
            project,
            params=where,
            body={"config": dict(volume.config), "description": ""},
            expect={"config": marked},
        ),
    ]
    if there is not None:
        steps.insert(0, Request("DELETE", path, project, params=where))
    return [_build_change("create", spec.name, host, volume, tuple(steps), True, there)]


def _taken_up(spec: VmSpec, disk: DiskSpec, there: Volume, host: VmHostReading) -> list[Change]:
    """A volume of that name that isn't attached: ours from before is used again as it is, nobody else's is."""
    if not _is_of(there, spec.name, host):
        whose = f"belongs to {there.owner}" if there.owner else "was not created by this tenant"
        raise NotOwned(f"disk {disk.name}: volume {there.name} in {there.pool} {whose}", "give the disk another name")
    if _used_by_others(there, spec.name):
        raise Conflict(f"disk {disk.name}: volume {there.name} is attached elsewhere: {', '.join(there.used_by)}")
    grown = _grown(spec, disk, there, host)
    return [grown] if grown else []


def _grown(spec: VmSpec, disk: DiskSpec, there: Volume, host: VmHostReading) -> Change | None:
    if disk.size is None:
        return None
    found = there.config.get("size") or _DEFAULT_SIZE
    check_growth(disk.name, found, disk.size)
    if parse_size(found, "size") == disk.size:
        return None
    if not _is_of(there, spec.name, host):
        raise NotOwned(
            f"disk {disk.name}: volume {there.name} in {there.pool} was not created by this tenant", "omit its size"
        )
    config = {**there.config, "size": format_size(disk.size)}
    fields = {"config": config, "description": there.description}
    request = Request(
        "PUT", _path(there.pool, there.name), host.project.name, body=fields, expect={"config": dict(there.config)}
    )
    return _build_change("grow", spec.name, host, dataclasses.replace(there, config=config), (request,), True, there)


def plan_updates(spec: VmSpec, instance: Instance, host: VmHostReading) -> tuple[VolumeChange, ...]:
    """What the volumes of an existing VM need: made for new disks, grown, or deleted with a disk that goes."""
    devices = instance.expanded_devices
    sources = {name: device.get("source") for name, device in devices.items()}
    attached = frozenset(disk.name for disk in spec.disks or () if sources.get(disk.name) == disk.volume)
    changes = [VolumeChange(change, True, True, change.name) for change in plan_creates(spec, host, attached)]
    for disk in spec.disks or ():
        there = host.volumes.get((devices[disk.name].get("pool", ""), disk.volume)) if disk.name in attached else None
        grown = None if there is None or disk.root or disk.absent else _grown(spec, disk, there, host)
        if grown:
            # LXD resizes no block volume that a running VM uses.
            changes.append(VolumeChange(grown, True, False, f"size of disk {disk.name}"))
    gone = plan_deletes(spec, devices, host)
    return (*changes, *(VolumeChange(change, False, True, change.name) for change in gone))


def plan_deletes(spec: VmSpec, devices: Mapping[str, Mapping[str, str]], host: VmHostReading) -> tuple[Change, ...]:
    """The volumes of absent disks that were declared to go with them."""
    gone = [disk for disk in spec.disks or () if disk.absent and disk.delete_volume]
    found = [
        volume for disk in gone for volume in _find_disk_volumes(disk, devices.get(disk.name, {}), spec.name, host)
    ]
    return tuple(_plan_delete(spec.name, volume, host) for volume in found)


def _find_disk_volumes(disk: DiskSpec, device: Mapping[str, str], vm: str, host: VmHostReading) -> list[Volume]:
    """A disk's volume in the pool that is declared; else wherever it is, since a detached one says no pool any more."""
    pools = {disk.pool, device.get("pool") if device.get("source") == disk.volume else None}
    named = [each for each in host.volumes.values() if each.name == disk.volume]
    found = [each for each in named if each.pool in pools or (not disk.pool and _is_of(each, vm, host))]
    return sorted(found, key=lambda each: each.pool)


def _is_of(volume: Volume, vm: str, host: VmHostReading) -> bool:
    """Whether we made it for this VM: `a-b-c` may be disk b-c of VM a, or disk c of VM a-b."""
    return volume.owner == host.owner and volume.config.get(VM) == vm


def _plan_delete(vm: str, volume: Volume, host: VmHostReading) -> Change:
    if not _is_of(volume, vm, host):
        raise NotOwned(
            f"volume {volume.name} in {volume.pool} was not created by this tenant for {vm}", "omit delete_volume"
        )
    if _used_by_others(volume, vm):
        raise Conflict(f"volume {volume.name} is attached elsewhere: {', '.join(volume.used_by)}", "detach it there")
    request = Request("DELETE", _path(volume.pool, volume.name), host.project.name)
    return _build_change("delete", vm, host, volume, (request,), False, volume)


def removed_with(vm: str, host: VmHostReading) -> tuple[Change, ...]:
    """The volumes that were made for a VM and that nobody else uses: they go with it."""
    found = [volume for volume in host.volumes.values() if _is_of(volume, vm, host) and not _used_by_others(volume, vm)]
    return tuple(_plan_delete(vm, volume, host) for volume in sorted(found, key=lambda each: (each.pool, each.name)))


def _used_by_others(volume: Volume, vm: str) -> bool:
    return any(url.split("?")[0].rsplit("/", 1)[-1] != vm for url in volume.used_by)
