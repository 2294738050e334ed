# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Projects: what to read for a plan, with whose authority it is carried out, and how a project is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..._access import targets
from ..._core import errors
from ..._core.model import Project, Server
from ..._core.plan import Plan
from ..._core.project import plan as project_plan
from ..._core.project import spec as project
from ..._core.project import view as project_view
from ..._core.project.exposure import exposure
from ..._core.project.found import Found, Profile
from ..._lxd.port import Port
from ..._lxd.reader import Reader
from ..._pki import pem
from ..carry_out import ExecutionContext, Outcome

_ADMIN = "the admin's authority is needed: url: unix: on the host with become: true, or an admin certificate"


class ProjectJob:
    """One project of one VM host."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._missing: list[errors.TenantryError] = []
        self._target = self._find()
        self._wanted = project.want(params, self._target.owner)
        self._port: Optional[Port] = None
        self._found = Found(Server.from_api({}), unread=True)

    def _find(self) -> targets.Target:
        try:
            return targets.target(self._params)
        except errors.NotFound as missing:
            return targets.absent_target(self._params["vmhost"], self._params, missing)

    def plan(self) -> Plan:
        """Read the project, then what the plan needs beside it, and plan."""
        self._missing = []
        self._found = self._read()
        planned = project_plan.plan(self._wanted, self._found, self._target.name)
        if planned.changes and self._port is not None:
            self._check_authority(self._port)
        changes = (*targets.tightened(self._target), *planned.changes)
        return dataclasses.replace(planned, changes=changes, unverified=tuple(self._missing))

    def _read(self) -> Found:
        server = Server.from_api({})
        try:
            port = self._connected()
            server = port.server
            if not server.has("projects"):
                raise errors.Unsupported(f"{self._target.name}: LXD {server.version} has no projects", "upgrade it")
            return _found(Reader(port), self._wanted)
        except errors.NotTrusted as refused:
            # A socket that may not be opened stays so whatever earlier tasks do.
            if self._target.local:
                raise
            self._missing.append(_not_ours_to_see(refused, self._target.name, self._wanted.name))
        except errors.NotFound as missing:
            self._missing.append(missing)
        except errors.Unreachable as silent:
            # An earlier task of the same play may install LXD; no task makes an https address answer.
            if not self._target.local:
                raise
            self._missing.append(silent)
        return Found(server, unread=True)

    def _connected(self) -> Port:
        if self._target.missing is not None:
            raise self._target.missing
        if self._port is None:
            self._port = targets.trusted(self._target)
        return self._port

    def _check_authority(self, port: Port) -> None:
        """LXD lets no restricted certificate write a project: said before the first write, and in check mode too."""
        if self._target.local or self._missing:
            return
        if _is_restricted(Reader(port), port.connection.certificate):
            self._missing.append(
                errors.NotTrusted(
                    f"{self._target.name}: project {self._wanted.name}: a restricted certificate may read its project, "
                    "not change it",
                    _ADMIN,
                )
            )

    def execution_context(self) -> ExecutionContext:
        """The one port."""
        return ExecutionContext(ports={self._target.name: self._port} if self._port else {})

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """The project as it is, or in check mode would be, and what a holder of its certificate could do beyond it."""
        server = self._found.server
        now = project_plan.predicted(self._wanted, self._found) if outcome is None else self._now(bool(plan.changes))
        if now is None:
            return {"project": None, "exposure": []}
        return {"project": project_view.view(now[0], server, now[1]), "exposure": exposure(now[0], server)}

    def _now(self, touched: bool) -> tuple[Project, Profile | None] | None:
        found = self._found
        if touched and self._port is not None:
            try:
                found = _own(Reader(self._port), self._wanted.name)
            except errors.TenantryError:
                # The host went away in the middle: what was read before is the last that is known.
                found = self._found
        if found.project is None:
            return None
        return found.project, found.profile[0] if found.profile else None

    def close(self) -> None:
        """Give the connection back."""
        if self._port:
            self._port.close()


def _own(reader: Reader, name: str) -> Found:
    """The project, and the profile default where it is the project's own: another's is nobody's business here."""
    there = reader.project(name)
    profile = reader.profile(name, "default") if there and there.has_own("profiles") else None
    return Found(reader.server, there, profile)


def _found(reader: Reader, wanted: project.Wanted) -> Found:
    found = _own(reader, wanted.name)
    needs = project_plan.needs(wanted, found)
    name = wanted.name
    if needs.contents:
        found = dataclasses.replace(found, instances=tuple(reader.instances(name)))
        if found.profile:
            found = dataclasses.replace(found, profiles=tuple(reader.profiles(name)))
    if needs.state:
        found = dataclasses.replace(found, state=reader.project_state(name))
    if needs.places:
        # Where the project has networks of its own it sees none of the server's.
        seen_from = name if found.project and not wanted.bridges else "default"
        found = dataclasses.replace(found, pools=tuple(reader.pools()), networks=tuple(reader.networks(seen_from)))
    if needs.images:
        found = dataclasses.replace(found, images=tuple(reader.images(name)))
    return found


def _is_restricted(reader: Reader, certificate: str) -> bool | None:
    """Whether the server restricts a certificate; None where it doesn't tell."""
    try:
        entry = reader.trust_entry(pem.fingerprint(certificate))
    except errors.TenantryError:
        return None
    return entry.restricted if entry else None


def _not_ours_to_see(refused: errors.NotTrusted, host: str, name: str) -> errors.TenantryError:
    if refused.details.get("status") != 403:
        return refused
    return errors.NotTrusted(
        f"{host}: project {name}: this certificate may not see it, and could neither make nor change it", _ADMIN
    )


def look(to: targets.Target, reader: Reader) -> Sequence[Mapping[str, Any]]:
    """One row: the tracked project of a VM host, its limits and usage, and its exposure."""
    if not to.project:
        raise errors.Invalid(f"{to.name}: no project is said", "say project, or register the host")
    found = _own(reader, to.project)
    if found.project is None:
        raise errors.NotFound(f"{to.name}: project {to.project} is not there", "make it with tenantry.lxd.lxd_project")
    # The registry's certificate is the one whose holder the sentences are about.
    ours = to.entry is not None and not to.local
    restricted = not ours or _is_restricted(reader, to.connection.certificate) is not False
    shown = project_view.view(found.project, reader.server, found.profile[0] if found.profile else None)
    usage = project_view.state(reader.project_state(to.project)) if reader.server.has("project_usage") else {}
    told = exposure(found.project, reader.server, certificate_restricted=restricted)
    return [{**shown, "state": usage, "exposure": told}]
