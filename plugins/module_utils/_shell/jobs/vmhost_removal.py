# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Unregistering a VM host: its entry goes, and before it, if asked for, the managed VMs on it, each for itself."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Optional

from ..._access import targets
from ..._core import errors
from ..._core.plan import Change, Plan, Prove
from ..._core.tenant_cert.commands import revoke_command
from ..._core.vm import plan as vm_plan
from ..._core.vm import spec as vm
from ..._core.vm.host import VmHostReading
from ..._core.vm.volumes import VM
from ..._core.vmhost import files as vmhost_files
from ..._core.vmhost import registration as vmhost
from ..._lxd.port import Port
from ..._lxd.reader import Reader
from ..._pki import pem
from ..._registry import file_store
from ..carry_out import ExecutionContext, Outcome
from ..vm_results import failed_vm
from .vmhost import find_row

_CLEARED = "cleared"
_STAYS = "it stays registered, since managed VMs are left on it"


class AbsentJob:
    """One VM host that should not be registered; without `vms: delete` nobody is asked."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._row = find_row(params)
        self._name: str = params["name"]
        self._port: Optional[Port] = None
        self._left: dict[str, errors.TenantryError] = {}
        self._deleted: list[str] = []
        self._flavour = "lxd"
        if not self._row.get("folder"):
            raise errors.Invalid(
                f"{self._name}: the registry is on the controller, and this task runs on another machine",
                "run it on the controller (delegate_to: localhost, connection: local)",
            )
        self._store = file_store.FileStore(params["registry"])
        self._certificate = self._store.text(self._name, file_store.CERTIFICATE_FILE) or ""

    def plan(self) -> Plan:
        """The managed VMs first, if they are to go; the entry only where none of them is left."""
        self._left = {}
        there = self._store.text(self._name, file_store.ENTRY_FILE) is not None
        changes: list[Change] = []
        if there and self._params["vms"] == "delete":
            changes, self._left = self._vms()
        self._deleted = list(dict.fromkeys(change.name for change in changes if change.kind == "VM"))
        if not self._left:
            changes += self._plan_removal(there, bool(changes))
        return Plan(tuple(changes), warnings=tuple(str(error) for error in self._left.values()))

    # The VMs

    def _vms(self) -> tuple[list[Change], dict[str, errors.TenantryError]]:
        """What makes the managed VMs and their volumes go, and why some of them can't."""
        host = self._read(self._target())
        changes: list[Change] = []
        left: dict[str, errors.TenantryError] = {}
        if host is None:
            return changes, left
        ours = {name for name, each in host.instances.items() if each.is_unreachable or each.owner == host.owner}
        # Where a run was interrupted, volumes remember a VM that is gone.
        traces = {volume.config.get(VM) or "" for volume in host.volumes.values() if volume.owner == host.owner}
        for name in sorted(ours | (traces - set(host.instances) - {""})):
            try:
                changes += vm_plan.plan_vm(
                    vm.parse_vm_spec({"name": name, "state": "absent"}), host, vm_plan.RestartPolicy()
                ).changes
            except errors.TenantryError as refused:
                left[name] = refused
        return changes, left

    def _target(self) -> targets.Target:
        target = targets.parse_row_target(self._row, self._params)
        entry = target.entry
        for option in ("project", "owner"):
            said = self._params.get(option)
            if entry is not None and said not in (None, getattr(entry, option)):
                raise errors.Invalid(
                    f"{self._name}: {option}: it is {getattr(entry, option)} in the registry, and {said} in the task",
                    "only VMs of the registered project are deleted; leave it out",
                )
        return target

    def _read(self, target: targets.Target) -> Optional[VmHostReading]:
        if self._port is None:
            self._port = targets.open_trusted(target)
        reader, owner, name = Reader(self._port), str(target.owner), str(target.project)
        self._flavour = reader.server.flavour
        try:
            project = reader.project(name)
        except errors.NotTrusted as refused:
            raise vmhost.project_not_found_error(self._name, name, refused) from None
        if project is None:
            return None
        vmhost.check_project(self._name, project, owner)
        instances = {each.name: each for each in reader.instances(name)}
        pools = [pool.name for pool in reader.pools()]
        volumes = {(pool, volume.name): volume for pool in pools for volume in reader.volumes(name, pool)}
        return VmHostReading(self._name, owner, project, reader.server, instances, volumes)

    def _cleared(self, _about: Mapping[str, Any], _made: Mapping[str, Any]) -> None:
        """Nothing of ours is there any more: what failed to go, or came meanwhile, keeps its host's entry."""
        changes, left = self._vms()
        names = sorted({*left, *(change.name for change in changes)})
        if names:
            raise errors.OperationFailed(f"{self._name}: {_STAYS}: {', '.join(names)}", "run again")

    # The registry

    def _plan_removal(self, there: bool, after_vms: bool) -> list[Change]:
        folder = self._store.folder(self._name)
        names = vmhost_files.ALL_BUT_ENTRY if self._params["remove_files"] else ()
        files = [name for name in names if os.path.lexists(os.path.join(folder, name))]
        before = (self._row.get("entry") or {"name": self._name}) if there else None
        # A group of its own, the last of its host: those of one host are carried out in order, one at a time.
        gone = vmhost_files.plan_removal(self._name, folder, before, files, group=f"{self._name}/")
        changes = [dataclasses.replace(change, host=self._name) for change in gone]
        if not after_vms or not changes:
            return changes
        (first, *rest) = changes
        return [dataclasses.replace(first, steps=(Prove(_CLEARED), *first.steps)), *rest]

    def execution_context(self) -> ExecutionContext:
        """One VM after the other, so that the entry's turn comes when theirs is over."""
        ports = {self._name: self._port} if self._port else {}
        return ExecutionContext(ports=ports, claims={_CLEARED: self._cleared}, workers=1)

    def result(self, _plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """What is left behind; raises Protected or its like where a VM was kept from going before anything began."""
        failed = dict(self._left)
        if outcome is not None:
            prefix = f"{self._name}/"
            failed.update(
                {g[len(prefix) :]: e for g, e in outcome.failed.items() if g.startswith(prefix) and g != prefix}
            )
            self._deleted = list(dict.fromkeys(each.name for each in outcome.done if each.kind == "VM"))
        told: dict[str, Any] = {
            "vmhost": None,
            "orphaned_trust": self._orphan(),
            "deleted_vms": [name for name in self._deleted if name not in failed],
            "failed_vms": [failed_vm(name, self._name, error) for name, error in failed.items()],
        }
        if outcome is not None and self._left and not outcome.failed:
            first = next(iter(self._left.values()))
            raise type(first)(f"{self._name}: {_STAYS}: {first.message}", first.hint, **told)
        return told

    def _orphan(self) -> Optional[dict[str, str]]:
        if not self._certificate:
            return None
        try:
            fingerprint = pem.fingerprint(self._certificate)
        except errors.Invalid:
            return None
        return {"fingerprint": fingerprint, "command": revoke_command(fingerprint, self._flavour)}

    def close(self) -> None:
        """Give the connection back."""
        if self._port:
            self._port.close()
