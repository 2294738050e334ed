# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The transport from the controller: pylxd over a TLS session that is pinned to one server certificate."""

from __future__ import annotations

import hashlib
import os
import ssl
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .._core import errors
from .._core.model import Server
from . import http_errors
from .port import Answer, Connection, is_lxd_envelope, open_envelope, quote_path

PYLXD_IMPORT_ERROR: ImportError | None = None
try:
    import pylxd
    import pylxd.exceptions
    import requests
    import requests.adapters
    import urllib3.exceptions
except ImportError as missing:
    PYLXD_IMPORT_ERROR = missing
    _Adapter: Any = object
else:
    _Adapter = requests.adapters.HTTPAdapter

# Seconds that a cluster member gets to accept a connection, while there are other members to try.
_FIRST_CONNECT_TIMEOUT = 2.0
# Enough for every worker of a run to keep its connection: urllib3 keeps 10 by default.
_POOL = 64


class HttpsPort:
    """LXD over HTTPS: trusts the pinned certificate only, and uses another cluster member if one stops answering."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._session = _session(connection)
        self._lock = threading.Lock()
        self._unreachable: set[str] = set()
        self._url = ""
        self._client: Any = None
        self.server = self._connect(connection.urls)

    def _connect(self, urls: Sequence[str]) -> Server:
        """Connect to the first member that answers; those that timed out get more time once all others have failed.

        All members of a cluster present the same certificate, so one pin serves for all of them.
        """
        failures: list[errors.TenantryError] = []
        timed_out = list(urls)
        for limits in self._timeouts(len(urls)):
            asked, timed_out = timed_out, []
            for url in asked:
                try:
                    return self._open(url, limits)
                except _TimedOut as cause:
                    timed_out.append(url)
                    failures.append(cause.error)
                except errors.TenantryError as cause:
                    failures.append(cause)
        raise failures[0]

    def _timeouts(self, addresses: int) -> Sequence[tuple[float, float]]:
        """Return, for each round, the seconds to wait for a connection and for an answer."""
        whole = (self._connect_timeout, float(self.connection.timeout))
        return (
            (whole,)
            if addresses == 1
            else ((min(_FIRST_CONNECT_TIMEOUT, whole[0]), min(self._connect_timeout, whole[1])), whole)
        )

    def _open(self, url: str, limits: tuple[float, float]) -> Server:
        try:
            # Client() sends GET /1.0 once; its answer describes the server.
            client = pylxd.Client(endpoint=url, session=self._session, timeout=limits)
        except pylxd.exceptions.LXDAPIException as cause:
            raise _envelope_error(cause, url, ()) from None
        except (pylxd.exceptions.ClientConnectionFailed, OSError, ValueError) as cause:
            error = _connection_error(self.connection.pin, url, cause, "GET", limits[1])
            raise _TimedOut(error) if _timed_out(cause) else error from None
        self._url, self._client = url, client
        return Server.from_api(client.host_info)

    @property
    def _connect_timeout(self) -> float:
        # A host that doesn't answer a SYN within five seconds is down; an answer may take longer.
        return min(5.0, float(self.connection.timeout))

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
        """Send one request. A GET on a connection that was closed meanwhile is sent once more; nothing else ever is.

        A request that was not sent, because the member accepts no connection any more, goes to the next member.
        """
        limit = timeout or self.connection.timeout
        options: dict[str, Any] = {"timeout": (self._connect_timeout, limit)}
        # pylxd writes into the dictionary it is given.
        options["params"] = {**(params or {}), **({"project": project} if project is not None else {})}
        if etag:
            options["headers"] = {"If-Match": etag}
        if body is not None:
            options["json"] = body
        while True:
            url = self._url
            try:
                response = _send(self._client, method, path, options)
            except pylxd.exceptions.LXDAPIException as cause:
                raise _envelope_error(cause, url, path) from None
            except (OSError, ValueError) as cause:
                if _was_not_sent(cause) and self._switch_member(url):
                    continue
                raise self._request_error(url, cause, method, limit) from cause
            return open_envelope(response.json(), response.headers.get("ETag"))

    def _request_error(self, url: str, cause: BaseException, method: str, limit: float) -> errors.TenantryError:
        if isinstance(cause, requests.exceptions.ConnectTimeout):
            return errors.Unreachable(f"{url}: no answer", "check that the host is up")
        return _connection_error(self.connection.pin, url, cause, method, limit)

    def _switch_member(self, url: str) -> bool:
        """Connect to another member; return whether there is one. A member that was given up is not tried again."""
        with self._lock:
            if self._url != url:
                return True
            self._unreachable.add(url)
            remaining = [other for other in self.connection.urls if other not in self._unreachable]
            if not remaining:
                return False
            try:
                self._connect(remaining)
            except errors.TenantryError:
                return False
            return True

    def text(self, path: Sequence[str], *, project: str) -> str:
        """Read a file that LXD returns without an envelope; its errors come in one."""
        url, limit = self._url, self.connection.timeout
        try:
            response = self._session.get(
                "/".join([url, "1.0", *quote_path(path)]),
                params={"project": project},
                timeout=(self._connect_timeout, limit),
                # In place of the session's hook, which demands an envelope around every answer.
                hooks={"response": [_check_error_envelope]},
            )
        except (OSError, ValueError) as cause:
            raise _connection_error(self.connection.pin, url, cause, "GET", limit) from None
        if not response.ok:
            raise http_errors.error_for_envelope(response.status_code, response.json(), url, path)
        return bytes(response.content).decode("utf-8", "replace")

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


class _TimedOut(errors.TenantryError):
    """A connection or an answer that took too long; a longer timeout may help."""

    def __init__(self, error: errors.TenantryError) -> None:
        super().__init__(error.message, error.hint)
        self.error = error


def _send(client: Any, method: str, path: Sequence[str], options: Mapping[str, Any]) -> Any:
    node = client.api
    for segment in quote_path(path):
        node = node[segment]
    send = getattr(node, method.lower())
    try:
        return send(**options)
    except requests.exceptions.ConnectionError as stale:
        if method != "GET" or isinstance(stale, requests.exceptions.ConnectTimeout):
            raise
    return send(**options)


def fetch_certificate(url: str, timeout: float = 5.0) -> str:
    """Fetch the certificate that a server presents in the TLS handshake, which proves that it has the key."""
    parts = urlsplit(url)
    return ssl.get_server_certificate((parts.hostname or "", parts.port or 8443), timeout=timeout)


def fetch_fingerprint(url: str, timeout: float = 5.0) -> str:
    """Fetch the SHA-256 fingerprint of the certificate that a server presents, for a person to compare."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(fetch_certificate(url, timeout))).hexdigest()


def _session(connection: Connection) -> Any:
    session = requests.Session()
    # Otherwise REQUESTS_CA_BUNDLE would replace the pin, and HTTPS_PROXY would send requests elsewhere.
    session.trust_env = False
    session.hooks["response"].append(_check_envelope)
    session.mount("https://", _PinnedAdapter(_context(connection), connection.pin))
    return session


def _check_envelope(response: Any, **_options: Any) -> None:
    """Refuse an answer that pylxd can't parse, and every redirect: a redirected DELETE would delete something else."""
    try:
        payload = response.json()
    except requests.exceptions.JSONDecodeError:
        payload = None
    if response.is_redirect or not is_lxd_envelope(payload):
        raise http_errors.not_lxd_error(response.url.partition("/1.0")[0])
    # pylxd and `call` would each decode the answer again, which for a long listing is most of the work.
    response.json = lambda **_options: payload


def _check_error_envelope(response: Any, **_options: Any) -> None:
    if response.is_redirect or not response.ok:
        _check_envelope(response)


def _context(connection: Connection) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Every LXD since 4.0 speaks 1.3, which also hides the client's certificate from the network.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The adapter checks the pinned fingerprint on every connection, so no host name is checked.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if connection.certificate:
        _load(context, connection)
    return context


def _load(context: ssl.SSLContext, connection: Connection) -> None:
    # Python's ssl loads keys from files only. Where the kernel has memfd the key stays in memory; elsewhere it goes
    # through a file that only this user can read and that is deleted as soon as the key is loaded.
    text = f"{connection.certificate.strip()}\n{connection.private_key.strip()}\n".encode()
    try:
        if hasattr(os, "memfd_create"):
            handle = os.memfd_create("tenantry", os.MFD_CLOEXEC)
            try:
                os.write(handle, text)
                context.load_cert_chain(f"/proc/self/fd/{handle}", password=_no_passphrase)
            finally:
                os.close(handle)
        else:
            with tempfile.NamedTemporaryFile() as file:
                file.write(text)
                file.flush()
                context.load_cert_chain(file.name, password=_no_passphrase)
    except (ssl.SSLError, ValueError) as cause:
        raise errors.Invalid(
            f"tenant certificate: it doesn't belong to this private key ({type(cause).__name__})",
            "set client_cert and client_key to a matching pair, as PEM and without a passphrase",
        ) from None


def _no_passphrase() -> str:
    # Without this, OpenSSL would prompt at the terminal.
    return ""


class _PinnedAdapter(_Adapter):  # type: ignore[misc]
    """Sends requests over TLS connections whose certificate has the pinned fingerprint; refuses all others."""

    def __init__(self, context: ssl.SSLContext, pin: str) -> None:
        self._context = context
        self._pin = pin
        super().__init__(pool_maxsize=_POOL)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(ssl_context=self._context, assert_fingerprint=self._pin, assert_hostname=False)
        super().init_poolmanager(*args, **kwargs)

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        host, _its_own_verification = super().build_connection_pool_key_attributes(*args, **kwargs)
        return host, {}

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the pin decides, and requests would use a bundle of authorities instead."""


def _connection_error(pin: str, url: str, cause: BaseException, method: str, timeout: float) -> errors.TenantryError:
    inner = cause.__context__ if isinstance(cause, pylxd.exceptions.ClientConnectionFailed) else cause
    if isinstance(inner, requests.exceptions.SSLError):
        try:
            seen = fetch_fingerprint(url, 5.0)
        except (OSError, ValueError, errors.TenantryError):
            seen = ""
        if seen and seen != pin:
            return errors.NotTrusted(
                f"{url}: the server's certificate is not the pinned one: it has {seen}, not {pin}",
                "if the server was reinstalled or its certificate renewed, pin the new one; else it is intercepted",
                fingerprint=seen,
            )
    return http_errors.no_answer_error(url, _reason(inner or cause), method, timeout)


def _timed_out(cause: BaseException) -> bool:
    inner = cause.__context__ if isinstance(cause, pylxd.exceptions.ClientConnectionFailed) else cause
    return isinstance(inner, requests.exceptions.Timeout)


def _was_not_sent(cause: BaseException) -> bool:
    """Return whether no byte of a request reached the server, because there was no connection."""
    unconnected = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    return isinstance(_unwrap(cause), unconnected)


def _unwrap(cause: BaseException) -> BaseException | None:
    """Return urllib3's error, which requests wraps twice."""
    inner = cause.args[0] if cause.args else None
    reason = getattr(inner, "reason", inner)
    return reason if isinstance(reason, BaseException) else None


def _reason(cause: BaseException) -> BaseException:
    # requests wraps urllib3, which wraps the socket's error: the innermost is the clearest ("Connection refused").
    while True:
        inner = getattr(cause, "reason", None) or (cause.args[0] if cause.args else None)
        if not isinstance(inner, BaseException):
            return cause
        cause = inner


def _envelope_error(cause: Any, url: str, path: Sequence[str]) -> errors.TenantryError:
    return http_errors.error_for_envelope(cause.response.status_code, cause.response.json(), url, path)
