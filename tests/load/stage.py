# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the clients of a run share: the options, the clock, the end, and schedules that wait for nobody."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .report import Recorder
    from .wire import Target

# The serving release's and its predecessor's: pages of both are still open somewhere.
ASSETS_IN_USE = 2


@dataclass(frozen=True)
class Options:
    """What a run does."""

    target: Target
    seconds: float = 60.0
    # Requests a second by kind of client, 0 for none; for `idle`, how many times its usual pace; `busy` only has on and off.
    rates: dict[str, float] = field(default_factory=dict)
    # Connections at most at the same time, by kind of client.
    connections: dict[str, int] = field(default_factory=dict)
    timeout: float = 30.0
    slow_seconds: float = 10.0
    upload_bytes: int = 20_000_000
    upload_seconds: float = 5.0
    drain_seconds: float = 40.0
    max_requests: int = 1_000_000
    first_task: int = 1
    seed: int | None = None


class Stage:
    """What all clients of a run share: the options, the end, the record, the assets that pages have named."""

    def __init__(self, options: Options, recorder: Recorder) -> None:
        """Begin."""
        self.options = options
        self.recorder = recorder
        self.random = random.Random(options.seed)  # noqa: S311 - waiting times, no secrets
        self.assets: list[tuple[str, str]] = []
        self.left = options.max_requests
        self.end = options.seconds
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End the schedules here and now; what is under way is finished."""
        self.end = min(self.end, self.recorder.clock.now())
        self._stopped.set()

    async def wait_until(self, moment: float) -> None:
        """Sleep until then, or until the run is stopped."""
        ahead = min(moment, self.end) - self.recorder.clock.now()
        if ahead > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ahead):
                    await self._stopped.wait()

    def remember(self, asset: tuple[str, str]) -> None:
        """Remember an asset as one of the last that pages have named."""
        if asset not in self.assets:
            self.assets = [*self.assets, asset][-ASSETS_IN_USE:]


class Schedule:
    """Arrivals at times that are fixed beforehand, whatever the server does."""

    def __init__(self, stage: Stage, gaps: Iterator[float], first: float = 0.0) -> None:
        """Let the first arrival be due then."""
        self.stage = stage
        self.gaps = gaps
        self.due = first

    def claim(self) -> float | None:
        """Return when the next request is due, or None if there is none any more."""
        due = self.due
        if due >= self.stage.end or self.stage.left <= 0:
            return None
        self.stage.left -= 1
        self.due += next(self.gaps)
        return due

    async def arrival(self) -> float | None:
        """Wait for the next request that is due; one that should have been sent long ago is returned at once."""
        due = self.claim()
        if due is None:
            return None
        await self.stage.wait_until(due)
        return due if due <= self.stage.end else None

    def unclaimed(self) -> int:
        """Return how many were due, and were not sent since everybody was busy."""
        count = 0
        while self.claim() is not None:
            count += 1
        return count


class AtOnce(Schedule):
    """Arrivals that are always due: the next request follows the last answer, so the server is never without work."""

    def __init__(self, stage: Stage) -> None:
        """Need no gaps."""
        super().__init__(stage, repeat(0.0))

    def claim(self) -> float | None:
        """Return this moment, or None after the end."""
        now = self.stage.recorder.clock.now()
        if now >= self.stage.end or self.stage.left <= 0:
            return None
        self.stage.left -= 1
        return now

    def unclaimed(self) -> int:
        """Return that nothing was due before it could be sent."""
        return 0
