# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The transport for modules that run on the VM host: the unix socket, with the standard library only."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from .._core import errors
from .._core.model import Server
from . import http_errors
from .port import Answer, Connection, is_lxd_envelope, open_envelope, quote_path

# Where the snap and the packages have the socket; LXD_DIR and INCUS_DIR take precedence, as for `lxc` and `incus`.
_DIRECTORIES = ("/var/snap/lxd/common/lxd", "/var/lib/lxd", "/var/lib/incus")


class UnixPort:
    """LXD over its unix socket: whoever can open it has administrator rights."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._path = find_socket(connection.urls[0][len("unix:") :])
        self.server = Server.from_api(self.call("GET", ()).metadata)

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
        """Send one request on a socket of its own: it opens in microseconds, and threads share nothing."""
        query = {**(params or {}), **({"project": project} if project is not None else {})}
        headers = {"Content-Type": "application/json", **({"If-Match": etag} if etag else {})}
        content = None if body is None else json.dumps(body)
        response, text = self._exchange(method, path, query, content, headers, timeout or self.connection.timeout)
        return _open_answer(response, text, self._where, path)

    def text(self, path: Sequence[str], *, project: str) -> str:
        """Read a file that LXD returns without an envelope; its errors come in one."""
        response, text = self._exchange("GET", path, {"project": project}, None, {}, self.connection.timeout)
        if response.status >= 300:
            _open_answer(response, text, self._where, path)
        return text.decode("utf-8", "replace")

    @property
    def _where(self) -> str:
        return f"lxd at {self._path}"

    def _exchange(
        self,
        method: str,
        path: Sequence[str],
        params: Mapping[str, str],
        content: str | None,
        headers: Mapping[str, str],
        limit: float,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        target = "/".join(["/1.0", *quote_path(path)]) + (f"?{urlencode(params)}" if params else "")
        where = self._where
        connection = _SocketConnection(self._path, limit)
        try:
            connection.request(method, target, content, dict(headers))
            response = connection.getresponse()
            return response, response.read()
        except ConnectionRefusedError as cause:
            raise errors.Unreachable(
                f"{where}: nothing listens on the socket", "start LXD, or set url to its socket"
            ) from cause
        except PermissionError as cause:
            raise errors.NotTrusted(f"{where}: permission to open the socket is denied", "set become: true") from cause
        except FileNotFoundError as cause:
            raise errors.Unreachable(
                f"{where}: the socket doesn't exist", "start LXD on the host of this task"
            ) from cause
        except (OSError, http.client.HTTPException) as cause:
            raise http_errors.no_answer_error(where, cause, method, limit) from cause
        finally:
            connection.close()

    def close(self) -> None:
        """Do nothing: no socket is kept open."""


def find_socket(path: str) -> str:
    """Return the path if it is set, or the socket that the server's own client would use."""
    if path:
        return path
    for variable in ("LXD_DIR", "INCUS_DIR"):
        if os.environ.get(variable):
            return os.path.join(os.environ[variable], "unix.socket")
    found = [path for path in (os.path.join(place, "unix.socket") for place in _DIRECTORIES) if os.path.exists(path)]
    if not found:
        raise errors.Unreachable(
            "lxd: there is no unix socket in " + ", ".join(_DIRECTORIES),
            "install or start LXD on the host of this task, or set url: unix:/path/unix.socket",
        )
    return found[0]


def _open_answer(response: http.client.HTTPResponse, text: bytes, where: str, path: Sequence[str]) -> Answer:
    try:
        payload = json.loads(text)
    except ValueError:
        payload = None
    if not is_lxd_envelope(payload):
        raise http_errors.not_lxd_error(where)
    if response.status >= 300 or payload["type"] == "error":
        raise http_errors.error_for_envelope(response.status, payload, where, path)
    return open_envelope(payload, response.getheader("ETag"))


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("lxd", timeout=timeout)
        self._socket_path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket_path)
