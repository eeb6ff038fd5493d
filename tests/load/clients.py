# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of clients. All but one have a schedule that waits for no answer, and count from when a request was due."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .stage import AtOnce, Schedule, Stage
from .wire import BODY, Answer, Connection, Failure, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from .report import ClientRecord

ASSET = re.compile(r'(?:href|src)="(/[^"]+\.([0-9a-f]{12})\.\w+)"')


@dataclass(frozen=True)
class Ask:
    """A request, and what its answer must be."""

    request: Request
    status: int = 200
    # What is wrong with a body, in words.
    check: Callable[[Answer], str] = lambda _answer: ""
    # What the server is asked to take, beyond the usual time-out.
    seconds: float = 0.0

    def judge(self, answer: Answer) -> None:
        """Refuse an answer that is whole, and not what it must be."""
        if answer.status != self.status:
            raise Failure("bad_status", BODY, str(answer.status), answer.status)
        if problem := self.check(answer):
            raise Failure("bad_body", BODY, problem, answer.status)


class Client:
    """Keep-alive GETs, and the base of the other kinds."""

    name: ClassVar = "keepalive"
    rate: ClassVar = 20.0
    connections: ClassVar = 8

    def __init__(self, stage: Stage) -> None:
        """Take the figures of the options, or the usual ones."""
        self.stage = stage
        self.options = stage.options
        self.record = stage.recorder.client(self.name)
        self.per_second = self.options.rates.get(self.name, self.rate)
        self.lanes = self.options.connections.get(self.name) or max(self.connections, self.needed())
        self.schedules = self.make_schedules() if self.per_second > 0 else []

    def needed(self) -> int:
        """Return how many connections the rate needs because of the time that a visit takes."""
        return 0

    def make_schedules(self) -> list[Schedule]:
        """Return one schedule, which all connections serve."""
        gaps = iter(lambda: 1 / self.per_second, None)
        # Not all kinds at the same moment.
        return [Schedule(self.stage, gaps, self.stage.random.random() * min(1 / self.per_second, 1))]

    async def run(self) -> None:
        """Serve the schedules until they end."""
        lanes = range(self.lanes if self.schedules else 0)
        await asyncio.gather(*(self.lane(self.schedules[number % len(self.schedules)]) for number in lanes))

    async def lane(self, schedule: Schedule) -> None:
        """Be one connection."""

        def note(failure: Failure) -> None:
            self.record.failed(self.stage.recorder.clock.now(), failure, "connection")

        connection = Connection(self.options.target, note)
        try:
            while (due := await schedule.arrival()) is not None:
                await self.visit(connection, due)
        finally:
            connection.close()
            self.record.opened += connection.opened
            self.record.closed_while_idle += connection.closed_while_idle

    async def visit(self, connection: Connection, due: float) -> None:
        """Do what this client does."""
        await self.ask(connection, Ask(Request("GET", "/health/")), due)

    async def ask(
        self, connection: Connection, ask: Ask, due: float, record: ClientRecord | None = None
    ) -> Answer | None:
        """Send one request and count what came of it; None if it is a failure. Nothing is ever sent twice."""
        record = record or self.record
        what = f"{ask.request.method} {ask.request.path}"
        record.begin(due)
        try:
            answer = await connection.exchange(ask.request, self.options.timeout + ask.seconds)
            self.stage.recorder.answered(answer)
            ask.judge(answer)
        except Failure as failure:
            record.failed(due, failure, what)
            return None
        except asyncio.CancelledError:
            record.failed(due, Failure("timeout", connection.phase, "not answered when the run ended"), what)
            raise
        record.ok(due, answer.status)
        return answer

    def give_up(self) -> None:
        """Count what was due and could not even be sent."""
        self.record.unsent += sum(schedule.unclaimed() for schedule in self.schedules)


class Idle(Client):
    """Connections that stand idle for 0.5 to 5 s between two requests, as browsers' do."""

    name = "idle"
    rate = 1.0
    connections = 4

    def make_schedules(self) -> list[Schedule]:
        """Return a schedule for each connection."""
        gaps = iter(lambda: self.stage.random.uniform(0.5, 5) / self.per_second, None)
        return [Schedule(self.stage, gaps, self.stage.random.random()) for _ in range(self.lanes)]


class OneShot(Client):
    """A new connection for each request."""

    name = "oneshot"
    rate = 10.0
    connections = 16

    async def visit(self, connection: Connection, due: float) -> None:
        """Ask once, and close."""
        await self.ask(connection, Ask(Request("GET", "/page/", close=True)), due)


class Slow(Client):
    """Requests that take long: some of them are always under way."""

    name = "slow"
    rate = 0.4
    connections = 2

    def needed(self) -> int:
        """Return twice as many as are under way at a time."""
        return math.ceil(2 * self.per_second * self.options.slow_seconds)

    async def visit(self, connection: Connection, due: float) -> None:
        """Ask, and wait."""
        seconds = self.options.slow_seconds
        await self.ask(connection, Ask(Request("GET", f"/slow/?seconds={seconds:g}"), seconds=seconds), due)


class Upload(Client):
    """Large bodies over a line that is not fast."""

    name = "upload"
    rate = 0.1
    connections = 2

    def __init__(self, stage: Stage) -> None:
        """Make the body, which is the same each time."""
        super().__init__(stage)
        block = bytes(range(256)) * 256
        self.body = (block * (self.options.upload_bytes // len(block) + 1))[: self.options.upload_bytes]
        self.expected = {"size": len(self.body), "sha256": hashlib.sha256(self.body).hexdigest()}

    def needed(self) -> int:
        """Return twice as many as are under way at a time."""
        return math.ceil(2 * self.per_second * self.options.upload_seconds)

    async def visit(self, connection: Connection, due: float) -> None:
        """Send it, and compare what has arrived."""
        kind, seconds = "application/octet-stream", self.options.upload_seconds
        request = Request("POST", "/upload/", self.body, kind, seconds=seconds)
        await self.ask(connection, Ask(request, check=self.arrived, seconds=seconds), due)

    def arrived(self, answer: Answer) -> str:
        """Say what is wrong with what the server has read."""
        return "" if answer.document() == self.expected else f"the server has read {answer.document()}"


class Ledger(Client):
    """Entries that must be made once."""

    name = "ledger"
    rate = 6.0
    connections = 4
    path: ClassVar = "/ledger/"
    status: ClassVar = 201

    async def visit(self, connection: Connection, due: float) -> None:
        """Make one."""
        await self.once(connection, due, {"id": str(uuid.uuid4())})

    async def once(self, connection: Connection, due: float, what: dict[str, str | int]) -> None:
        """Ask for something, and remember whether it was acknowledged."""
        ((field, value),) = what.items()

        def check(answer: Answer) -> str:
            found = answer.document().get(field)
            return "" if found == value else f"sent {value}, the answer is about {found}"

        book = self.stage.recorder.ledgers[self.name]
        book.sent(str(value))
        request = Request("POST", self.path, json.dumps(what).encode())
        if await self.ask(connection, Ask(request, self.status, check), due):
            book.acknowledge(str(value))


class Tasks(Ledger):
    """Numbered tasks that must be carried out."""

    name = "tasks"
    rate = 2.0
    connections = 2
    path = "/tasks/"
    status = 202

    def __init__(self, stage: Stage) -> None:
        """Begin to count."""
        super().__init__(stage)
        self.number = self.options.first_task

    async def visit(self, connection: Connection, due: float) -> None:
        """Queue the next one."""
        number, self.number = self.number, self.number + 1
        await self.once(connection, due, {"n": number})


class Static(Client):
    """Assets that pages have named lately."""

    name = "static"
    rate = 5.0
    connections = 2

    async def visit(self, connection: Connection, due: float) -> None:
        """Load one; before a page has been read there is none."""
        if self.stage.assets:
            await self.load(connection, due, self.stage.random.choice(self.stage.assets), self.record)

    async def load(self, connection: Connection, due: float, asset: tuple[str, str], record: ClientRecord) -> None:
        """Load an asset, and compare it with the hash in its name."""
        path, digest = asset

        def check(answer: Answer) -> str:
            found = hashlib.md5(answer.body, usedforsecurity=False).hexdigest()
            return "" if found.startswith(digest) else f"the content has the hash {found[: len(digest)]}"

        await self.ask(connection, Ask(Request("GET", path), check=check), due, record)


class Reader(Static):
    """People: a page, a moment later what the page names."""

    name = "page"
    rate = 3.0
    connections = 4
    longest_wait: ClassVar = 3.0

    def __init__(self, stage: Stage) -> None:
        """Count apart what is loaded later."""
        super().__init__(stage)
        self.later = stage.recorder.client("asset")

    def needed(self) -> int:
        """Return more than can be waiting at a time."""
        return math.ceil(1.5 * self.per_second * self.longest_wait)

    async def visit(self, connection: Connection, due: float) -> None:
        """Read a page, wait, load its asset."""
        answer = await self.ask(connection, Ask(Request("GET", "/page/"), check=no_asset), due)
        asset = asset_of(answer) if answer else None
        if asset is None:
            return
        self.stage.remember(asset)
        clock = self.stage.recorder.clock
        moment = clock.now() + self.stage.random.uniform(0, self.longest_wait)
        await self.stage.wait_until(moment)
        await self.load(connection, min(moment, clock.now()), asset, self.later)


def asset_of(answer: Answer) -> tuple[str, str] | None:
    """Return the path of the first hashed asset that a page names, and the hash."""
    found = ASSET.search(answer.body.decode("utf-8", "replace"))
    return (found[1], found[2]) if found else None


def no_asset(answer: Answer) -> str:
    """Say whether a page names no hashed asset."""
    return "" if asset_of(answer) else "the page names no hashed asset"


class Busy(Client):
    """Connections that ask for the next page as soon as they have one: they leave no core idle.

    They wait for the server, so their own times say little; those of the clients beside them do.
    """

    name = "busy"
    rate = 0.0
    connections = 4

    def make_schedules(self) -> list[Schedule]:
        """Return one that is always due."""
        return [AtOnce(self.stage)]

    async def visit(self, connection: Connection, due: float) -> None:
        """Read a page."""
        await self.ask(connection, Ask(Request("GET", "/page/"), check=no_asset), due)


KINDS: tuple[type[Client], ...] = (Client, Busy, Idle, OneShot, Slow, Upload, Ledger, Tasks, Reader, Static)
