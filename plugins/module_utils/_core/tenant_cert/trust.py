# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The server's side of a tenant certificate: its entry in the trust store, added, repaired, removed and proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from .. import errors
from ..model import TrustEntry
from ..plan import Change, Later, Prove, Request, Step
from .commands import revoke_command, trust_command
from .pair import CertificatePair, TenantCertSpec, TrustReading, find_trust_differences, shorten_fingerprint

# Whose connection carries a request: the one that the task says, or the tenant's own.
AUTHORITY = "authority"
OWN = "own"

View = Optional[Mapping[str, Any]]


def plan_trust(spec: TenantCertSpec, reading: TrustReading, pair: CertificatePair) -> tuple[list[Change], View]:
    """What makes the server trust this pair as wanted, and its entry then; nothing and None where nobody here may."""
    _check(spec, reading)
    entry = reading.entry(pair)
    if entry is None:
        if pair.fingerprint in reading.trusted:
            raise errors.Conflict(
                f"certificate {spec.name}: the server trusts it without an entry in its trust store",
                "a certificate authority (core.trust_ca_certificates) makes it an administrator: turn that off",
            )
        return _plan_add(spec, reading, pair)
    wrong = differs(spec, reading, entry)
    if not wrong:
        return [], as_is(entry)
    if not reading.may_change_trust:
        raise errors.Conflict(f"certificate {spec.name}: {_otherwise(wrong)}", _ADMIN)
    return [_plan_update(spec, reading, entry, wrong), plan_proof(spec, pair)], _as_wanted(spec, entry)


_ADMIN = (
    "only an admin may change that: run this with url: unix: on the host, or with an admin's client_cert and "
    "client_key; by hand it is `lxc config trust edit <fingerprint>`"
)


def differs(spec: TenantCertSpec, reading: TrustReading, entry: TrustEntry) -> dict[str, tuple[Any, Any]]:
    """Where the entry is not as wanted; a name that nobody said is nobody's concern but the admin's."""
    wrong = find_trust_differences(spec, entry)
    if not reading.admin and not spec.name_said:
        wrong.pop("name", None)
    return wrong


def _otherwise(wrong: Mapping[str, tuple[Any, Any]]) -> str:
    said = [f"{field} {_word(is_now)}, and {_word(wish)} is wanted" for field, (is_now, wish) in sorted(wrong.items())]
    return f"the server trusts it with {'; '.join(said)}"


def _word(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check(spec: TenantCertSpec, reading: TrustReading) -> None:
    server = reading.server
    if spec.restricted and server is not None and not server.has("certificate_project"):
        raise errors.Unsupported(
            "certificate: this server doesn't know restricted certificates (certificate_project), and would make its "
            "holder an administrator",
            "LXD 5.0 or newer, or Incus, is needed",
        )
    choosing = reading.may_change_trust or reading.joins_by == "password"
    if choosing and spec.restricted and spec.projects is None:
        raise errors.Invalid(
            "projects: not set, and restricted is true",
            "name the projects that the certificate is for; there is no default",
        )


def _plan_add(spec: TenantCertSpec, reading: TrustReading, pair: CertificatePair) -> tuple[list[Change], View]:
    projects: Any = Later("projects") if spec.projects is None else sorted(spec.projects)
    view = {"name": spec.name, "restricted": spec.restricted, "projects": projects}
    steps: tuple[Step, ...]
    body = {"type": "client", "name": spec.name}
    asked = {"restricted": spec.restricted, "projects": sorted(spec.projects or ()), "certificate": pair.der}
    if reading.may_change_trust:
        steps, host = (_post({**body, **asked}, _NO_PROJECT),), AUTHORITY if reading.admin else OWN
    elif reading.joins_by == "password":
        steps, host = (_connect(pair), _post({**body, **asked, "password": reading.secret}, _WRONG_WORD)), OWN
    elif reading.joins_by == "token":
        # Name, projects and restriction are the token's own: LXD takes none of ours beside it.
        steps, host = (_connect(pair), _post({**body, **_token(reading)}, _USED_UP)), OWN
    else:
        return [], None
    after = {"fingerprint": pair.fingerprint, **view}
    add = Change("add", "trust entry", spec.name, steps, None, after, _where(spec), host=host)
    return [add, plan_proof(spec, pair)], view


_NO_PROJECT = "the projects have to be there: make them with tenantry.lxd.lxd_project"
_WRONG_WORD = "is it the server's core.trust_password? LXD from 6.2 on has none: use trust_token"
_USED_UP = (
    "a token is good for one use, and gone when LXD restarts or when it was tried in vain: "
    "have another made (lxc config trust add --name … --restricted --projects …)"
)


def _post(body: Mapping[str, Any], hint: str) -> Request:
    return Request("POST", ("certificates",), body=body, hint=hint)


def _connect(pair: CertificatePair) -> Prove:
    return Prove("connect", {"certificate": pair.pem, "private_key": pair.private_key})


def _token(reading: TrustReading) -> dict[str, str]:
    if reading.server is not None and reading.server.has("explicit_trust_token"):
        return {"trust_token": reading.secret}
    # Older LXD reads it as a password and ignores what it doesn't know; Incus knows the token's field only.
    return {"password": reading.secret, "trust_token": reading.secret}


def _where(spec: TenantCertSpec) -> str:
    if not spec.restricted:
        return "not restricted: an administrator of the whole server"
    return f"restricted to {', '.join(sorted(spec.projects))}" if spec.projects is not None else "restricted"


def _plan_update(
    spec: TenantCertSpec, reading: TrustReading, entry: TrustEntry, wrong: Mapping[str, tuple[Any, Any]]
) -> Change:
    after = _as_wanted(spec, entry)
    body = {"type": entry.type, "certificate": entry.pem, **after}
    step = Request("PUT", ("certificates", entry.fingerprint), body=body, etag=entry.etag, hint=_NO_PROJECT)
    host = AUTHORITY if reading.admin else OWN
    detail = ", ".join(sorted(wrong))
    return Change("change", "trust entry", spec.name, (step,), as_is(entry), after, detail, host=host)


def _as_wanted(spec: TenantCertSpec, entry: TrustEntry) -> dict[str, Any]:
    projects = entry.projects if spec.projects is None else spec.projects
    return {"name": spec.name, "restricted": spec.restricted, "projects": sorted(projects)}


def as_is(entry: TrustEntry) -> dict[str, Any]:
    """An entry as people see it."""
    return {"name": entry.name, "restricted": entry.restricted, "projects": sorted(entry.projects)}


def plan_revoke(reading: TrustReading, entry: TrustEntry) -> Change:
    """The server trusts it no longer."""
    step = Request("DELETE", ("certificates", entry.fingerprint), etag=entry.etag)
    name, host = f"{entry.name} {shorten_fingerprint(entry.fingerprint)}", AUTHORITY if reading.admin else OWN
    return Change("remove", "trust entry", name, (step,), as_is(entry), None, host=host)


def plan_proof(spec: TenantCertSpec, pair: CertificatePair) -> Change:
    """What the server now says is read again; with the private key, what it refuses is shown too."""
    about = {"certificate": pair.pem, "private_key": pair.private_key}
    if not spec.prove or not pair.private_key:
        return Change("verify", "trust entry", spec.name, (Prove("entry", about),))
    steps = (Prove("entry", about), Prove("closed", about))
    return Change("prove", "tenant certificate", spec.name, steps)


def plan_trust_check(spec: TenantCertSpec, pair: CertificatePair) -> Change:
    """Nobody here can have it trusted: once the pair is on disk, the run ends with what a person has to do."""
    about = {"certificate": pair.pem, "private_key": pair.private_key}
    return Change("await trust in", "tenant certificate", spec.name, (Prove("trusted", about),))


def not_trusted_error(spec: TenantCertSpec, reading: TrustReading, pem: str, **details: Any) -> errors.NotTrusted:
    """Not trusted, and what a person may paste to change that."""
    return errors.NotTrusted(
        f"certificate {spec.name}: the server doesn't trust it yet",
        "run the line in trust_command on the server and this task again; or give it trust_token, trust_password, or "
        "an admin's client_cert and client_key; or run it on the host with url: unix: and the public half",
        trust_command=command(spec, reading, pem),
        **details,
    )


def command(spec: TenantCertSpec, reading: TrustReading, pem: str) -> str:
    """What has the certificate trusted by a person's hand."""
    flavour = reading.server.flavour if reading.server else "lxd"
    return trust_command(pem, spec.name, spec.restricted, spec.projects or (), flavour)


def missing_projects(spec: TenantCertSpec, reading: TrustReading) -> Sequence[errors.TenantryError]:
    """Projects that aren't there: LXD would refuse them, and an earlier task of the play may make them."""
    if reading.projects is None or spec.state != "trusted":
        return ()
    lacking = sorted((spec.projects or frozenset()) - reading.projects)
    return tuple(errors.NotFound(f"project {name}: it is not on the server", _NO_PROJECT) for name in lacking)


def strangers(spec: TenantCertSpec, reading: TrustReading, pair: Optional[CertificatePair]) -> tuple[TrustEntry, ...]:
    """Entries of our name with another certificate: not ours to touch."""
    known = (pair, reading.pair, reading.coming, reading.former, reading.brought)
    ours = {each.fingerprint for each in known if each is not None} | reading.used
    entries = [entry for entry in reading.trust.values() if entry.name == spec.name and entry.type == "client"]
    return tuple(sorted((e for e in entries if e.fingerprint not in ours), key=lambda entry: entry.fingerprint))


def stranger_warning(reading: TrustReading, entry: TrustEntry) -> str:
    """How to end the trust in a certificate whose key nobody has any more."""
    flavour = reading.server.flavour if reading.server else "lxd"
    return (
        f"the trust store has another certificate named {entry.name}, {shorten_fingerprint(entry.fingerprint)}, which "
        f"is kept; if its key is lost: {revoke_command(entry.fingerprint, flavour)}"
    )
