# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Certificates as PEM, and fingerprints, in every state in which people hand them over."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ssl
import subprocess

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import pem
from hypothesis import given
from hypothesis import strategies as st

DER = b"\x30\x82\x01\x00" + bytes(range(256))
PEM = pem.pem_of(DER)
MARKER = "c2VjcmV0LW1hcmtlcg"


def sequence(content: bytes) -> bytes:
    """An ASN.1 SEQUENCE, which is all of a certificate that pem.py looks at."""
    if len(content) < 0x80:
        return bytes([0x30, len(content)]) + content
    size = (len(content).bit_length() + 7) // 8
    return bytes([0x30, 0x80 | size]) + len(content).to_bytes(size, "big") + content


@given(st.binary(max_size=70000).map(sequence))
def test_what_was_encoded_comes_back(der: bytes) -> None:
    assert pem.der_of(pem.pem_of(der)) == der
    assert pem.fingerprint(pem.pem_of(der)) == hashlib.sha256(der).hexdigest()


@given(st.binary(min_size=1, max_size=200).map(sequence))
def test_it_is_the_text_that_openssl_and_python_write(der: bytes) -> None:
    assert ssl.PEM_cert_to_DER_cert(pem.pem_of(der)) == der
    assert max(len(line) for line in pem.pem_of(der).splitlines()) <= 64


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(PEM.replace("\n", "\r\n"), id="windows"),
        pytest.param(PEM.replace("\n", " "), id="folded by YAML"),
        pytest.param("".join(f"    {line}\n" for line in PEM.splitlines()), id="indented"),
        pytest.param("subject=CN = x\n" + PEM, id="text before it"),
        pytest.param(PEM + pem.pem_of(sequence(b"other")), id="a chain: the first"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + PEM, id="behind its key"),
    ],
)
def test_it_is_found(text: str) -> None:
    assert pem.der_of(text) == DER


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "it is empty", id="empty"),
        pytest.param(" \n", "it is empty", id="blank"),
        pytest.param(f"/no/{MARKER}.crt", "neither PEM nor the path", id="path to nothing"),
        pytest.param(f"{MARKER}\n{MARKER}\n", "it is not PEM", id="base64 without lines"),
        pytest.param(
            f"-----BEGIN PRIVATE KEY-----\n{MARKER}\n-----END PRIVATE KEY-----\n", "it is a private key", id="key"
        ),
        pytest.param(
            f"-----BEGIN PUBLIC KEY-----\n{MARKER}\n-----END PUBLIC KEY-----\n", "something else", id="public key"
        ),
        pytest.param(f"-----BEGIN CERTIFICATE-----\n{MARKER}\n", "cut off", id="no end"),
        pytest.param(PEM[: len(PEM) // 2] + "\n" + PEM, "cut off", id="half of one before another"),
        pytest.param(PEM.replace("\n", "\\n"), "is not a certificate", id="newlines escaped"),
        pytest.param(pem.pem_of(DER[:-1]), "is not a certificate", id="a byte lost"),
        pytest.param(pem.pem_of(DER + b"x"), "is not a certificate", id="a byte too many"),
        pytest.param(pem.pem_of(b"\x30\x02abc"), "is not a certificate", id="a byte too many for a short one"),
        pytest.param(PEM.replace("\nMII", "\n*MII"), "is not a certificate", id="a character too many"),
        pytest.param(pem.pem_of(b"\x04\x02ab"), "is not a certificate", id="other ASN.1"),
        pytest.param(pem.pem_of(b""), "is not a certificate", id="nothing in it"),
        pytest.param(pem.pem_of(b"\x30"), "is not a certificate", id="one byte in it"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_echoed(text: str, said: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        pem.der_of(text, "server_cert")
    assert caught.value.message.startswith("server_cert: ")
    assert said in caught.value.message
    assert "\n" not in str(caught.value)
    assert MARKER not in str(caught.value)
    assert caught.value.hint


@given(st.text())
def test_no_text_ends_in_anything_but_invalid(text: str) -> None:
    for wrapped in (text, f"-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----"):
        with contextlib.suppress(errors.Invalid):
            pem.der_of(wrapped)


def test_fingerprint_is_openssls(tmp_path) -> None:
    # fmt: off
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=x", "-keyout", tmp_path / "k", "-out", tmp_path / "c"],
                   check=True, capture_output=True)
    shown = subprocess.run(["openssl", "x509", "-in", tmp_path / "c", "-noout", "-fingerprint", "-sha256"],
                           check=True, capture_output=True, text=True).stdout
    # fmt: on
    text = (tmp_path / "c").read_text()
    assert pem.normalise_fingerprint(shown) == pem.fingerprint(text)
    assert pem.pem_of(pem.der_of(text)) == text


FINGERPRINT = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    [
        FINGERPRINT,
        FINGERPRINT.upper(),
        f" {FINGERPRINT}\n",
        f"sha256:{FINGERPRINT}",
        f"SHA256:{FINGERPRINT}",
        f"sha-256:{FINGERPRINT}",
        ":".join(FINGERPRINT[start : start + 2] for start in range(0, 64, 2)).upper(),
        "SHA256 Fingerprint=" + ":".join(FINGERPRINT[start : start + 2] for start in range(0, 64, 2)),
    ],
)
def test_fingerprints_are_read_as_tools_print_them(text: str) -> None:
    assert pem.normalise_fingerprint(text) == FINGERPRINT


@pytest.mark.parametrize(
    "text",
    [
        "",
        FINGERPRINT[:-1],
        FINGERPRINT + "0",
        FINGERPRINT[:-1] + "g",
        FINGERPRINT[:12],
        "sha1:" + FINGERPRINT[:40],
        f"sha256:sha256:{FINGERPRINT}",
        "\u0660" * 64,
        base64.b64encode(bytes(32)).decode(),
        int("1" * 64),
    ],
)
def test_other_things_are_no_fingerprint(text) -> None:
    with pytest.raises(errors.Invalid) as caught:
        pem.normalise_fingerprint(text, "server_fingerprint")
    assert caught.value.message.startswith("server_fingerprint: ")
    assert not text or str(text) not in str(caught.value)


@pytest.mark.parametrize(("text", "expected"), [(PEM, True), ("  \n" + PEM, True), ("client.crt", False), ("", False)])
def test_pem_or_path(text: str, expected: bool) -> None:
    assert pem.looks_like_pem(text) is expected
