# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commissioning one enlisted VM: read it in a managed project, plan its mark, and tell it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, Optional

from ..._access import targets
from ..._core import errors
from ..._core.model import Instance
from ..._core.plan import Plan
from ..._core.vm import commission as vm_commission
from ..._core.vm import erase as vm_erasure
from ..._core.vmhost import registration as vmhost
from ..._lxd.port import Port
from ..._lxd.reader import Reader
from ..carry_out import ExecutionContext, Outcome


class CommissionJob:
    """One VM of one VM host."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._target = targets.parse_target(params)
        self._wanted = vm_commission.parse_commission_spec(params, self._target.owner)
        if not self._target.project:
            raise errors.Invalid(f"{self._target.name}: no project is set", "set project, or register the VM host")
        self._place = vm_commission.ProjectPlace(self._target.name, self._target.project)
        # One moment for the whole run, or a plan that is made again would differ from the one that was shown.
        self._now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._port: Optional[Port] = None
        self._found: Optional[Instance] = None

    def plan(self) -> Plan:
        """Read the project and the VM, and plan."""
        if self._port is None:
            self._port = targets.open_trusted(self._target)
        reader = Reader(self._port)
        project = reader.project(self._place.project)
        if project is None:
            raise errors.NotFound(
                f"{self._target.name}: project {self._place.project} is not there",
                "make it with tenantry.lxd.lxd_project",
            )
        vmhost.check_project(self._target.name, project, self._wanted.owner)
        self._found = reader.instance(self._place.project, self._wanted.name)
        if vm_erasure.due(self._wanted, self._found, self._now):
            planned = vm_erasure.plan_erase(self._wanted, self._read_erasure(reader), self._place, self._now)
        else:
            planned = vm_commission.plan_commission(self._wanted, self._found, self._place, self._now)
        return dataclasses.replace(planned, changes=(*targets.plan_key_modes(self._target), *planned.changes))

    def _read_erasure(self, reader: Reader) -> vm_erasure.EraseReading:
        """What an erasure has to know besides."""
        project, name, found = self._place.project, self._wanted.name, self._found
        stand_in = reader.instance(project, vm_erasure.stand_in(name))
        if found is None:
            self._found = stand_in
            return vm_erasure.EraseReading(None, stand_in)
        member = found.location if reader.server.clustered else ""
        return vm_erasure.EraseReading(found, stand_in, tuple(reader.copies(project, name)), member)

    def execution_context(self) -> ExecutionContext:
        """The one port."""
        return ExecutionContext(ports={self._target.name: self._port} if self._port else {})

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """The VM as it is now, or in check mode would be."""
        if self._found is None:
            return {}
        done = plan if outcome is None else dataclasses.replace(plan, changes=outcome.done)
        return {"vm": vm_commission.after(done, self._found, self._place)}

    def close(self) -> None:
        """Give the connection back."""
        if self._port:
            self._port.close()
