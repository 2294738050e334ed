# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a machine that nobody has seen yet is known: by a secret that its user data told it, and that it never shows.

At first boot it makes the key of its LXD itself, and writes into the certificate what only somebody with the secret can
make of that key. A TLS handshake shows that whoever presents the certificate has the key, so the certificate alone
shows that it is that machine's. What is in the certificate helps nobody to make another.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

from ..errors import Invalid
from ..plan import KNOWN_AFTER_APPLY

# The secret's file in a VM host's folder; it is there from the user data on until the certificate is pinned.
FILE = "first-boot.key"
# Bytes of a secret: as many as the hash has, so that there is nothing to guess.
LENGTH = 32
# How an alternative name (URI) of the certificate begins that carries the proof.
PREFIX = "tenantry:first-boot:"
# Nothing else is ever signed with the secret, and nothing made of it for another purpose is taken for a proof.
LABEL = b"tenantry first boot 1\0"

_SECRET = re.compile(rf"[0-9a-f]{{{2 * LENGTH}}}")


def check_secret(text: str, what: str) -> str:
    """A secret as it is kept, or check mode's word for one that isn't made yet; raises Invalid that doesn't show it."""
    found = text.strip()
    if found != KNOWN_AFTER_APPLY and not _SECRET.fullmatch(found):
        raise Invalid(
            f"{what}: it is not {2 * LENGTH} hexadecimal digits",
            "restore it; or remove it, and have new user data made for a machine that has not booted yet",
        )
    return found


def proof(secret: str, public_key: bytes) -> str:
    """What only somebody with the secret can make of a public key (DER, SubjectPublicKeyInfo)."""
    return hmac.new(bytes.fromhex(secret), LABEL + public_key, hashlib.sha256).hexdigest()


def is_proven(secret: str, public_key: bytes, names: Iterable[str]) -> bool:
    """Whether one of a certificate's names is the proof for its key."""
    wanted = (PREFIX + proof(secret, public_key)).encode()
    return any(hmac.compare_digest(wanted, name.encode()) for name in names)
