# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""PEM and DER of certificates and keys, and the fingerprints by which LXD knows certificates."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from .._core import errors
from . import vaulted

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
_KEY_MARK = "PRIVATE KEY-----"
_HINT = "give it as PEM text (-----BEGIN CERTIFICATE-----), or as the path of such a file"
# What people paste: openssl's "sha256 Fingerprint=AB:CD…", ssh's "SHA256:…", LXD's plain hex.
_PREFIX = re.compile(r"sha-?256(\s+fingerprint)?\s*[:=]", re.IGNORECASE)
# A body may have one hyphen at a time: those of the headers of OpenSSL's old format.
_KEY = re.compile(
    r"-----BEGIN (?P<label>(?:[A-Z]+ )?PRIVATE KEY)-----(?P<body>[^-]*(?:-[^-]+)*)-----END (?P=label)-----"
)
_KEY_HINT = "give the private key as PEM text (-----BEGIN PRIVATE KEY-----), or as the path of such a file"


def looks_like_pem(text: str) -> bool:
    """Whether a text is meant as PEM, rather than as a path."""
    return "-----BEGIN " in text


def der_of(pem: str, what: str = "certificate") -> bytes:
    """The first certificate of a text; `what` names the option in the error."""
    start = pem.find(_BEGIN)
    if start < 0:
        raise errors.Invalid(f"{what}: {_instead(pem)}", _HINT)
    end = pem.find(_END, start)
    body = pem[start + len(_BEGIN) : end]
    if end < 0 or "-----BEGIN" in body:
        raise errors.Invalid(f"{what}: it is cut off: the line {_END} is missing", "copy the whole file")
    der = _decode(body)
    if der is None or not _is_one_sequence(der):
        raise errors.Invalid(
            f"{what}: what stands between its BEGIN and END lines is not a certificate",
            "copy the file again, unchanged",
        )
    return der


def pem_of(der: bytes, label: str = "CERTIFICATE") -> str:
    """DER as PEM, in lines of 64 characters and ended by a newline, which is how openssl and LXD write it."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def is_only_key(text: str) -> bool:
    """Whether a text holds a private key and no certificate."""
    return _KEY_MARK in text and _BEGIN not in text


def is_only_certificate(text: str) -> bool:
    """Whether a text holds a certificate and no private key."""
    return _BEGIN in text and _KEY_MARK not in text


def private_key_of(text: str) -> tuple[str, bytes]:
    """Label and DER of the first private key of a text, which must not have a passphrase."""
    if vaulted.is_vaulted(text.lstrip()):
        raise errors.Invalid("private key: it is still vaulted", "give this run the vault password that opens it")
    match = _KEY.search(text)
    if match is None:
        instead = "it is a certificate" if is_only_certificate(text) else "it is not a whole PEM private key"
        raise errors.Invalid(f"private key: {instead}", _KEY_HINT)
    if match["label"] == "ENCRYPTED PRIVATE KEY" or "Proc-Type:" in match["body"]:
        raise passphrase_error()
    if match["label"] == "OPENSSH PRIVATE KEY":
        raise errors.Invalid("private key: it is a key of OpenSSH, which TLS can't read", _KEY_HINT)
    der = _decode(match["body"])
    if der is None:
        raise errors.Invalid("private key: what stands between its BEGIN and END lines is damaged", _KEY_HINT)
    return match["label"], der


def passphrase_error() -> errors.Invalid:
    """The refusal of a key that needs a person to type."""
    return errors.Invalid(
        "private key: it has a passphrase, which no unattended run can type",
        "give a copy without one: openssl pkey -in <the key> -out <the copy>",
    )


def fingerprint(pem: str, what: str = "certificate") -> str:
    """LXD's name for a certificate: the SHA-256 of its DER, as lower-case hex."""
    return hashlib.sha256(der_of(pem, what)).hexdigest()


def normalise_fingerprint(text: str, what: str = "fingerprint") -> str:
    """A SHA-256 fingerprint as LXD writes it, from any of the ways that tools print it."""
    # YAML makes a number of a fingerprint that happens to have digits only; its leading zeros would be lost.
    if not isinstance(text, str):
        raise errors.Invalid(f"{what}: it is not text", "put it in quotes")
    found = "".join(_PREFIX.sub("", text.strip(), count=1).replace(":", "").split()).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", found):
        raise errors.Invalid(
            f"{what}: it is not a SHA-256 fingerprint ({len(found)} characters, not 64 hexadecimal digits)",
            "`lxc info` shows the server's as certificate_fingerprint",
        )
    return found


def _instead(text: str) -> str:
    if not text.strip():
        return "it is empty"
    if _KEY_MARK in text:
        return "it is a private key, not a certificate"
    if looks_like_pem(text):
        return "it is PEM, but of something else than a certificate"
    if "\n" not in text.strip():
        return "it is neither PEM nor the path of a file that is there"
    return "it is not PEM"


def _decode(body: str) -> bytes | None:
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_one_sequence(der: bytes) -> bool:
    # A certificate is an ASN.1 SEQUENCE that fills the block to its last byte; anything else was damaged on its way.
    if len(der) < 2 or der[0] != 0x30:
        return False
    if der[1] < 0x80:
        return len(der) == 2 + der[1]
    size = der[1] & 0x7F
    return len(der) == 2 + size + int.from_bytes(der[2 : 2 + size], "big")
