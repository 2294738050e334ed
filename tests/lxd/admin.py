# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's way in: LXD's API over its unix socket, so that a test asks LXD itself what is true."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

JSON_TYPE = "application/json"

# LXD 5.0 fails one in ten to twenty creates from an image: it reads what qemu-img tells of it before all of that has
# come, and cleans up after itself.
_RACE = "unexpected end of JSON input"
_TRIES = 5


class ApiError(Exception):
    """LXD said no: `status` is the HTTP status, or the operation's own status code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("lxd", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Admin:
    """One server, reached by its unix socket: one connection a request, nothing kept."""

    def __init__(self, directory: str | Path) -> None:
        self._socket = str(Path(directory) / "unix.socket")

    def raw(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> tuple[int, bytes]:
        """One request as it is: status and body of the answer."""
        connection = _UnixConnection(self._socket, timeout)
        try:
            connection.request(method, target, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Mapping[str, object] | None = None,
        wait: bool = True,
        timeout: float = 60,
    ) -> Any:
        """The answer's metadata. `body`: bytes are sent as they are, anything else as JSON.

        A request that starts an operation is answered when the operation ended, with the operation; with `wait=False`
        at once. An operation that failed, or that is not done within `timeout` seconds, is an ApiError; one that lost
        LXD's own race with qemu-img is sent again, so that a test's ground is made whatever that does.
        """
        target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else JSON_TYPE
        for left in reversed(range(_TRIES)):
            answer = self.decoded(*self.raw(method, target, content, {"Content-Type": kind}, timeout))
            if answer["type"] != "async" or not wait:
                break
            try:
                return self.finished(answer["operation"], timeout)
            except ApiError as failure:
                if not failure.message.endswith(_RACE) or not left:
                    raise
        return answer["metadata"]

    def finished(self, operation: str, timeout: float = 60) -> Any:
        """The operation at `operation` (a path) once it ended well."""
        target = f"{operation.partition('?')[0]}/wait?timeout={int(timeout)}"
        found = self.decoded(*self.raw("GET", target, timeout=timeout + 10))["metadata"]
        if found["status_code"] != 200:
            raise ApiError(found["status_code"], found["err"] or f"{found['description']}: {found['status']}")
        return found

    @staticmethod
    def decoded(status: int, body: bytes) -> dict[str, Any]:
        """LXD's envelope around every answer; ApiError when it holds an error."""
        try:
            answer: dict[str, Any] = json.loads(body)
        except ValueError:
            raise ApiError(status, body[:200].decode(errors="replace")) from None
        if answer["type"] == "error":
            raise ApiError(answer["error_code"], answer["error"])
        return answer
