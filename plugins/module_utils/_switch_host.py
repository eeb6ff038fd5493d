# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host as a switch sees it: containers through Docker and Compose, Nginx through its files and its processes."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import _compose, _edge, _peers, _release, _up, _wait

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ansible_collections.barehost.django.plugins.module_utils._wait import Check

PROBE_POLL_SECONDS = 0.1
# Nearly every container has ended by then; of one that has not its own grace is asked.
STOP_SECONDS = 15.0
# What the engine may take to kill a container after its grace, and to say so.
STOP_MARGIN_SECONDS = 60.0
# For a container whose grace has no end or cannot be asked.
STOP_LIMIT_SECONDS = 3600.0
# The figures are for the report alone: nothing waits for a broker that does not answer.
TASKS_SECONDS = 5


@dataclass(frozen=True)
class Edge:
    """The service in front, as its dictionary describes it."""

    service: str
    directory: str  # of the upstream files, below the project's
    stamp_port: int
    http_port: int
    test: tuple[str, ...]
    reload: tuple[str, ...]


@dataclass
class SwitchHost:
    """Carries out what `_switch.Switch` decides."""

    engine: _up.Engine
    root: Path
    release_id: str
    edge: Edge | None
    probe_of: _wait.Probe | None
    # Service and command that print how many tasks wait and how many are in flight.
    tasks_of: tuple[str, Sequence[str]] | None
    on_commit: Callable[[], None]
    on_uncommit: Callable[[], None]
    on_note: Callable[[str], None]
    stopping: list[tuple[str, subprocess.Popen[bytes]]] = field(default_factory=list)
    edge_id: str = ""
    # What was there when the switch was planned, under the lock; without it everybody is asked again.
    planned: Sequence[_compose.Container] = ()
    before: frozenset[str] | None = None  # the containers that were there before any was created

    # -- containers ----------------------------------------------------------------------------------------------

    def containers(self) -> list[_compose.Container]:
        """Describe the project's containers."""
        return self.engine.containers()

    def create(self, scales: Mapping[str, int]) -> Mapping[str, Sequence[str]]:
        """Let Compose create so many containers more of each service."""
        before = self.planned or self.containers()
        self.before = frozenset(container.id for container in before)
        totals = {name: more + len([c for c in before if c.service == name]) for name, more in scales.items()}
        self.engine.call(_compose.scale_cmd(self.engine.project_dir, self.engine.files, totals))
        ids = [name for name in self.engine.ids() if name not in self.before]
        new = self.engine.containers(ids) if ids else []
        if _peers.joins(before, new):
            # What was there when this was planned may be something else by now, or have joined already.
            self.engine.join([c for c in self.containers() if c.id not in ids], new)
        return {name: [c.id for c in new if c.service == name] for name in scales}

    def newcomers(self, services: Sequence[str]) -> Sequence[str]:
        """Look for what create has made, however far it came."""
        if self.before is None:
            return []
        return [c.id for c in self.containers() if c.service in services and c.id not in self.before]

    def start(self, ids: Sequence[str]) -> None:
        """Start containers."""
        if ids:
            self.engine.call(["docker", "start", *ids])

    def unpause(self, ids: Sequence[str]) -> None:
        """Let containers go on that somebody has paused."""
        self.engine.unpause(ids)

    def restart(self, ids: Sequence[str]) -> None:
        """Restart containers."""
        if ids:
            self.engine.call(["docker", "restart", *ids])

    def stop(self, ids: Sequence[str]) -> None:
        """Ask containers to stop, and do not wait: each has its own grace, and they end at the same time."""
        for name in ids:
            process = subprocess.Popen(["docker", "stop", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.stopping.append((name, process))  # its end is waited for in stopped()

    def stopped(self, ids: Sequence[str]) -> None:
        """Wait for those of them that were asked to stop; what still runs then is an error."""
        begun = self.now()
        asked = [pair for pair in self.stopping if pair[0] in ids]
        for pair in asked:
            self.stopping.remove(pair)
            self._await(*pair, begun)
        running = [c for c in self.engine.containers(ids) if c.running] if ids else []
        if running:
            raise _up.UpError(f"container {running[0].name} did not stop ({_up.describe(running[0])})")

    def _await(self, name: str, process: subprocess.Popen[bytes], begun: float) -> None:
        try:
            process.wait(max(0.0, begun + STOP_SECONDS - self.now()))
        except subprocess.TimeoutExpired:
            limit = self._stop_limit(name)
            try:
                process.wait(max(0.0, begun + limit - self.now()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                shown = next((c.name for c in self.containers() if c.id == name), name)
                raise _up.UpError(
                    f"container {shown} did not stop within {limit:.0f} s, its own grace included: "
                    "look at it and at the engine on the host, then run the same again"
                ) from None

    def _stop_limit(self, name: str) -> float:
        """Return how long a container may take to stop."""
        code, out, _ = self.engine.try_call(_compose.stop_timeout_cmd(name))
        grace = out.strip()
        return int(grace) + STOP_MARGIN_SECONDS if code == 0 and grace.isdecimal() else STOP_LIMIT_SECONDS

    def remove(self, ids: Sequence[str]) -> None:
        """Remove containers; one that is gone already is no trouble."""
        if not ids or self.engine.try_call(["docker", "rm", *ids])[0] == 0:
            return
        left = [c.id for c in self.engine.containers(ids)]
        if left:
            self.engine.call(["docker", "rm", *left])

    def wait(self, checks: Sequence[Check], timeout: float) -> None:
        """Wait for containers, all at the same time."""
        if checks:
            _wait.Wait(self.engine, checks, self.probe_of).run(timeout)

    def tasks(self) -> Callable[[], dict[str, int]]:
        """Ask the broker itself, which takes no worker's time, and go on meanwhile."""
        if self.tasks_of is None:
            return dict
        service, command = self.tasks_of
        found = next((c for c in self.planned or self.containers() if c.service == service and c.running), None)
        if found is None:
            return dict
        limit = ["timeout", "--kill-after=1", str(TASKS_SECONDS)]
        process = subprocess.Popen(
            [*limit, "docker", "exec", found.id, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

        @cache
        def answer() -> dict[str, int]:
            out, _ = process.communicate()
            return counted(out) if process.returncode == 0 else {}

        return answer

    # -- the edge ------------------------------------------------------------------------------------------------

    def edge_container(self) -> _compose.Container | None:
        """Return the container in front, where it runs."""
        if self.edge is None:
            return None
        # One that was replaced meanwhile is looked for anew.
        known = self.engine.containers([self.edge_id]) if self.edge_id else []
        found = next((c for c in known or self.containers() if c.service == self.edge.service and c.running), None)
        self.edge_id = found.id if found else ""
        return found

    def _servers_file(self) -> Path:
        return self.root / (self.edge.directory if self.edge else "") / _edge.SERVERS_FILE

    def route(self) -> _edge.Route:
        """Read where requests go."""
        return _edge.parse_servers(_release.read_text(self._servers_file()) or "") if self.edge else _edge.Route()

    def route_loaded(self) -> bool:
        """Whether the running edge has loaded what its files say; true where none runs."""
        container = self.edge_container()
        # One without a process comes up with the engine, as a dry run foresees it, and loads what is there by then.
        return container is None or not (container.address or container.pid) or self._loaded(container)

    def _loaded(self, container: _compose.Container) -> bool:
        """Ask the edge itself, and not the engine as well: while it loads it is asked again and again."""
        if self.edge is None:
            return True
        text = _release.read_text(self._servers_file()) or ""
        return _edge.ask(container.address, self.edge.stamp_port, _edge.STAMP_PATH) == _edge.stamp(text)

    def set_route(self, route: _edge.Route, *, tested: bool = False) -> None:
        """Write the route; where the edge runs, let it test and load it."""
        if self.edge is None:
            return
        text = _edge.servers_text(route)
        folder = self._servers_file().parent
        _release.write_text(folder / _edge.SERVERS_FILE, text)
        _release.write_text(folder / _edge.STAMP_FILE, _edge.stamp_text(text))
        container = self.edge_container()
        if container is None:
            self.start_edge()
            return
        if container.detached:
            self.remake_edge(container)
            return
        test = () if tested else self.edge.test
        self.engine.reload(container, test, self.edge.reload, lambda: self._loaded(container))

    def remake_edge(self, container: _compose.Container) -> None:
        """Replace an edge that would not see what was written: it has a folder mounted that is no longer the host's."""
        self.engine.up([container.service], "--force-recreate")
        _up.until(
            lambda: self.edge_container() is not None and self.route_loaded(),
            f"service {container.service} was made anew and does not say what it has loaded",
        )

    def wake_edge(self) -> None:
        """Let an edge go on that somebody has paused."""
        self.unpause([c.id for c in self.planned if self.edge and c.service == self.edge.service and c.paused])

    def start_edge(self) -> None:
        """Start an edge that somebody has stopped, with the route that was written; where there is none yet, leave that be."""
        stopped = [c for c in self.containers() if self.edge and c.service == self.edge.service]
        self.start([c.id for c in stopped])
        if stopped and self.edge:
            # Where none runs there is nothing to ask, and this one may have ended at once.
            _up.until(
                lambda: self.edge_container() is not None and self.route_loaded(),
                f"service {self.edge.service} was started and does not say what it has loaded",
            )

    def addresses(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Return the addresses of containers in the edge's own network."""
        edge = self.edge_container()
        if edge is None:
            return ()
        found = self.engine.containers(ids)
        return tuple(
            next((c.addresses[name] for name in sorted(edge.addresses) if c.addresses.get(name)), c.address)
            for c in found
        )

    def edge_workers(self) -> frozenset[_edge.Worker]:
        """Return the edge's worker processes."""
        container = self.edge_container()
        return _edge.descendants(container.pid) if container and container.pid else frozenset()

    def alive(self, workers: frozenset[_edge.Worker]) -> frozenset[_edge.Worker]:
        """Return those that are still there."""
        return _edge.alive(workers)

    def probe(self, timeout: float) -> None:
        """Ask through the edge until the new release answers."""
        container = self.edge_container()
        if self.edge is None or self.probe_of is None or container is None:
            return
        deadline = self.now() + timeout
        while True:
            headers = dict(self.probe_of.headers)
            release, problem = _edge.probe(container.address, self.edge.http_port, self.probe_of.path, headers)
            # A health page that names no release is believed for its status.
            if not problem and release in ("", self.release_id):
                return
            if self.now() > deadline:
                seen = problem or f"release {release} answered"
                raise _up.UpError(f"through {self.edge.service}, {self.probe_of.path} of the new release: {seen}")
            self.sleep(PROBE_POLL_SECONDS)

    # -- files ---------------------------------------------------------------------------------------------------

    def static(self) -> tuple[str, ...]:
        """Read which static files are served, and in which order."""
        folder = self.root / _release.STATIC
        links = [_release.read_link(folder / link) for link in _release.STATIC_LINKS]
        return tuple(name for name in links if name)

    def set_static(self, releases: Sequence[str]) -> None:
        """Point to the static files; the last choice first, so that nothing is missing in between."""
        for number, link in reversed(list(enumerate(_release.STATIC_LINKS))):
            path = self.root / _release.STATIC / link
            if number < len(releases):
                _release.point(path, releases[number])
            else:
                path.unlink(missing_ok=True)

    def commit(self) -> None:
        """Let everything on the host speak of the new release."""
        self.on_commit()

    def uncommit(self) -> None:
        """Let everything on the host speak of the earlier release again."""
        self.on_uncommit()

    def note(self, step: str) -> None:
        """Write down which step begins."""
        self.on_note(step)

    def now(self) -> float:
        """Return a clock in seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def counted(text: str) -> dict[str, int]:
    """Read lines of a name and a number each."""
    words = [line.split() for line in text.splitlines()]
    return {line[0]: int(line[1]) for line in words if len(line) == 2 and line[1].isdecimal()}  # noqa: PLR2004 - name and number


def edge_of(params: Mapping[str, Any]) -> Edge | None:
    """Read the edge from a module's parameters; None where there is none."""
    if not params:
        return None
    return Edge(
        service=params["service"],
        directory=params["directory"],
        stamp_port=int(params["stamp_port"]),
        http_port=int(params["http_port"]),
        test=tuple(params["test"]),
        reload=tuple(params["command"]),
    )


def probe_of(params: Mapping[str, Any]) -> _wait.Probe | None:
    """Read how health is asked for; None where the app has no health page."""
    if not params:
        return None
    headers = {"Host": str(params["host"]), "X-Forwarded-Proto": str(params.get("scheme", "http"))}
    return _wait.Probe(str(params["path"]), int(params["port"]), headers)
