# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All clients together, from the first request to the last answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .clients import KINDS
from .report import Recorder
from .stage import Options, Stage

if TYPE_CHECKING:
    from collections.abc import Callable


async def run(options: Options, started: Callable[[Stage], None] | None = None) -> Recorder:
    """Run all clients to the end of the schedule, and give what is under way its time."""
    recorder = Recorder()
    stage = Stage(options, recorder)
    clients = [kind(stage) for kind in KINDS]
    lag = asyncio.create_task(watch_lag(recorder))
    if started:
        started(stage)
    work = {asyncio.create_task(client.run(), name=client.name) for client in clients}
    pending = work
    while pending:
        # The end may be moved nearer meanwhile.
        left = stage.end + options.drain_seconds - recorder.clock.now()
        if left <= 0:
            break
        done, pending = await asyncio.wait(pending, timeout=min(left, 1), return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    for task in (*pending, lag):
        task.cancel()
    await asyncio.gather(*pending, lag, return_exceptions=True)
    for client in clients:
        client.give_up()
    return recorder


async def watch_lag(recorder: Recorder, pause: float = 0.05) -> None:
    """Record how late this program wakes up."""
    while True:
        before = recorder.clock.now()
        await asyncio.sleep(pause)
        recorder.lags.append(round((recorder.clock.now() - before - pause) * 1000, 2))
