# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tenant's key pairs: made, read, and checked before anybody relies on them."""

from __future__ import annotations

import dataclasses
import datetime
import re
from typing import TYPE_CHECKING, Union

from .._core import errors
from . import pem
from . import subject as subject_of

CRYPTOGRAPHY_IMPORT_ERROR: ImportError | None = None
try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as missing:
    CRYPTOGRAPHY_IMPORT_ERROR = missing
HAS_CRYPTOGRAPHY = CRYPTOGRAPHY_IMPORT_ERROR is None

if TYPE_CHECKING:
    _PrivateKey = Union[ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey]

KEY_TYPES = ("ecdsa-p384", "rsa-4096")
LONGEST_VALIDITY = 36500
# X.509 allows a common name 64 characters, which cryptography counts in bytes.
_LONGEST_NAME = 64
# The server's clock may be a little behind ours, and LXD refuses a certificate from its future.
_SLACK = datetime.timedelta(minutes=5)
_CURVES = {"secp256r1": "ecdsa-p256", "secp384r1": "ecdsa-p384", "secp521r1": "ecdsa-p521"}
_PSS = "1.2.840.113549.1.1.10"


@dataclasses.dataclass(frozen=True)
class Certificate:
    """The public half, with what people and LXD want to know of it."""

    pem: str
    fingerprint: str
    subject: str
    common_name: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    key_type: str

    def days_left(self, now: datetime.datetime) -> int:
        """Whole days until it expires; negative once it has."""
        return (self.not_after - now).days


@dataclasses.dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key as PEM."""

    certificate: Certificate
    private_key: str = dataclasses.field(repr=False)


def common_name_of(name: str, owner: str) -> str:
    """`<name>@<owner>`, with as much of the name as X.509 has room for: nothing is decided by it."""
    room = max(0, _LONGEST_NAME - 1 - len(owner.encode("utf-8")))
    whole = name.encode("utf-8")[:room].decode("utf-8", "ignore") + "@" + owner
    return whole.encode("utf-8")[:_LONGEST_NAME].decode("utf-8", "ignore")


def generate_key_pair(common_name: str, key_type: str, valid_for: int, now: datetime.datetime) -> KeyPair:
    """A new key and its self-signed client certificate, like the one `lxc` makes for itself."""
    if not 1 <= len(common_name.encode("utf-8")) <= _LONGEST_NAME or not common_name.isprintable():
        raise errors.Invalid("common_name: X.509 permits 1 to 64 printable characters", "set a shorter common_name")
    if not 1 <= valid_for <= LONGEST_VALIDITY:
        raise errors.Invalid(f"valid_for: {valid_for} is not within 1 to {LONGEST_VALIDITY} days", "3650 is usual")
    key, digest = _new_key(key_type)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject_of.ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    second = now.astimezone(datetime.timezone.utc).replace(microsecond=0)
    signed = (
        x509.CertificateBuilder(issuer_name=subject, subject_name=subject, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(second - _SLACK)
        .not_valid_after(second + datetime.timedelta(days=valid_for))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_signing_only(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, digest)
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
    return KeyPair(_describe(signed), text)


def read_certificate(text: str, what: str = "certificate") -> Certificate:
    """The first certificate of a PEM text, whatever its age, version and key; `what` names the option in the error."""
    return _read(text, what)[1]


def check_key_pair(certificate_pem: str, private_key_pem: str, now: datetime.datetime) -> KeyPair:
    """A pair that somebody brought, or Invalid with what is wrong with it."""
    if pem.is_only_key(certificate_pem) and pem.is_only_certificate(private_key_pem):
        raise errors.Invalid("certificate, private_key: each holds what belongs in the other", "swap the two")
    loaded, certificate = _read(certificate_pem, "certificate")
    label, der = pem.private_key_of(private_key_pem)
    _check_key(label, der, loaded, certificate.key_type)
    if certificate.not_after <= now:
        raise errors.Invalid(
            f"certificate: it expired on {certificate.not_after:%Y-%m-%d}",
            "bring or make a new one",
            expired_on=f"{certificate.not_after:%Y-%m-%d}",
        )
    if certificate.not_before > now:
        raise errors.Invalid(
            f"certificate: it is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC",
            "wait until then, or set this machine's clock right",
        )
    return KeyPair(certificate, pem.pem_of(der, label))


def _new_key(key_type: str) -> tuple[_PrivateKey, hashes.SHA256 | hashes.SHA384]:
    if key_type == "ecdsa-p384":
        return ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()
    if key_type == "rsa-4096":
        return rsa.generate_private_key(65537, 4096), hashes.SHA256()
    raise errors.Invalid("key_type: not supported", f"set one of {', '.join(KEY_TYPES)}")


def _signing_only() -> x509.KeyUsage:
    # TLS 1.3 only ever signs with the certificate's key.
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _read(text: str, what: str) -> tuple[x509.Certificate, Certificate]:
    der = pem.der_of(text, what)
    try:
        # cryptography reads some parts only when they are asked for, so both lines may find the damage.
        loaded = x509.load_der_x509_certificate(der)
        return loaded, _describe(loaded)
    except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise errors.Invalid(f"{what}: it is not an X.509 certificate", "copy the file again, unchanged") from None


def _describe(loaded: x509.Certificate) -> Certificate:
    text = pem.pem_of(loaded.public_bytes(serialization.Encoding.DER))
    names = loaded.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Certificate(
        pem=text,
        fingerprint=pem.fingerprint(text),
        subject=loaded.subject.rfc4514_string(),
        common_name=str(names[0].value) if names else "",
        not_before=_utc(loaded, "not_valid_before"),
        not_after=_utc(loaded, "not_valid_after"),
        key_type=_key_type(loaded),
    )


def _utc(loaded: x509.Certificate, field: str) -> datetime.datetime:
    # cryptography before 42 has naive times only, and they are UTC.
    aware = getattr(loaded, f"{field}_utc", None)
    found: datetime.datetime = aware or getattr(loaded, field).replace(tzinfo=datetime.timezone.utc)
    return found


def _key_type(loaded: x509.Certificate) -> str:
    try:
        key = loaded.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, f"ecdsa-{key.curve.name}")
    if isinstance(key, rsa.RSAPublicKey):
        oid = getattr(loaded, "public_key_algorithm_oid", None)
        return f"rsa-pss-{key.key_size}" if oid and oid.dotted_string == _PSS else f"rsa-{key.key_size}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "ed25519"
    return type(key).__name__.lstrip("_").replace("PublicKey", "").lower()


def _serves_tls(key_type: str) -> bool:
    # What OpenSSL and the Go of every LXD take for a client in TLS 1.3. Go knows neither Ed448 nor RSA-PSS keys, and
    # since 1.21 it ends the handshake at RSA over 8192 bits (LXD 5.0.2 is older); LXD trusts none below 2048.
    match = re.fullmatch(r"rsa-(\d+)", key_type)
    if match:
        return 2048 <= int(match[1]) <= 8192
    return key_type == "ed25519" or key_type in _CURVES.values()


def _check_key(label: str, der: bytes, loaded: x509.Certificate, key_type: str) -> None:
    if not _serves_tls(key_type):
        raise errors.Invalid(
            f"certificate: its key is of type {key_type}, which TLS with LXD can't use",
            "use ECDSA (P-256, P-384, P-521), RSA of 2048 to 8192 bits, or Ed25519",
        )
    try:
        key = serialization.load_der_private_key(der, password=None)
    except TypeError:
        raise pem.passphrase_error() from None
    except (ValueError, UnsupportedAlgorithm):
        raise errors.Invalid(f"private key: what its PEM holds is not a {label.lower()}", "copy it again") from None
    der_format = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*der_format) != loaded.public_key().public_bytes(*der_format):
        raise errors.Invalid(
            "private key: it doesn't belong to the certificate",
            "these must print the same: openssl pkey -in <the key> -pubout; openssl x509 -in <it> -noout -pubkey",
        )
