# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Trust tokens of LXD 5.0, 5.21, 6 and pylxd, and what people paste in their place."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json

import pytest
from ansible_collections.tenantry.lxd.plugins.module_utils._core import errors
from ansible_collections.tenantry.lxd.plugins.module_utils._pki import trust_token
from hypothesis import given
from hypothesis import strategies as st

UTC = datetime.timezone.utc
SECRET = "5eca7e0000c0ffee"
BODY = {
    "client_name": "kvm-01@ops",
    "fingerprint": "ab" * 32,
    "addresses": ["10.0.0.1:8443", "[fd42::1]:8443"],
    "secret": SECRET,
    "expires_at": "0001-01-01T00:00:00Z",
}


def token(**changes: object) -> str:
    """A token whose fields differ; None takes one out."""
    body = {key: value for key, value in {**BODY, **changes}.items() if value is not None}
    return base64.b64encode(json.dumps(body).encode()).decode()


def test_its_fields() -> None:
    found = trust_token.parse(token())
    assert found.client_name == "kvm-01@ops"
    assert found.fingerprint == "ab" * 32
    assert found.addresses == ("10.0.0.1:8443", "[fd42::1]:8443")
    assert found.secret == SECRET
    assert found.expires_at is None


def test_the_secret_is_in_no_repr() -> None:
    found = trust_token.parse(token())
    assert SECRET not in repr(found)
    assert "kvm-01@ops" in repr(found)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, None),
        ("", None),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+05:30", None),
        ("2026-01-02T03:04:05Z", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789Z", datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.1+02:00", datetime.datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05-08:00", datetime.datetime(2026, 1, 2, 11, 4, 5, tzinfo=UTC)),
    ],
)
def test_expiry_as_go_writes_it(said: str | None, expected: datetime.datetime | None) -> None:
    assert trust_token.parse(token(expires_at=said)).expires_at == expected


def test_expired_from_that_second_on() -> None:
    found = trust_token.parse(token(expires_at="2026-01-02T03:04:05Z"))
    end = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert not found.has_expired(end - datetime.timedelta(seconds=1))
    assert found.has_expired(end)
    assert not trust_token.parse(token()).has_expired(end)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(token(type="client", unheard_of=[1]), id="fields of a later LXD"),
        pytest.param(token().rstrip("="), id="padding lost"),
        pytest.param(f"  {token()[:40]}\n{token()[40:]}\n", id="wrapped by a terminal"),
        pytest.param(token(fingerprint="AB" * 32), id="upper case"),
    ],
)
def test_it_is_read_all_the_same(text: str) -> None:
    assert trust_token.parse(text) == trust_token.parse(token())


@pytest.mark.parametrize("addresses", [None, []])
def test_a_token_may_know_no_address(addresses: object) -> None:
    assert trust_token.parse(token(addresses=addresses)).addresses == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param(SECRET, "not a token", id="a trust password"),
        pytest.param("!!" + SECRET, "not a token", id="not base64"),
        pytest.param(base64.b64encode(b"\xff\xfe" + SECRET.encode()).decode(), "not a token", id="not text"),
        pytest.param(base64.b64encode(json.dumps([SECRET]).encode()).decode(), "JSON map", id="a list"),
        pytest.param(base64.b64encode(b"[" * 200_000).decode(), "not a token", id="very deep"),
        pytest.param(token(client_name=None, server_name="n2"), "join a cluster", id="cluster join token"),
        pytest.param(token(client_name=""), "no client_name", id="nameless"),
        pytest.param(token(client_name=7), "no client_name", id="name not text"),
        pytest.param(token(secret=None), "no secret", id="no secret"),
        pytest.param(token(fingerprint=None), "no fingerprint", id="no fingerprint"),
        pytest.param(token(fingerprint=SECRET), "not a SHA-256", id="wrong fingerprint"),
        pytest.param(token(addresses="10.0.0.1"), "addresses", id="addresses not a list"),
        pytest.param(token(addresses=[1]), "addresses", id="an address not text"),
        pytest.param(token(expires_at=SECRET), "expires_at", id="no time"),
        pytest.param(token(expires_at="2026-13-40T00:00:00Z"), "expires_at", id="no such day"),
        pytest.param(token(expires_at="9999-12-31T23:59:59-01:00"), "expires_at", id="beyond the calendar"),
        pytest.param(token(expires_at=5), "expires_at", id="a number"),
    ],
)
def test_what_is_wrong_is_said_without_the_token(text: str, said: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        trust_token.parse(text)
    shown = f"{caught.value} {caught.value.__cause__}"
    assert said in shown
    assert SECRET not in shown
    assert not text or text not in shown
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.b64encode(raw).decode())))
def test_no_text_ends_in_anything_but_invalid(text: str) -> None:
    with pytest.raises(errors.Invalid):
        trust_token.parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(BODY)), JSON)
def test_no_field_ends_in_anything_but_invalid(field: str, value: object) -> None:
    with contextlib.suppress(errors.Invalid):
        trust_token.parse(token(**{field: value}))
