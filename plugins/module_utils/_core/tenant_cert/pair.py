# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The nouns of a tenant certificate: what is wanted, the pairs that are there, and what the server says of them."""

from __future__ import annotations

import base64
import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from .. import errors
from ..model import Server, TrustEntry
from ..plan import KNOWN_AFTER_APPLY, Later
from .expiry import WITHIN

# What a key file's neighbours are called, in the folder of a VM host.
KEY = "client.key"
CERTIFICATE = "client.crt"
NEXT_KEY = "client.key.next"
NEXT_CERTIFICATE = "client.crt.next"
OLD_CERTIFICATE = "client.crt.old"
FILES = (NEXT_KEY, NEXT_CERTIFICATE, OLD_CERTIFICATE, KEY, CERTIFICATE)

KnownPairs = Union[str, Later]


@dataclasses.dataclass(frozen=True)
class TenantCertSpec:
    """One task's words; None is not set."""

    name: str
    name_said: bool
    state: str
    restricted: bool
    projects: Optional[frozenset[str]]
    common_name: str
    key_type: str
    valid_for: int
    vault_key: bool
    prove: bool
    rotate: str
    rotate_way: str
    renew_within: int
    warn_within: int
    retire: bool
    remove_files: bool


@dataclasses.dataclass(frozen=True)
class CertificatePair:
    """A certificate and, where it is there, its private key; what only cryptography can read is None without it.

    `key_source`: "file", "environment" or "option". Of a pair that is yet to be made everything comes later.
    """

    pem: KnownPairs
    fingerprint: KnownPairs
    private_key: KnownPairs = dataclasses.field(default="", repr=False)
    key_source: str = ""
    subject: Optional[KnownPairs] = None
    not_before: Union[datetime.datetime, Later, None] = None
    not_after: Union[datetime.datetime, Later, None] = None
    key_type: Optional[str] = None

    @classmethod
    def to_be_made(cls, key_type: str) -> CertificatePair:
        """The pair that a step of the plan leaves under the name `pair`."""
        return cls(
            pem=Later("pair.certificate"),
            fingerprint=Later("pair.fingerprint"),
            private_key=Later("pair.key"),
            subject=Later("pair.subject"),
            not_before=Later("pair.not_before"),
            not_after=Later("pair.not_after"),
            key_type=key_type,
        )

    @property
    def der(self) -> KnownPairs:
        """What POST /1.0/certificates wants: base64 of DER, where PUT and PATCH want PEM."""
        if isinstance(self.pem, Later):
            return Later("pair.der")
        body = self.pem.split("-----BEGIN CERTIFICATE-----", 1)[1].split("-----END", 1)[0]
        return base64.b64encode(base64.b64decode("".join(body.split()))).decode("ascii")

    def days_left(self, now: datetime.datetime) -> Optional[int]:
        """Whole days until it expires, negative once it has; None where nobody can tell."""
        return (self.not_after - now).days if isinstance(self.not_after, datetime.datetime) else None


@dataclasses.dataclass(frozen=True)
class Folder:
    """Where the pair is kept, and which of its files are there.

    `wide`: more than its owner may read the plain key. `said`: by the task itself, so it is meant to last.
    `ephemeral`: the keys of this run come from outside.
    """

    path: str
    files: frozenset[str] = frozenset()
    vaulted: bool = False
    wide: bool = False
    said: bool = False
    ephemeral: bool = False

    def file(self, name: str) -> str:
        """The path of one of its files."""
        return f"{self.path}/{name}"


@dataclasses.dataclass(frozen=True)
class TrustReading:
    """What a look at disk and server found.

    `pair`: in force on disk or brought. `coming`: what a rotation put down before anything else. `former`: what an
    overlapping rotation left to be removed. `brought`: by options. `admin`: this run has a connection that may change
    the trust store. `joins_by` ("token" or "password") and `secret`: the way in for a stranger. `trust`: the entries
    that could be seen.
    `trusted`: fingerprints that the server is known to accept. `projects`: those there are, where that could be seen.
    `sees_all_trust`: what isn't in `trust` isn't in the trust store. `used`: fingerprints that the registry knows.
    """

    now: datetime.datetime
    server: Optional[Server] = None
    folder: Optional[Folder] = None
    pair: Optional[CertificatePair] = None
    coming: Optional[CertificatePair] = None
    former: Optional[CertificatePair] = None
    brought: Optional[CertificatePair] = None
    admin: bool = False
    joins_by: str = ""
    secret: str = dataclasses.field(default="", repr=False)
    trust: Mapping[str, TrustEntry] = dataclasses.field(default_factory=dict)
    trusted: frozenset[KnownPairs] = frozenset()
    projects: Optional[frozenset[str]] = None
    sees_all_trust: bool = False
    used: frozenset[str] = frozenset()
    unverified: Sequence[errors.TenantryError] = ()

    def entry(self, pair: Optional[CertificatePair]) -> Optional[TrustEntry]:
        """What the server's trust store says of a pair, as far as it may be seen."""
        return self.trust.get(pair.fingerprint) if pair and isinstance(pair.fingerprint, str) else None

    @property
    def is_its_own_admin(self) -> bool:
        """Whether the tenant's certificate itself may change the trust store: it isn't restricted."""
        entry = self.entry(self.pair)
        return entry is not None and not entry.restricted and bool(self.pair and self.pair.fingerprint in self.trusted)

    @property
    def may_change_trust(self) -> bool:
        """Whether anybody in this run may."""
        return self.admin or self.is_its_own_admin


def parse_tenant_cert_spec(params: Mapping[str, Any], name: Optional[str]) -> TenantCertSpec:
    """The task's options, checked against each other; `name` is the VM host's, for a task that says none."""
    chosen = params.get("name") or name
    if not chosen or not chosen.isprintable() or chosen != chosen.strip():
        raise errors.Invalid("name: it is missing, or not plain text", "set name, or vmhost, whose name is then used")
    projects = params.get("projects")
    restricted = bool(params["restricted"])
    if params["state"] == "trusted" and restricted and projects is not None and not all(projects or [""]):
        raise errors.Invalid(
            "projects: empty, and restricted is true: such a certificate could do nothing",
            "name the projects; restricted: false makes its holder an administrator of the whole server",
        )
    _check_numbers(params)
    return TenantCertSpec(
        name=chosen,
        name_said=bool(params.get("name")),
        state=params["state"],
        restricted=restricted,
        projects=None if projects is None else frozenset(projects),
        common_name=params.get("common_name") or "",
        rotate_way=params.get("rotate_way") or "auto",
        warn_within=params.get("warn_within", WITHIN),
        **{field: params[field] for field in _AS_SAID},
    )


_AS_SAID = ("key_type", "valid_for", "vault_key", "prove", "rotate", "renew_within", "retire", "remove_files")


def _check_numbers(params: Mapping[str, Any]) -> None:
    if not 1 <= params["valid_for"] <= 36500:
        raise errors.Invalid(f"valid_for: {params['valid_for']} is not within 1 to 36500 days", "3650 is usual")
    if params["renew_within"] < 0:
        raise errors.Invalid(f"renew_within: {params['renew_within']} is less than no days", "30 is usual")
    if params["rotate"] == "expiring" and params["renew_within"] >= params["valid_for"]:
        raise errors.Invalid(
            "renew_within: a new certificate would be due for renewal at once", "set less than valid_for"
        )


def find_trust_differences(spec: TenantCertSpec, entry: TrustEntry) -> dict[str, tuple[Any, Any]]:
    """What the server's entry says otherwise than the task: found and wanted, by field; what is not set is not
    compared.
    """
    found: dict[str, tuple[Any, Any]] = {}
    if entry.name != spec.name:
        found["name"] = (entry.name, spec.name)
    if entry.restricted != spec.restricted:
        found["restricted"] = (entry.restricted, spec.restricted)
    if spec.projects is not None and entry.projects != spec.projects:
        found["projects"] = (sorted(entry.projects), sorted(spec.projects))
    return found


def build_certificate_view(
    spec: TenantCertSpec, pair: CertificatePair, entry: Optional[Mapping[str, Any]], reading: TrustReading, proved: bool
) -> dict[str, Any]:
    """The result `certificate`; `entry` is what the server says or will say of it."""
    folder = reading.folder
    on_disk = bool(pair.private_key) and pair.key_source != "environment"
    return {
        "name": spec.name if entry is None else entry["name"],
        **build_certificate_facts(pair, reading.now),
        "path": folder.file(CERTIFICATE) if folder else None,
        "private_key_path": folder.file(KEY) if folder and on_disk else None,
        "trusted": entry is not None,
        "restricted": entry["restricted"] if entry else None,
        "projects": entry["projects"] if entry else [],
        "proved": proved,
    }


def build_certificate_facts(pair: CertificatePair, now: datetime.datetime) -> dict[str, Any]:
    """What a certificate says of itself."""
    return {
        "fingerprint": pair.fingerprint,
        "subject": pair.subject,
        "not_before": _moment(pair.not_before),
        "not_after": _moment(pair.not_after),
        "days_left": Later("days_left") if isinstance(pair.not_after, Later) else pair.days_left(now),
        "key_type": pair.key_type,
        "pem": pair.pem,
    }


def _moment(value: Union[datetime.datetime, Later, None]) -> Optional[KnownPairs]:
    if value is None or isinstance(value, Later):
        return value
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def is_yet_to_come(pem: str) -> bool:
    """Whether an earlier task of a check-mode run would have made this certificate."""
    return pem.strip() == KNOWN_AFTER_APPLY


def shorten_fingerprint(fingerprint: KnownPairs) -> str:
    """As lxc shows it."""
    return str(fingerprint) if isinstance(fingerprint, Later) else fingerprint[:12]
