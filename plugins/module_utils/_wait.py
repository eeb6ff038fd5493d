# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wait for several containers at the same time, each by the surest proof that it has.

A command inside of it that succeeds, its health page, the engine's own word, or, where there is nothing else, that it
survives its first seconds.
"""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _edge, _up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._compose import Container

# Between two looks at what answers by itself, which costs nothing.
POLL_SECONDS = 0.05
# Between two looks at the containers: each starts Docker's client, which takes its time from what is waited for.
LOOK_SECONDS = 0.8


@dataclass(frozen=True)
class Check:
    """A container that is waited for, and what it takes to believe it."""

    container: str
    # Repeated inside of it until it succeeds.
    command: tuple[str, ...] = ()
    # Whether its health page is asked from outside: sooner than the engine, which asks every few seconds.
    routed: bool = False
    # Whether it has just been started; without any other proof it must survive its first seconds.
    fresh: bool = False
    # Whether it was started by this run, be it a while ago: then no restart of it is forgiven.
    begun: bool = False


@dataclass(frozen=True)
class Probe:
    """How the app's health is asked for."""

    path: str
    port: int
    headers: Mapping[str, str]


@dataclass
class Asked:
    """A command that runs inside a container, again and again until it succeeds."""

    argv: list[str]
    process: subprocess.Popen[str] | None = None
    said: str = ""

    def succeeded(self) -> bool:
        """Look whether it has; start it (again) where it does not run."""
        if self.process is None:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        code = self.process.poll()
        if code is None:
            return False
        self.said = self.process.communicate()[0].strip()[-500:]
        self.process = None
        return code == 0

    def end(self) -> None:
        """Leave no process behind."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


@dataclass
class Page:
    """A health page that is asked beside everything else: an app that still loads takes the request, and lets it wait."""

    thread: threading.Thread | None = None
    good: bool = False

    def answered(self, ask: Callable[[], bool]) -> bool:
        """Look whether it has answered well; ask (again) where nobody is at it."""
        if not self.good and (self.thread is None or not self.thread.is_alive()):
            # One that is still waiting when the module ends must not hold it up.
            self.thread = threading.Thread(target=self._ask, args=(ask,), daemon=True)
            self.thread.start()
        return self.good

    def _ask(self, ask: Callable[[], bool]) -> None:
        self.good = ask()


@dataclass
class Wait:
    """One wait."""

    engine: _up.Engine
    checks: Sequence[Check]
    probe: Probe | None = None
    asked: dict[str, Asked] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    looks: dict[str, str] = field(default_factory=dict)

    def run(self, timeout: float) -> None:
        """Wait until all are ready; raise what is wrong with the first that cannot become so, or is too late."""
        start = time.monotonic()
        left = list(self.checks)
        try:
            while left:
                looked = time.monotonic()
                found = {c.id: c for c in self.engine.containers([check.container for check in left])}
                for check in left:
                    self.refuse_failed(check, found.get(check.container))
                left = self.not_ready(left, found, looked - start)
                if left and looked - start > timeout:
                    raise _up.UpError(self.too_late(left[0], found[left[0].container], timeout))
                while left and time.monotonic() - looked < LOOK_SECONDS:
                    time.sleep(POLL_SECONDS)
                    left = self.not_ready(left, found, looked - start)
        finally:
            for asked in self.asked.values():
                asked.end()

    def not_ready(self, checks: Sequence[Check], found: Mapping[str, Container], seconds: float) -> list[Check]:
        """Return those that have not given their proof, so many seconds after the wait began."""
        return [check for check in checks if not self.is_ready(check, found[check.container], seconds)]

    def refuse_failed(self, check: Check, container: Container | None) -> None:
        """Raise where waiting longer is pointless."""
        if container is None:
            raise _up.UpError(f"container {check.container[:12]} is gone: somebody else removed it")
        start = self.restarts.setdefault(container.id, 0 if check.fresh or check.begun else container.restarts)
        # What was there before may say what it said when it was paused: a look at its health since then is waited for.
        first = self.looks.setdefault(container.id, "" if check.fresh or check.begun else container.health_end)
        stale = container.running and container.health == "unhealthy" and container.health_end == first != ""
        if _up.failed(container, start) and not (stale and container.restarts <= start):
            raise _up.UpError(self.engine.report(container, "failed"))

    def is_ready(self, check: Check, container: Container, seconds: float) -> bool:
        """Whether a container has given its proof."""
        if not container.running:
            return False
        if check.command:
            argv = ["docker", "exec", container.id, *check.command]
            return self.asked.setdefault(container.id, Asked(argv)).succeeded()
        if container.health:
            page = self.pages.setdefault(container.id, Page())
            return container.ready or (check.routed and page.answered(lambda: self.answers(container)))
        return not check.fresh or seconds > _up.SETTLE_SECONDS

    def answers(self, container: Container) -> bool:
        """Ask the health page, as the container's own healthcheck does, but now."""
        if self.probe is None or not container.address:
            return False
        _, problem = _edge.probe(container.address, self.probe.port, self.probe.path, dict(self.probe.headers))
        return not problem

    def too_late(self, check: Check, container: Container, timeout: float) -> str:
        """Say what is missing."""
        asked = self.asked.get(check.container)
        what = f"was not ready within {timeout:g} s"
        if asked is not None:
            what = (
                f"did not answer within {timeout:g} s: `{' '.join(check.command)[:120]}` said {asked.said or 'nothing'}"
            )
        return self.engine.report(container, what)


def for_services(engine: _up.Engine, services: Sequence[str], timeout: float, fresh: Sequence[str]) -> None:
    """Wait for every container of the services; those of a service in fresh have just been started."""
    found = [c for c in engine.containers() if c.service in services]
    missing = sorted(set(services) - {c.service for c in found})
    if missing:
        raise _up.UpError(
            f"there is no container of {', '.join(missing)}: look at `docker compose ps --all` on the host"
        )
    Wait(engine, [Check(c.id, fresh=c.service in fresh) for c in found]).run(timeout)
