# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a daemon was asked over https, read from its own log: the count that a client can't be wrong about.

LXD writes one line for each request before it answers it, when it runs with --debug. The lines, by message:
"Handling API request" (trusted), "Allowing untrusted GET" (or POST), "Rejecting request from untrusted client" (which
names neither method nor path), "Rejecting remote internal API request" (the same), "Sending top level 404".
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.lxd.admin import Admin
from tests.lxd.deadline import until

_FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_REFUSED = {"Rejecting request from untrusted client", "Rejecting remote internal API request"}
_UNTRUSTED = "Allowing untrusted "
_QUICK = re.compile(rb'msg="(?:Handling API request|Allowing untrusted |Rejecting re|Sending top level 404)')


class Request(NamedTuple):
    """One request over https. Method and url (path and query, as sent) are empty for a refused one, LXD logs none.

    `client`: address and port that it came from.
    """

    method: str
    url: str
    trusted: bool
    client: str = ""

    @property
    def path(self) -> str:
        """The url without its query."""
        return self.url.partition("?")[0]


class RequestLog:
    """A daemon's log, and the unix socket by which a marker is put into it."""

    def __init__(self, log: Path, admin: Admin) -> None:
        self._log = log
        self._admin = admin

    def mark(self, timeout: float = 10) -> int:
        """A position in the log that all requests answered by now are before, and all later ones behind.

        It is the end of the line that an own request for a path that exists nowhere leaves: once that line is in the
        file, so is every line before it.
        """
        size = self._log.stat().st_size
        name = f"/bed-marker-{uuid.uuid4().hex}"
        self._admin.raw("GET", name, timeout=timeout)
        return until(lambda: self._end_of_line_with(name.encode(), size), timeout, f"{self._log}: the line of {name}")

    def between(self, start: int, end: int) -> list[Request]:
        """The https requests logged between two marks, in the order in which the daemon took them up."""
        with open(self._log, "rb") as log:
            log.seek(start)
            lines = log.read(end - start).splitlines()
        return [request for line in lines for request in requests_in(line)]

    def _end_of_line_with(self, text: bytes, start: int) -> int:
        with open(self._log, "rb") as log:
            log.seek(start)
            content = log.read()
        found = content.find(text)
        end = content.find(b"\n", found)
        return start + end + 1 if found >= 0 and end >= 0 else 0


def requests_in(line: bytes) -> Iterator[Request]:
    """The https request that a line of the log tells of, if it does."""
    if not _QUICK.search(line):
        return
    fields = {key: _unquoted(value) for key, value in _FIELD.findall(line.decode(errors="replace"))}
    message, client = fields.get("msg", ""), fields.get("ip") or fields.get("remote", "")
    if client in ("", "@"):  # "@": by the unix socket
        return
    if message in _REFUSED:
        yield Request("", "", False, client)
    elif message.startswith(_UNTRUSTED):
        yield Request(message.removeprefix(_UNTRUSTED), fields["url"], False, client)
    else:
        yield Request(fields["method"], fields["url"], "protocol" in fields, client)


def _unquoted(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') and "\\x" not in value else value
