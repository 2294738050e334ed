# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The interface to LXD's API that the rest of the collection uses, over https or over the unix socket."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from .._core.model import Server


@dataclasses.dataclass(frozen=True)
class Connection:
    """How to reach one VM host: addresses that are tried in order, the client's key pair, and the pinned fingerprint.

    `urls`: https addresses, or one `unix:<path>`. `pin`: SHA-256 in lower-case hex. `timeout`: seconds for a request.
    """

    urls: tuple[str, ...]
    certificate: str = ""
    private_key: str = dataclasses.field(default="", repr=False)
    pin: str = ""
    timeout: int = 30


@dataclasses.dataclass(frozen=True)
class Answer:
    """LXD's answer: the metadata, the object's ETag, and the id of the operation to wait for, if there is one."""

    metadata: Any
    etag: str | None = None
    operation: str = ""


class Port(Protocol):
    """A connection to one server. It is thread-safe, and every failure is a TenantryError."""

    connection: Connection
    server: Server

    def call(
        self,
        method: str,
        path: Sequence[str],
        *,
        project: str | None = None,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        etag: str | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send one request; `path` holds the unquoted segments behind /1.0."""

    def text(self, path: Sequence[str], *, project: str) -> str:
        """Read a file that LXD returns without an envelope, such as a log of an instance."""

    def close(self) -> None:
        """Close the sockets."""


def quote_path(path: Sequence[str]) -> list[str]:
    """Quote every segment: LXD allows `?`, `#` and letters of any script in names.

    Quoting keeps dots, so `.` and `..` are encoded here: a server or a proxy would resolve them. An empty segment
    would name the level above.
    """
    return ["%2E" * len(part) if part in (".", "..") else quote(part, safe="") or "%00" for part in path]


def is_lxd_envelope(payload: Any) -> bool:
    """Return whether a decoded answer is LXD's envelope: it has a type and the key that belongs to that type."""
    holds = {"sync": "metadata", "async": "operation", "error": "error"}
    return isinstance(payload, Mapping) and holds.get(str(payload.get("type"))) in payload


def open_envelope(payload: Mapping[str, Any], etag: str | None) -> Answer:
    """Open LXD's envelope: newer servers answer with an operation where older ones did the work at once."""
    operation = ""
    if payload.get("type") == "async":
        operation = str(payload.get("operation") or "").split("?", 1)[0].rsplit("/", 1)[-1]
    return Answer(payload.get("metadata"), etag, operation)
