# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A look at what a tenant certificate is on disk and in one server's trust store, through whoever this run may be."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ..._access import targets
from ..._access.requirements import check_cryptography
from ..._core import errors
from ..._core.model import Project, TrustEntry
from ..._core.tenant_cert.pair import CertificatePair, KnownPairs, TenantCertSpec, TrustReading, is_yet_to_come
from ..._core.tenant_cert.trust import AUTHORITY, OWN
from ..._lxd.port import Port
from ..._lxd.reader import Reader
from ..._pki import key_pair, pem
from ..._pki.trust_token import TrustToken
from .tenant_files import KeyFiles, ReadKeys, describe_pair

_NOT_YET = (
    "certificate: there is none yet",
    "have it made on the controller (state: generated), and give certificate: the pem of that task's result",
)
_NO_KEY = (
    "give the run its vault password, LXD_CLIENT_KEY_DIR or private_key; or let an admin's connection do this, which "
    "needs the public half only"
)


class TrustReader:
    """Disk and server as they are at one moment, and the connections to ask again."""

    def __init__(self, params: Mapping[str, Any], spec: TenantCertSpec, token: Optional[TrustToken]) -> None:
        self._params = params
        self._wanted = spec
        self._token = token
        self.keys = KeyFiles({**(params.get("_kept") or {}), "lasting": params.get("lasting")}, params.get("_vault"))
        self.row: Mapping[str, Any] = find_row(params)
        self.target: Optional[targets.Target] = None
        self.ports: dict[str, Port] = {}
        self.projects: dict[str, Project] = {}

    def look(self) -> TrustReading:
        """Everything that the core decides on."""
        self.close()
        self.projects = {}
        found = self._disk(datetime.datetime.now(datetime.timezone.utc))
        found = dataclasses.replace(found, used=frozenset(self._params.get("_known") or ()))
        return found if self._wanted.state == "generated" else self._server(found)

    def with_etags(self, reading: TrustReading, fingerprints: Iterable[str]) -> TrustReading:
        """The same, with these entries read one by one: listings carry no ETags."""
        reader = Reader(self.ports.get(AUTHORITY) or self.ports[OWN])
        trust = dict(reading.trust)
        for fingerprint in fingerprints:
            entry = reader.trust_entry(fingerprint)
            trust.pop(fingerprint, None)
            if entry is not None:
                trust[fingerprint] = entry
        return dataclasses.replace(reading, trust=trust)

    def own(self, certificate: str = "", private_key: str = "") -> Port:
        """A new connection as the holder of this pair, or as nobody; the one before is given back."""
        if self.target is None:
            raise errors.Unreachable("server: no address is set", "set url, or register the VM host")
        connection = dataclasses.replace(
            self.target.connection,
            certificate=certificate if private_key else "",
            private_key=private_key,
        )
        port = targets.connect(dataclasses.replace(self.target, connection=connection))
        before = self.ports.pop(OWN, None)
        if before is not None:
            before.close()
        self.ports[OWN] = port
        return port

    def close(self) -> None:
        """Give connections back."""
        for port in self.ports.values():
            port.close()
        self.ports = {}

    # On disk

    def _disk(self, now: datetime.datetime) -> TrustReading:
        said = self._params.get("certificate") or ""
        if is_yet_to_come(said):
            return self._nothing_yet(now)
        if self._wanted.state != "absent" and not self._by_socket:
            check_cryptography()
        key = self._params.get("private_key") or ""
        brought: Optional[CertificatePair]
        if said:
            brought = key_pair_checked(said, key, now) if key else describe_pair(said)
            if not key:
                # A public half that is declared is the subject; what is in a folder is not touched.
                return TrustReading(now, pair=brought)
        else:
            brought = self._subject_of_connection()
        read = self.keys.read() if self.keys.path or not self._by_socket else self._of_row()
        pair = read.pair if read.folder is not None else brought
        if pair is None and self._by_socket and read.folder is None and self._wanted.state == "trusted":
            return self._nothing_yet(now)
        return TrustReading(now, folder=read.folder, pair=pair, coming=read.coming, former=read.former, brought=brought)

    def _nothing_yet(self, now: datetime.datetime) -> TrustReading:
        coming = dataclasses.replace(CertificatePair.to_be_made(self._wanted.key_type), private_key="")
        return TrustReading(now, pair=coming, unverified=(errors.NotFound(*_NOT_YET),))

    def _of_row(self) -> ReadKeys:
        """What a rotation left in the registry, for the admin on the host: the public halves, no folder."""
        fields = ("next_certificate", "old_certificate")
        coming, former = (describe_pair(self.row[field]) if self.row.get(field) else None for field in fields)
        return ReadKeys(coming=coming, former=former)

    def _subject_of_connection(self) -> Optional[CertificatePair]:
        """Without a folder and without a certificate said, it is the one that the task connects with."""
        if self.keys.path:
            return None
        if self._by_socket:
            return describe_pair(self.row["certificate"]) if self.row.get("certificate") else None
        certificate, key = self._params.get("client_cert"), self._params.get("client_key")
        return describe_pair(certificate, key or "", "option") if certificate else None

    # On the server

    @property
    def _by_socket(self) -> bool:
        return is_socket(self._params)

    def _server(self, reading: TrustReading) -> TrustReading:
        target = self._reachable()
        if target is None:
            return self._unasked(reading)
        self.target = target
        if target.local:
            try:
                self.ports[AUTHORITY] = targets.connect(target)
            except errors.Unreachable as missing:
                return dataclasses.replace(reading, admin=True, unverified=(*reading.unverified, missing))
        elif self._has_other_connection(reading):
            self._open_authority(target)
        if AUTHORITY in self.ports:
            return self._as_admin(reading)
        return self._as_tenant(reading)

    def _reachable(self) -> Optional[targets.Target]:
        params = dict(self._params)
        if not params.get("url") and not self.row.get("entry"):
            if self._token is None:
                return None
            params["url"] = [f"https://{address}" for address in self._token.addresses]
        pin = self._token.fingerprint if self._token else ""
        target = targets.parse_target(params, pin)
        if self._token and not target.local and target.connection.pin != self._token.fingerprint:
            raise errors.NotTrusted(
                f"trust_token: it is for the server with certificate {self._token.fingerprint}, and pinned is "
                f"{target.connection.pin}",
                "have a token made on the server that url names",
            )
        return target

    def _unasked(self, reading: TrustReading) -> TrustReading:
        if self._wanted.state == "absent":
            return reading
        name = self._params.get("vmhost")
        missing: errors.TenantryError = errors.Invalid("url: neither url nor a registered vmhost is set", "set url")
        if name:
            missing = errors.NotFound(
                f"vmhost {name}: not in the registry {self._params.get('registry')}",
                "set url with server_fingerprint or trust_token; lxd_vmhost registers the VM host afterwards",
            )
        admin = bool(self._params.get("client_cert"))
        return dataclasses.replace(reading, admin=admin, unverified=(*reading.unverified, missing))

    def _has_other_connection(self, reading: TrustReading) -> bool:
        said = self._params.get("client_cert")
        pairs = (reading.pair, reading.brought, reading.coming)
        return said is not None and pem.fingerprint(said) not in {
            pair.fingerprint for pair in pairs if pair is not None
        }

    def _open_authority(self, target: targets.Target) -> None:
        port = targets.connect(target)
        if not port.server.trusted:
            port.close()
            raise errors.NotTrusted(
                "client_cert: the server doesn't trust the certificate that this task connects with",
                "set an administrator's pair, or none to connect as the tenant",
            )
        entry = Reader(port).trust_entry(pem.fingerprint(target.connection.certificate))
        if entry is not None and entry.restricted:
            port.close()
        else:
            self.ports[AUTHORITY] = port

    def _as_admin(self, reading: TrustReading) -> TrustReading:
        port = self.ports[AUTHORITY]
        reader = Reader(port)
        trust = _by_fingerprint(reader.trust_entries())
        self.projects = {project.name: project for project in reader.projects()}
        return dataclasses.replace(
            reading,
            server=port.server,
            admin=True,
            trust=trust,
            trusted=frozenset(trust),
            projects=frozenset(self.projects),
            sees_all_trust=True,
        )

    def _as_tenant(self, reading: TrustReading) -> TrustReading:
        joins_by = "token" if self._token else "password" if self._params.get("trust_password") else ""
        trusted = self._try_pairs(reading)
        port = self.ports.get(OWN)
        if port is None:
            return reading
        trust = _by_fingerprint(Reader(port).trust_entries()) if trusted else {}
        return dataclasses.replace(
            reading,
            server=port.server,
            joins_by=joins_by,
            secret=self._params.get("trust_token") or self._params.get("trust_password") or "",
            trust=trust,
            trusted=trusted,
            # Since it knows identities of its own, LXD shows a tenant no entry but its own.
            sees_all_trust=bool(trusted) and not port.server.has("access_management"),
        )

    def _try_pairs(self, reading: TrustReading) -> frozenset[KnownPairs]:
        """Which of our pairs the server knows; the connection that stays open is one that it does."""
        candidates = {pair.fingerprint: pair for pair in (reading.pair, reading.brought, reading.coming) if pair}
        usable = [pair for pair in candidates.values() if pair.private_key]
        if candidates and not usable:
            if self._wanted.state == "absent":
                return frozenset()
            raise errors.NotFound(f"certificate {self._wanted.name}: its private key isn't there", _NO_KEY)
        trusted = [pair for pair in usable if self.own(str(pair.pem), str(pair.private_key)).server.trusted]
        if not usable:
            self.own()
        elif trusted and trusted[0] is not usable[-1]:
            self.own(str(trusted[0].pem), str(trusted[0].private_key))
        return frozenset(pair.fingerprint for pair in trusted)


def find_row(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The registry's row of the VM host that the task names."""
    rows = params.get("_connections") or []
    return rows[0] if rows and params.get("vmhost") else {}


def is_socket(params: Mapping[str, Any]) -> bool:
    """Whether the task goes to the daemon of the machine it runs on."""
    return any(url.startswith("unix:") for url in params.get("url") or ())


def key_pair_checked(certificate: str, private_key: str, now: datetime.datetime) -> CertificatePair:
    """A pair that somebody brought, judged as it is now."""
    checked = key_pair.check_key_pair(certificate, private_key, now)
    return describe_pair(checked.certificate.pem, checked.private_key, "option")


def _by_fingerprint(entries: Iterable[TrustEntry]) -> dict[str, TrustEntry]:
    return {entry.fingerprint: entry for entry in entries}
