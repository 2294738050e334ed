# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From options and registry rows to a connection: who to talk to, as whom, pinned to what."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from .._core import errors
from .._core.plan import Change, WriteFile
from .._core.tenant_cert import expiry
from .._lxd import https, unix
from .._lxd.port import Connection, Port
from .._pki import key_pair, pem
from .._registry import entries
from .requirements import check_cryptography, check_pylxd


class Unusable(errors.NotTrusted):
    """The key pair at hand is no good, whatever the server says; a rotation earlier in the same play may repair it."""

    code = errors.Invalid.code


@dataclasses.dataclass(frozen=True)
class Target:
    """One VM host as a task means it; `entry` is its registry entry where it has one."""

    name: str
    connection: Connection
    project: str | None
    owner: str | None
    entry: entries.Entry | None = None
    folder: str | None = None
    key_source: str = ""
    spare: Connection | None = None
    wide_key: str | None = None
    missing: errors.TenantryError | None = None

    @property
    def local(self) -> bool:
        """Whether it is reached by a unix socket, with the admin's authority."""
        return self.connection.urls[0].startswith("unix:")


def parse_target(params: Mapping[str, Any], pin: str = "") -> Target:
    """The VM host that the connection options name; `pin` is a fingerprint that came another way (a trust token)."""
    rows = params.get("_connections") or []
    row = rows[0] if params.get("vmhost") and rows else {}
    if params.get("vmhost") and not params.get("url"):
        return parse_row_target(row or {"name": params["vmhost"]}, params, pin)
    if not params.get("url"):
        raise errors.Invalid("connection: neither vmhost nor url is set", "set vmhost: <name in the registry>")
    return _target(row, params, pin)


def parse_row_target(row: Mapping[str, Any], params: Mapping[str, Any], pin: str = "") -> Target:
    """The VM host of one registry row; connection options that the task says win over it."""
    if row.get("error"):
        raise _KINDS.get(row["error"]["code"], errors.Invalid)(row["error"]["message"], row["error"].get("hint", ""))
    if not row.get("entry"):
        raise errors.NotFound(
            f"vmhost {row.get('name')}: not in the registry {params.get('registry')}",
            "register it with tenantry.lxd.lxd_vmhost, or check the registry option",
        )
    return _target(row, params, pin)


def build_absent_target(name: str, params: Mapping[str, Any], missing: errors.TenantryError) -> Target:
    """A VM host that an earlier task of the same play would have registered; using it for real raises `missing`."""
    connection = Connection(("https://unregistered",))
    return Target(name, connection, params.get("project"), params.get("owner"), missing=missing)


_KINDS = {kind.code: kind for kind in (errors.Invalid, errors.NotFound, errors.Conflict, errors.NotTrusted)}


def _target(row: Mapping[str, Any], params: Mapping[str, Any], pin: str) -> Target:
    entry = entries.parse(row["name"], row["entry"]) if row.get("entry") else None
    urls = _urls(params.get("url") or (entry.urls if entry else ()))
    timeout = params.get("timeout", 30)
    if timeout < 1:
        raise errors.Invalid(f"timeout: {timeout} is not a number of seconds", "1 or more")
    certificate = params.get("client_cert") or row.get("certificate") or ""
    key = params.get("client_key") or row.get("private_key") or ""
    connection = Connection(urls, certificate, key, "", timeout)
    if not urls[0].startswith("unix:"):
        connection = dataclasses.replace(connection, pin=_pin(params, row, pin) or _refuse_unpinned(urls[0]))
    spare = None
    if row.get("next_certificate") and not params.get("client_key"):
        # Between the two renames that end a rotation, the new key is already in its place.
        spare_key = row.get("next_private_key") or key
        spare = dataclasses.replace(connection, certificate=row["next_certificate"], private_key=spare_key)
    return Target(
        name=row.get("name") or params.get("vmhost") or urls[0],
        connection=connection,
        project=params.get("project") or (entry.project if entry else None),
        owner=params.get("owner") or (entry.owner if entry else None),
        entry=entry,
        folder=row.get("folder"),
        key_source="option" if params.get("client_key") else row.get("key_source") or "",
        spare=spare,
        # What is tightened is the folder's key, and with client_key said the connection has another.
        wide_key=row.get("wide_key") if row.get("private_key") and not params.get("client_key") else None,
    )


def _urls(said: Sequence[str]) -> tuple[str, ...]:
    urls = tuple(said)
    if any(url.startswith("unix:") for url in urls):
        if len(urls) > 1:
            raise errors.Invalid("url: unix: beside another address", "one socket, or the https addresses of a cluster")
        return urls
    return tuple(entries.normalised_url(url, "url") for url in urls)


def _pin(params: Mapping[str, Any], row: Mapping[str, Any], pin: str) -> str:
    if params.get("server_fingerprint"):
        return pem.normalise_fingerprint(params["server_fingerprint"], "server_fingerprint")
    if params.get("server_cert"):
        return pem.fingerprint(params["server_cert"], "server_cert")
    if pin:
        return pem.normalise_fingerprint(pin)
    return pem.fingerprint(row["server_cert"], f"{row['name']}/server.crt") if row.get("server_cert") else ""


def _refuse_unpinned(url: str) -> str:
    try:
        seen = https.fetch_fingerprint(url)
    except (OSError, ValueError) as cause:
        raise errors.Unreachable(f"{url}: no answer: {cause}", "is LXD listening there (core.https_address)?") from None
    raise errors.NotTrusted(
        f"{url}: nothing pins this server; it shows a certificate with SHA-256 {seen}",
        "compare it with `lxc info | grep certificate_fingerprint` on the server, then write server_fingerprint: "
        + seen,
        fingerprint=seen,
    )


def connect(to: Target) -> Port:
    """An open port; raises Unreachable, NotTrusted (a wrong pin) or Invalid (an unusable key pair)."""
    if to.local:
        return unix.UnixPort(to.connection)
    check_pylxd()
    return https.HttpsPort(to.connection)


def open_trusted(to: Target) -> Port:
    """An open port over which the server knows us: what every tenant module needs.

    After a rotation that was interrupted either pair may be the trusted one; the spare is tried second.
    """
    for connection in (to.connection, to.spare):
        if connection is None:
            continue
        if not to.local and not (connection.certificate and connection.private_key):
            raise errors.NotTrusted(
                f"{to.name}: there is no tenant certificate with its key",
                "create one with tenantry.lxd.lxd_tenant_cert, or set client_cert and client_key",
            )
        try:
            check_pair(to.name, connection)
            port = connect(dataclasses.replace(to, connection=connection))
        except (Unusable, errors.Invalid):
            if connection is to.spare or to.spare is None:
                raise
            continue
        if port.server.trusted:
            return port
        port.close()
    raise errors.NotTrusted(
        f"{to.name}: the server doesn't trust the tenant certificate {pem.fingerprint(to.connection.certificate)[:12]}",
        "trust it with tenantry.lxd.lxd_tenant_cert",
    )


def check_pair(name: str, connection: Connection) -> None:
    """Refuse a pair that no server would take before any is asked: LXD's own words for it are "not authorized"."""
    if connection.urls[0].startswith("unix:"):
        return
    check_cryptography()
    try:
        now = datetime.datetime.now(datetime.timezone.utc)
        key_pair.check_key_pair(connection.certificate, connection.private_key, now)
    except errors.Invalid as bad:
        if "expired_on" in bad.details:
            raise Unusable(*expiry.too_late(name, str(bad.details["expired_on"]))) from None
        raise Unusable(
            f"{name}: {bad.message}", f"{bad.hint}; tenantry.lxd.lxd_tenant_cert makes pairs and has them trusted"
        ) from None


def plan_key_modes(to: Target) -> tuple[Change, ...]:
    """A plain private key that others may read gets its mode back: git and copies don't keep it."""
    if not to.wide_key:
        return ()
    step = WriteFile(to.wide_key, to.connection.private_key, 0o600)
    return (Change("tighten", "private key", to.wide_key, (step,), {"mode": "wider"}, {"mode": "0600"}),)
