# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""LXD's trust token: who may join, which server it is for, and the secret that proves it once."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import json
from collections.abc import Mapping
from typing import Any

from .._core import errors, go_time
from . import pem

_HINT = "paste the whole line that `lxc config trust add` printed (LXD 5.0: lxc config trust add --name <name>)"


@dataclasses.dataclass(frozen=True)
class TrustToken:
    """What a token says; the text itself is what the server wants to see."""

    client_name: str
    fingerprint: str
    addresses: tuple[str, ...]
    secret: str = dataclasses.field(repr=False)
    expires_at: datetime.datetime | None = None

    def has_expired(self, now: datetime.datetime) -> bool:
        """Whether the server would refuse it for its age."""
        return self.expires_at is not None and self.expires_at <= now


def parse(text: str) -> TrustToken:
    """A token from its text; no error shows any of it."""
    body = _body(text)
    if body.get("server_name") and not body.get("client_name"):
        raise errors.Invalid("trust_token: it is a token to join a cluster, not one to trust a client", _HINT)
    addresses = body.get("addresses") or []
    if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
        raise errors.Invalid("trust_token: its addresses are not a list of texts", _HINT)
    return TrustToken(
        client_name=_text(body, "client_name"),
        fingerprint=pem.normalise_fingerprint(_text(body, "fingerprint"), "trust_token: its fingerprint"),
        addresses=tuple(addresses),
        secret=_text(body, "secret"),
        expires_at=_time(body.get("expires_at")),
    )


def _body(text: str) -> Mapping[str, Any]:
    joined = "".join(text.split()) if isinstance(text, str) else ""
    if not joined:
        raise errors.Invalid("trust_token: it is empty", _HINT)
    try:
        # Terminals and forms lose the padding; without it the text is no less clear.
        body = json.loads(base64.b64decode(joined + "=" * (-len(joined) % 4), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise errors.Invalid("trust_token: it is not a token of LXD (base64 of JSON)", _HINT) from None
    if not isinstance(body, dict):
        raise errors.Invalid("trust_token: it is not a token of LXD (base64 of a JSON map)", _HINT)
    return body


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        # A token that was issued without a client name is answered with 403 by LXD 5.0.
        raise errors.Invalid(f"trust_token: it has no {key}", _HINT)
    return value


def _time(value: Any) -> datetime.datetime | None:
    # Never is year 1 in LXD's own tokens, and left out in pylxd's.
    if value is None or go_time.is_never(str(value)):
        return None
    said = go_time.parse_time(str(value))
    if said is None:
        raise errors.Invalid("trust_token: its expires_at is not a time", _HINT)
    return said
