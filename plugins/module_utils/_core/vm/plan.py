# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From wanted and found to the plan of one VM: made, repaired, powered, or gone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..capacity.allocation import compute_allocation
from ..errors import Conflict, NotOwned, Protected, TenantryError, Unreachable
from ..model import Instance
from ..plan import Change, Request
from . import desired as vm_bodies
from . import edits as vm_edits
from . import volumes as vm_volumes
from .host import VmHostReading
from .spec import ANNOTATION, LXD_PROTECTED, VmSpec
from .view import build_vm_view as shown_vm
from .view import show_new_texts

_UP = ("Running", "Ready")


@dataclasses.dataclass(frozen=True)
class RestartPolicy:
    """What the task allows: restarts for what needs them, seconds for a guest to stop, and whether to force it."""

    allow_restart: bool = False
    stop_timeout: int = 60
    force_stop: bool = False


@dataclasses.dataclass(frozen=True)
class VmPlan:
    """One VM's changes in order, and the keys that wait for a restart."""

    changes: tuple[Change, ...] = ()
    waiting: tuple[str, ...] = ()


def plan_vm(spec: VmSpec, host: VmHostReading, policy: RestartPolicy) -> VmPlan:
    """The plan of one VM on one host; raises an error that names the VM, before anything is written."""
    try:
        instance = host.instances.get(spec.name)
        if instance is not None:
            _check_owner(instance, host)
        if spec.state == "absent":
            return VmPlan(_plan_delete(spec.name, instance, host))
        if instance is None:
            return VmPlan(_plan_create(spec, host, policy))
        if not instance.is_complete:
            # A create that was interrupted: never started, and nothing in it that anybody could miss.
            return VmPlan(
                (
                    *_plan_remove_instance(instance, host, "half made by an interrupted run"),
                    *_plan_create(spec, host, policy),
                )
            )
        return _plan_update(spec, instance, host, policy)
    except TenantryError as error:
        raise type(error)(f"VM {spec.name} on {host.name}: {error.message}", error.hint) from None


def _check_owner(instance: Instance, host: VmHostReading) -> None:
    if instance.is_unreachable:
        raise Unreachable(f"its member {instance.location} doesn't answer", "run again when the member is back")
    if instance.is_move_copy:
        raise Conflict("it is the copy of a VM that LXD moves to another member just now", "run again when it is there")
    if not instance.is_vm:
        raise Conflict("a container has that name", "choose another name")
    if instance.owner == host.owner:
        return
    if instance.owner:
        raise NotOwned(f"it belongs to {instance.owner}", "choose another name")
    raise NotOwned(
        "it was not composed by this tenant",
        f"choose another name, or hand it over: lxc config set {instance.name} user.tenantry.owner={host.owner} "
        f"--project {host.project.name}",
    )


def _path(name: str) -> tuple[str, str]:
    return ("instances", name)


def _build_change(verb: str, host: VmHostReading, name: str, **rest: Any) -> Change:
    return Change(verb, "VM", name, group=f"{host.name}/{name}", host=host.name, **rest)


def _plan_delete(name: str, instance: Instance | None, host: VmHostReading) -> tuple[Change, ...]:
    if instance is not None and instance.is_protected:
        raise Protected("it is protected against deletion", "set protected: false first, and mean it")
    volumes = vm_volumes.removed_with(name, host)
    return (*(_plan_remove_instance(instance, host) if instance else ()), *volumes)


def _plan_remove_instance(instance: Instance, host: VmHostReading, detail: str = "") -> tuple[Change, ...]:
    steps = [Request("DELETE", _path(instance.name), host.project.name, hint=_delete_hint(instance, host))]
    if instance.status != "Stopped":
        # Its disks go with it: asking the guest first would save nothing.
        steps.insert(0, _state(instance.name, host, "stop", RestartPolicy(force_stop=True)))
    before = shown_vm(instance, host.name, host.project.name, host.volumes)
    return (_build_change("delete", host, instance.name, steps=tuple(steps), before=before, detail=detail),)


def _delete_hint(instance: Instance, host: VmHostReading) -> str:
    return f"the admin of {host.name} may look at it: lxc info {instance.name} --project {host.project.name}"


def _state(name: str, host: VmHostReading, action: str, policy: RestartPolicy) -> Request:
    body: dict[str, Any] = {"action": action, "timeout": -1, "force": False}
    goal: tuple[str, ...] = _UP
    deadline, hint = 120, _start_hint(name, host)
    if action == "stop":
        body.update(timeout=policy.stop_timeout, force=policy.force_stop)
        goal, deadline = ("Stopped",), policy.stop_timeout + 60
        hint = "the guest didn't shut down; give it a longer stop_timeout, or set force_stop: true"
    return Request(
        "PUT", (*_path(name), "state"), host.project.name, body=body, target_statuses=goal, deadline=deadline, hint=hint
    )


def _start_hint(name: str, host: VmHostReading) -> str:
    # A QEMU that LXD had started when it was killed outlives it, unknown to LXD, and holds the VM's mounts (5.0.2).
    return (
        f"the admin of {host.name} sees why: lxc info --show-log {name} --project {host.project.name}; "
        "LXD runs one VM of a name on a bridge, whichever projects they are in; after a crash of LXD a QEMU process of "
        "this VM may be left on the host, to be ended there"
    )


def _plan_create(spec: VmSpec, host: VmHostReading, policy: RestartPolicy) -> tuple[Change, ...]:
    spec = _with_annotations_removed(spec, {})
    new = vm_bodies.new(spec, host)
    volumes = vm_volumes.plan_creates(spec, host, attached=frozenset())
    create = Request(
        "POST",
        ("instances",),
        host.project.name,
        params={"target": spec.target} if spec.target else {},
        body=_remove_lock(new.create_body()),
        creates=_path(spec.name),
        deadline=900,
        tries=3 if spec.image else 1,
        consumes=_takes(host, new.instance),
        rollback=vm_volumes.undoing(volumes),
    )
    steps = (create, *_build_lock_requests(new.instance, host))
    as_made = shown_vm(new.instance, host.name, host.project.name, vm_volumes.predict_volumes(spec, host))
    changes = [*volumes, _build_change("create", host, spec.name, steps=steps, after=as_made)]
    changes += vm_volumes.plan_deletes(spec, {}, host)
    if spec.state in ("started", "restarted"):
        changes.append(_build_power_change("start", spec.name, host, policy, as_made))
    return tuple(changes)


def _takes(host: VmHostReading, instance: Instance, before: Instance | None = None) -> dict[str, int]:
    """What of the project's limits, where it has them, it takes, or takes more than before."""
    then, now = compute_allocation(instance), compute_allocation(before) if before else None
    cpu = (then.cores or 0) - ((now.cores or 0) if now else 0)
    memory = (then.memory or 0) - ((now.memory or 0) if now else 0)
    limits = host.project.config
    return {
        kind: count for kind, count in (("cpu", cpu), ("memory", memory)) if count > 0 and limits.get(f"limits.{kind}")
    }


def _remove_lock(body: dict[str, Any]) -> dict[str, Any]:
    """A create without LXD's lock: one that is interrupted could never be removed again."""
    return {**body, "config": {key: value for key, value in body["config"].items() if key != LXD_PROTECTED}}


def _build_lock_requests(made: Instance, host: VmHostReading) -> tuple[Request, ...]:
    lock = {key: value for key, value in made.config.items() if key == LXD_PROTECTED}
    return (Request("PATCH", _path(made.name), host.project.name, body={"config": lock}),) if lock else ()


def _build_power_change(
    verb: str, name: str, host: VmHostReading, policy: RestartPolicy, view: Mapping[str, Any]
) -> Change:
    steps = tuple(_state(name, host, action, policy) for action in _ACTIONS[verb])
    after = {**view, "status": "Stopped" if verb == "stop" else "Running"}
    return _build_change(verb, host, name, steps=steps, before=dict(view), after=after)


_ACTIONS = {"start": ("start",), "stop": ("stop",), "restart": ("stop", "start"), "resume": ("unfreeze",)}


def _plan_update(spec: VmSpec, instance: Instance, host: VmHostReading, policy: RestartPolicy) -> VmPlan:
    full = vm_bodies.build_update(_with_annotations_removed(spec, instance.config), instance, host)
    up = instance.status != "Stopped"
    volumes = vm_volumes.plan_updates(spec, instance, host)
    stops = spec.state in ("stopped", "released") or (spec.state == "restarted" and up)
    waits = full.offline_keys + tuple(key for volume in volumes for key in volume.offline_keys) if up else ()
    restart = up and bool(waits) and (policy.allow_restart or stops)
    now = full if not waits or restart else full.live_part()
    changes: list[Change] = []
    status = instance
    if up and (restart or stops):
        changes.append(
            _build_power_change(
                "stop", spec.name, host, policy, shown_vm(instance, host.name, host.project.name, host.volumes)
            )
        )
        status = dataclasses.replace(instance, status="Stopped")
    changes += vm_volumes.changes_before(volumes, live_only=bool(waits) and not restart)
    changes += _plan_config(now, status, spec, host)
    changes += vm_volumes.changes_after(volumes, live_only=bool(waits) and not restart)
    final = dataclasses.replace(now.instance, status=status.status)
    changes += _plan_power(spec, final, restart, host, policy)
    return VmPlan(_join_restart(changes), waits if waits and not restart else ())


def _join_restart(changes: list[Change]) -> tuple[Change, ...]:
    """Stop and start with nothing between them are one restart, to a reader."""
    if [change.verb for change in changes] == ["stop", "start"]:
        stop, start = changes
        return (dataclasses.replace(stop, verb="restart", steps=stop.steps + start.steps, after=start.after),)
    return tuple(changes)


def _with_annotations_removed(spec: VmSpec, config: Mapping[str, str]) -> VmSpec:
    """Annotations go when a VM is released, those said in the same breath too."""
    if spec.state != "released":
        return spec
    gone: dict[str, str | None] = {key: None for key in config if key.startswith(ANNOTATION)}
    return dataclasses.replace(spec, annotations=gone)


def _plan_config(body: vm_edits.InstanceBody, now: Instance, spec: VmSpec, host: VmHostReading) -> list[Change]:
    if not body.keys:
        return []
    request = Request(
        "PUT",
        _path(spec.name),
        host.project.name,
        body=body.put_body(),
        expect=vm_edits.select_put_fields(now),
        consumes=_takes(host, body.instance, now),
    )
    volumes = {**host.volumes, **vm_volumes.predict_volumes(spec, host)}
    before = shown_vm(now, host.name, host.project.name, host.volumes)
    after = shown_vm(dataclasses.replace(body.instance, status=now.status), host.name, host.project.name, volumes)
    after = show_new_texts(after, body.keys)
    detail = ", ".join(body.keys)
    return [_build_change("update", host, spec.name, steps=(request,), before=before, after=after, detail=detail)]


def _plan_power(
    spec: VmSpec, instance: Instance, restart: bool, host: VmHostReading, policy: RestartPolicy
) -> list[Change]:
    view = shown_vm(instance, host.name, host.project.name, host.volumes)
    up = instance.status in _UP
    if spec.state in ("started", "restarted") or (restart and spec.state == "present"):
        if instance.status == "Frozen":
            return [_build_power_change("resume", spec.name, host, policy, view)]
        return [] if up else [_build_power_change("start", spec.name, host, policy, view)]
    return []
