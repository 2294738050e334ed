# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The job of lxd_tenant_cert: looks, lets the core decide, shows the proofs, and tells the result."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Optional

from ..._core import errors
from ..._core.plan import Later, Plan, Prove, Request, fill_in
from ..._core.project import exposure
from ..._core.tenant_cert import plan as tenant_cert
from ..._core.tenant_cert import trust
from ..._core.tenant_cert.commands import revoke_command
from ..._core.tenant_cert.pair import (
    CertificatePair,
    TenantCertSpec,
    TrustReading,
    build_certificate_facts,
    build_certificate_view,
    parse_tenant_cert_spec,
)
from ..._lxd.reader import Reader
from ..._pki import key_pair, pem, trust_token
from ..carry_out import ExecutionContext, Outcome
from ..readers.tenant_proof import check_confined, check_trusted
from ..readers.tenant_trust import TrustReader, find_row, is_socket


class TenantCertJob:
    """One tenant certificate, on disk and in one server's trust store."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        token = trust_token.parse(params["trust_token"]) if params.get("trust_token") else None
        self._wanted = _parse_params(params, token)
        self._token = token
        self._world = TrustReader(params, self._wanted, token)
        self._found: Optional[TrustReading] = None
        self._decision = tenant_cert.Decision(Plan())
        self._entry: Optional[Mapping[str, Any]] = None
        self._proved = False

    def plan(self) -> Plan:
        """Read disk and server, and decide; where nothing is to be changed there, the proof is shown at once."""
        self._entry, self._proved = None, False
        found = self._world.look()
        decision = tenant_cert.plan(self._wanted, found)
        written = _written(decision.plan)
        if written:
            found = self._world.with_etags(found, written)
            decision = tenant_cert.plan(self._wanted, found)
        self._found, self._decision = found, decision
        self._demand_fresh_token(found, decision.plan)
        if decision.entry is not None and not decision.plan.unverified and not _proves(decision.plan):
            self._entry = decision.entry
            if decision.pair is not None and decision.pair.private_key and self._wanted.prove:
                self._prove_closed({"certificate": decision.pair.pem, "private_key": decision.pair.private_key}, {})
        return decision.plan

    def _demand_fresh_token(self, reading: TrustReading, plan: Plan) -> None:
        """A token that isn't needed any more may well be old: a play that is run again still says it."""
        used = any(isinstance(step, Prove) and step.claim == "connect" for c in plan.changes for step in c.steps)
        if self._token is not None and used and self._token.has_expired(reading.now):
            raise errors.Invalid(
                "trust_token: it has expired", "have another made on the server: lxc config trust add --name <name>"
            )

    def execution_context(self) -> ExecutionContext:
        """The connections, how a key is encrypted, and what can be shown of the certificate."""
        return ExecutionContext(
            ports=self._world.ports,
            encrypt=self._world.keys.seal,
            claims={
                "connect": self._connect,
                "trusted": self._demand_trust,
                "entry": self._read_entry,
                "closed": self._prove_closed,
            },
        )

    # Claims

    def _connect(self, about: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        pair = fill_in(about, made)
        self._world.own(pair["certificate"], pair["private_key"])

    def _demand_trust(self, about: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        pair = fill_in(about, made)
        if self._found is None or not self._world.own(pair["certificate"], pair["private_key"]).server.trusted:
            raise trust.not_trusted_error(self._wanted, self._found or self._world.look(), pair["certificate"])

    def _read_entry(self, about: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        """What LXD made of our request: a server may ignore what it doesn't know, and a token says it all itself."""
        pair = fill_in(about, made)
        fingerprint = pem.fingerprint(pair["certificate"])
        port = self._world.ports.get(trust.AUTHORITY)
        if port is None:
            port = self._world.own(pair["certificate"], pair["private_key"])
            check_trusted(port)
        entry = Reader(port).trust_entry(fingerprint)
        if entry is None or (self._found and trust.differs(self._wanted, self._found, entry)):
            # Planned again: Ansible's connection may have the right to repair it, or else the next plan says what is
            # wrong.
            raise errors.Stale(
                f"certificate {self._wanted.name}: the server has not made of it what was asked",
                revoke_command(fingerprint),
            )
        self._entry = trust.as_is(entry)

    def _prove_closed(self, about: Mapping[str, Any], made: Mapping[str, Any]) -> None:
        pair = fill_in(about, made)
        port = self._world.ports.get(trust.OWN)
        if port is None or port.connection.certificate != pair["certificate"] or not port.server.trusted:
            port = self._world.own(pair["certificate"], pair["private_key"])
        entry = self._entry or {}
        restricted = bool(entry.get("restricted", self._wanted.restricted))
        projects = self._wanted.projects if not restricted else frozenset(entry.get("projects") or ())
        seen = check_confined(port, projects, restricted)
        self._world.projects.update({project.name: project for project in seen})
        self._proved = True

    # Result

    def result(self, plan: Plan, outcome: Outcome | None) -> Mapping[str, Any]:
        """The certificate as it is, or will be, and what its holder could do beyond its projects."""
        decision, found = self._decision, self._found
        if found is None:
            return {}
        pair = decision.pair if outcome is None or decision.pair is None else self._read_new_pair(decision.pair)
        result: dict[str, Any] = {"certificate": self._view(plan, pair, found, outcome is None)}
        if pair is not None and self._wanted.state != "absent":
            later = isinstance(pair.pem, Later)
            result["trust_command"] = pair.pem if later else trust.command(self._wanted, found, str(pair.pem))
        if self._wanted.state == "trusted":
            result["exposure"] = self._exposure(found)
        if self._wanted.state == "generated":
            result.update(self._beside(found, outcome is not None))
        if decision.turn is not None:
            new = pair.fingerprint if pair is not None else decision.turn.new.fingerprint
            result["rotation"] = {**decision.turn.view, "new_fingerprint": new}
        if decision.orphans:
            result["orphaned_trust"] = [_orphan(each.name, each.fingerprint, found) for each in decision.orphans]
        if self._world.target is not None and self._world.target.connection.pin:
            result["server_fingerprint"] = self._world.target.connection.pin
        return result

    def _beside(self, reading: TrustReading, done: bool) -> Mapping[str, Any]:
        """The pairs on either side of the one in force, as far as a rotation has them on disk."""
        coming = self._decision.coming
        if done and coming is not None:
            coming = self._world.keys.read().coming
        former = None if self._wanted.retire else reading.former
        sides = {"next_certificate": coming, "old_certificate": former}
        return {side: build_certificate_facts(pair, reading.now) if pair else None for side, pair in sides.items()}

    def _view(
        self, plan: Plan, pair: Optional[CertificatePair], reading: TrustReading, predicted: bool
    ) -> Optional[Mapping[str, Any]]:
        if pair is None:
            return None
        entry, proved = self._entry, self._proved
        if predicted:
            entry = self._decision.entry or entry
            proved = proved or (_proves(plan) and self._wanted.prove and bool(pair.private_key))
        return build_certificate_view(self._wanted, pair, entry, reading, proved)

    def _read_new_pair(self, pair: CertificatePair) -> CertificatePair:
        """The pair that is there after the run, where only its key's generator could choose it before."""
        read = self._world.keys.read()
        there = read.pair or read.coming
        return there if there is not None and isinstance(pair.pem, Later) else pair

    def _exposure(self, reading: TrustReading) -> list[str]:
        server, projects = reading.server, self._world.projects
        if server is None:
            return []
        if not projects and reading.trusted and trust.OWN in self._world.ports and reading.trust:
            projects = {project.name: project for project in Reader(self._world.ports[trust.OWN]).projects()}
        names = sorted(self._wanted.projects if self._wanted.projects is not None else projects)
        sentences: dict[str, None] = {}
        for name in names if self._wanted.restricted else names[:1]:
            if name in projects:
                told = exposure.find_exposure(projects[name], server, certificate_restricted=self._wanted.restricted)
                sentences.update(dict.fromkeys(told))
        return list(sentences)

    def close(self) -> None:
        """Give connections back."""
        self._world.close()


def _parse_params(params: Mapping[str, Any], token: Optional[trust_token.TrustToken]) -> TenantCertSpec:
    row = find_row(params)
    if row.get("error"):
        raise errors.Invalid(row["error"]["message"], row["error"].get("hint", ""))
    # The entry gets the token's name, whatever a task would like.
    default = params.get("vmhost") or (token.client_name if token else None)
    wanted = parse_tenant_cert_spec(params, default)
    if token and token.client_name != wanted.name:
        if wanted.name_said:
            raise errors.Invalid(
                f"trust_token: it is for the name {token.client_name}, and name is {wanted.name}",
                "have one made with that name, or leave name out",
            )
        wanted = dataclasses.replace(wanted, name=token.client_name)
    changes: dict[str, Any] = {}
    owner = params.get("owner") or (row.get("entry") or {}).get("owner")
    if not wanted.common_name and owner:
        changes["common_name"] = key_pair.common_name_of(wanted.name, owner)
    if is_socket(params):
        # Whoever opens the socket is the admin, so nothing can be shown of the tenant's certificate there.
        changes["prove"] = False
    return dataclasses.replace(wanted, **changes)


def _written(plan: Plan) -> set[str]:
    steps = [step for change in plan.changes for step in change.steps if isinstance(step, Request)]
    return {step.path[1] for step in steps if step.method != "POST"}


def _proves(plan: Plan) -> bool:
    return any(isinstance(step, Prove) and step.claim == "entry" for c in plan.changes for step in c.steps)


def _orphan(name: str, fingerprint: str, reading: TrustReading) -> dict[str, str]:
    flavour = reading.server.flavour if reading.server else "lxd"
    return {"name": name, "fingerprint": fingerprint, "command": revoke_command(fingerprint, flavour)}
