# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Key pairs made here and key pairs that people bring, the latter made by openssl as people make them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import socket
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import key_pair, pem, vaulted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
SECOND = NOW.replace(microsecond=0)
DAY = datetime.timedelta(days=1)


def openssl(*words: str) -> str:
    """What openssl prints."""
    return subprocess.run(["openssl", *words], check=True, capture_output=True, text=True).stdout


@functools.cache
def brought(*newkey: str, digest: str = "-sha256") -> tuple[str, str]:
    """Certificate and key as openssl makes them, valid from today for thirty days."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key"), Path(folder, "certificate")
        openssl("genpkey", *newkey, "-out", str(key))
        request = ["req", "-x509", "-new", "-key", str(key), "-days", "30", "-subj", "/O=Ours/CN=kvm-01@ops"]
        openssl(*request, *([digest] if digest else []), "-out", str(certificate))
        return certificate.read_text(), key.read_text()


def curve(name: str) -> tuple[str, ...]:
    """The words that make a key on a curve."""
    return ("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{name}")


def rsa(bits: int, algorithm: str = "RSA") -> tuple[str, ...]:
    """The words that make an RSA key."""
    return ("-algorithm", algorithm, "-pkeyopt", f"rsa_keygen_bits:{bits}")


P384 = curve("P-384")


def now() -> datetime.datetime:
    """Openssl's clock is the real one."""
    return datetime.datetime.now(UTC)


def converted(key: str, *words: str) -> str:
    """The key as another openssl command writes it."""
    return subprocess.run(["openssl", *words], input=key, check=True, capture_output=True, text=True).stdout


@functools.cache
def made(key_type: str = "ecdsa-p384") -> key_pair.KeyPair:
    """A pair made here; RSA keys take a second, so once."""
    return key_pair.generate_key_pair("kvm-01@ops", key_type, 3650, NOW)


# --- made here


@pytest.mark.parametrize(("key_type", "digest"), [("ecdsa-p384", hashes.SHA384), ("rsa-4096", hashes.SHA256)])
def test_a_made_pair_is_a_client_certificate(key_type: str, digest: type) -> None:
    pair = made(key_type)
    loaded = x509.load_pem_x509_certificate(pair.certificate.pem.encode())
    loaded.verify_directly_issued_by(loaded)
    assert isinstance(loaded.signature_hash_algorithm, digest)
    usage = loaded.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    extended = loaded.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not loaded.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert loaded.subject == loaded.issuer
    assert loaded.version is x509.Version.v3
    assert 2**64 < loaded.serial_number < 2**160
    assert pair.certificate.key_type == key_type
    assert pair.certificate.common_name == "kvm-01@ops"
    assert "CN=kvm-01@ops" in pair.certificate.subject
    assert pair.certificate.fingerprint == pem.fingerprint(pair.certificate.pem)


def test_a_made_pair_says_when_it_is_valid() -> None:
    certificate = made().certificate
    assert SECOND - datetime.timedelta(hours=1) < certificate.not_before < SECOND
    assert certificate.not_after == SECOND + 3650 * DAY
    assert certificate.not_before.tzinfo == UTC == certificate.not_after.tzinfo


def test_two_made_pairs_differ_in_key_and_serial() -> None:
    one, other = (key_pair.generate_key_pair("kvm-01@ops", "ecdsa-p384", 1, NOW) for _each in range(2))
    assert one.private_key != other.private_key
    serials = {x509.load_pem_x509_certificate(pair.certificate.pem.encode()).serial_number for pair in (one, other)}
    assert len(serials) == 2


def test_a_made_pair_passes_its_own_check() -> None:
    for key_type in key_pair.KEY_TYPES:
        pair = made(key_type)
        assert key_pair.check_key_pair(pair.certificate.pem, pair.private_key, NOW) == pair


def test_now_may_be_in_any_time_zone() -> None:
    there = NOW.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
    assert key_pair.generate_key_pair("x", "ecdsa-p384", 1, there).certificate.not_after == SECOND + DAY


@pytest.mark.parametrize("key_type", key_pair.KEY_TYPES)
def test_tls_1_3_takes_a_made_pair_for_its_client(key_type: str) -> None:
    pair = key_pair.generate_key_pair("kvm-01@ops", key_type, 1, now())
    assert seen_by_a_server(pair) == pem.der_of(pair.certificate.pem)


def seen_by_a_server(pair: key_pair.KeyPair) -> bytes | None:
    """The certificate that a server, which demands one and trusts only this one, got in a handshake of TLS 1.3."""
    certificate, key = brought(*P384)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "server").write_text(certificate + key)
        Path(folder, "client").write_text(pair.certificate.pem + pair.private_key)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.minimum_version = ssl.TLSVersion.TLSv1_3
        server.load_cert_chain(Path(folder, "server"))
        server.verify_mode = ssl.CERT_REQUIRED
        server.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        server.load_verify_locations(cadata=pair.certificate.pem)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.load_cert_chain(Path(folder, "client"))
    here, there = socket.socketpair()
    seen: list[bytes | None] = []

    def serve() -> None:
        with server.wrap_socket(there, server_side=True) as end:
            seen.append(end.getpeercert(binary_form=True))
            end.sendall(b"x")

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(here) as end:
        end.recv(1)
    thread.join(10)
    return seen[0]


@pytest.mark.parametrize(
    ("common_name", "key_type", "valid_for", "said"),
    [
        ("", "ecdsa-p384", 1, "common_name"),
        ("x" * 65, "ecdsa-p384", 1, "common_name"),
        ("ü" * 33, "ecdsa-p384", 1, "common_name"),
        ("a\nb", "ecdsa-p384", 1, "common_name"),
        ("x", "ecdsa-p384", 0, "valid_for"),
        ("x", "ecdsa-p384", -1, "valid_for"),
        ("x", "ecdsa-p384", 36501, "valid_for"),
        ("x", "ed25519", 1, "key_type"),
        ("x", "", 1, "key_type"),
    ],
)
def test_what_can_not_be_made(common_name: str, key_type: str, valid_for: int, said: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        key_pair.generate_key_pair(common_name, key_type, valid_for, NOW)
    assert caught.value.message.startswith(f"{said}: ")


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=80), st.integers(1, 36500))
def test_any_host_and_owner_make_a_common_name_that_can_be_made(owner: str, valid_for: int) -> None:
    name = key_pair.common_name_of("n" * 63, owner)
    assert key_pair.generate_key_pair(name, "ecdsa-p384", valid_for, NOW).certificate.common_name == name


@pytest.mark.parametrize(
    ("name", "owner", "expected"),
    [
        ("kvm-01", "ops", "kvm-01@ops"),
        ("n" * 63, "ops", "n" * 60 + "@ops"),
        ("n" * 60, "ops", "n" * 60 + "@ops"),
        ("kvm-01", "o" * 70, "@" + "o" * 63),
    ],
)
def test_a_common_name_keeps_the_owner(name: str, owner: str, expected: str) -> None:
    assert key_pair.common_name_of(name, owner) == expected


# --- read


@pytest.mark.parametrize(
    ("passed", "left"),
    [
        (datetime.timedelta(), 3650),
        (datetime.timedelta(seconds=1), 3649),
        (3649 * DAY, 1),
        (3650 * DAY, 0),
        (3650 * DAY + datetime.timedelta(seconds=1), -1),
        (3652 * DAY, -2),
    ],
)
def test_days_left(passed: datetime.timedelta, left: int) -> None:
    assert made().certificate.days_left(SECOND + passed) == left


def test_reading_needs_neither_key_nor_validity() -> None:
    assert key_pair.read_certificate("text before\n" + made().certificate.pem) == made().certificate


def test_a_certificate_of_maas_is_read_and_checked(tmp_path) -> None:
    # X.509 version 1, a subject of a common name only, another issuer: certificates made by MAAS look like this.
    openssl("genpkey", *rsa(4096), "-out", str(tmp_path / "key"))
    openssl("req", "-new", "-key", str(tmp_path / "key"), "-subj", "/CN=kvm@maas", "-out", str(tmp_path / "request"))
    words = ["-in", str(tmp_path / "request"), "-signkey", str(tmp_path / "key"), "-days", "3650", "-sha512"]
    openssl("x509", "-req", *words, "-out", str(tmp_path / "certificate"))
    text = (tmp_path / "certificate").read_text()
    assert x509.load_pem_x509_certificate(text.encode()).version is x509.Version.v1
    pair = key_pair.check_key_pair(text, (tmp_path / "key").read_text(), now())
    assert (pair.certificate.common_name, pair.certificate.key_type) == ("kvm@maas", "rsa-4096")
    assert pair.certificate.subject == "CN=kvm@maas"


def test_a_certificate_without_a_common_name_is_read() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ours")])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, NOW.replace(tzinfo=None), SECOND + DAY)
    text = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    assert key_pair.read_certificate(text).common_name == ""


def test_asn_1_that_is_no_certificate() -> None:
    with pytest.raises(errors.Invalid, match=r"^server_cert: it is not an X\.509 certificate"):
        key_pair.read_certificate(pem.pem_of(b"\x30\x03\x02\x01\x05"), "server_cert")


def test_times_of_an_old_cryptography_are_utc() -> None:
    class Old:
        not_valid_after = datetime.datetime(2030, 1, 2, 3, 4, 5)  # noqa: DTZ001 (as version 41 and older give it)

    assert key_pair._utc(Old(), "not_valid_after") == datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


# --- brought


@pytest.mark.parametrize(
    ("newkey", "digest", "key_type"),
    [
        pytest.param(curve("P-256"), "-sha256", "ecdsa-p256", id="P-256"),
        pytest.param(P384, "-sha384", "ecdsa-p384", id="P-384"),
        pytest.param(curve("P-521"), "-sha512", "ecdsa-p521", id="P-521"),
        pytest.param(rsa(2048), "-sha256", "rsa-2048", id="RSA 2048"),
        pytest.param(rsa(3072), "-sha256", "rsa-3072", id="RSA 3072"),
        pytest.param(("-algorithm", "ED25519"), "", "ed25519", id="Ed25519"),
    ],
)
def test_usable_pairs(newkey: tuple[str, ...], digest: str, key_type: str) -> None:
    certificate, key = brought(*newkey, digest=digest)
    pair = key_pair.check_key_pair(certificate, key, now())
    assert pair.certificate.key_type == key_type
    assert pair.certificate.pem == certificate
    assert pair.private_key == key
    assert seen_by_a_server(pair) == pem.der_of(certificate)


@pytest.mark.parametrize(
    ("newkey", "digest", "key_type"),
    [
        pytest.param(curve("secp224r1"), "-sha256", "ecdsa-secp224r1", id="P-224"),
        pytest.param(curve("secp256k1"), "-sha256", "ecdsa-secp256k1", id="secp256k1"),
        pytest.param(rsa(1024), "-sha256", "rsa-1024", id="RSA 1024"),
        pytest.param(rsa(2048, "RSA-PSS"), "-sha256", "rsa-pss-2048", id="RSA-PSS"),
        pytest.param(("-algorithm", "ED448"), "", "ed448", id="Ed448"),
    ],
)
def test_keys_that_tls_1_3_with_lxd_can_not_use(newkey: tuple[str, ...], digest: str, key_type: str) -> None:
    certificate, key = brought(*newkey, digest=digest)
    refuse(certificate, key, f"certificate: its key is of type {key_type}, which TLS with LXD can't use")


@pytest.mark.parametrize("bits", [(2047, False), (2048, True), (8192, True), (8193, False)])
def test_bounds_of_rsa(bits: tuple[int, bool]) -> None:
    assert key_pair._serves_tls(f"rsa-{bits[0]}") is bits[1]


def test_keys_in_every_format_of_openssl() -> None:
    certificate, key = brought(*P384)
    traditional = converted(key, "ec")
    assert "BEGIN EC PRIVATE KEY" in traditional
    parameters = openssl("ecparam", "-name", "secp384r1")
    assert "BEGIN EC PARAMETERS" in parameters
    rsa_certificate, rsa_key = brought(*rsa(2048))
    rsa_traditional = converted(rsa_key, "rsa", "-traditional")
    assert "BEGIN RSA PRIVATE KEY" in rsa_traditional
    assert key_pair.check_key_pair(certificate, traditional, now()).private_key == traditional
    assert key_pair.check_key_pair(certificate, parameters + traditional, now()).private_key == traditional
    assert key_pair.check_key_pair(certificate, key.replace("\n", "\r\n"), now()).private_key == key
    assert key_pair.check_key_pair(certificate, key.replace("\n", " "), now()).private_key == key
    assert key_pair.check_key_pair(rsa_certificate, rsa_traditional, now()).private_key == rsa_traditional


def test_both_in_one_file() -> None:
    certificate, key = brought(*P384)
    for both in (certificate + key, key + certificate):
        assert key_pair.check_key_pair(both, both, now()).private_key == key


def refuse(certificate: str, key: str, said: str, at: datetime.datetime | None = None) -> errors.Invalid:
    """The refusal, which starts as said, has a hint, is one line, and shows nothing of the key."""
    with pytest.raises(errors.Invalid) as caught:
        key_pair.check_key_pair(certificate, key, at or now())
    error = caught.value
    assert error.message.startswith(said)
    assert error.hint
    assert "\n" not in str(error)
    secrets = [line for text in (certificate, key) for line in text.splitlines() if len(line) == 64]
    shown = f"{error} {error.__cause__} {error.details}"
    assert not [secret for secret in secrets if secret in shown]
    assert error.__suppress_context__ or error.__context__ is None
    return error


@pytest.mark.parametrize(
    ("newkey", "words", "mark"),
    [
        pytest.param(P384, ("pkcs8", "-topk8", "-passout", "pass:secret"), "ENCRYPTED PRIVATE KEY", id="PKCS 8"),
        pytest.param(P384, ("ec", "-aes256", "-passout", "pass:secret"), "Proc-Type: 4,ENCRYPTED", id="EC"),
        pytest.param(
            rsa(2048), ("rsa", "-traditional", "-aes256", "-passout", "pass:secret"), "Proc-Type: 4", id="RSA"
        ),
    ],
)
def test_a_passphrase_is_refused_with_the_way_to_strip_it(tmp_path, newkey, words, mark) -> None:
    certificate, key = brought(*newkey)
    closed = converted(key, *words)
    assert mark in closed
    error = refuse(certificate, closed, "private key: it has a passphrase")
    assert "openssl pkey -in <the key> -out <the copy>" in error.hint
    # The command of the hint works.
    (tmp_path / "key").write_text(closed)
    openssl("pkey", "-in", str(tmp_path / "key"), "-passin", "pass:secret", "-out", str(tmp_path / "copy"))
    assert key_pair.check_key_pair(certificate, (tmp_path / "copy").read_text(), now())


def test_a_passphrase_behind_a_wrong_label() -> None:
    certificate, key = brought(*P384)
    closed = converted(key, "pkcs8", "-topk8", "-passout", "pass:secret").replace("ENCRYPTED ", "")
    refuse(certificate, closed, "private key: it has a passphrase")


def test_base64_that_spells_encrypted_is_no_passphrase() -> None:
    certificate, _key = brought(*P384)
    text = "-----BEGIN PRIVATE KEY-----\nENCRYPTEDENCRYPT\n-----END PRIVATE KEY-----\n"
    refuse(certificate, text, "private key: what its PEM holds is not a private key")


def ssh_key() -> str:
    """A key as ssh-keygen writes it."""
    return ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()  # fmt: skip


def test_everything_else_that_people_hand_over() -> None:
    certificate, key = brought(*P384)
    other_certificate, other_key = brought(*curve("P-256"))
    twin = made().private_key
    public = converted(key, "pkey", "-pubout")
    for given_certificate, given_key, said in (
        (key, certificate, "certificate, private_key: each holds what belongs in the other"),
        (key, key, "certificate: it is a private key"),
        (certificate, certificate, "private key: it is a certificate"),
        (certificate, other_key, "private key: it doesn't belong to the certificate"),
        (certificate, twin, "private key: it doesn't belong to the certificate"),
        (other_certificate, key, "private key: it doesn't belong to the certificate"),
        (certificate, brought(*rsa(2048))[1], "private key: it doesn't belong to the certificate"),
        (certificate, public, "private key: it is not a whole PEM private key"),
        (certificate, "", "private key: it is not a whole PEM private key"),
        (certificate, "client.key", "private key: it is not a whole PEM private key"),
        (certificate, key[: len(key) // 2], "private key: it is not a whole PEM private key"),
        (certificate, key.replace("M", "*", 1), "private key: what stands between"),
        (certificate, pem.pem_of(b"\x30\x00", "PRIVATE KEY"), "private key: what its PEM holds"),
        (certificate, ssh_key(), "private key: it is a key of OpenSSH"),
        (certificate, vaulted.encrypt(key, b"pw"), "private key: it is still vaulted"),
        (certificate, "\n" + vaulted.encrypt(key, b"pw"), "private key: it is still vaulted"),
        ("", key, "certificate: it is empty"),
        ("client.crt", key, "certificate: it is neither PEM nor"),
        (certificate.replace("MI", "*I", 1), key, "certificate: what stands between"),
    ):
        refuse(given_certificate, given_key, said)


def test_the_seconds_at_which_it_starts_and_ends() -> None:
    pair = made()
    start, end = pair.certificate.not_before, pair.certificate.not_after
    second = datetime.timedelta(seconds=1)
    refuse(pair.certificate.pem, pair.private_key, "certificate: it is not valid before 2026-05-06", start - second)
    assert key_pair.check_key_pair(pair.certificate.pem, pair.private_key, start)
    assert key_pair.check_key_pair(pair.certificate.pem, pair.private_key, end - second)
    refuse(pair.certificate.pem, pair.private_key, "certificate: it expired on 2036-05-03", end)


def test_a_wrong_key_is_said_before_the_age() -> None:
    # The other way round, one would make a new certificate and then learn that the key is wrong.
    refuse(made().certificate.pem, brought(*P384)[1], "private key: it doesn't belong", NOW + 9999 * DAY)


@settings(max_examples=200)
@given(st.text(), st.text())
def test_no_texts_end_in_anything_but_invalid(one: str, other: str) -> None:
    certificate, _key = brought(*P384)
    wrapped = f"-----BEGIN PRIVATE KEY-----{other}-----END PRIVATE KEY-----"
    for pair in ((one, other), (certificate, other), (certificate, wrapped), (certificate + one, wrapped)):
        with pytest.raises(errors.Invalid):
            key_pair.check_key_pair(*pair, NOW)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@settings(max_examples=200)
@given(st.data())
def test_a_damaged_certificate_ends_in_invalid_or_is_read(data: st.DataObject) -> None:
    der = bytearray(pem.der_of(made().certificate.pem))
    der[data.draw(st.integers(4, len(der) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(errors.Invalid):
        assert key_pair.read_certificate(pem.pem_of(bytes(der))).fingerprint != made().certificate.fingerprint


def test_no_key_in_any_repr() -> None:
    pair = made()
    body = pair.private_key.splitlines()[1]
    assert body not in repr(pair)
    assert body not in repr(dataclasses.replace(pair))
    assert "PRIVATE KEY" not in repr(pair)
