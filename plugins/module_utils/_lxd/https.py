# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The transport from the controller: pylxd over a TLS session of our own, pinned to one server certificate."""

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
from .port import Answer, Connection, is_lxd_envelope, open_envelope, quoted

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

# Seconds that a member of a cluster gets to take up a connection, while there are others to ask.
_GLANCE = 2.0
# Enough that no worker of a run throws a warm connection away: urllib3 keeps 10 unless told.
_POOL = 64


class HttpsPort:
    """LXD by HTTPS: trusts one certificate and nothing else, and goes on with another member where one is gone."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._session = _session(connection)
        self._lock = threading.Lock()
        self._gone: set[str] = set()
        self._url = ""
        self._client: Any = None
        self.server = self._connect(connection.urls)

    def _connect(self, urls: Sequence[str]) -> Server:
        """Settle on the first member that answers; those that kept silent are given more time when all others failed.

        All members of a cluster show the same certificate, so one pin does for all of them.
        """
        failures: list[errors.TenantryError] = []
        silent = list(urls)
        for limits in self._patiences(len(urls)):
            asked, silent = silent, []
            for url in asked:
                try:
                    return self._opened(url, limits)
                except _Silent as cause:
                    silent.append(url)
                    failures.append(cause.error)
                except errors.TenantryError as cause:
                    failures.append(cause)
        raise failures[0]

    def _patiences(self, addresses: int) -> Sequence[tuple[float, float]]:
        """How long to wait in each round for a connection, and then for an answer."""
        whole = (self._patience, float(self.connection.timeout))
        return (whole,) if addresses == 1 else ((min(_GLANCE, whole[0]), min(self._patience, whole[1])), whole)

    def _opened(self, url: str, limits: tuple[float, float]) -> Server:
        try:
            # Client() asks GET /1.0 once: the answer is our Server.
            client = pylxd.Client(endpoint=url, session=self._session, timeout=limits)
        except pylxd.exceptions.LXDAPIException as cause:
            raise _refusal(cause, url, ()) from None
        except (pylxd.exceptions.ClientConnectionFailed, OSError, ValueError) as cause:
            error = _no_connection(self.connection.pin, url, cause, "GET", limits[1])
            raise _Silent(error) if _timed_out(cause) else error from None
        self._url, self._client = url, client
        return Server.from_api(client.host_info)

    @property
    def _patience(self) -> float:
        # A host that doesn't answer a SYN within five seconds is down; a slow answer is another matter.
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
        """One request; a GET that met a connection gone stale is sent once more, nothing else ever is.

        What never left, because the member can't be connected to any more, goes to the next member that answers.
        """
        limit = timeout or self.connection.timeout
        options: dict[str, Any] = {"timeout": (self._patience, limit)}
        # pylxd writes into the dictionary it is given.
        options["params"] = {**(params or {}), **({"project": project} if project is not None else {})}
        if etag:
            options["headers"] = {"If-Match": etag}
        if body is not None:
            options["json"] = body
        while True:
            url = self._url
            try:
                response = _sent(self._client, method, path, options)
            except pylxd.exceptions.LXDAPIException as cause:
                raise _refusal(cause, url, path) from None
            except (OSError, ValueError) as cause:
                if _never_left(cause) and self._moved_from(url):
                    continue
                raise self._failure(url, cause, method, limit) from cause
            return open_envelope(response.json(), response.headers.get("ETag"))

    def _failure(self, url: str, cause: BaseException, method: str, limit: float) -> errors.TenantryError:
        if isinstance(cause, requests.exceptions.ConnectTimeout):
            return errors.Unreachable(f"{url}: no answer", "is the host up?")
        return _no_connection(self.connection.pin, url, cause, method, limit)

    def _moved_from(self, url: str) -> bool:
        """Whether there is another member to go on with: one that was left is not gone back to."""
        with self._lock:
            if self._url != url:
                return True
            self._gone.add(url)
            left = [other for other in self.connection.urls if other not in self._gone]
            if not left:
                return False
            try:
                self._connect(left)
            except errors.TenantryError:
                return False
            return True

    def text(self, path: Sequence[str], *, project: str) -> str:
        """A file that LXD hands out as it is; what it refuses comes in its envelope."""
        url, limit = self._url, self.connection.timeout
        try:
            response = self._session.get(
                "/".join([url, "1.0", *quoted(path)]),
                params={"project": project},
                timeout=(self._patience, limit),
                # In place of the session's, which wants an envelope around everything.
                hooks={"response": [_demand_lxds_refusal]},
            )
        except (OSError, ValueError) as cause:
            raise _no_connection(self.connection.pin, url, cause, "GET", limit) from None
        if not response.ok:
            raise http_errors.error_for_status(response.status_code, response.json().get("error"), url, path)
        return bytes(response.content).decode("utf-8", "replace")

    def close(self) -> None:
        """Close every kept connection."""
        self._session.close()


class _Silent(errors.TenantryError):
    """No answer in time, which may be for lack of time."""

    def __init__(self, error: errors.TenantryError) -> None:
        super().__init__(error.message, error.hint)
        self.error = error


def _sent(client: Any, method: str, path: Sequence[str], options: Mapping[str, Any]) -> Any:
    node = client.api
    for segment in quoted(path):
        node = node[segment]
    send = getattr(node, method.lower())
    try:
        return send(**options)
    except requests.exceptions.ConnectionError as stale:
        if method != "GET" or isinstance(stale, requests.exceptions.ConnectTimeout):
            raise
    return send(**options)


def seen_certificate(url: str, timeout: float = 5.0) -> str:
    """The certificate that a server shows, and whose key it has shown to have; nothing is sent to it."""
    parts = urlsplit(url)
    return ssl.get_server_certificate((parts.hostname or "", parts.port or 8443), timeout=timeout)


def seen_fingerprint(url: str, timeout: float = 5.0) -> str:
    """The fingerprint of the certificate that a server shows, for a person to compare."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(seen_certificate(url, timeout))).hexdigest()


def _session(connection: Connection) -> Any:
    session = requests.Session()
    # Left on, REQUESTS_CA_BUNDLE replaces the pin and HTTPS_PROXY sends the request elsewhere.
    session.trust_env = False
    session.hooks["response"].append(_demand_lxds)
    session.mount("https://", _PinnedAdapter(_context(connection), connection.pin))
    return session


def _demand_lxds(response: Any, **_options: Any) -> None:
    """Refuse an answer that pylxd would trip over, and follow nobody elsewhere: a redirected DELETE deletes."""
    try:
        payload = response.json()
    except requests.exceptions.JSONDecodeError:
        payload = None
    if response.is_redirect or not is_lxd_envelope(payload):
        raise http_errors.not_lxd_error(response.url.partition("/1.0")[0])
    # pylxd decodes every answer again, and so would we: of a long listing that is most of the work.
    response.json = lambda **_options: payload


def _demand_lxds_refusal(response: Any, **_options: Any) -> None:
    if response.is_redirect or not response.ok:
        _demand_lxds(response)


def _context(connection: Connection) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Every LXD since 4.0 speaks 1.3, which also hides the client's certificate from the network.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # A host is known by its pinned fingerprint, checked by the adapter on every connection, and not by a name.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if connection.certificate:
        _load(context, connection)
    return context


def _load(context: ssl.SSLContext, connection: Connection) -> None:
    # Python's ssl takes files only. The key goes through memory where the kernel has memfd, else through a file that
    # only we can read and that is gone as soon as it was loaded.
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
            f"tenant certificate: it can't be used with this private key ({type(cause).__name__})",
            "give a certificate and the key it was made from, as PEM and without a passphrase",
        ) from None


def _no_passphrase() -> str:
    # Without this OpenSSL would ask at the terminal.
    return ""


class _PinnedAdapter(_Adapter):  # type: ignore[misc]
    """Carries requests over TLS connections whose certificate has the pinned fingerprint; refuses all others."""

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
        """The pin has the last word: requests would put a bundle of authorities in its place."""


def _no_connection(pin: str, url: str, cause: BaseException, method: str, timeout: float) -> errors.TenantryError:
    inner = cause.__context__ if isinstance(cause, pylxd.exceptions.ClientConnectionFailed) else cause
    if isinstance(inner, requests.exceptions.SSLError):
        try:
            seen = seen_fingerprint(url, 5.0)
        except (OSError, ValueError, errors.TenantryError):
            seen = ""
        if seen and seen != pin:
            return errors.NotTrusted(
                f"{url}: the server's certificate is not the pinned one: it has {seen}, pinned is {pin}",
                "if the server was reinstalled or renewed its certificate, pin the new one; else somebody is between",
                fingerprint=seen,
            )
    return http_errors.no_answer_error(url, _reason(inner or cause), method, timeout)


def _timed_out(cause: BaseException) -> bool:
    inner = cause.__context__ if isinstance(cause, pylxd.exceptions.ClientConnectionFailed) else cause
    return isinstance(inner, requests.exceptions.Timeout)


def _never_left(cause: BaseException) -> bool:
    """Whether no byte of a request can have reached the server: there was no connection to send it on."""
    unconnected = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    return isinstance(_wrapped(cause), unconnected)


def _wrapped(cause: BaseException) -> BaseException | None:
    """What requests took from urllib3 and wrapped twice."""
    inner = cause.args[0] if cause.args else None
    reason = getattr(inner, "reason", inner)
    return reason if isinstance(reason, BaseException) else None


def _reason(cause: BaseException) -> BaseException:
    # requests wraps urllib3, which wraps the socket's error: the innermost says it best ("Connection refused").
    while True:
        inner = getattr(cause, "reason", None) or (cause.args[0] if cause.args else None)
        if not isinstance(inner, BaseException):
            return cause
        cause = inner


def _refusal(cause: Any, url: str, path: Sequence[str]) -> errors.TenantryError:
    return http_errors.error_for_status(cause.response.status_code, cause.response.json().get("error"), url, path)
