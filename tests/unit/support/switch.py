# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host for the switch that keeps its state in memory and records what it is asked."""

# ruff: noqa: D102 - the methods of the fake are those of Host, which says what each does
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _edge, _rollover, _switch, _up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ansible_collections.barehost.django.plugins.module_utils import _wait

OLD, NEW = _edge.Route("web-old", 8000), _edge.Route("web-new", 8000)
WEB = _rollover.Service("web", beside=True, routed=True)
WORKER = _rollover.Service("worker", beside=True, ready=("ping",))
BEAT = _rollover.Service("beat")


@dataclass
class FakeHost:
    """A host with containers, an edge and files; can be told to fail at its nth call of a kind."""

    running: set[str] = field(default_factory=lambda: {"web-1", "worker-1", "beat-1"})
    existing: set[str] = field(default_factory=lambda: {"web-1", "worker-1", "beat-1"})
    edge: bool = True
    routed_to: _edge.Route = OLD
    links: tuple[str, ...] = ("old", "older")
    fails: Mapping[str, int] = field(default_factory=dict)
    calls: list[tuple[str, object]] = field(default_factory=list)
    committed: bool = False
    clock: float = 0.0
    generation: int = 0
    trouble: type[Exception] = _up.UpError
    most_beats: int = 1
    before: frozenset[str] | None = None
    # What ends as soon as somebody waits for it.
    stopping: set[str] = field(default_factory=set)

    def _called(self, name: str, argument: object = None) -> None:
        self.calls.append((name, argument))
        if len([1 for call, _ in self.calls if call == name]) == self.fails.get(name):
            raise self.trouble(f"{name} broke")

    def names(self) -> list[str]:
        """Return the kinds of calls, in their order."""
        return [name for name, _ in self.calls]

    def create(self, scales: Mapping[str, int]) -> Mapping[str, Sequence[str]]:
        self.before = frozenset(self.existing)
        new = {name: [f"{name}-new-{n}" for n in range(count)] for name, count in scales.items()}
        self.existing |= {name for names in new.values() for name in names}
        self._called("create", dict(scales))
        return new

    def newcomers(self, services: Sequence[str]) -> Sequence[str]:
        if self.before is None:
            return []
        return sorted(name for name in self.existing - self.before if name.partition("-")[0] in services)

    def start(self, ids: Sequence[str]) -> None:
        assert set(ids) <= self.existing
        self.running |= set(ids)
        self.most_beats = max(self.most_beats, len([name for name in self.running if name.startswith("beat")]))
        self._called("start", list(ids))

    def unpause(self, ids: Sequence[str]) -> None:
        self._called("unpause", list(ids))

    def restart(self, ids: Sequence[str]) -> None:
        self._called("restart", list(ids))

    def stop(self, ids: Sequence[str]) -> None:
        self._called("stop", list(ids))
        self.stopping |= set(ids)

    def stopped(self, ids: Sequence[str]) -> None:
        self.running -= self.stopping & set(ids)
        self.stopping -= set(ids)
        self._called("stopped", list(ids))
        if set(ids) & self.running:
            raise _up.UpError(f"{sorted(set(ids) & self.running)} did not stop")

    def remove(self, ids: Sequence[str]) -> None:
        self._called("remove", list(ids))
        assert not set(ids) & self.running, "what runs is not removed"
        self.existing -= set(ids)

    def wait(self, checks: Sequence[_wait.Check], timeout: float) -> None:
        for check in checks:
            if check.command:
                self._called("ready", (check.container, list(check.command)))
        self._called("wait", [check.container for check in checks])
        assert timeout > 0
        assert {check.container for check in checks} <= self.running

    def route(self) -> _edge.Route:
        return self.routed_to

    def set_route(self, route: _edge.Route, *, tested: bool = False) -> None:
        assert not tested or route.alias == self.routed_to.alias, "nobody has tested that"
        self.routed_to = route
        self.generation += 1
        self._called("set_route", route)

    def addresses(self, ids: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"192.0.2.{len(name)}" for name in ids)

    def edge_workers(self) -> frozenset[_edge.Worker]:
        return frozenset({_edge.Worker(self.generation, "0")}) if self.edge else frozenset()

    def alive(self, workers: frozenset[_edge.Worker]) -> frozenset[_edge.Worker]:
        self._called("alive", len(workers))
        return workers if self.clock < 1 else frozenset()

    def probe(self, timeout: float) -> None:
        assert timeout > 0
        if self.edge:
            self._called("probe")

    def static(self) -> tuple[str, ...]:
        return self.links

    def set_static(self, releases: Sequence[str]) -> None:
        self.links = tuple(releases)
        self._called("set_static", self.links)

    def tasks(self) -> Callable[[], dict[str, int]]:
        return lambda: {"queued": 3, "in_flight": 1}

    def commit(self) -> None:
        self.committed = True
        self._called("commit")

    def uncommit(self) -> None:
        self.committed = False

    def note(self, step: str) -> None:
        self.calls.append(("note", step))

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds


def works(host: FakeHost) -> list[_rollover.Work]:
    """Return the work of a new release on what is there, be it of a run that was cut off."""
    found = []
    for service in (BEAT, WEB, WORKER):
        own = sorted(name for name in host.existing if name.startswith(f"{service.name}-"))
        new, old = [name for name in own if "new" in name], tuple(name for name in own if "new" not in name)
        keep = tuple(name for name in new if name in host.running)
        found.append(
            _rollover.Work(
                service,
                keep=keep,
                start=tuple(name for name in new if name not in keep),
                create=1 - len(new),
                old=old,
                old_running=tuple(name for name in old if name in host.running),
                serving=old,
                action="recreate",
            )
        )
    return found


def switch(host: FakeHost, **more: object) -> _switch.Switch:
    """Return a switch to release new, on a host that has committed to release old."""
    target = {
        "release_id": "new", "static": True, "route": NEW, "works": works(host), "route_before": OLD,
        "static_before": ("old", "older"), **more,
    }  # fmt: skip
    return _switch.Switch(host, _switch.Target(**target))  # type: ignore[arg-type]


class Killed(BaseException):
    """As SIGKILL: nothing is taken back."""


def cut_off(host: FakeHost, state: _switch.State) -> None:
    """Let a switch be killed in a state."""

    def note(step: str) -> None:
        if [t.source for t in _switch.TRANSITIONS if t.name == step] == [state]:
            raise Killed

    first = switch(host)
    host.note = note  # type: ignore[method-assign]
    with pytest.raises(Killed):
        first.run()
    del host.note  # type: ignore[method-assign]
    host.calls.clear()
