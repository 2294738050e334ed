# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The only place that writes to LXD: one step at a time, guarded by ETags, looked up when an answer is lost."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import uuid
from collections.abc import Mapping
from typing import Any

from .._core import errors
from .._core.model import COMPOSING, Instance
from .._core.plan import Request, fill_in
from .._core.server.found import BEGUN
from . import operations, quota
from .port import Answer, Port
from .reader import Reader

_LXDS_OWN = "volatile."

_STAYS = ("Running", "Ready", "Stopped", "Frozen")
# Seconds: how long a VM may be in between, and how often to look.
_SETTLES, _LOOK = 10.0, 0.2


# A guest's stop is told before LXD has tidied up after it: what is read in between is out of date a moment later.
_READINGS = 3


def apply(port: Port, request: Request, made: Mapping[str, Any]) -> None:
    """Carry one request out; what earlier steps left behind is filled into its body.

    Raises Stale where the object isn't what the plan was made from any more, or where a lost answer makes a new
    reading necessary: the caller plans again.
    """
    ready = _recognizable(_guarded(port, request, made))
    for attempt in range(max(request.tries, _READINGS if request.expect is not None else 1)):
        try:
            _send(port, ready)
        except errors.NotTrusted as refused:
            refused.hint = ready.hint or refused.hint
            raise
        except errors.OperationFailed as failure:
            if _reached(port, ready):
                return
            failure.hint = failure.hint or request.hint
            ready = _next_try(port, request, ready, made, failure, attempt + 1 >= request.tries)
        else:
            _stays(port, ready)
            return
    raise errors.Stale(f"{'/'.join(request.path)}: it kept changing meanwhile", "run again")


def _recognizable(request: Request) -> Request:
    """A create under the project's limits with a mark that no other run's create of that name has.

    LXD's own `volatile.uuid` would be one, but in a restricted project it takes none from us.
    """
    if not request.consumes or not request.creates:
        return request
    config = {**request.body["config"], COMPOSING: str(uuid.uuid4())}
    return dataclasses.replace(request, body={**request.body, "config": config})


def _stays(port: Port, create: Request) -> None:
    """Undo a create that is beyond the project's limits all the same: it was made a moment ago, and never started.

    What can't be undone is told too: a new plan would find the VM as it should be, and nobody would know.
    """
    if not create.creates or not create.consumes:
        return
    try:
        beyond = quota.overdrawn(port, create)
    except errors.TenantryError as unread:
        name = create.creates[-1]
        told = f"project {create.project}: whether its limits allow {name} could not be read: {unread.message}"
        beyond = errors.NoRoom(told, unread.hint)
    if beyond is not None:
        raise _taken_back(port, create, beyond)
    # A mark that is left says nothing to anybody; the VM is as it should be.
    with contextlib.suppress(errors.TenantryError):
        _send(port, Request("PATCH", create.creates, create.project, body={"config": {COMPOSING: ""}}))


def _taken_back(port: Port, create: Request, beyond: errors.NoRoom) -> errors.RolledBack:
    """Delete what was made, and say what became of that."""
    own = f"VM {create.creates[-1]}"
    why = _deleted(port, Request("DELETE", create.creates, create.project))
    if why is not None:
        # What else was made for it is attached to it.
        told = f"{beyond.message}; {own} could not be taken back: {why.message}"
        hint = f"delete {own}, or have the admin raise the limit"
        return errors.RolledBack(told, hint, (), (own, *create.rollback), **beyond.details)
    failures = {name: _deleted(port, request) for name, request in create.rollback.items()}
    left = {name: failure.message for name, failure in failures.items() if failure is not None}
    gone = [own, *(name for name in failures if name not in left)]
    told = "".join(f"; {name} is left, to be deleted: {message}" for name, message in left.items())
    return errors.RolledBack(
        f"{beyond.message}; taken back: {', '.join(gone)}{told}", beyond.hint, gone, tuple(left), **beyond.details
    )


def _deleted(port: Port, request: Request) -> errors.TenantryError | None:
    """Why it is still there; None where it is gone."""
    try:
        _send(port, request)
    except errors.TenantryError as failure:
        try:
            return failure if _there(port, request) else None
        except errors.TenantryError:
            return failure
    return None


def _next_try(
    port: Port, request: Request, sent: Request, made: Mapping[str, Any], failure: errors.OperationFailed, last: bool
) -> Request:
    """What to send after LXD tried and failed; raises where it would only fail again, or is for a new plan to say."""
    if request.expect is not None:
        ready = _guarded(port, request, made)
        if ready.etag == sent.etag:
            raise quota.told(port, request, failure)
        return ready
    if request.creates:
        # Another run's create of the same thing was faster: where LXD 5.0 fails the operation, newer ones answer 409.
        # It may not be there yet: LXD also says that it is busy with it.
        _settle(port, request)
        found = _found(port, request)
        # A pool or network is there from when it is begun: why it failed LXD has just said, and a new plan would not.
        if found is not None and found.get("status") not in BEGUN:
            raise errors.Stale(failure.message, failure.hint) from None
    # LXD 5.0 fails one in ten concurrent creates from an image for a race of its own, and cleans up after it; anything
    # else that fails will fail again, at the price of one more request.
    if last:
        raise quota.told(port, request, failure)
    return sent


def _guarded(port: Port, request: Request, made: Mapping[str, Any]) -> Request:
    body = fill_in(request.body, made)
    if request.expect is None:
        return dataclasses.replace(request, body=body)
    answer = port.call("GET", request.path, project=request.project)
    for field, planned_on in request.expect.items():
        if not _alike(answer.metadata.get(field), planned_on):
            raise errors.Stale(f"{'/'.join(request.path)}: its {field} changed meanwhile", "run again")
    return dataclasses.replace(request, etag=answer.etag, body=_kept(body, answer.metadata))


def _kept(body: Any, found: Mapping[str, Any]) -> Any:
    """The body with LXD's own keys as they are now: a start or a stop since the listing has changed them."""
    if not isinstance(body, Mapping) or "config" not in body:
        return body
    volatile = {key: value for key, value in found["config"].items() if key.startswith(_LXDS_OWN)}
    said = {key: value for key, value in body["config"].items() if not key.startswith(_LXDS_OWN)}
    return {**body, "config": {**said, **volatile}}


def _send(port: Port, request: Request) -> None:
    what = "/".join(request.creates or request.path)
    try:
        answer = port.call(
            request.method,
            request.path,
            project=request.project,
            params=request.params,
            body=request.body,
            etag=request.etag,
            timeout=max(port.connection.timeout, request.deadline) if request.slow else None,
        )
        _finish(port, request, answer, what)
    except errors.NotFound:
        if request.method != "DELETE":
            raise
    except errors.Stale:
        raise
    except errors.Conflict as taken:
        # Somebody was faster: whether that is what we wanted is for a new plan to say.
        raise errors.Stale(taken.message, taken.hint) from None
    except errors.AnswerLost as lost:
        if not _done_all_the_same(port, request):
            raise errors.OutcomeUnknown(lost.message, lost.hint) from None


def _done_all_the_same(port: Port, request: Request) -> bool:
    """Whether LXD did what it gave no answer to; raises NoRoom for a create of it that had to be taken back."""
    try:
        _settle(port, request)
        if _reached(port, request):
            return True
        if request.consumes and _is_what_was_sent(port, request):
            _stays(port, request)
    except (errors.NotFound, errors.NotTrusted):
        # Done or not, this connection can't tell: a certificate that replaced itself is a stranger from then on.
        pass
    return False


def _finish(port: Port, request: Request, answer: Answer, what: str) -> None:
    if not request.keeps_operation:
        operations.wait_for_operation(port, answer, request.deadline, what)


def _settle(port: Port, request: Request) -> None:
    """Wait until nothing in LXD works on the object any more: a lost answer doesn't stop the operation behind it."""
    if not request.path:
        # The server's own settings: LXD changes them at once.
        return
    end = time.monotonic() + request.deadline
    name = (request.creates or request.path)[-1 if request.path[-1] != "state" else -2]
    while time.monotonic() < end:
        busy = [
            operation["id"]
            for operation in Reader(port).running_operations(request.project or "default")
            if any(name == url.split("?")[0].rsplit("/", 1)[-1] for urls in _resources(operation) for url in urls)
        ]
        if not busy:
            return
        params = {"timeout": "5"}
        try:
            port.call("GET", ("operations", busy[0], "wait"), params=params, timeout=15)
        except errors.NotFound:
            continue
    raise errors.TimedOut(f"{name}: LXD still works on it after {request.deadline} s", "run again later")


def _resources(operation: Mapping[str, Any]) -> list[list[str]]:
    # A token's are null.
    return [urls for urls in (operation.get("resources") or {}).values() if urls]


def _there(port: Port, request: Request) -> bool:
    return _found(port, request) is not None


def _found(port: Port, request: Request) -> Mapping[str, Any] | None:
    """What the request is about or makes; None where there is no such thing."""
    try:
        found = port.call("GET", request.creates or request.path, project=request.project).metadata
    except errors.NotFound:
        return None
    return found if isinstance(found, Mapping) else {}


def _is_what_was_sent(port: Port, request: Request) -> bool:
    """Whether this very create made what is there, and not somebody else who was faster."""
    sent, found = request.body["config"].get(COMPOSING), _found(port, request)
    return bool(sent) and found is not None and (found.get("config") or {}).get(COMPOSING) == sent


def _reached(port: Port, request: Request) -> bool:
    """Whether the goal stands, whatever LXD said.

    Seen on 5.0: deleting what somebody else deletes fails and it is gone; a change of `user.*` on a running VM
    without an agent answers 500 and is saved; starting what has just been started fails.
    """
    if request.method == "DELETE":
        return not _there(port, request)
    if request.target_statuses:
        return _settled_status(port, request) in request.target_statuses
    if request.method in ("PUT", "PATCH") and isinstance(request.body, Mapping):
        found = port.call("GET", request.path, project=request.project).metadata
        return all(_alike(found.get(field), value) for field, value in request.body.items())
    return False


def _settled_status(port: Port, request: Request) -> str:
    """The status once it is one that stays: while QEMU goes away, LXD calls a VM that it stopped an Error."""
    end = time.monotonic() + _SETTLES
    while True:
        found = port.call("GET", request.path[:-1], project=request.project).metadata
        status = Instance.from_api(found).status
        if status in _STAYS or time.monotonic() > end:
            return status
        time.sleep(_LOOK)


def _alike(found: Any, sent: Any) -> bool:
    if isinstance(sent, Mapping) and isinstance(found, Mapping):
        return _without_volatile(found) == _without_volatile(sent)
    return bool(found == sent)


def _without_volatile(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not key.startswith(_LXDS_OWN)}
