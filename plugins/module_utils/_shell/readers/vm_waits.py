# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""After the plan: waiting for all VMs of the task side by side, until each is there or the deadline is."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from ..._core import errors
from ..._core.model import Instance
from ..._core.placement.assign import Assignment
from ..._core.vm import cloud_init, waits
from ..._core.vm.host import VmHostReading
from ..._lxd import guest, vm_log, waiting
from ..._lxd.port import Port
from ..carry_out import Outcome
from ..progress import Phase, Progress
from .vm_hosts import VmHostFleet

# A guest that is asked and doesn't answer in this time is asked again in another round.
_ANSWER = 15
# At once on one host: a guest's answer takes LXD five small requests.
_ASKED = 8
_SAID = {
    "running": "VMs running",
    "address": "VMs with an address",
    "agent": "VMs with an agent",
    "cloud_init": "VMs through with cloud-init",
}


@dataclasses.dataclass(frozen=True)
class AwaitedVm:
    """The VMs of one host that are waited for, and the instances as they were listed last.

    A VM that isn't among those was made since: the listing after it failed.
    """

    host: str
    port: Port
    project: str
    names: Sequence[str]
    known: Mapping[str, Instance]


@dataclasses.dataclass
class _Vm:
    """One VM that is waited for, and what became of it."""

    name: str
    host: str
    seconds: float = 0.0
    over: bool = False
    lacking: str = "LXD wasn't heard of"
    failure: Optional[errors.TenantryError] = None
    seen: Optional[Instance] = None
    cloud_init: Optional[cloud_init.CloudInitStatus] = None
    on_network: float = 0.0
    # Since when it has had a status that waiting doesn't change.
    failed_status: str = ""
    failed_since: float = 0.0

    @property
    def recoverable(self) -> Sequence[str]:
        return self.cloud_init.recoverable if self.cloud_init else ()


def find_awaited_vms(sited: Sequence[Assignment], fleet: VmHostFleet, outcome: Outcome) -> list[AwaitedVm]:
    """The VMs that are to be powered on and didn't fail, by host, as they were read last."""
    names: dict[str, list[str]] = {}
    for each in sited:
        if each.host is not None and each.wanted.state in waits.POWERED:
            names.setdefault(each.host, []).append(each.wanted.name)
    found = []
    for key, those in names.items():
        host, port = fleet.opened[key].host, fleet.opened[key].port
        if host is None or port is None:
            continue
        open_ones = [name for name in those if f"{host.name}/{name}" not in outcome.failed]
        found.append(AwaitedVm(host.name, port, host.project.name, open_ones, host.instances))
    return found


class VmWaits:
    """What a task said of waiting (`wait`, `wait_timeout`), and afterwards what came of it."""

    def __init__(self, wait: str, seconds: int, progress: Progress) -> None:
        if seconds < 1:
            raise errors.Invalid(f"wait_timeout: {seconds} is too few", "1 or more")
        self.wait = wait
        self._seconds = seconds
        self._progress = progress
        self._vms: list[_Vm] = []

    def carry_out(self, awaited: Sequence[AwaitedVm]) -> Mapping[str, errors.TenantryError]:
        """Wait for them all; returns what failed, by group of the plan (`<host>/<VM>`)."""
        hosts = [each for each in awaited if each.names]
        if self.wait == "none" or not hosts:
            return {}
        phase = self._progress.phase(_SAID[self.wait], {each.host: len(each.names) for each in hosts})
        began = time.monotonic()
        tasks = [_HostWait(self.wait, self._seconds, began, each, phase) for each in hosts]
        with ThreadPoolExecutor(max_workers=len(tasks)) as workers:
            self._vms = [vm for vms in workers.map(_HostWait.carry_out, tasks) for vm in vms]
        return {f"{vm.host}/{vm.name}": vm.failure for vm in self._vms if vm.failure is not None}

    def update_hosts(self, hosts: Mapping[str, VmHostReading]) -> dict[str, VmHostReading]:
        """The hosts with their VMs as the wait saw them last, and after one for more than `running` their addresses."""
        seen: dict[str, dict[str, Instance]] = {}
        for vm in self._vms:
            if vm.seen is not None:
                seen.setdefault(vm.host, {})[vm.name] = vm.seen
        return {key: _with_seen(host, seen.get(host.name, {})) for key, host in hosts.items()}

    def rows(self) -> list[dict[str, Any]]:
        """What came of each wait, as people see it; nothing where a VM only had to run."""
        if not waits.asks_guest(self.wait):
            return []
        return [
            {
                "name": vm.name,
                "vmhost": vm.host,
                "wait": self.wait,
                "reached": vm.failure is None,
                "seconds": round(vm.seconds, 1),
                "missing": vm.lacking or None,
                "warnings": list(vm.recoverable),
            }
            for vm in self._vms
        ]


def _with_seen(host: VmHostReading, seen: Mapping[str, Instance]) -> VmHostReading:
    return dataclasses.replace(host, instances={**host.instances, **seen}) if seen else host


class _HostWait:
    """All VMs of one host, one listing a round."""

    def __init__(self, wait: str, seconds: int, began: float, awaited: AwaitedVm, phase: Phase) -> None:
        self._wait = wait
        self._seconds = seconds
        self._began = began
        self._awaited = awaited
        self._phase = phase
        self._vms = [_Vm(name, awaited.host) for name in awaited.names]

    def carry_out(self) -> list[_Vm]:
        with_state = waits.asks_guest(self._wait)
        known = self._awaited.known
        if not with_state and known.keys() >= set(self._awaited.names) and self._look(known):
            return self._vms
        end = self._began + self._seconds
        try:
            outage = waiting.watch(self._awaited.port, self._awaited.project, with_state, end, self._look)
        except errors.TenantryError as failure:
            for vm in self._open():
                self._over(vm, failure)
            return self._vms
        for vm in self._open():
            lacking = f"{vm.lacking}; and LXD didn't answer in the end: {outage.message}" if outage else vm.lacking
            self._over(vm, waits.timeout_error(self._wait, self._seconds, lacking))
        return self._vms

    def _open(self) -> list[_Vm]:
        return [vm for vm in self._vms if not vm.over]

    def _look(self, listed: Mapping[str, Instance]) -> bool:
        """One round: what each VM lacks now; whether nothing is left to wait for."""
        for vm in self._open():
            vm.seen = listed.get(vm.name) or vm.seen
            hopeless = waits.hopeless(self._wait, listed.get(vm.name))
            if hopeless is not None:
                self._over(vm, hopeless)
            elif self._has_failed(vm, listed[vm.name]):
                line = vm_log.read_last_line(self._awaited.port, self._awaited.project, vm.name)
                self._over(vm, waits.failed_status_error(vm.name, vm.failed_status, line, self._awaited.project))
        if self._wait == "cloud_init":
            self._ask_guests()
        for vm in self._open():
            if vm.seen is None:
                continue
            vm.lacking = waits.missing(self._wait, vm.seen, vm.cloud_init)
            if not vm.lacking:
                ended = vm.cloud_init
                self._over(vm, waits.cloud_init_error(ended) if ended is not None and ended.failed else None)
        return not self._open()

    def _has_failed(self, vm: _Vm, instance: Instance) -> bool:
        """Return whether the VM has had a status for a while that it doesn't leave by itself."""
        now, grace = time.monotonic(), waits.find_grace(instance)
        if grace is None or instance.status != vm.failed_status:
            vm.failed_status, vm.failed_since = instance.status if grace is not None else "", now
            return False
        return now - vm.failed_since >= grace

    def _over(self, vm: _Vm, failure: Optional[errors.TenantryError]) -> None:
        vm.over = True
        vm.seconds = time.monotonic() - self._began
        if failure is not None:
            # A wait that ran out has said what it lacked; any other end is its own reason.
            vm.lacking = vm.lacking if isinstance(failure, errors.TimedOut) else failure.message
            vm.failure = failure.about(f"VM {vm.name} on {vm.host}")
        self._phase.ended(vm.host)

    def _ask_guests(self) -> None:
        asked = []
        for vm in self._open():
            if vm.seen is None or not vm.seen.is_running:
                continue
            if waits.agent_answers(vm.seen):
                asked.append(vm)
            elif waits.proven_addresses(vm.seen):
                vm.on_network = vm.on_network or time.monotonic()
                if time.monotonic() - vm.on_network >= waits.AGENT_GRACE:
                    self._over(vm, waits.no_agent_error())
        if asked:
            with ThreadPoolExecutor(max_workers=_ASKED) as workers:
                list(workers.map(self._ask, asked))

    def _ask(self, vm: _Vm) -> None:
        try:
            ran = guest.run(self._awaited.port, self._awaited.project, vm.name, cloud_init.COMMAND, _ANSWER)
        except (errors.OperationFailed, errors.Unreachable, errors.TimedOut, errors.NotFound):
            # The agent went away, or LXD did: the next round says more.
            return
        if ran.code == cloud_init.NOT_INSTALLED:
            self._over(vm, waits.no_cloud_init_error())
            return
        vm.cloud_init = cloud_init.understood(ran.output)
