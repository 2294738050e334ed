# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose certificate it is, read without any package, and never a traceback for what isn't one."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import key_pair, pem, subject
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)
MADE = key_pair.generate_key_pair("kvm-01@team-a", "ecdsa-p384", 30, NOW).certificate.pem


def foreign(*names: tuple[x509.ObjectIdentifier, str]) -> str:
    """A certificate of somebody else's making, with these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    made = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
    made = made.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + datetime.timedelta(days=1))
    return key_pair.read_certificate(
        pem.pem_of(made.sign(key, hashes.SHA256()).public_bytes(key_pair.serialization.Encoding.DER))
    ).pem


@pytest.mark.parametrize(
    ("certificate", "owner"),
    [
        (MADE, "team-a"),
        (
            key_pair.generate_key_pair(
                key_pair.common_name_of("k" * 80, "Ärzte"), "ecdsa-p384", 1, NOW
            ).certificate.pem,
            "Ärzte",
        ),
        (foreign((NameOID.COMMON_NAME, "kvm-01@team-a")), ""),
        (foreign((NameOID.ORGANIZATION_NAME, "Other"), (NameOID.COMMON_NAME, "kvm-01@team-a")), ""),
        (foreign((NameOID.ORGANIZATION_NAME, "Tenantry"), (NameOID.COMMON_NAME, "nobody")), ""),
        (foreign(), ""),
        ("", ""),
        ("not PEM", ""),
    ],
)
def test_owner_is_read_from_what_we_made_alone(certificate: str, owner: str) -> None:
    assert subject.owner_of(certificate) == owner


@given(st.binary(max_size=200), st.integers(0, 400))
def test_damage_is_nobodys_mark_and_no_traceback(noise: bytes, at: int) -> None:
    der = pem.der_of(MADE)
    for damaged in (noise, der[:at] + noise + der[at + len(noise) :], b"\x30" + noise):
        assert isinstance(subject.owner_of(pem.pem_of(damaged)), str)
