# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The jobs of lxd_project and lxd_project_info: reading a project, checking the authority to change it, results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ..._access import targets
from ..._core import errors
from ..._core.model import Project, Server
from ..._core.plan import Plan
from ..._core.project.exposure import find_exposure
from ..._core.project.plan import find_reading_needs, plan_project, predict_project
from ..._core.project.reading import Profile, ProjectReading
from ..._core.project.spec import ProjectSpec, parse_project_spec
from ..._core.project.view import build_project_view, build_state_view
from ..._lxd.port import Port
from ..._lxd.reader import Reader
from ..._pki import pem
from ..carry_out import ExecutionContext, Outcome

_ADMIN = "use url: unix: on the VM host with become: true, or an administrator's certificate"


class ProjectJob:
    """The project of one task of lxd_project."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._missing: list[errors.TenantryError] = []
        self._target = self._find_target()
        self._spec = parse_project_spec(params, self._target.owner)
        self._port: Optional[Port] = None
        self._reading = ProjectReading(Server.from_api({}), unread=True)

    def _find_target(self) -> targets.Target:
        try:
            return targets.parse_target(self._params)
        except errors.NotFound as missing:
            return targets.build_absent_target(self._params["vmhost"], self._params, missing)

    def plan(self) -> Plan:
        """Read the project and what else the plan needs, and plan."""
        self._missing = []
        self._reading = self._read()
        planned = plan_project(self._spec, self._reading, self._target.name)
        if planned.changes and self._port is not None:
            self._check_authority(self._port)
        changes = (*targets.plan_key_modes(self._target), *planned.changes)
        return dataclasses.replace(planned, changes=changes, unverified=tuple(self._missing))

    def _read(self) -> ProjectReading:
        server = Server.from_api({})
        try:
            port = self._connect()
            server = port.server
            if not server.has("projects"):
                raise errors.Unsupported(f"{self._target.name}: LXD {server.version} has no projects", "upgrade LXD")
            return _read_project(Reader(port), self._spec)
        except errors.NotTrusted as refused:
            # No earlier task gives this task the right to open the socket.
            if self._target.local:
                raise
            self._missing.append(_hidden_project_error(refused, self._target.name, self._spec.name))
        except errors.NotFound as missing:
            self._missing.append(missing)
        except errors.Unreachable as silent:
            # An earlier task of the same play may install LXD on this machine, but none makes a remote address answer.
            if not self._target.local:
                raise
            self._missing.append(silent)
        return ProjectReading(server, unread=True)

    def _connect(self) -> Port:
        if self._target.missing is not None:
            raise self._target.missing
        if self._port is None:
            self._port = targets.open_trusted(self._target)
        return self._port

    def _check_authority(self, port: Port) -> None:
        """Report before the first write, and in check mode, that LXD lets no restricted certificate change a
        project.
        """
        if self._target.local or self._missing:
            return
        if _is_restricted(Reader(port), port.connection.certificate):
            self._missing.append(
                errors.NotTrusted(
                    f"{self._target.name}: project {self._spec.name}: a restricted certificate can read its project, "
                    "but not change it",
                    _ADMIN,
                )
            )

    def execution_context(self) -> ExecutionContext:
        """Return the connection to the VM host."""
        return ExecutionContext(ports={self._target.name: self._port} if self._port else {})

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """Return the project as it is, or in check mode as it would be, and its exposure."""
        server = self._reading.server
        current = (
            predict_project(self._spec, self._reading) if outcome is None else self._read_again(bool(plan.changes))
        )
        if current is None:
            return {"project": None, "exposure": []}
        return {
            "project": build_project_view(current[0], server, current[1]),
            "exposure": find_exposure(current[0], server),
        }

    def _read_again(self, changed: bool) -> tuple[Project, Profile | None] | None:
        reading = self._reading
        if changed and self._port is not None:
            try:
                reading = _read_own(Reader(self._port), self._spec.name)
            except errors.TenantryError:
                # The host went away in the middle: what was read before is the last that is known.
                reading = self._reading
        if reading.project is None:
            return None
        return reading.project, reading.profile[0] if reading.profile else None

    def close(self) -> None:
        """Close the connection."""
        if self._port:
            self._port.close()


def _read_own(reader: Reader, name: str) -> ProjectReading:
    """Read the project, and its default profile if it has profiles of its own."""
    project = reader.project(name)
    profile = reader.profile(name, "default") if project and project.has_own("profiles") else None
    return ProjectReading(reader.server, project, profile)


def _read_project(reader: Reader, spec: ProjectSpec) -> ProjectReading:
    reading = _read_own(reader, spec.name)
    needs = find_reading_needs(spec, reading)
    name = spec.name
    if needs.contents:
        reading = dataclasses.replace(reading, instances=tuple(reader.instances(name)))
        if reading.profile:
            reading = dataclasses.replace(reading, profiles=tuple(reader.profiles(name)))
    if needs.state:
        reading = dataclasses.replace(reading, state=reader.project_state(name))
    if needs.places:
        # A project with networks of its own sees none of the server's.
        seen_from = name if reading.project and not spec.bridges else "default"
        reading = dataclasses.replace(reading, pools=tuple(reader.pools()), networks=tuple(reader.networks(seen_from)))
    if needs.images:
        reading = dataclasses.replace(reading, images=tuple(reader.images(name)))
    return reading


def _is_restricted(reader: Reader, certificate: str) -> bool | None:
    """Return whether the server restricts a certificate; None if that can't be read."""
    try:
        entry = reader.trust_entry(pem.fingerprint(certificate))
    except errors.TenantryError:
        return None
    return entry.restricted if entry else None


def _hidden_project_error(refused: errors.NotTrusted, host: str, name: str) -> errors.TenantryError:
    if refused.details.get("status") != 403:
        return refused
    return errors.NotTrusted(
        f"{host}: project {name}: this certificate can't read it, and could not create or change it", _ADMIN
    )


def read_rows(to: targets.Target, reader: Reader) -> Sequence[Mapping[str, Any]]:
    """Return one row: the tracked project of a VM host with its limits, usage and exposure."""
    if not to.project:
        raise errors.Invalid(f"{to.name}: no project is set", "set project, or register the VM host")
    reading = _read_own(reader, to.project)
    if reading.project is None:
        raise errors.NotFound(
            f"{to.name}: project {to.project} doesn't exist", "create it with tenantry.lxd.lxd_project"
        )
    # The sentences are about the holder of the certificate in the registry.
    registered = to.entry is not None and not to.local
    restricted = not registered or _is_restricted(reader, to.connection.certificate) is not False
    view = build_project_view(reading.project, reader.server, reading.profile[0] if reading.profile else None)
    usage = build_state_view(reader.project_state(to.project)) if reader.server.has("project_usage") else {}
    exposure = find_exposure(reading.project, reader.server, certificate_restricted=restricted)
    return [{**view, "state": usage, "exposure": exposure}]
