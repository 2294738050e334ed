# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""LXD's token to join a cluster: who may join, which cluster it is for, and the secret that proves it once."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import json
from collections.abc import Mapping
from typing import Any

from .. import go_time
from ..errors import Invalid, NotTrusted

# Names in a token, and those in the operation that holds it.
_FIELDS = {"server_name": "serverName", "fingerprint": "fingerprint", "addresses": "addresses", "secret": "secret"}
_HINT = "take it as lxd_cluster_member (state: invited) or `lxc cluster add` gave it"

# What a token has to be good for: a member is asked for it, handed it, and joins.
LEAST = datetime.timedelta(minutes=10)
_NEVER = "0001-01-01T00:00:00Z"


@dataclasses.dataclass(frozen=True)
class OpenJoinToken:
    """A token that nobody has used, as the cluster tells of it: whom it lets in, its operation, and until when."""

    member: str
    operation: str
    expires_at: str = ""

    def lasts(self, now: datetime.datetime) -> bool:
        """Whether there is time left to join with it; a time that nobody can read is no time."""
        end = go_time.parse_time(self.expires_at)
        return go_time.is_never(self.expires_at) or (end is not None and end - now >= LEAST)


@dataclasses.dataclass(frozen=True)
class JoinToken:
    """What a token says; `text` is what the cluster wants to see."""

    server_name: str
    fingerprint: str
    addresses: tuple[str, ...]
    text: str = dataclasses.field(repr=False)


def parse(text: str) -> JoinToken:
    """A token from its text; no error shows any of it."""
    joined = "".join(text.split())
    try:
        body = json.loads(base64.b64decode(joined, validate=True))
    except (binascii.Error, ValueError):
        body = None
    addresses = body.get("addresses") if isinstance(body, dict) else None
    texts = [body.get(key) for key in ("server_name", "fingerprint", "secret")] if isinstance(body, dict) else [None]
    if not isinstance(addresses, list) or not addresses or not all(text and isinstance(text, str) for text in texts):
        raise Invalid("token: it is no token to join a cluster", _HINT)
    return JoinToken(str(texts[0]), str(texts[1]).lower(), tuple(str(each) for each in addresses), joined)


def text_of(metadata: Mapping[str, Any]) -> str:
    """The token that an operation of LXD's holds, as LXD's own client would print it."""
    body = {ours: metadata.get(theirs) for ours, theirs in _FIELDS.items()}
    if not all(body.values()):
        raise NotTrusted("token: the server lists it without its content", "ask as an admin, by the unix socket")
    body["expires_at"] = metadata.get("expiresAt") or _NEVER
    return base64.b64encode(json.dumps(body).encode()).decode("ascii")
