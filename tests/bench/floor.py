# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: LXD's own API, asked by threads that do nothing else, each over one pinned TLS session."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import queue
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.integration.tenancy import Tenant

WORKERS = 8


class Session:
    """One kept TLS connection with the tenant's certificate; the server's is compared with the pinned one."""

    def __init__(self, tenant: Tenant) -> None:
        folder = tenant.site.registry / tenant.vmhost
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(folder / "client.crt", folder / "client.key")
        self._connection = http.client.HTTPSConnection(tenant.lxd.address, context=context, timeout=300)
        self._connection.connect()
        pinned = hashlib.sha256(ssl.PEM_cert_to_DER_cert(tenant.lxd.certificate)).digest()
        if hashlib.sha256(self._connection.sock.getpeercert(True) or b"").digest() != pinned:
            raise ssl.SSLError("the server's certificate isn't the pinned one")

    def asked(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """LXD's answer."""
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        payload: dict[str, Any] = json.loads(answer.read())
        if payload["type"] == "error":
            raise RuntimeError(f"{method} {path}: {payload['error']}")
        return payload

    def read(self, path: str) -> tuple[str, str]:
        """An answer as it came, and its ETag."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        return answer.read().decode(), answer.headers.get("ETag") or ""

    def done(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The operation that the request began, once it ended well."""
        operation = self.asked(method, path, body)["operation"]
        ended: dict[str, Any] = self.asked("GET", f"{operation.partition('?')[0]}/wait")["metadata"]
        if ended["status_code"] != 200:
            raise RuntimeError(f"{method} {path}: {ended['err']}")
        return ended

    def close(self) -> None:
        """Give the socket back."""
        self._connection.close()


def posted(tenant: Tenant, bodies: Sequence[dict[str, Any]], workers: int = WORKERS) -> None:
    """Every body posted and waited for, by so many workers at once."""
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    for body in bodies:
        waiting.put(body)
    with ThreadPoolExecutor(max_workers=workers) as threads:
        list(threads.map(lambda _number: _post(tenant, waiting), range(workers)))


def _post(tenant: Tenant, waiting: queue.SimpleQueue[dict[str, Any]]) -> None:
    with contextlib.closing(Session(tenant)) as session, contextlib.suppress(queue.Empty):
        while True:
            session.done("POST", f"/1.0/instances?project={tenant.project}", waiting.get_nowait())


def bulk_started(tenant: Tenant, told: bool = False) -> None:
    """LXD's own way to start all VMs of a project: one request, one operation; `told`: and what runs then."""
    with contextlib.closing(Session(tenant)) as session:
        session.done("PUT", f"/1.0/instances?project={tenant.project}", {"state": {"action": "start"}})
        if told:
            session.asked("GET", f"/1.0/instances?project={tenant.project}&recursion=1")
