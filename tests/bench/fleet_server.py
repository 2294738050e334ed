# SPDX-FileCopyrightText: 2026 Tenantry contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated fleet: one process that answers LXD's reads with recorded answers, late by a chosen latency.

It is for measuring what reading many hosts costs the controller, and says nothing of how LXD behaves. Every address of
127.0.0.0/8 on its one port is a host of its own; each VM's name begins with its host's number.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl, urlencode, urlsplit

# The names of the recorded VMs begin with this, and nothing else in an answer contains it.
VM = "bvm-"
_OWN = re.compile(r"/1\.0/certificates/[0-9a-f]{64}")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_END = b"\r\n\r\n"
_NOWHERE = {
    "type": "error",
    "status": "",
    "status_code": 0,
    "error_code": 404,
    "error": "not recorded",
    "metadata": None,
}


def key_of(url: str) -> str:
    """What two requests for the same thing have in common: the order of a query says nothing, nor whose certificate."""
    parts = urlsplit(url)
    return f"{_OWN.sub('/1.0/certificates/own', parts.path)}?{urlencode(sorted(parse_qsl(parts.query)))}"


def address_of(number: int) -> str:
    """The address of one host."""
    return f"127.{16 + number // 65536}.{number // 256 % 256}.{number % 256}"


def name_of(number: int) -> str:
    """Its name, in the registry and before its VMs' names."""
    return f"host-{number:04}"


def _number_of(address: str) -> int:
    _loopback, high, middle, low = (int(part) for part in address.split("."))
    return (high - 16) * 65536 + middle * 256 + low


class Recording:
    """Answers by request, as bytes that are ready to be sent."""

    def __init__(self, file: Path) -> None:
        self._answers = {
            key: (said["etag"], said["body"].encode()) for key, said in json.loads(file.read_text()).items()
        }

    def answer(self, url: str, host: str) -> bytes:
        """The whole answer of a host."""
        etag, body = self._answers.get(key_of(url.replace(f"{host}-{VM}", VM)), ("", b""))
        status = "200 OK" if body else "404 Not Found"
        body = (body or json.dumps(_NOWHERE).encode()).replace(VM.encode(), f"{host}-{VM}".encode())
        tag = f"ETag: {etag}\r\n" if etag else ""
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{tag}Content-Length: {len(body)}{_END.decode()}"
        return head.encode() + body


class _Host(asyncio.Protocol):
    """One connection: GETs only, one after the other, as all clients of LXD send them."""

    def __init__(self, recording: Recording, latency: float) -> None:
        self._recording = recording
        # TCP and TLS need a round trip each before the first request leaves.
        self._wait, self._latency = 3 * latency, latency
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._host = name_of(_number_of(transport.get_extra_info("sockname")[0]))

    def data_received(self, data: bytes) -> None:
        self._got += data
        while _END in self._got:
            head, rest = self._got.split(_END, 1)
            # Some clients send a body with a GET, which says nothing.
            length = _LENGTH.search(head)
            body = int(length[1]) if length else 0
            if len(rest) < body:
                return
            self._got = rest[body:]
            method, url, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
            if method != "GET":
                self._transport.abort()
                return
            answer = self._recording.answer(url, self._host)
            asyncio.get_running_loop().call_later(self._wait, self._transport.write, answer)
            self._wait = self._latency


async def _serve(said: argparse.Namespace) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(said.certificate, said.key)
    # The clients' certificates are asked for and checked, as LXD does: signing with them is part of the cost.
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(said.clients)
    recording = Recording(said.recording)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Host(recording, said.latency / 1000), "0.0.0.0", 0, ssl=context, backlog=4096
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main(arguments: Sequence[str]) -> None:
    """Print the port, and answer until ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet_server", description=__doc__)
    parser.add_argument("--latency", type=float, default=20, help="milliseconds that an answer takes at least")
    for name in ("recording", "certificate", "key", "clients"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_serve(parser.parse_args(arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
