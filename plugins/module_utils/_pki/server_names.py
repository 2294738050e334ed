# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a server's certificate says of itself: its public key, and its alternative names that are URIs."""

from __future__ import annotations

from .._core import errors
from . import pem

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
except ImportError:
    # Whoever calls has asked key_pair.HAS_CRYPTOGRAPHY.
    pass


def key_and_uris(certificate: str, what: str = "server certificate") -> tuple[bytes, tuple[str, ...]]:
    """The public key as DER (SubjectPublicKeyInfo), and the URIs; Invalid where it can't be read."""
    der = pem.der_of(certificate, what)
    try:
        loaded = x509.load_der_x509_certificate(der)
        key = loaded.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return key, tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
    except x509.ExtensionNotFound:
        return key, ()
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, UnsupportedAlgorithm):
        raise errors.Invalid(f"{what}: it is not a certificate that can be read", "what answers there?") from None
