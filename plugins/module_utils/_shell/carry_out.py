# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carrying out a plan: groups of changes in parallel, each group in order and with a failure of its own."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import os
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Union

from .._core import errors
from .._core.plan import (
    Change,
    GenerateKeyPair,
    MoveFile,
    Plan,
    Prove,
    Publish,
    RemoveFile,
    Request,
    Step,
    WipeDevice,
    WriteFile,
    fill_in,
)
from .._host import block
from .._lxd.apply import apply
from .._lxd.port import Port
from .._pki import key_pair, pem
from .._registry import file_store
from .progress import Phase, Progress

# Threads of one run: a controller can't run all workers of very many hosts at once.
_THREADS = 512

# Verifies a claim; gets what the claim is about and the results of earlier steps, to which it may add.
Claim = Callable[[Mapping[str, Any], dict[str, Any]], None]


@dataclasses.dataclass(frozen=True)
class ExecutionContext:
    """What carrying out a plan needs beyond the plan itself.

    - `ports`: a connection for each VM host, by name.
    - `claims`: the checks for `Prove` steps, by name.
    - `workers`: groups that run at the same time on each VM host.
    - `encrypt`: encrypts the content of a file with the vault secret.
    - `progress`: reports how far the run is.
    - `wait_afterwards`: waits for what the plan leads to; returns the groups that failed by then.
    - `publish`: pushes a commit.
    """

    ports: Mapping[str, Port] = dataclasses.field(default_factory=dict)
    claims: Mapping[str, Claim] = dataclasses.field(default_factory=dict)
    workers: int = 1
    encrypt: Callable[[str], str] | None = None
    progress: Progress = dataclasses.field(default_factory=Progress)
    wait_afterwards: Callable[[Outcome], Mapping[str, errors.TenantryError]] | None = None
    publish: Callable[[Publish], None] | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was done, which groups failed, and which groups are stale because their objects changed since the plan.

    `unanswered`: the changes of stale groups that were sent and whose answer was lost.
    """

    done: tuple[Change, ...] = ()
    failed: Mapping[str, errors.TenantryError] = dataclasses.field(default_factory=dict)
    stale: Mapping[str, errors.TenantryError] = dataclasses.field(default_factory=dict)
    unanswered: tuple[Change, ...] = ()


def carry_out(plan: Plan, context: ExecutionContext) -> Outcome:
    """Carry out every group of the plan; a failure ends its own group only."""
    groups: dict[str, list[Change]] = {}
    for change in plan.changes:
        groups.setdefault(change.group, []).append(change)
    ended = _run_groups(list(groups.values()), context)
    failures = {name: end.failure for name, end in zip(groups, ended) if end.failure is not None}
    return Outcome(
        done=tuple(change for end in ended for change in end.done),
        failed={name: error for name, error in failures.items() if not isinstance(error, errors.Stale)},
        stale={name: error for name, error in failures.items() if isinstance(error, errors.Stale)},
        unanswered=tuple(end.unanswered for end in ended if end.unanswered is not None),
    )


def _run_groups(groups: list[list[Change]], context: ExecutionContext) -> list[_Ended]:
    """Run each VM host's groups with workers of their own, so that a slow VM host delays no other."""
    hosts = [changes[0].host for changes in groups]
    phase = context.progress.phase("VMs done", Counter(host for host in hosts if host))
    if len(groups) < 2:
        return [_run_and_report(changes, context, phase) for changes in groups]
    each = max(1, min(context.workers, _THREADS // len(set(hosts))))
    with contextlib.ExitStack() as stack:
        workers = {host: stack.enter_context(ThreadPoolExecutor(max_workers=each)) for host in dict.fromkeys(hosts)}
        begun = [workers[host].submit(_run_and_report, changes, context, phase) for host, changes in zip(hosts, groups)]
        return [future.result() for future in begun]


class _Ended(NamedTuple):
    done: list[Change]
    failure: errors.TenantryError | None = None
    unanswered: Change | None = None


def _run_and_report(changes: list[Change], context: ExecutionContext, phase: Phase) -> _Ended:
    ended = _run_group(changes, context)
    if changes[0].host:
        phase.ended(changes[0].host)
    return ended


def _run_group(changes: list[Change], context: ExecutionContext) -> _Ended:
    done: list[Change] = []
    results: dict[str, Any] = {}
    for change in changes:
        written = 0
        try:
            for step in change.steps:
                _run_step(step, change, context, results)
                written += not isinstance(step, (GenerateKeyPair, Prove))
        except errors.RolledBack as failure:
            return _after_rollback(done, change, failure)
        except errors.TenantryError as failure:
            unanswered = change if isinstance(failure, errors.OutcomeUnknown) and not written else None
            return _Ended(done + _as_incomplete(change, written), failure, unanswered)
        except OSError as failure:
            return _Ended(done + _as_incomplete(change, written), _disk_error(step, failure))
        done.append(change)
    return _Ended(done)


def _after_rollback(done: list[Change], change: Change, failure: errors.RolledBack) -> _Ended:
    """Leave out what was created and deleted again; what could not be deleted counts as done."""
    kept = [each for each in done if each.verb != "create" or f"{each.kind} {each.name}" not in failure.deleted]
    return _Ended(kept + _as_incomplete(change, f"{change.kind} {change.name}" in failure.remaining), failure)


def _disk_error(step: Step, failure: OSError) -> errors.TenantryError:
    """Return the error for a failed file or device: devices are the VM host's, files are the controller's."""
    whose = "VM host" if isinstance(step, WipeDevice) else "controller"
    what = step.path if isinstance(step, WipeDevice) else failure.filename
    reason = failure.strerror or type(failure).__name__
    return errors.OperationFailed(f"{what}: {reason}", f"check the disk of the {whose}")


def _as_incomplete(change: Change, written: int) -> list[Change]:
    """Return a change that failed halfway, marked as such: it has changed something all the same."""
    if not written:
        return []
    detail = f"{change.detail}, cut short" if change.detail else "cut short"
    return [dataclasses.replace(change, detail=detail)]


def _run_step(step: Step, change: Change, context: ExecutionContext, results: dict[str, Any]) -> None:
    if isinstance(step, Request):
        apply(context.ports[change.host], step, results)
    elif isinstance(step, (WriteFile, MoveFile, RemoveFile)):
        _change_file(step, context, results)
    elif isinstance(step, WipeDevice):
        block.wipe(step.path)
    elif isinstance(step, GenerateKeyPair):
        results.update(_generate_key_pair(step))
    elif isinstance(step, Prove):
        context.claims[step.claim](step.about, results)
    elif isinstance(step, Publish) and context.publish is not None:
        context.publish(step)


def _change_file(
    step: Union[WriteFile, MoveFile, RemoveFile], context: ExecutionContext, results: Mapping[str, Any]
) -> None:
    if isinstance(step, WriteFile):
        file_store.write_file(step.path, _read_content(step, context, results), step.mode)
    elif isinstance(step, MoveFile):
        file_store.move_file(step.path, step.to)
    else:
        file_store.remove_file(step.path)
        file_store.remove_folder_if_empty(os.path.dirname(step.path))


def _read_content(step: WriteFile, context: ExecutionContext, results: Mapping[str, Any]) -> str:
    text = str(fill_in(step.content, results))
    if not step.vaulted:
        return text
    if context.encrypt is None:
        # Otherwise the text would reach the disk unencrypted.
        raise errors.Invalid(
            f"{step.path}: there is no vault secret to encrypt it with", "run Ansible with a vault password"
        )
    return context.encrypt(text)


def _generate_key_pair(step: GenerateKeyPair) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.timezone.utc)
    pair = key_pair.generate_key_pair(step.common_name, step.key_type, step.valid_for, now)
    return {
        f"{step.result_name}.certificate": pair.certificate.pem,
        f"{step.result_name}.key": pair.private_key,
        f"{step.result_name}.der": base64.b64encode(pem.der_of(pair.certificate.pem)).decode("ascii"),
        f"{step.result_name}.fingerprint": pair.certificate.fingerprint,
    }
