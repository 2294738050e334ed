# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Registering a VM host: proves it, decides with the core, and says what the registry should hold of it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from ..._access import targets
from ..._access.requirements import check_cryptography
from ..._core import errors
from ..._core.model import Server
from ..._core.plan import Change, Later, Plan
from ..._core.vmhost import files as vmhost_files
from ..._core.vmhost import registration as vmhost
from ..._core.vmhost import view as vmhost_view
from ..._core.vmhost.found import VmHostState
from ..._lxd.port import Port
from ..._lxd.reader import Reader
from ..._pki import key_pair, pem, vaulted
from ..._registry import entries, file_store, vmhost_yaml
from ..carry_out import ExecutionContext, Outcome
from ..readers import vmhost as vmhost_reading

_ON_CONTROLLER = "run it on the controller (delegate_to: localhost, connection: local)"


def find_row(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the action plugin found in the registry; without a folder where the module runs on another machine."""
    name = params["name"]
    entries.validate_name(name)
    if params.get("vmhost") not in (None, name):
        raise errors.Invalid(
            f"{name}: vmhost is {params['vmhost']}", "omit vmhost: this module takes the VM host by name"
        )
    rows = params.get("_connections") or [{"name": name}]
    return dict(rows[0])


class PresentJob:
    """One VM host that should be registered."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = params
        self._row = find_row(params)
        self._store = file_store.FileStore(params["registry"] or "")
        self._port: Optional[Port] = None
        self._missing: list[errors.TenantryError] = []
        self._wanted = self._want()
        self._target = self._find()
        self._own = _Pair(params, self._row, self._target)
        self._found = VmHostState(Server.from_api({}))
        self._decision = vmhost.RegistrationPlan(Plan())

    def _want(self) -> vmhost.RegistrationSpec:
        name, params = self._params["name"], self._params
        if self._row.get("error"):
            # Whatever can't be read isn't overwritten either.
            targets.parse_row_target(self._row, params)
        urls = [url for url in params.get("url") or () if not url.startswith("unix:")]
        normal = [entries.normalised_url(url, f"{name}: url") for url in urls]
        before = self._row.get("entry")
        writes = bool(self._row.get("folder"))
        data = vmhost.merge_entry(name, before, params, normal)
        if not data.get("url") and not data.get("urls"):
            if not params.get("url"):
                raise errors.Invalid(
                    f"{name}: url: it is not set, and the registry has no entry yet", "set url: https://host:8443"
                )
            # What the admin does on the host itself needs no address, and writes no entry.
            data["url"], writes = "https://localhost", False
        return vmhost.RegistrationSpec(
            name=name,
            before=before,
            after=entries.to_data(entries.parse(name, data)),
            said=vmhost.said_keys(params),
            enforce=frozenset(params.get("enforce") or ()),
            writes=writes,
        )

    def _find(self) -> targets.Target:
        params = self._params
        if params.get("server_cert") and params.get("server_fingerprint"):
            said = pem.normalise_fingerprint(params["server_fingerprint"], "server_fingerprint")
            if pem.fingerprint(params["server_cert"], "server_cert") != said:
                raise errors.Invalid(
                    f"{self._wanted.name}: server_cert and server_fingerprint are of different certificates",
                    "set one of them",
                )
        url = params.get("url") or list(entries.parse(self._wanted.name, self._wanted.after).urls)
        found = targets.parse_target({**params, "vmhost": self._wanted.name, "url": url, "_connections": [self._row]})
        if not self._wanted.writes and not found.local:
            raise errors.Invalid(
                f"{found.name}: the registry is on the controller, and this task runs on another machine",
                _ON_CONTROLLER,
            )
        return dataclasses.replace(found, project=self._wanted.after["project"], owner=self._wanted.after["owner"])

    # Reading

    def plan(self) -> Plan:
        """Prove the host as far as it can be, and decide."""
        self._missing = []
        self._found = self._read()
        self._decision = vmhost.plan_registration(self._wanted, self._predict_project(), self._files())
        planned = self._decision.plan
        if self._decision.pending:
            return planned
        changes = (*targets.plan_key_modes(self._target), *planned.changes)
        return dataclasses.replace(planned, changes=changes, unverified=tuple(self._missing))

    def _read(self) -> VmHostState:
        port = self._reached()
        if port is None:
            return VmHostState(Server.from_api({}))
        vmhost.check_server(self._wanted.name, port.server)
        try:
            return self._proven(Reader(port), port)
        except (errors.NotTrusted, errors.NotFound) as missing:
            self._missing.append(missing)
            return VmHostState(port.server)

    def _predict_project(self) -> VmHostState:
        """What the plan is made from: on the host itself, a project that isn't there yet as it will be."""
        if self._found.project is not None or not self._target.local or self._port is None:
            return self._found
        after = self._wanted.after
        return vmhost_reading.predict_vm_host(Reader(self._port), after["project"], after["owner"])

    def _reached(self) -> Optional[Port]:
        """The host, or None where only an earlier task of the same play would have let us in."""
        try:
            if self._port is None:
                self._port = targets.open_trusted(self._target)
        except errors.NotTrusted as refused:
            # A socket that may not be opened and a server that isn't the pinned one stay so, whatever earlier tasks do.
            if self._target.local or "fingerprint" in refused.details:
                raise
            self._missing.append(refused)
        except errors.Unreachable as silent:
            # An earlier task may install LXD; no task makes an https address answer.
            if not self._target.local:
                raise
            self._missing.append(silent)
        return self._port

    def _proven(self, reader: Reader, port: Port) -> VmHostState:
        local, name, project = self._target.local, self._wanted.name, self._wanted.after["project"]
        entry = None if local else vmhost_reading.trust_entry(reader, port.connection.certificate)
        admin = local or (entry is not None and not entry.restricted)
        self._own.settle(admin)
        if admin and self._own.certificate != port.connection.certificate:
            entry = vmhost_reading.trust_entry(reader, self._own.certificate)
            # Over the socket the admin does its part; whether the tenant is trusted shows when the tenant comes.
            if not local and (entry is None or (entry.restricted and project not in entry.projects)):
                self._missing.append(
                    errors.NotTrusted(
                        f"{name}: the registry's tenant certificate isn't there, or isn't trusted for {project}",
                        "make and trust it with tenantry.lxd.lxd_tenant_cert",
                    )
                )
        found = vmhost_reading.read_vm_host(reader, name, project)
        return dataclasses.replace(found, admin=admin, restricted=entry.restricted if entry else None)

    # What the registry should hold

    def _files(self) -> Sequence[Change]:
        if not self._wanted.writes:
            return ()
        name, folder = self._wanted.name, self._store.folder(self._wanted.name)
        changes = vmhost_files.git_ignore(*self._store.gitignore())
        changes += vmhost_files.git_ignore(*file_store.folder_gitignore(folder))
        changes += self._server_certificate(folder)
        changes += self._own.changes(name, folder, self._store)
        if not vmhost.same_entry(self._wanted.before, self._wanted.after):
            written = vmhost_yaml.render(entries.parse(name, self._wanted.after))
            changes.append(vmhost_files.entry(name, folder, self._wanted.before, self._wanted.after, written))
        return changes

    def _server_certificate(self, folder: str) -> list[Change]:
        params, server = self._params, self._found.server
        if not params.get("server_cert") and not params.get("server_fingerprint"):
            return []
        pin = (
            pem.fingerprint(params["server_cert"], "server_cert")
            if params.get("server_cert")
            else pem.normalise_fingerprint(params["server_fingerprint"], "server_fingerprint")
        )
        told = pem.fingerprint(server.certificate) if server.certificate else ""
        text: Union[str, Later] = Later("server.certificate")
        if params.get("server_cert"):
            text = pem.pem_of(pem.der_of(params["server_cert"], "server_cert"))
        elif told == pin:
            text = pem.pem_of(pem.der_of(server.certificate))
        if told and told != pin:
            raise errors.NotTrusted(
                f"{self._wanted.name}: the server reports the certificate {told}, and {pin} is pinned",
                "give the certificate that it shows as server_cert",
                fingerprint=told,
            )
        kept = self._row.get("server_cert")
        found = pem.fingerprint(kept) if kept else None
        return vmhost_files.server_certificate(self._wanted.name, folder, found, pin, text)

    # Result

    def execution_context(self) -> ExecutionContext:
        """The one port."""
        return ExecutionContext(ports={self._wanted.name: self._port} if self._port else {})

    def result(self, _plan: Plan, _outcome: Outcome | None) -> Mapping[str, Any]:
        """The VM host as it is registered, or in check mode would be, and what waits for the admin."""
        data: Mapping[str, Any] = self._wanted.after
        if self._decision.pending:
            data = self._wanted.before or {}
        certificate = vmhost_reading.summarize_certificate(self._own.certificate)
        project = self._decision.project if self._found.project else None
        shown = vmhost_view.build_vmhost_view(self._wanted.name, data, self._found, certificate, project)
        return {"vmhost": shown, "limits_pending": list(self._decision.pending)}

    def close(self) -> None:
        """Give the connection back."""
        if self._port:
            self._port.close()


class _Pair:
    """The tenant certificate of this host: the given one, or the folder's own.

    A given pair that the server doesn't restrict is an admin's: where the folder has a pair, the admin's is
    used for this run and never kept.
    """

    def __init__(self, params: Mapping[str, Any], row: Mapping[str, Any], target: targets.Target) -> None:
        self._row = row
        self._said = bool(params.get("client_cert") or params.get("client_key"))
        self._connection = target.connection
        self._kept = self._said
        if self._said:
            check_cryptography()
            now = datetime.datetime.now(datetime.timezone.utc)
            self._checked = key_pair.check_key_pair(self._connection.certificate, self._connection.private_key, now)
        elif target.spare is None and not target.local and key_pair.HAS_CRYPTOGRAPHY:
            self._check_kept(target)

    @staticmethod
    def _check_kept(target: targets.Target) -> None:
        connection = target.connection
        if connection.certificate and connection.private_key:
            now = datetime.datetime.now(datetime.timezone.utc)
            try:
                key_pair.check_key_pair(connection.certificate, connection.private_key, now)
            except errors.Invalid as wrong:
                raise errors.Invalid(f"{target.name}: {wrong.message}", wrong.hint) from None

    def settle(self, admin: bool) -> None:
        """Now that the server has said who we are: an admin's pair doesn't take the tenant's place."""
        self._kept = self._said and not (admin and self._row.get("certificate"))

    @property
    def certificate(self) -> str:
        """The host's certificate as the registry has it, or will have it."""
        return self._checked.certificate.pem if self._kept else str(self._row.get("certificate") or "")

    def changes(self, name: str, folder: str, store: file_store.FileStore) -> list[Change]:
        """What puts a given pair into the folder; a vaulted key isn't replaced by a plain one."""
        if not self._kept:
            return []
        found = pem.fingerprint(self._row["certificate"]) if self._row.get("certificate") else None
        text = store.text(name, file_store.KEY_FILE)
        wanted = self._checked.certificate.fingerprint
        if found == wanted and (text is not None or self._row.get("key_source") == "environment"):
            return []
        if text is not None and vaulted.is_vaulted(text):
            raise errors.Conflict(
                f"{name}: client_key: the folder has a vaulted key, and this one would be plain",
                "bring it with tenantry.lxd.lxd_tenant_cert: certificate, private_key, rotate: now, vault_key: true",
            )
        pair = self._checked
        return vmhost_files.pair(name, folder, found, wanted, pair.certificate.pem, pair.private_key)
