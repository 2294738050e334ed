# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carrying a plan out: groups of changes side by side, each in order, each with its own failure."""

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

# Threads of one run: what many hosts would need with all their workers, a controller hasn't.
_THREADS = 512

# From what a claim is about, and what earlier steps left, where it may leave something itself.
Claim = Callable[[Mapping[str, Any], dict[str, Any]], None]


@dataclasses.dataclass(frozen=True)
class ExecutionContext:
    """What carrying out needs beyond the plan.

    A port for each VM host, the claims that can be shown, how many groups at once on each host, how to encrypt a file,
    whom to tell how far it is, what is waited for afterwards (from the outcome to what failed, by group), who pushes.
    """

    ports: Mapping[str, Port] = dataclasses.field(default_factory=dict)
    claims: Mapping[str, Claim] = dataclasses.field(default_factory=dict)
    workers: int = 1
    seal: Callable[[str], str] | None = None
    progress: Progress = dataclasses.field(default_factory=Progress)
    after: Callable[[Outcome], Mapping[str, errors.TenantryError]] | None = None
    publish: Callable[[Publish], None] | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was done, what failed (by group), and which groups found the world other than planned.

    `unanswered`: of the stale groups, the changes that were sent and whose answer was lost.
    """

    done: tuple[Change, ...] = ()
    failed: Mapping[str, errors.TenantryError] = dataclasses.field(default_factory=dict)
    stale: Mapping[str, errors.TenantryError] = dataclasses.field(default_factory=dict)
    unanswered: tuple[Change, ...] = ()


def carry_out(plan: Plan, means: ExecutionContext) -> Outcome:
    """Every group of the plan; a failure ends its group and no other."""
    groups: dict[str, list[Change]] = {}
    for change in plan.changes:
        groups.setdefault(change.group, []).append(change)
    ended = _side_by_side(list(groups.values()), means)
    failures = {name: end.failure for name, end in zip(groups, ended) if end.failure is not None}
    return Outcome(
        done=tuple(change for end in ended for change in end.done),
        failed={name: error for name, error in failures.items() if not isinstance(error, errors.Stale)},
        stale={name: error for name, error in failures.items() if isinstance(error, errors.Stale)},
        unanswered=tuple(end.unanswered for end in ended if end.unanswered is not None),
    )


def _side_by_side(groups: list[list[Change]], means: ExecutionContext) -> list[_Ended]:
    """Each host's groups by workers of its own, so that a slow host holds up nobody else's."""
    hosts = [changes[0].host for changes in groups]
    phase = means.progress.phase("VMs done", Counter(host for host in hosts if host))
    if len(groups) < 2:
        return [_told(changes, means, phase) for changes in groups]
    each = max(1, min(means.workers, _THREADS // len(set(hosts))))
    with contextlib.ExitStack() as stack:
        workers = {host: stack.enter_context(ThreadPoolExecutor(max_workers=each)) for host in dict.fromkeys(hosts)}
        begun = [workers[host].submit(_told, changes, means, phase) for host, changes in zip(hosts, groups)]
        return [future.result() for future in begun]


class _Ended(NamedTuple):
    done: list[Change]
    failure: errors.TenantryError | None = None
    unanswered: Change | None = None


def _told(changes: list[Change], means: ExecutionContext, phase: Phase) -> _Ended:
    ended = _group(changes, means)
    if changes[0].host:
        phase.ended(changes[0].host)
    return ended


def _group(changes: list[Change], means: ExecutionContext) -> _Ended:
    done: list[Change] = []
    made: dict[str, Any] = {}
    for change in changes:
        written = 0
        try:
            for step in change.steps:
                _step(step, change, means, made)
                written += not isinstance(step, (GenerateKeyPair, Prove))
        except errors.RolledBack as failure:
            return _taken_back(done, change, failure)
        except errors.TenantryError as failure:
            unanswered = change if isinstance(failure, errors.OutcomeUnknown) and not written else None
            return _Ended(done + _cut_short(change, written), failure, unanswered)
        except OSError as failure:
            return _Ended(done + _cut_short(change, written), _refused(step, failure))
        done.append(change)
    return _Ended(done)


def _taken_back(done: list[Change], change: Change, failure: errors.RolledBack) -> _Ended:
    """What this group made and is there no more was never done; what couldn't be taken back was."""
    kept = [each for each in done if each.verb != "create" or f"{each.kind} {each.name}" not in failure.deleted]
    return _Ended(kept + _cut_short(change, f"{change.kind} {change.name}" in failure.remaining), failure)


def _refused(step: Step, failure: OSError) -> errors.TenantryError:
    """What an operating system said, and whose: disks are wiped on the VM host, files are the controller's."""
    whose = "VM host" if isinstance(step, WipeDevice) else "controller"
    what = step.path if isinstance(step, WipeDevice) else failure.filename
    reason = failure.strerror or type(failure).__name__
    return errors.OperationFailed(f"{what}: {reason}", f"the disk of the {whose} refused")


def _cut_short(change: Change, written: int) -> list[Change]:
    """A change that failed halfway has changed something all the same, and is told as what it is."""
    if not written:
        return []
    detail = f"{change.detail}, cut short" if change.detail else "cut short"
    return [dataclasses.replace(change, detail=detail)]


def _step(step: Step, change: Change, means: ExecutionContext, made: dict[str, Any]) -> None:
    if isinstance(step, Request):
        apply(means.ports[change.host], step, made)
    elif isinstance(step, (WriteFile, MoveFile, RemoveFile)):
        _file(step, means, made)
    elif isinstance(step, WipeDevice):
        block.wipe(step.path)
    elif isinstance(step, GenerateKeyPair):
        made.update(_key_pair(step))
    elif isinstance(step, Prove):
        means.claims[step.claim](step.about, made)
    elif isinstance(step, Publish) and means.publish is not None:
        means.publish(step)


def _file(step: Union[WriteFile, MoveFile, RemoveFile], means: ExecutionContext, made: Mapping[str, Any]) -> None:
    if isinstance(step, WriteFile):
        file_store.write_file(step.path, _content(step, means, made), step.mode)
    elif isinstance(step, MoveFile):
        file_store.move_file(step.path, step.to)
    else:
        file_store.remove_file(step.path)
        file_store.remove_folder_if_empty(os.path.dirname(step.path))


def _content(step: WriteFile, means: ExecutionContext, made: Mapping[str, Any]) -> str:
    text = str(fill_in(step.content, made))
    if not step.vaulted:
        return text
    if means.seal is None:
        # Without it the text would reach the disk as it is.
        raise errors.Invalid(f"{step.path}: there is no vault secret to encrypt it with", "run with a vault password")
    return means.seal(text)


def _key_pair(step: GenerateKeyPair) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.timezone.utc)
    pair = key_pair.generate(step.common_name, step.key_type, step.valid_for, now)
    return {
        f"{step.result_name}.certificate": pair.certificate.pem,
        f"{step.result_name}.key": pair.private_key,
        f"{step.result_name}.der": base64.b64encode(pem.der_of(pair.certificate.pem)).decode("ascii"),
        f"{step.result_name}.fingerprint": pair.certificate.fingerprint,
    }
