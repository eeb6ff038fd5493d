# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Servers that behave as badly as a test asks: real sockets, real resets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import struct
from collections import Counter
from typing import TYPE_CHECKING

from tests.load.wire import Target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STYLE = b"body {}"
DIGEST = hashlib.md5(STYLE, usedforsecurity=False).hexdigest()[:12]
ASSET = f"/static/site.{DIGEST}.css"


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Target]:
    """Serve on a free port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield Target("127.0.0.1", server.sockets[0].getsockname()[1], "load.test")
    finally:
        server.close()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port: int = place.getsockname()[1]
    return port


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    """Return the method, the path and the body of a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    method, path, _ = head.split("\r\n")[0].split(" ")
    headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
    return method, path, await reader.readexactly(int(headers.get("content-length", 0)))


def answer(status: int, body: bytes | dict[str, object], release: str = "one") -> bytes:
    """Return the bytes of an answer."""
    kind = "text/html" if isinstance(body, bytes) else "application/json"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nX-Release: {release}\r\nContent-Length: {len(content)}"
    return head.encode() + b"\r\n\r\n" + content


class Site:
    """A site as the load generator expects it; tests replace one of its answers."""

    def __init__(self) -> None:
        """Begin with empty ledgers."""
        self.rows: dict[str, Counter[str]] = {"ledger": Counter(), "tasks": Counter()}
        self.release = "one"
        self.requests: Counter[str] = Counter()
        self.gate = asyncio.Lock()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request after the other."""
        while True:
            method, path, body = await read_request(reader)
            self.requests[path] += 1
            async with self.gate:
                pass
            content = await self.respond(method, path.split("?")[0], body)
            if content is None:
                reset(writer)
                return
            writer.write(content)
            await writer.drain()

    async def respond(self, method: str, path: str, body: bytes) -> bytes | None:
        """Return the answer, or None for a reset."""
        if path == "/page/":
            return answer(200, f'<link href="{ASSET}">'.encode(), self.release)
        if path == ASSET:
            return answer(200, STYLE, self.release)
        if path == "/upload/":
            return answer(200, {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}, self.release)
        if method == "POST":
            return self.enter(path.strip("/"), json.loads(body))
        return answer(200, {"status": "ok"}, self.release)

    def enter(self, ledger: str, what: dict[str, object]) -> bytes | None:
        """Make an entry."""
        self.rows[ledger].update(str(value) for value in what.values())
        return answer(201 if ledger == "ledger" else 202, what, self.release)
