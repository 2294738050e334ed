# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The only place that writes to LXD: one request at a time, guarded by ETags, and verified if an answer is lost."""

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

_VOLATILE = "volatile."

_LASTING_STATUSES = ("Running", "Ready", "Stopped", "Frozen")
# Seconds that a VM may have a passing status, and seconds between two readings of it.
_SETTLING, _POLL_INTERVAL = 10.0, 0.2
# Seconds to wait for another operation on the object before the running operations are listed again.
_IDLE_SLICE = 5

# LXD reports that a guest has stopped before it has cleaned up after it: a reading in between is soon out of date.
_READINGS = 3


def apply(port: Port, request: Request, results: Mapping[str, Any]) -> None:
    """Send one request, with the `results` of earlier steps filled into its body, and wait until it is done.

    Raises Stale if the object is no longer what the plan was made from, or if a lost answer makes a new reading
    necessary; the caller then plans again.
    """
    ready = _with_create_mark(_with_current_etag(port, request, results))
    for attempt in range(max(request.tries, _READINGS if request.expect is not None else 1)):
        try:
            _send(port, ready)
        except errors.NotTrusted as refused:
            refused.hint = ready.hint or refused.hint
            raise
        except errors.OperationFailed as failure:
            if _is_goal_reached(port, ready):
                return
            failure.hint = failure.hint or request.hint
            ready = _prepare_retry(port, request, ready, results, failure, attempt + 1 >= request.tries)
        else:
            _check_limits_after_create(port, ready)
            return
    raise errors.Stale(f"{'/'.join(request.path)}: it changed during each attempt to write it", "run again")


def _with_create_mark(request: Request) -> Request:
    """Mark a create that counts against the project's limits, to tell it from another run's create of that name.

    `volatile.uuid` would be such a mark, but LXD refuses to set it in a restricted project.
    """
    if not request.consumes or not request.creates:
        return request
    config = {**request.body["config"], COMPOSING: str(uuid.uuid4())}
    return dataclasses.replace(request, body={**request.body, "config": config})


def _check_limits_after_create(port: Port, create: Request) -> None:
    """Delete what a create made beyond the project's limits: it is a moment old and was never started.

    What can't be deleted is reported too: a new plan would find the VM as declared, and nobody would know.
    """
    if not create.creates or not create.consumes:
        return
    try:
        beyond = quota.find_exceeded_limit(port, create)
    except errors.TenantryError as unread:
        name = create.creates[-1]
        message = f"project {create.project}: its limits could not be read after {name} was created: {unread.message}"
        beyond = errors.NoRoom(message, unread.hint)
    if beyond is not None:
        raise _roll_back(port, create, beyond)
    # If the mark stays, nothing is wrong: the VM is as declared, and nothing reads the mark later.
    with contextlib.suppress(errors.TenantryError):
        _send(port, Request("PATCH", create.creates, create.project, body={"config": {COMPOSING: ""}}))


def _roll_back(port: Port, create: Request, beyond: errors.NoRoom) -> errors.RolledBack:
    """Delete what was created; returns the error that reports what was deleted and what was not."""
    own = f"VM {create.creates[-1]}"
    failure = _delete(port, Request("DELETE", create.creates, create.project))
    if failure is not None:
        # What else was created for it is attached to it, and can't be deleted either.
        message = f"{beyond.message}; {own} could not be deleted again: {failure.message}"
        hint = f"delete {own}, or have the admin raise the limit"
        return errors.RolledBack(message, hint, (), (own, *create.rollback), **beyond.details)
    failures = {name: _delete(port, request) for name, request in create.rollback.items()}
    remaining = {name: failure.message for name, failure in failures.items() if failure is not None}
    deleted = [own, *(name for name in failures if name not in remaining)]
    rest = "".join(f"; {name} could not be deleted: {message}" for name, message in remaining.items())
    return errors.RolledBack(
        f"{beyond.message}; deleted again: {', '.join(deleted)}{rest}",
        beyond.hint,
        deleted,
        tuple(remaining),
        **beyond.details,
    )


def _delete(port: Port, request: Request) -> errors.TenantryError | None:
    """Delete an object; returns the failure, or None once it no longer exists."""
    try:
        _send(port, request)
    except errors.TenantryError as failure:
        try:
            return failure if _exists(port, request) else None
        except errors.TenantryError:
            return failure
    return None


def _prepare_retry(
    port: Port, request: Request, sent: Request, results: Mapping[str, Any], failure: errors.OperationFailed, last: bool
) -> Request:
    """Return the request to send after LXD tried and failed; raise if it would fail again or needs a new plan."""
    if request.expect is not None:
        ready = _with_current_etag(port, request, results)
        if ready.etag == sent.etag:
            raise quota.quota_error(port, request, failure)
        return ready
    if request.creates:
        # Another run created the same object first: LXD 5.0 fails the operation, newer versions answer 409. The object
        # may not exist yet: LXD also fails while it is busy creating it.
        _wait_until_idle(port, request)
        current = _read_object(port, request)
        # A pool or network exists as soon as its creation begins. LXD has just reported why it failed, and a new
        # plan would not.
        if current is not None and current.get("status") not in BEGUN:
            raise errors.Stale(failure.message, failure.hint) from None
    # Because of a race of its own, LXD 5.0 fails one in ten concurrent creates from an image, and cleans up after it.
    # Any other failure will repeat, at the price of one more request.
    if last:
        raise quota.quota_error(port, request, failure)
    return sent


def _with_current_etag(port: Port, request: Request, results: Mapping[str, Any]) -> Request:
    body = fill_in(request.body, results)
    if request.expect is None:
        return dataclasses.replace(request, body=body)
    answer = port.call("GET", request.path, project=request.project)
    for field, planned_on in request.expect.items():
        if not _is_alike(answer.metadata.get(field), planned_on):
            raise errors.Stale(f"{'/'.join(request.path)}: {field} changed meanwhile", "run again")
    return dataclasses.replace(request, etag=answer.etag, body=_with_volatile_keys(body, answer.metadata))


def _with_volatile_keys(body: Any, current: Mapping[str, Any]) -> Any:
    """Return the body with `volatile.*` as it is now: a start or a stop since the listing has changed it."""
    if not isinstance(body, Mapping) or "config" not in body:
        return body
    volatile = {key: value for key, value in current["config"].items() if key.startswith(_VOLATILE)}
    own = {key: value for key, value in body["config"].items() if not key.startswith(_VOLATILE)}
    return {**body, "config": {**own, **volatile}}


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
        # Another client created it first: a new plan decides whether it is the declared object.
        raise errors.Stale(taken.message, taken.hint) from None
    except errors.AnswerLost as lost:
        if not _was_done(port, request):
            raise errors.OutcomeUnknown(lost.message, lost.hint) from None


def _was_done(port: Port, request: Request) -> bool:
    """Return whether LXD did the work although its answer was lost; raises NoRoom for a create that is rolled back."""
    try:
        _wait_until_idle(port, request)
        if _is_goal_reached(port, request):
            return True
        if request.consumes and _was_created_by(port, request):
            _check_limits_after_create(port, request)
    except (errors.NotFound, errors.NotTrusted):
        # This connection can't tell: a certificate that replaced itself is no longer trusted.
        pass
    return False


def _finish(port: Port, request: Request, answer: Answer, what: str) -> None:
    if not request.keeps_operation:
        operations.wait_for_operation(port, answer, request.deadline, what)


def _wait_until_idle(port: Port, request: Request) -> None:
    """Wait until no operation of LXD works on the object: an operation goes on although its answer was lost."""
    if not request.path:
        # The settings of the server: LXD changes them without an operation.
        return
    end = time.monotonic() + request.deadline
    name = (request.creates or request.path)[-1 if request.path[-1] != "state" else -2]
    while time.monotonic() < end:
        running = Reader(port).running_operations(request.project or "default")
        busy = [each for each in running if each.concerns(name)]
        if not busy:
            return
        with contextlib.suppress(errors.AnswerLost):
            operations.wait_briefly(port, busy[0].id, _IDLE_SLICE, name)
    raise errors.TimedOut(f"{name}: LXD is still working on it after {request.deadline} s", "run again later")


def _exists(port: Port, request: Request) -> bool:
    return _read_object(port, request) is not None


def _read_object(port: Port, request: Request) -> Mapping[str, Any] | None:
    """Read the object that the request changes or creates; None if it doesn't exist."""
    try:
        current = port.call("GET", request.creates or request.path, project=request.project).metadata
    except errors.NotFound:
        return None
    return current if isinstance(current, Mapping) else {}


def _was_created_by(port: Port, request: Request) -> bool:
    """Return whether this very request created the object, and not another client."""
    sent, current = request.body["config"].get(COMPOSING), _read_object(port, request)
    return bool(sent) and current is not None and (current.get("config") or {}).get(COMPOSING) == sent


def _is_goal_reached(port: Port, request: Request) -> bool:
    """Return whether the object is as the request wants it, whatever LXD answered.

    Seen on LXD 5.0: a delete fails because another client deleted the object; a change of `user.*` on a running VM
    without an agent answers 500 and is saved; a start fails because the VM has just been started.
    """
    if request.method == "DELETE":
        return not _exists(port, request)
    if request.target_statuses:
        return _read_lasting_status(port, request) in request.target_statuses
    if request.method in ("PUT", "PATCH") and isinstance(request.body, Mapping):
        current = port.call("GET", request.path, project=request.project).metadata
        return all(_is_alike(current.get(field), value) for field, value in request.body.items())
    return False


def _read_lasting_status(port: Port, request: Request) -> str:
    """Return the VM's status once it is a lasting one: while QEMU ends, LXD gives a VM that it stopped status Error."""
    end = time.monotonic() + _SETTLING
    while True:
        current = port.call("GET", request.path[:-1], project=request.project).metadata
        status = Instance.from_api(current).status
        if status in _LASTING_STATUSES or time.monotonic() > end:
            return status
        time.sleep(_POLL_INTERVAL)


def _is_alike(current: Any, sent: Any) -> bool:
    if isinstance(sent, Mapping) and isinstance(current, Mapping):
        return _without_volatile(current) == _without_volatile(sent)
    return bool(current == sent)


def _without_volatile(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not key.startswith(_VOLATILE)}
