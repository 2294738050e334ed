# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Relays before a server. One of TCP forwards bytes as they are, TLS and all, and fails on command as networks do; one
before a unix socket lets some requests wait, as a server does that works on them before it answers."""

from __future__ import annotations

import abc
import contextlib
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

Loss = Literal["cut", "silent"]

_CHUNK = 65536
# How soon a connection takes notice of a command: each looks around this often while nothing is said on it.
_LOOK = 0.05


class _Listening(abc.ABC):
    """Listens until the end of a `with` block, counts the connections that it took, and carries each in a thread."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()
        self.accepted = 0

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        # A closed listener doesn't wake a thread that waits in accept(); shutting it down does.
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
            self.accepted += 1
            self._spawn(self._carry, client)

    def _spawn(self, work: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    @abc.abstractmethod
    def _carry(self, client: socket.socket) -> None:
        """Speak with one client until either ends."""


class Relay(_Listening):
    """TCP, on `host`."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        super().__init__(socket.create_server((host, 0)))
        self._server = ("127.0.0.1", port)
        self._lock = threading.Lock()
        self._silent = threading.Event()
        self._order: Loss | None = None
        self.lost = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"https://{host}:{self.port}"

    def go_silent(self) -> None:
        """From now on nothing is forwarded and nothing closed: a black hole, for open connections and for new ones."""
        self._silent.set()

    def lose_next_answer(self, how: Loss = "cut") -> None:
        """Deliver the next thing that a client says, and not the answer to it.

        `cut` closes that connection when the answer comes, `silent` leaves it open and says nothing on it again. Other
        connections go on. The client's connection has to be a used one: on a fresh one the next thing said is TLS's.
        """
        self.lost.clear()
        with self._lock:
            self._order = how

    def _carry(self, client: socket.socket) -> None:
        """One connection until either side ends it, however: an error on one socket closes both."""
        with client, contextlib.suppress(OSError), socket.create_connection(self._server) as server:
            self._forward(client, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        doom: Loss | None = None
        while not self._ended.is_set():
            ready, _writable, _broken = select.select([client, server], [], [], _LOOK)
            if self._silent.is_set():
                self._ended.wait()
                return
            for source in ready:
                said = source.recv(_CHUNK)
                if not said:
                    return
                if source is client:
                    doom = self._taken_order() or doom
                    server.sendall(said)
                elif doom is None:
                    client.sendall(said)
                else:
                    self.lost.set()
                    if doom == "cut":
                        return

    def _taken_order(self) -> Loss | None:
        with self._lock:
            order, self._order = self._order, None
            return order


class SlowSocket(_Listening):
    """A unix socket at `path` before another; each request that begins so waits some seconds."""

    def __init__(self, server: str, path: Path, begins: str, seconds: float) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen()
        super().__init__(listener)
        self._server, self._begins, self._seconds = server, begins.encode(), seconds
        self.path = path
        self.seen = 0

    def _carry(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.connect(self._server)
            said = client.recv(_CHUNK)
            if said.startswith(self._begins):
                self.seen += 1
                self._ended.wait(self._seconds)
            server.sendall(said)
            while True:
                ready, _writable, _broken = select.select([client, server], [], [])
                for source in ready:
                    said = source.recv(_CHUNK)
                    if not said:
                        return
                    (server if source is client else client).sendall(said)
