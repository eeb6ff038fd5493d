# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holds connections of a site and does nothing much with them; runs on the other host: `flood.py NAME IDLE HEADS BODIES SECONDS`.

Idle ones have had one answer. Heads and bodies come a byte at a time and have no end. What the server closes is opened again.
Says `ready` once all of them have been open, and what became of them when it is over: its input has ended, or the time is.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import ssl
import sys

NAME = sys.argv[1]
HEAD = f"GET /static/none HTTP/1.1\r\nHost: {NAME}\r\n"
SLOW_HEAD = f"GET /mirror/ HTTP/1.1\r\nHost: {NAME}\r\nX-Slow: "
SLOW_BODY = f"POST /mirror/ HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 100000\r\n\r\n"
COUNTS: collections.Counter[str] = collections.Counter()


class Flood:
    """All connections."""

    def __init__(self) -> None:
        """Begin without any."""
        self.trust = ssl.create_default_context()
        self.trust.check_hostname = False
        self.trust.verify_mode = ssl.CERT_NONE
        # Not all handshakes at once: it is about what is held.
        self.gate = asyncio.Semaphore(20)
        self.waiting = sum(int(number) for number in sys.argv[2:5])
        self.ready = asyncio.Event()

    async def hold(self, kind: str) -> None:
        """Hold one connection for as long as it takes, and open it again where it is closed."""
        first = True
        while True:
            with contextlib.suppress(OSError, EOFError):
                async with self.gate:
                    reader, writer = await asyncio.open_connection(NAME, 443, ssl=self.trust, server_hostname=NAME)
                COUNTS[f"{kind} opened"] += 1
                if first:
                    first, self.waiting = False, self.waiting - 1
                    if not self.waiting:
                        self.ready.set()
                try:
                    await getattr(self, kind)(reader, writer)
                finally:
                    writer.transport.abort()
                COUNTS[f"{kind} closed"] += 1
            await asyncio.sleep(0.5)

    async def idle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Ask once, and then say nothing."""
        writer.write(f"{HEAD}\r\n".encode())
        while await reader.read(4096):
            pass

    async def head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send a head that does not end."""
        await self.drip(SLOW_HEAD, reader, writer)

    async def body(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send a body that does not end."""
        await self.drip(SLOW_BODY, reader, writer)

    @staticmethod
    async def drip(begin: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send a byte now and then until there is an answer, or the connection is closed."""
        writer.write(begin.encode())
        answer = asyncio.ensure_future(reader.read(200))
        while not answer.done():
            writer.write(b"x")
            await writer.drain()
            await asyncio.wait([answer], timeout=1)
        COUNTS[(await answer)[9:12].decode() or "no answer"] += 1


async def main() -> None:
    """Hold all of them until it is over."""
    flood = Flood()
    kinds = ("idle", "head", "body")
    tasks = [
        asyncio.ensure_future(flood.hold(kind))
        for kind, number in zip(kinds, sys.argv[2:5], strict=True)
        for _ in range(int(number))
    ]
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(float(sys.argv[5])):
            await flood.ready.wait()
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await reader.read()
    sys.stdout.write(json.dumps(COUNTS) + "\n")
    for task in tasks:
        task.cancel()


asyncio.run(main())
