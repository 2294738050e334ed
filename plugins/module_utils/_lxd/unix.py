# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The transport for modules that run on the LXD host itself: its unix socket, by the standard library alone."""

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
from .port import Answer, Connection, is_lxd_envelope, open_envelope, quoted

# The snap and the package each have their place; LXD_DIR and INCUS_DIR overrule them, as for the servers' own clients.
_PLACES = ("/var/snap/lxd/common/lxd", "/var/lib/lxd", "/var/lib/incus")


class UnixPort:
    """LXD by its socket: whoever may open it has the admin's authority."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._path = socket_path(connection.urls[0][len("unix:") :])
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
        """One request on a socket of its own: LXD answers on it in microseconds, and threads share nothing."""
        wanted = {**(params or {}), **({"project": project} if project is not None else {})}
        headers = {"Content-Type": "application/json", **({"If-Match": etag} if etag else {})}
        content = None if body is None else json.dumps(body)
        response, text = self._exchange(method, path, wanted, content, headers, timeout or self.connection.timeout)
        return _opened(response, text, self._where, path)

    def text(self, path: Sequence[str], *, project: str) -> str:
        """A file that LXD hands out as it is; what it refuses comes in its envelope."""
        response, text = self._exchange("GET", path, {"project": project}, None, {}, self.connection.timeout)
        if response.status >= 300:
            _opened(response, text, self._where, path)
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
        target = "/".join(["/1.0", *quoted(path)]) + (f"?{urlencode(params)}" if params else "")
        where = self._where
        connection = _SocketConnection(self._path, limit)
        try:
            connection.request(method, target, content, dict(headers))
            response = connection.getresponse()
            return response, response.read()
        except ConnectionRefusedError as cause:
            raise errors.Unreachable(f"{where}: nothing listens on it", "start LXD, or name its socket") from cause
        except PermissionError as cause:
            raise errors.NotTrusted(f"{where}: the socket may not be opened", "use become: true") from cause
        except FileNotFoundError as cause:
            raise errors.Unreachable(f"{where}: no such socket", "is LXD running on the host of this task?") from cause
        except (OSError, http.client.HTTPException) as cause:
            raise http_errors.no_answer_error(where, cause, method, limit) from cause
        finally:
            connection.close()

    def close(self) -> None:
        """Nothing is kept open."""


def socket_path(said: str) -> str:
    """The socket that was said, or where the server's own client would look."""
    if said:
        return said
    for variable in ("LXD_DIR", "INCUS_DIR"):
        if os.environ.get(variable):
            return os.path.join(os.environ[variable], "unix.socket")
    found = [path for path in (os.path.join(place, "unix.socket") for place in _PLACES) if os.path.exists(path)]
    if not found:
        raise errors.Unreachable(
            "lxd: no unix socket in any of " + ", ".join(_PLACES),
            "install or start LXD on the host of this task, or write url: unix:/path/unix.socket",
        )
    return found[0]


def _opened(response: http.client.HTTPResponse, text: bytes, where: str, path: Sequence[str]) -> Answer:
    try:
        payload = json.loads(text)
    except ValueError:
        payload = None
    if not is_lxd_envelope(payload):
        raise http_errors.not_lxd_error(where)
    if response.status >= 300:
        raise http_errors.error_for_status(response.status, payload.get("error"), where, path)
    return open_envelope(payload, response.getheader("ETag"))


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("lxd", timeout=timeout)
        self._socket_path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket_path)
