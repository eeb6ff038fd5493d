# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each way in which a request can be lost has a name of its own, and nothing is sent twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from support.load_site import GOOD, free_port, read_request, reset, serving

from tests.load import wire
from tests.load.wire import Answer, Connection, Failure, Request, Target

if TYPE_CHECKING:
    from support.load_site import Handler

GET = Request("GET", "/")


def ask(handler: Handler, *requests: Request, limit: float = 5, pause: float = 0.05) -> list[Answer | Failure]:
    """Send requests over one connection, and return what came of each, failures of the idle connection included."""
    found: list[Answer | Failure] = []

    async def session() -> None:
        async with serving(handler) as target:
            connection = Connection(target, found.append)
            for request in requests:
                try:
                    found.append(await connection.exchange(request, limit))
                except Failure as failure:
                    found.append(failure)
                await asyncio.sleep(pause)
            connection.close()

    asyncio.run(session())
    return found


def after(part: bytes, *, rst: bool = False) -> Handler:
    """Make a server that reads a request, sends so much, and closes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(part)
        await writer.drain()
        # What was sent must have been read, or the reset would sweep it away.
        await asyncio.sleep(0.05)
        if rst:
            reset(writer)

    return handler


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("handler", "kind", "phase"),
    [
        (after(b"", rst=True), "reset", "wait"),
        (after(b""), "closed", "wait"),
        (after(b"HTTP/1.1 200 OK\r\nConte"), "truncated", "head"),
        (after(b"HTTP/1.1 200 OK\r\nConte", rst=True), "reset", "head"),
        (after(GOOD[:-1]), "truncated", "body"),
        (after(GOOD[:-1], rst=True), "reset", "body"),
        (after(CHUNKED + b"5\r\nab"), "truncated", "body"),
        (after(CHUNKED + b"5\r\nabcde\r\n"), "truncated", "body"),
        (after(b"SSH-2.0-x y\r\n\r\n"), "malformed", "head"),
    ],
)
def test_a_lost_answer_is_named(handler: Handler, kind: str, phase: str) -> None:
    (failure,) = ask(handler, GET)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == (kind, phase)


def test_silence_is_a_timeout() -> None:
    async def handler(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(5)

    (failure,) = ask(handler, GET, limit=0.2)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == ("timeout", "wait")


def test_nobody_listens() -> None:
    with pytest.raises(Failure) as caught:
        asyncio.run(Connection(Target("127.0.0.1", free_port(), "load.test")).exchange(GET, 5))
    assert (caught.value.kind, caught.value.phase) == ("refused", "connect")


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (GOOD, b"ok"),
        (CHUNKED + b"2;x=1\r\nok\r\n0\r\n\r\n", b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + GOOD, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_a_good_answer_is_read_to_its_end(content: bytes, body: bytes) -> None:
    (answer,) = ask(after(content), GET)
    assert isinstance(answer, Answer)
    assert answer.body == body


class Counting:
    """A server that answers well and counts; then it does something to the idle connection."""

    def __init__(self, then: str, content: bytes = GOOD) -> None:
        """Take what it does."""
        self.then = then
        self.content = content
        self.requests = 0
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        while True:
            await read_request(reader)
            self.requests += 1
            writer.write(self.content)
            await writer.drain()
            if self.then == "close":
                return
            if self.then == "reset":
                await asyncio.sleep(0.02)
                reset(writer)
                return
            if self.then == "speak":
                writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")


def test_a_connection_is_used_again() -> None:
    server = Counting("nothing")
    assert [type(item) for item in ask(server, GET, GET, GET)] == [Answer] * 3
    assert (server.connections, server.requests) == (1, 3)


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LONGEST_IDLE_SECONDS", 0.02)
    found: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.append(1)
        while await read_request(reader):
            writer.write(GOOD)

    ask(handler, GET, GET, pause=0.1)
    assert len(found) == 2


def test_a_clean_close_of_an_idle_connection_is_no_error() -> None:
    server = Counting("close")
    assert [type(item) for item in ask(server, GET, GET)] == [Answer] * 2
    assert (server.connections, server.requests) == (2, 2)


def test_a_reset_of_an_idle_connection_is_an_error_though_the_request_succeeds() -> None:
    server = Counting("reset")
    first, failure, second = ask(server, GET, GET)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == ("reset", "idle")
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)


def test_what_came_unasked_is_not_taken_for_the_answer() -> None:
    first, failure, second = ask(Counting("speak"), GET, GET)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == ("malformed", "idle")
    assert [item.status for item in (first, second) if isinstance(item, Answer)] == [200, 200]


def test_an_answer_that_ends_the_connection_ends_it() -> None:
    server = Counting("nothing", GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    ask(server, GET, GET)
    assert (server.connections, server.requests) == (2, 2)


def test_a_request_that_was_written_is_never_sent_again() -> None:
    received = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await read_request(reader))
        if len(received) == 1:
            writer.write(GOOD)
            await writer.drain()
            # The next one arrives, and is thrown away.
            received.append(await read_request(reader))
        reset(writer)

    good, failure = ask(handler, GET, GET)
    assert isinstance(good, Answer)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == ("reset", "wait")
    assert len(received) == 2


SLOW_POST = Request("POST", "/", b"x" * 100_000, seconds=0.5)


def test_a_slow_body_takes_its_time_and_arrives() -> None:
    bodies = []
    times = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = asyncio.get_running_loop().time()
        bodies.append((await read_request(reader))[2])
        times.append(asyncio.get_running_loop().time() - start)
        writer.write(GOOD)

    (answer,) = ask(handler, SLOW_POST)
    assert isinstance(answer, Answer)
    assert bodies == [SLOW_POST.body]
    assert times[0] > 0.3


def test_a_body_that_is_cut_off_fails_while_it_is_written() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(20_000)
        reset(writer)

    (failure,) = ask(handler, SLOW_POST)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.phase) == ("reset", "write")


def test_an_early_answer_is_heard_and_the_rest_of_the_body_is_not_sent_as_a_request() -> None:
    connections = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    answers = ask(handler, SLOW_POST, SLOW_POST)
    assert [item.status for item in answers if isinstance(item, Answer)] == [413, 413]
    assert len(connections) == 2


@pytest.mark.parametrize(
    ("headers", "body", "release"),
    [
        ({"x-release": "a", "content-type": "application/json"}, b'{"release": "b"}', "a"),
        ({"content-type": "application/json"}, b'{"release": "b"}', "b"),
        ({"content-type": "application/json"}, b'{"release": 3}', ""),
        ({"content-type": "application/json"}, b"[", ""),
        ({"content-type": "application/json"}, b"[]", ""),
        ({"content-type": "text/html"}, b'{"release": "b"}', ""),
    ],
)
def test_an_answer_says_which_release_gave_it(headers: dict[str, str], body: bytes, release: str) -> None:
    assert Answer(200, headers, body).release == release
