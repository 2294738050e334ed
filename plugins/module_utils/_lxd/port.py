# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The port: what the rest of the collection may ask of LXD, whatever carries it there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote

from .._core.model import Server


@dataclasses.dataclass(frozen=True)
class Connection:
    """How to reach one VM host: addresses that are tried in order, our key pair, and their certificate's fingerprint.

    `urls`: https addresses, or one `unix:<path>`. `pin`: SHA-256 in lower-case hex. `timeout`: seconds for a request.
    """

    urls: tuple[str, ...]
    certificate: str = ""
    private_key: str = dataclasses.field(default="", repr=False)
    pin: str = ""
    timeout: int = 30


@dataclasses.dataclass(frozen=True)
class Answer:
    """LXD's answer: the metadata, the object's ETag, and the operation to wait for where it answered with one."""

    metadata: Any
    etag: str | None = None
    operation: str = ""


class Port(Protocol):
    """One connection to one server. Thread-safe. Every failure is a TenantryError."""

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
        """One request; `path` holds the unquoted segments behind /1.0."""

    def text(self, path: Sequence[str], *, project: str) -> str:
        """A file that LXD hands out as it is, such as a log of an instance."""

    def close(self) -> None:
        """Give the sockets back."""


def quoted(path: Sequence[str]) -> list[str]:
    """Every segment quoted: LXD allows `?`, `#` and letters of any script in names; an empty one would climb a level.

    A dot survives quoting, so `.` and `..` are spelled out: a server or a proxy would resolve them.
    """
    return ["%2E" * len(part) if part in (".", "..") else quote(part, safe="") or "%00" for part in path]


def is_lxd_envelope(payload: Any) -> bool:
    """Whether a decoded answer is LXD's envelope: it says its type, and holds what belongs to it."""
    holds = {"sync": "metadata", "async": "operation", "error": "error"}
    return isinstance(payload, Mapping) and holds.get(str(payload.get("type"))) in payload


def open_envelope(payload: Mapping[str, Any], etag: str | None) -> Answer:
    """LXD's envelope, opened: newer servers answer with an operation where older ones did the work at once."""
    operation = ""
    if payload.get("type") == "async":
        operation = str(payload.get("operation") or "").split("?", 1)[0].rsplit("/", 1)[-1]
    return Answer(payload.get("metadata"), etag, operation)
