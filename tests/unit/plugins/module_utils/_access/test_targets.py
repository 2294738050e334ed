# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From options and registry rows to a connection: what wins, what pins, which key pairs never go out."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from typing import Any

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._access import targets
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._core.model import Server
from ansible_collections.tenantry.lxd.plugins.module_utils._core.plan import WriteFile
from ansible_collections.tenantry.lxd.plugins.module_utils._lxd.port import Connection
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import key_pair
from cryptography.hazmat.primitives import serialization

NOW = datetime.datetime.now(datetime.timezone.utc)
YEAR = datetime.timedelta(days=365)
ENTRY = {"url": "https://kvm-01", "project": "tenant-a", "owner": "us"}


@functools.cache
def pair(name: str = "us", made: datetime.datetime = NOW) -> key_pair.KeyPair:
    return key_pair.generate_key_pair(name, "ecdsa-p384", 30, made)


def row(**changes: Any) -> dict[str, Any]:
    found = {
        "name": "kvm-01",
        "folder": "/vmhosts/kvm-01",
        "entry": dict(ENTRY),
        "certificate": pair().certificate.pem,
        "private_key": pair().private_key,
        "key_source": "file",
        "server_cert": pair("server").certificate.pem,
        **changes,
    }
    return {key: value for key, value in found.items() if value is not None}


def params(*rows: dict[str, Any], **said: Any) -> dict[str, Any]:
    return {"vmhost": "kvm-01", "timeout": 30, "registry": "/vmhosts", "_connections": list(rows), **said}


def test_a_row_is_a_target() -> None:
    found = targets.parse_target(params(row()))
    assert (found.name, found.project, found.owner, found.folder) == ("kvm-01", "tenant-a", "us", "/vmhosts/kvm-01")
    assert found.connection == Connection(
        ("https://kvm-01:8443",), pair().certificate.pem, pair().private_key, pair("server").certificate.fingerprint, 30
    )
    assert (found.local, found.spare, found.wide_key, found.key_source) == (False, None, None, "file")
    assert pair().private_key not in repr(found)


def test_what_the_task_says_wins() -> None:
    mine = pair("mine")
    said = {
        "url": ["https://other:9443", "https://third"],
        "project": "p",
        "owner": "o",
        "timeout": 5,
        "client_cert": mine.certificate.pem,
        "client_key": mine.private_key,
        "server_fingerprint": "AB:" * 31 + "AB",
    }
    found = targets.parse_target(params(row(wide_key="/k", next_certificate="x"), **said))
    assert found.connection.urls == ("https://other:9443", "https://third:8443")
    assert (found.project, found.owner, found.connection.timeout) == ("p", "o", 5)
    assert (found.connection.certificate, found.connection.private_key) == (mine.certificate.pem, mine.private_key)
    assert found.connection.pin == "ab" * 32 and found.key_source == "option"
    assert (found.wide_key, found.spare) == (None, None), "the folder's key was meant, which isn't used"


def test_which_pin_counts() -> None:
    option, row_pin, token = (pair(name).certificate for name in ("option", "server", "token"))
    assert (
        targets.parse_target(params(row(), server_cert=option.pem), token.fingerprint).connection.pin
        == option.fingerprint
    )
    assert targets.parse_target(params(row()), token.fingerprint).connection.pin == token.fingerprint
    assert targets.parse_target(params(row())).connection.pin == row_pin.fingerprint


def test_a_socket_needs_no_pin() -> None:
    found = targets.parse_target({"url": ["unix:/x"], "timeout": 30})
    assert found.local and found.connection.pin == "" and found.name == "unix:/x"


def test_a_rotation_that_was_cut_short_leaves_a_spare() -> None:
    found = targets.parse_target(params(row(next_certificate="new", next_private_key="key")))
    assert found.spare == dataclasses.replace(found.connection, certificate="new", private_key="key")
    # Between the two renames that end it, the new key is already in its place.
    found = targets.parse_target(params(row(next_certificate="new")))
    assert found.spare and found.spare.private_key == pair().private_key


REFUSED: list[Any] = [
    pytest.param({"vmhost": None}, [], errors.Invalid, "connection: neither vmhost nor url", id="nothing said"),
    pytest.param({}, [], errors.NotFound, "vmhost kvm-01: not in the registry /vmhosts", id="no row"),
    pytest.param({}, [row(entry=None)], errors.NotFound, "vmhost kvm-01: not in the registry", id="no entry"),
    pytest.param(
        {},
        [row(error={"code": "not_found", "message": "m", "hint": "h"})],
        errors.NotFound,
        "m",
        id="the row's own error",
    ),
    pytest.param({}, [row(error={"code": "?", "message": "m"})], errors.Invalid, "m", id="an error of another kind"),
    pytest.param({}, [row(entry={**ENTRY, "zoen": "x"})], errors.Invalid, "kvm-01/vmhost.yml: 'zoen'", id="entry"),
    pytest.param({"timeout": 0}, [row()], errors.Invalid, "timeout: 0", id="no time"),
    pytest.param({"timeout": -5}, [row()], errors.Invalid, "timeout: -5", id="less than no time"),
    pytest.param({"url": ["http://x"]}, [row()], errors.Invalid, "url: ", id="http"),
    pytest.param({"url": ["unix:", "https://x"]}, [], errors.Invalid, "url: unix: beside", id="socket and address"),
    pytest.param({"server_fingerprint": "abc"}, [row()], errors.Invalid, "server_fingerprint: ", id="fingerprint"),
    pytest.param({"server_cert": "/nowhere"}, [row()], errors.Invalid, "server_cert: ", id="server_cert"),
    pytest.param({}, [row(server_cert="garbage")], errors.Invalid, "kvm-01/server.crt: ", id="server.crt"),
    pytest.param(
        {"url": ["https://127.0.0.1:1"], "vmhost": None}, [], errors.Unreachable, "https://127.0.0.1:1: no", id="pin"
    ),
]


@pytest.mark.parametrize(("said", "rows", "kind", "message"), REFUSED)
def test_what_cannot_be_a_target(
    said: dict[str, Any], rows: list[dict[str, Any]], kind: type[errors.TenantryError], message: str
) -> None:
    with pytest.raises(kind) as refused:
        targets.parse_target(params(*rows, **said))
    assert refused.value.message.startswith(message) and refused.value.code == kind.code
    assert "\n" not in str(refused.value)


# Key pairs.


def with_passphrase(key: str) -> str:
    loaded = serialization.load_pem_private_key(key.encode(), password=None)
    sealed = serialization.BestAvailableEncryption(b"sesame")
    return loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed).decode()


def nobody(_to: targets.Target) -> None:
    pytest.fail("a server was asked")


BAD_PAIRS: list[Any] = [
    pytest.param(pair("old", NOW - YEAR), None, "certificate: it expired on ", id="expired"),
    pytest.param(pair("new", NOW + YEAR), None, "certificate: it is not valid before ", id="not yet valid"),
    pytest.param(pair(), pair("other").private_key, "private key: it doesn't belong", id="mismatched"),
    pytest.param(pair(), with_passphrase(pair().private_key), "private key: it has a passphrase", id="passphrase"),
    pytest.param(pair(), pair().certificate.pem, "private key: it is a certificate", id="two certificates"),
    pytest.param(pair(), "/nowhere", "private key: it is not", id="no key"),
]


@pytest.mark.parametrize(("bad", "key", "message"), BAD_PAIRS)
def test_a_pair_that_is_no_good_is_refused_before_any_connection(
    bad: key_pair.KeyPair, key: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "connect", nobody)
    to = targets.parse_target(params(row(certificate=bad.certificate.pem, private_key=key or bad.private_key)))
    with pytest.raises(errors.NotTrusted) as refused:
        targets.open_trusted(to)
    assert refused.value.code == "invalid" and refused.value.message.startswith(f"kvm-01: {message}")
    assert "lxd_tenant_cert" in refused.value.hint and "\n" not in str(refused.value)
    assert bad.private_key[40:80] not in str(refused.value)


@pytest.mark.parametrize("lacking", ["certificate", "private_key"])
def test_half_a_pair(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "connect", nobody)
    with pytest.raises(errors.NotTrusted, match="kvm-01: there is no tenant certificate with its key") as refused:
        targets.open_trusted(targets.parse_target(params(row(**{lacking: None}))))
    assert refused.value.code == "not_trusted"


@dataclasses.dataclass
class Answer:
    """A port as far as `trusted` looks at it."""

    server: Server
    closed: bool = False

    def close(self) -> None:
        self.closed = True


def who_is_trusted(
    monkeypatch: pytest.MonkeyPatch, *known: str, refuses: tuple[str, ...] = ()
) -> list[tuple[str, Answer]]:
    """A server that trusts these certificates; returns whom it saw."""
    seen: list[tuple[str, Answer]] = []

    def connect(to: targets.Target) -> Answer:
        pem = to.connection.certificate
        if pem in refuses:
            raise errors.Invalid("tenant certificate: it can't be used with this private key")
        answer = Answer(Server.from_api({"auth": "trusted" if pem in known else "untrusted"}))
        seen.append((pem, answer))
        return answer

    monkeypatch.setattr(targets, "connect", connect)
    return seen


def rotating(first: key_pair.KeyPair, second: key_pair.KeyPair) -> targets.Target:
    next_pair = {"next_certificate": second.certificate.pem, "next_private_key": second.private_key}
    said = row(certificate=first.certificate.pem, private_key=first.private_key, **next_pair)
    return targets.parse_target(params(said))


def test_the_pair_that_is_trusted_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = pair("one"), pair("two")
    seen = who_is_trusted(monkeypatch, one.certificate.pem)
    assert targets.open_trusted(rotating(one, two)).server.trusted
    assert [pem for pem, _answer in seen] == [one.certificate.pem]


def test_the_spare_is_tried_second_and_the_first_connection_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = pair("one"), pair("two")
    seen = who_is_trusted(monkeypatch, two.certificate.pem)
    assert targets.open_trusted(rotating(one, two)).server.trusted
    assert [(pem, answer.closed) for pem, answer in seen] == [(one.certificate.pem, True), (two.certificate.pem, False)]


@pytest.mark.parametrize("first", ["expired", "refused"])
def test_a_first_pair_that_is_no_good_does_not_hide_the_spare(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = pair("old", NOW - YEAR) if first == "expired" else pair("one"), pair("two")
    seen = who_is_trusted(monkeypatch, two.certificate.pem, refuses=(one.certificate.pem,))
    assert targets.open_trusted(rotating(one, two)).server.trusted
    assert [pem for pem, _answer in seen] == [two.certificate.pem]


def test_nobody_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = who_is_trusted(monkeypatch)
    with pytest.raises(errors.NotTrusted, match="kvm-01: the server doesn't trust") as refused:
        targets.open_trusted(rotating(pair("one"), pair("two")))
    assert refused.value.code == "not_trusted" and len(seen) == 2 and all(answer.closed for _pem, answer in seen)


def test_a_socket_needs_no_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "connect", lambda _to: Answer(Server.from_api({"auth": "trusted"})))
    assert targets.open_trusted(targets.parse_target({"url": ["unix:/x"], "timeout": 30})).server.trusted


def test_a_key_that_others_may_read_is_tightened() -> None:
    assert targets.plan_key_modes(targets.parse_target(params(row()))) == ()
    (change,) = targets.plan_key_modes(targets.parse_target(params(row(wide_key="/vmhosts/kvm-01/client.key"))))
    assert change.steps == (WriteFile("/vmhosts/kvm-01/client.key", pair().private_key, 0o600),)
    assert pair().private_key not in repr(change) and pair().private_key not in str((change.before, change.after))


def test_a_host_that_an_earlier_task_would_have_registered() -> None:
    missing = errors.NotFound("vmhost kvm-01: not in the registry", "")
    found = targets.build_absent_target("kvm-01", {"project": "p", "owner": None}, missing)
    assert (found.missing, found.project, found.owner, found.local) == (missing, "p", None, False)
