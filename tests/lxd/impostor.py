# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What isn't LXD but answers, or doesn't, where LXD was expected: a wrong port, a proxy in between, a hung machine."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType

_ENOUGH = 65536


def page(body: str, status: str = "200 OK", **headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


class Impostor:
    """Answers each request with `says` until the end of a `with` block; None: takes it, and never answers.

    `pair`: its certificate and key, without which it speaks no TLS. `path`: a unix socket instead of an address.
    """

    def __init__(self, says: bytes | None, pair: tuple[Path, Path] | None = None, path: Path | None = None) -> None:
        self._says = says
        self._context: ssl.SSLContext | None = None
        if pair is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*pair)
        if path is None:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        else:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(str(path))
            self._listener.listen()
            self.url = f"unix:{path}"
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.requests: list[str] = []

    def __enter__(self) -> Impostor:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(10)
        with contextlib.suppress(OSError), client:
            secured = self._context.wrap_socket(client, server_side=True) if self._context else client
            with secured:
                said = secured.recv(_ENOUGH)
                self.requests.append(said.partition(b"\r\n")[0].decode(errors="replace"))
                if self._says is None:
                    self._ended.wait(60)
                elif said:
                    secured.sendall(self._says)
