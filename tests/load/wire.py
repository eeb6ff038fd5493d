# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP/1.1 by hand, on one socket: a library would hide, or repeat, just what is to be counted."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_LIMIT = 1 << 16
FIRST_FINAL_STATUS = 200
# Where a request stands when something happens to it.
IDLE, CONNECT, WRITE, WAIT, HEAD, BODY = "idle", "connect", "write", "wait", "head", "body"


class Failure(Exception):  # noqa: N818 - it is what is counted, not a mistake of ours
    """A request that got no good answer: which kind of failure, and where the request stood."""

    def __init__(self, kind: str, phase: str, detail: str = "", status: int = 0) -> None:
        """Keep the parts, since each of them is counted."""
        super().__init__(f"{kind} ({phase}) {detail}".rstrip())
        self.kind = kind
        self.phase = phase
        self.detail = detail
        self.status = status


@dataclass(frozen=True)
class Target:
    """Where requests go, and the name under which the site is asked for."""

    address: str
    port: int
    host: str
    tls: bool = False


@dataclass(frozen=True)
class Request:
    """What is sent."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    close: bool = False
    # A body that is sent in pieces over that time.
    seconds: float = 0.0

    def head(self, host: str) -> bytes:
        """Return the request line and the headers."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        if self.body:
            lines += [f"Content-Type: {self.content_type}", f"Content-Length: {len(self.body)}"]
        if self.close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def release(self) -> str:
        """Return which release says that it has answered."""
        if name := self.headers.get("x-release"):
            return name
        value = self.document().get("release", "")
        return value if isinstance(value, str) else ""

    def document(self) -> dict[str, Any]:
        """Return the JSON object of the body, or an empty one."""
        if "json" not in self.headers.get("content-type", ""):
            return {}
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@functools.cache
def handshake() -> ssl.SSLContext:
    """Return how TLS is spoken: whoever answers is counted, and whether a certificate is right is not what is asked here."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# A server that promises to keep an idle connection for ten seconds, a reload notwithstanding, may close it just then; who
# reuses one must stay below that. Nothing can be done about the race at the very end, whatever the number.
LONGEST_IDLE_SECONDS = 6.0


class Connection:
    """One socket at a time; it is opened when it is needed, and again when the server has closed it while idle."""

    def __init__(self, target: Target, on_idle_failure: Callable[[Failure], None] | None = None) -> None:
        """Remember the target; nothing is opened yet."""
        self.target = target
        self.on_idle_failure = on_idle_failure
        self.opened = 0
        self.closed_while_idle = 0
        self.answered = 0.0
        self.phase = CONNECT
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: Request, limit: float) -> Answer:
        """Send one request, once, and return the whole answer."""
        try:
            async with asyncio.timeout(limit):
                answer = await self._exchange(request)
        except Exception as error:
            self.close()
            raise self._named(error, limit) from error
        except asyncio.CancelledError:
            self.close()
            raise
        if request.close or answer.headers.get("connection", "").lower() == "close":
            self.close()
        self.answered = time.monotonic()
        return answer

    def close(self) -> None:
        """Let the socket go."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    def _named(self, error: Exception, limit: float) -> Failure:
        """Say which kind of failure an exception of the socket is."""
        detail = str(error)
        match error:
            case TimeoutError():
                kind, detail = "timeout", f"after {limit:g} s"
            case ConnectionRefusedError():
                kind = "refused"
            case ConnectionResetError() | BrokenPipeError():
                kind = "reset"
            case asyncio.IncompleteReadError():
                kind = "closed" if self.phase in (WRITE, WAIT) else "truncated"
                detail = f"after {len(error.partial)} bytes of this part"
            case asyncio.LimitOverrunError() | ValueError():
                kind = "malformed"
            case OSError():
                kind = "unreachable"
            case _:
                kind, detail = "other", repr(error)
        return Failure(kind, self.phase, detail)

    async def _exchange(self, request: Request) -> Answer:
        reader, writer = await self._ready()
        self.phase = WRITE
        if not request.seconds:
            writer.write(request.head(self.target.host) + request.body)
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                # A server may answer and close before it has read all; what it has said is still there to read.
                await writer.drain()
            self.phase = WAIT
            return await self._answer(reader)
        sending = asyncio.create_task(self._send_slowly(writer, request))
        try:
            return await self._answer(reader)
        finally:
            if not sending.done():
                # Answered before all was sent: the rest would be taken for the next request.
                self.close()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _ready(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return an open connection; what happened to it while nobody asked anything is noticed here."""
        self.phase = IDLE
        if time.monotonic() - self.answered > LONGEST_IDLE_SECONDS:
            self.close()
        if self._streams is not None:
            try:
                news = await self._news(self._streams[0])
                problem = Failure("malformed", IDLE, f"{news!r} came unasked") if news else None
            except OSError as error:
                news, problem = b"", Failure("reset", IDLE, str(error))
            if news is not None:
                self.close()
                self.closed_while_idle += problem is None
            if problem and self.on_idle_failure:
                self.on_idle_failure(problem)
        if self._streams is None:
            self.phase = CONNECT
            target = self.target
            # Nginx answers nobody who does not name one of its sites in the handshake.
            named = {"ssl": handshake(), "server_hostname": target.host.partition(":")[0]} if target.tls else {}
            self._streams = await asyncio.open_connection(target.address, target.port, limit=HEAD_LIMIT, **named)  # type: ignore[arg-type]
            self.opened += 1
        return self._streams

    @staticmethod
    async def _news(reader: asyncio.StreamReader) -> bytes | None:
        """Return what came while the connection was idle: None if nothing did, no bytes if the server has closed it."""
        reading = asyncio.create_task(reader.read(1))
        # One turn starts to read, one asks the kernel what is there, one hands it over.
        for _ in range(3):
            await asyncio.sleep(0)
        if not reading.done():
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            return None
        return reading.result()

    async def _send_slowly(self, writer: asyncio.StreamWriter, request: Request) -> None:
        """Send the body evenly over its time, ten pieces a second."""
        writer.write(request.head(self.target.host))
        pieces = max(1, round(request.seconds * 10))
        size = -(-len(request.body) // pieces)
        start = asyncio.get_running_loop().time()
        for number in range(pieces):
            writer.write(request.body[number * size : (number + 1) * size])
            await writer.drain()
            ahead = start + (number + 1) * request.seconds / pieces - asyncio.get_running_loop().time()
            if number + 1 < pieces:
                await asyncio.sleep(max(ahead, 0))
        self.phase = WAIT

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        status = 0
        headers: dict[str, str] = {}
        while status < FIRST_FINAL_STATUS:
            self.phase = WAIT if self.phase == HEAD else self.phase
            first = await reader.readexactly(1)
            self.phase = HEAD
            lines = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            version, code = lines[0].split(" ")[:2]
            if not version.startswith("HTTP/1."):
                raise ValueError(f"not HTTP: {lines[0][:80]}")
            status = int(code)
            pairs = (line.partition(":") for line in lines[1:] if line)
            headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
            if version == "HTTP/1.0":
                headers.setdefault("connection", "close")
        self.phase = BODY
        return Answer(status, headers, await self._body(reader, status, headers))

    async def _body(self, reader: asyncio.StreamReader, status: int, headers: dict[str, str]) -> bytes:
        if status in (204, 304):
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            blocks = []
            while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
                blocks.append((await reader.readexactly(size + 2))[:-2])
            await reader.readuntil(b"\r\n")
            return b"".join(blocks)
        if "content-length" in headers:
            return await reader.readexactly(int(headers["content-length"]))
        headers["connection"] = "close"
        return await reader.read()
