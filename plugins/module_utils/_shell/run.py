# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The runner of all modules that change something: plan, and outside check mode carry the plan out."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
from collections.abc import Mapping
from typing import Any, Protocol

from ansible.module_utils.basic import AnsibleModule

from .._core import errors
from .._core.plan import Change, Plan, build_diff, to_plain
from . import expiry_notices
from .carry_out import ExecutionContext, Outcome, carry_out

# Another client may change the same object while a plan is made; three times in a row is no coincidence.
_ROUNDS = 3


class Job(Protocol):
    """What one module does: read and plan, supply what carrying out needs, and return the result."""

    def plan(self) -> Plan:
        """Read the current state and plan the changes; called again if the state changed meanwhile."""

    def execution_context(self) -> ExecutionContext:
        """Return what carrying out the last plan needs."""

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """Return the module's own return values: actual ones, or predicted ones if `outcome` is None.

        The texts under `warnings` are not returned but issued as warnings.
        """

    def close(self) -> None:
        """Close the connections."""


def run(module: AnsibleModule, start: Any) -> None:
    """Run the job that `start(params)` creates, and end the module; check mode stops after the plan."""
    # The process is short-lived and keeps all that it reads until its end, so that garbage collection finds nothing.
    gc.disable()
    done = Outcome()
    for notice in expiry_notices.find_expiry_warnings(module.params):
        module.warn(notice)
    try:
        with contextlib.closing(start(module.params)) as job:
            plan = job.plan()
            outcome: Outcome | None = None
            if not module.check_mode:
                plan, done = _carry_out_until_stable(job, plan)
                done = outcome = _wait_afterwards(job, done)
            failed = {**plan.failed, **done.failed}
            if failed:
                _fail_groups(module, plan, outcome, failed, job.result(plan, outcome))
            _end(module, plan, outcome, job.result(plan, outcome))
    except errors.TenantryError as failure:
        fail(module, failure, changed=bool(done.done), actions=[change.sentence for change in done.done])


def _carry_out_until_stable(job: Job, plan: Plan) -> tuple[Plan, Outcome]:
    total = Outcome()
    _check_verified(plan)
    for _round in range(_ROUNDS):
        latest = carry_out(plan, job.execution_context())
        # What failed is in the next plan again: only its last attempt counts.
        total = dataclasses.replace(latest, done=total.done + latest.done)
        if not latest.stale:
            return plan, total
        try:
            plan = job.plan()
            _check_verified(plan)
            total = dataclasses.replace(total, done=total.done + _find_done(latest, plan))
        except errors.TenantryError as failure:
            # What was done so far is reported all the same.
            return plan, dataclasses.replace(total, failed={**total.failed, "": failure})
    lost = {name: errors.Conflict(error.message, error.hint) for name, error in total.stale.items()}
    return plan, dataclasses.replace(total, failed={**total.failed, **lost})


def _wait_afterwards(job: Job, outcome: Outcome) -> Outcome:
    """Wait for what the plan leads to, unless the plan could not be carried out to its end."""
    wait = job.execution_context().wait_afterwards
    if wait is None or "" in outcome.failed:
        return outcome
    return dataclasses.replace(outcome, failed={**outcome.failed, **wait(outcome)})


def _find_done(latest: Outcome, plan: Plan) -> tuple[Change, ...]:
    """Return the changes whose answer was lost and that the new plan no longer contains."""
    asked = {(change.verb, change.kind, change.name, change.host) for change in plan.changes}
    return tuple(
        change for change in latest.unanswered if (change.verb, change.kind, change.name, change.host) not in asked
    )


def _check_verified(plan: Plan) -> None:
    if plan.unverified:
        raise plan.unverified[0]


def _common_results(module: AnsibleModule, plan: Plan, outcome: Outcome | None) -> dict[str, Any]:
    changes = plan.changes if outcome is None else outcome.done
    for warning in plan.warnings:
        module.warn(warning)
    ended: dict[str, Any] = {"changed": bool(changes), "actions": [change.sentence for change in changes]}
    if module._diff:  # pylint: disable=protected-access  # AnsibleModule has no public name for it
        ended["diff"] = build_diff(changes)
    if plan.unverified:
        ended["unverified"] = [str(error) for error in plan.unverified]
    return ended


def _own_results(module: AnsibleModule, result: Mapping[str, Any]) -> dict[str, Any]:
    for warning in result.get("warnings") or ():
        module.warn(warning)
    return dict(to_plain({key: value for key, value in result.items() if key != "warnings"}))


def _end(module: AnsibleModule, plan: Plan, outcome: Outcome | None, result: Mapping[str, Any]) -> None:
    # Python collects garbage once more at its end, even if that is disabled; guests that have just been started leave
    # it little processor time for that.
    gc.freeze()
    module.exit_json(**_common_results(module, plan, outcome), **_own_results(module, result))


def _fail_groups(
    module: AnsibleModule,
    plan: Plan,
    outcome: Outcome | None,
    failed: Mapping[str, errors.TenantryError],
    result: Mapping[str, Any],
) -> None:
    first, *others = failed.values()
    more = f" (and {len(others)} more failed)" if others else ""
    fail(module, first, more, **_common_results(module, plan, outcome), **_own_results(module, result))


def fail(module: AnsibleModule, failure: errors.TenantryError, more: str = "", **result: Any) -> None:
    """End the module with message, code and hint; every failure goes through here, so that none is a traceback."""
    module.fail_json(
        msg=f"{failure}{more}", code=failure.code, hint=failure.hint, **{**to_plain(failure.details), **result}
    )
