# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Composing: which hosts to read for which VMs, one plan over all of them, and what became of each VM."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from ..._access import targets
from ..._core import errors
from ..._core.capacity import over_limits
from ..._core.placement.assign import Assignment, assign_hosts
from ..._core.placement.candidates import (
    CandidateHosts,
    HostFilters,
    check_elsewhere,
    find_candidates,
    group_by_reason,
    locate_vm,
)
from ..._core.plan import Change, Plan
from ..._core.vm import checks as vm_checks
from ..._core.vm import plan as vm_plan
from ..._core.vm import prune as vm_prune
from ..._core.vm import spec as vm
from ..._core.vm.host import VmHostReading
from .. import vm_results
from ..carry_out import ExecutionContext, Outcome
from ..progress import Progress
from ..readers.vm_hosts import VmHostFleet
from ..readers.vm_waits import VmWaits, find_awaited_vms


class ComposeJob:
    """The VMs of one task, over any number of VM hosts."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        for option in ("stop_timeout", "concurrency"):
            if params[option] < 1:
                raise errors.Invalid(f"{option}: {params[option]} is too few", "1 or more")
        self._policy = vm_plan.RestartPolicy(params["allow_restart"], params["stop_timeout"], params["force_stop"])
        self._prune = vm_prune.parse_prune_options(params)
        self._fleet = VmHostFleet(params)
        self._progress = Progress(params.get("_progress") or "")
        self._waits = VmWaits(params["wait"], params["wait_timeout"], self._progress)
        self._candidates: Optional[CandidateHosts] = None
        self._said: list[Assignment] = []
        self._sited: list[Assignment] = []
        self._refused: list[tuple[str, errors.TenantryError]] = []

    def plan(self) -> Plan:
        """Read every host that a VM is or may be on, and plan all VMs before the first is touched."""
        if not self._said:
            self._said = self._open()
        self._fleet.read()
        self._refused = []
        failed: dict[str, errors.TenantryError] = {}
        self._sited = self._sites(failed)
        wanted, warnings = self._collect_specs()
        changes, waiting = self._planned(wanted, failed)
        self._raise_refused()
        if self._params["ignore_unreachable_hosts"]:
            silent = [*self._fleet.silent.values(), *failed.values()]
            warnings += dict.fromkeys(f"{error.message}; left alone" for error in silent)
            failed = {}
        tightened = [
            change for opened in self._fleet.opened.values() for change in targets.plan_key_modes(opened.target)
        ]
        return Plan(
            (*tightened, *changes),
            needs_restart=tuple(waiting),
            warnings=tuple(warnings),
            unverified=tuple(self._fleet.missing),
            failed=failed,
        )

    def _open(self) -> list[Assignment]:
        """Every VM of the task with the hosts that it is or may be on; none is asked yet."""
        said: list[Assignment] = []
        refused: list[errors.TenantryError] = []
        listed: dict[str, set[Optional[str]]] = {}
        for spec in vm.merge_all_defaults(self._params["vms"], self._params.get("defaults")):
            try:
                one = self._open_one(vm.parse_vm_spec(spec), spec.get("vmhost"))
                hosts = listed.setdefault(one.wanted.name, set())
                if one.host in hosts or (hosts and None in {one.host, *hosts}):
                    raise errors.Invalid(f"vms: {one.wanted.name} is listed twice", "give each VM one entry")
            except errors.TenantryError as error:
                refused.append(error)
                continue
            hosts.add(one.host)
            said.append(one)
        errors.raise_all(refused)
        return said

    def _open_one(self, spec: vm.VmSpec, vmhost: Optional[str]) -> Assignment:
        """Open what one VM may be on: its own host, the task's, or all candidates."""
        params = self._params
        if vmhost or params.get("vmhost") or params.get("url"):
            host = str(vmhost or params.get("vmhost") or "")
            self._fleet.open(host).names.add(spec.name)
            return Assignment(spec, host, "chosen by the task")
        if self._candidates is None:
            tags = frozenset(params.get("host_tags") or ())
            said = HostFilters(_tuple(params.get("vmhosts")), params.get("pool"), params.get("zone"), tags)
            self._candidates = find_candidates(self._fleet.labels(), said)
        for name in self._candidates.names:
            self._fleet.open(name).names.add(spec.name)
        return Assignment(spec, None, free=self._candidates.names, against=group_by_reason(self._candidates.against))

    def _sites(self, failed: dict[str, errors.TenantryError]) -> list[Assignment]:
        """A host for each VM: said, found, or chosen; VMs that a silent host fails go to `failed`."""
        sited: list[Assignment] = []
        hosts, unsure = self._fleet.hosts, {**self._fleet.silent, **self._fleet.moving}
        for said in self._said:
            try:
                sited.append(self._locate_vm(said, hosts, unsure))
            except errors.Unreachable as silence:
                failed[said.group] = silence
            except errors.TenantryError as error:
                self._refused.append((said.wanted.name, error))
        self._fleet.read_needed(_by_host(sited))
        hosts = self._fleet.hosts
        self._fleet.look_closer({name for each in sited for name in each.asks(hosts)})
        chosen = assign_hosts(sited, self._fleet.hosts, self._params["strategy"])
        self._refused += chosen.refused
        known = {each.group for each in sited}
        self._fleet.read_needed(_by_host(each for each in chosen.sited if each.group not in known))
        return chosen.sited

    def _locate_vm(
        self, said: Assignment, hosts: Mapping[str, VmHostReading], unsure: Mapping[str, errors.TenantryError]
    ) -> Assignment:
        """Where a VM is, or may be made; `unsure`: the hosts that may have it all the same."""
        name = said.wanted.name
        if said.host is not None:
            if said.host in unsure and (said.host not in hosts or name not in hosts[said.host].instances):
                raise unsure[said.host]
            check_elsewhere(name, said.host, self._params.get("vmhosts") or (), hosts)
            self._permitted(said, (said.host,))
            return said
        ignore = self._params["ignore_unreachable_hosts"]
        there = locate_vm(name, said.free, hosts, unsure, ignore)
        if there.host is not None:
            return dataclasses.replace(said, host=there.host, free=(), reason="it is there", against={})
        forbidden = self._permitted(said, there.free)
        reasons = {**there.taken, **forbidden, **{each: "it gives no answer" for each in said.free if each in unsure}}
        more = {**said.against, **group_by_reason(reasons)}
        free = tuple(each for each in there.free if each not in forbidden) if said.wanted.state != "absent" else ()
        return dataclasses.replace(said, free=free, against=more, reason="" if free else "it is nowhere")

    def _permitted(self, said: Assignment, names: Sequence[str]) -> dict[str, str]:
        """Which of these hosts forbid the VM, and why; raises where all of them do."""
        hosts = {name: self._fleet.hosts[name] for name in names if name in self._fleet.hosts}
        found = vm_checks.find_forbidding_hosts(said.wanted, hosts)
        if found and len(found) == len(names):
            raise next(iter(found.values()))
        return {name: error.message.partition(": ")[2] for name, error in found.items()}

    def _collect_specs(self) -> tuple[dict[str, list[vm.VmSpec]], list[str]]:
        """The VMs to plan by host, those that are pruned among them, and what to warn of."""
        wanted = _by_host(self._sited)
        warnings: list[str] = []
        if self._prune is not None:
            hosts = [host for name, host in self._fleet.hosts.items() if name in self._params["vmhosts"]]
            listed = {host: {each.name for each in those} for host, those in wanted.items()}
            victims = vm_prune.find_prunable_vms(self._prune, hosts, listed)
            warnings += victims.warnings
            gone = {
                host: [vm.parse_vm_spec({"name": name, "state": "absent"}) for name in names]
                for host, names in victims.names.items()
                if names
            }
            self._fleet.read_needed(gone)
            for host, those in gone.items():
                wanted.setdefault(host, []).extend(those)
        return wanted, warnings

    def _planned(
        self, wanted: Mapping[str, Sequence[vm.VmSpec]], failed: dict[str, errors.TenantryError]
    ) -> tuple[list[Change], list[Mapping[str, Any]]]:
        changes: list[Change] = []
        waiting: list[Mapping[str, Any]] = []
        hosts = self._fleet.hosts
        for name, those in wanted.items():
            self._refused += [("", error) for error in vm_checks.find_duplicate_addresses(name, those)]
            for each in those:
                if name not in hosts:
                    failed[f"{name}/{each.name}"] = self._fleet.silent[name]
                    continue
                try:
                    planned = vm_plan.plan_vm(each, hosts[name], self._policy)
                except errors.Unreachable as silence:
                    # It is on a cluster member that is down: nobody can tell what it needs, and the others go on.
                    failed[f"{name}/{each.name}"] = silence
                    continue
                except errors.TenantryError as error:
                    self._refused.append((each.name, error))
                    continue
                changes += planned.changes
                if planned.waiting:
                    waiting.append({"name": each.name, "vmhost": hosts[name].name, "keys": list(planned.waiting)})
        return changes, waiting

    def _raise_refused(self) -> None:
        """Whatever is refused, at whichever step, at once and in the task's order."""
        order = {each.wanted.name: position for position, each in enumerate(self._said)}
        ordered = sorted(self._refused, key=lambda refusal: order.get(refusal[0], len(order)))
        errors.raise_all([error for _name, error in ordered])

    def execution_context(self) -> ExecutionContext:
        """A port for each host, and a bounded number of VMs at once on each."""
        ports = {opened.target.name: opened.port for opened in self._fleet.opened.values() if opened.port}
        return ExecutionContext(
            ports=ports,
            workers=self._params["concurrency"],
            progress=self._progress,
            wait_afterwards=self._afterwards,
        )

    def _afterwards(self, outcome: Outcome) -> Mapping[str, errors.TenantryError]:
        """See what was made of the hosts, and wait for what isn't there yet; returns the VMs that didn't get there."""
        touched = {change.host for change in outcome.done} | {group.rpartition("/")[0] for group in outcome.failed}
        names = {name for name, each in self._fleet.opened.items() if each.target.name in touched}
        self._fleet.read_again({name: those for name, those in _by_host(self._sited).items() if name in names})
        return self._waits.carry_out(find_awaited_vms(self._sited, self._fleet, outcome))

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """Every VM of the task that is or will be there, where it is, and what failed."""
        hosts = self._waits.update_hosts(self._fleet.hosts)
        result: dict[str, Any] = {
            "needs_restart": list(plan.needs_restart),
            "vms": vm_results.vms(self._sited, hosts, plan if outcome is None else None),
            "placements": vm_results.placements(self._sited, self._fleet.hosts),
        }
        failures = {**plan.failed, **(outcome.failed if outcome else {})}
        if failures or outcome is not None:
            result["failed_vms"] = vm_results.failed_vms(failures)
        if self._waits.rows():
            result["waits"] = self._waits.rows()
        warnings = [
            over_limits.describe_exceeded_limits(each.name, each.project, each.instances.values())
            for each in hosts.values()
        ]
        return {**result, "warnings": [sentence for sentences in warnings for sentence in sentences]}

    def close(self) -> None:
        """Give connections back."""
        self._fleet.close()


def _by_host(sited: Iterable[Assignment]) -> dict[str, list[vm.VmSpec]]:
    wanted: dict[str, list[vm.VmSpec]] = {}
    for each in sited:
        if each.host is not None:
            wanted.setdefault(each.host, []).append(each.wanted)
    return wanted


def _tuple(said: Optional[Sequence[str]]) -> Optional[tuple[str, ...]]:
    return None if said is None else tuple(said)
