# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one runner: plan, show the plan, and outside check mode carry it out."""

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

# Somebody else may change the same thing while we plan; three times in a row is a fight, not a coincidence.
_ROUNDS = 3


class Job(Protocol):
    """What one module does: read and plan, say how to carry out, and tell the result."""

    def plan(self) -> Plan:
        """Read the world and say what should change; called again when the world moved."""

    def execution_context(self) -> ExecutionContext:
        """What carrying the last plan out needs."""

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """The module's own return values: as they are after carrying out, or as predicted (`outcome` is None).

        What is in `warnings` is no value: it is warned of.
        """

    def close(self) -> None:
        """Give connections back."""


def run(module: AnsibleModule, start: Any) -> None:
    """Run the job that `start(params)` makes, and end the module; check mode stops after the plan."""
    # A module's process is short, and what it reads of many hosts stays until its end: collecting finds nothing.
    gc.disable()
    done = Outcome()
    for notice in expiry_notices.notices(module.params):
        module.warn(notice)
    try:
        with contextlib.closing(start(module.params)) as job:
            plan = job.plan()
            outcome: Outcome | None = None
            if not module.check_mode:
                plan, done = _carried_out(job, plan)
                done = outcome = _waited(job, done)
            failed = {**plan.failed, **done.failed}
            if failed:
                _fail_groups(module, plan, outcome, failed, job.result(plan, outcome))
            _end(module, plan, outcome, job.result(plan, outcome))
    except errors.TenantryError as failure:
        fail(module, failure, changed=bool(done.done), actions=[change.sentence for change in done.done])


def _carried_out(job: Job, plan: Plan) -> tuple[Plan, Outcome]:
    total = Outcome()
    _demand_verified(plan)
    for _round in range(_ROUNDS):
        latest = carry_out(plan, job.execution_context())
        # What failed is in the next plan again: only its last try counts.
        total = dataclasses.replace(latest, done=total.done + latest.done)
        if not latest.stale:
            return plan, total
        try:
            plan = job.plan()
            _demand_verified(plan)
            total = dataclasses.replace(total, done=total.done + _found_done(latest, plan))
        except errors.TenantryError as failure:
            # What was done until now is reported all the same.
            return plan, dataclasses.replace(total, failed={**total.failed, "": failure})
    lost = {name: errors.Conflict(error.message, error.hint) for name, error in total.stale.items()}
    return plan, dataclasses.replace(total, failed={**total.failed, **lost})


def _waited(job: Job, outcome: Outcome) -> Outcome:
    """What the job waits for afterwards, unless the plan could not be carried out to its end."""
    after = job.execution_context().after
    if after is None or "" in outcome.failed:
        return outcome
    return dataclasses.replace(outcome, failed={**outcome.failed, **after(outcome)})


def _found_done(latest: Outcome, plan: Plan) -> tuple[Change, ...]:
    """Changes whose answer was lost, and that the new plan doesn't ask for any more."""
    asked = {(change.verb, change.kind, change.name, change.host) for change in plan.changes}
    return tuple(
        change for change in latest.unanswered if (change.verb, change.kind, change.name, change.host) not in asked
    )


def _demand_verified(plan: Plan) -> None:
    if plan.unverified:
        raise plan.unverified[0]


def _shared(module: AnsibleModule, plan: Plan, outcome: Outcome | None) -> dict[str, Any]:
    changes = plan.changes if outcome is None else outcome.done
    for warning in plan.warnings:
        module.warn(warning)
    ended: dict[str, Any] = {"changed": bool(changes), "actions": [change.sentence for change in changes]}
    if module._diff:  # pylint: disable=protected-access  # AnsibleModule has no public name for it
        ended["diff"] = build_diff(changes)
    if plan.unverified:
        ended["unverified"] = [str(error) for error in plan.unverified]
    return ended


def _own(module: AnsibleModule, result: Mapping[str, Any]) -> dict[str, Any]:
    for warning in result.get("warnings") or ():
        module.warn(warning)
    return dict(to_plain({key: value for key, value in result.items() if key != "warnings"}))


def _end(module: AnsibleModule, plan: Plan, outcome: Outcome | None, result: Mapping[str, Any]) -> None:
    # Python looks for garbage once more when it ends, whatever was disabled; guests that have just been started leave
    # it little of the processor for that.
    gc.freeze()
    module.exit_json(**_shared(module, plan, outcome), **_own(module, result))


def _fail_groups(
    module: AnsibleModule,
    plan: Plan,
    outcome: Outcome | None,
    failed: Mapping[str, errors.TenantryError],
    result: Mapping[str, Any],
) -> None:
    first, *others = failed.values()
    more = f" (and {len(others)} more failed)" if others else ""
    fail(module, first, more, **_shared(module, plan, outcome), **_own(module, result))


def fail(module: AnsibleModule, failure: errors.TenantryError, more: str = "", **result: Any) -> None:
    """The one way a module fails: message, code and hint; never a traceback."""
    module.fail_json(
        msg=f"{failure}{more}", code=failure.code, hint=failure.hint, **{**to_plain(failure.details), **result}
    )
