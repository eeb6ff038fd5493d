# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The switch from one release to the next: its states, what leads from one to the next, and the way back from each.

Nothing that serves is touched before everything that can fail has succeeded: the new containers run and answer beside
the old ones before the first request or task is theirs, and the old ones are there until the new ones have proven
themselves. What happens on the host is said by `Host`; the order, and what follows from a failure, is decided here.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils._edge import Route
from ansible_collections.barehost.django.plugins.module_utils._up import SETTLE_SECONDS, UpError
from ansible_collections.barehost.django.plugins.module_utils._wait import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.barehost.django.plugins.module_utils._edge import Worker
    from ansible_collections.barehost.django.plugins.module_utils._rollover import Work
    from ansible_collections.barehost.django.plugins.module_utils._switch_port import Host

DRAIN_POLL_SECONDS = 0.1
# A disk that is full must lead back as well.
TROUBLE = (UpError, OSError)


class State(str, Enum):
    """How far a switch has come."""

    PLANNED = "planned"
    CREATED = "created"
    STARTED = "started"
    HEALTHY = "healthy"
    EXPOSED = "exposed"
    HANDED_OVER = "handed over"
    ROUTED = "routed"
    PROBED = "probed"
    DRAINED = "drained"
    PROVEN = "proven"
    COMMITTED = "committed"
    SETTLED = "settled"
    RETIRED = "retired"


@dataclass(frozen=True)
class Transition:
    """One step: a method of `Switch` that does it, and one that takes it back, wholly or half done."""

    name: str
    source: State
    target: State
    undo: str = ""


TRANSITIONS = (
    Transition("create", State.PLANNED, State.CREATED, undo="discard"),
    Transition("start", State.CREATED, State.STARTED),
    Transition("health", State.STARTED, State.HEALTHY),
    Transition("static", State.HEALTHY, State.EXPOSED, undo="hide"),
    Transition("handover", State.EXPOSED, State.HANDED_OVER, undo="take_back"),
    Transition("route", State.HANDED_OVER, State.ROUTED, undo="route_back"),
    Transition("probe", State.ROUTED, State.PROBED),
    Transition("drain", State.PROBED, State.DRAINED),
    Transition("prove", State.DRAINED, State.PROVEN),
    # Once this is done the new release is the one that serves; what follows is tidying up, and is not taken back.
    Transition("commit", State.PROVEN, State.COMMITTED, undo="uncommit"),
    Transition("settle", State.COMMITTED, State.SETTLED),
    Transition("retire", State.SETTLED, State.RETIRED),
)


@dataclass(frozen=True)
class Timeouts:
    """Seconds that each wait may take."""

    health: float = 120
    drain: float = 60
    probe: float = 15


@dataclass(frozen=True)
class Target:
    """What is to serve."""

    release_id: str
    static: bool
    route: Route
    works: Sequence[Work]
    # What the host committed to before: a run that was cut off may have left the files and containers anywhere in between.
    route_before: Route = field(default_factory=Route)
    static_before: tuple[str, ...] = ()
    # The edge runs with another route than its files say: a run was cut off between the two.
    route_stale: bool = False


class SwitchError(Exception):
    """A switch that did not succeed; says in which step, why, and what state that left."""

    def __init__(self, step: str, reason: str, *, committed: bool, return_failure: str = "") -> None:
        """Take the step, its error, whether the new release serves, and what went wrong on the way back."""
        super().__init__(reason)
        self.step = step
        self.committed = committed
        self.return_failure = return_failure

    def stands(self, release_id: str, before: str) -> str:
        """Say what serves now, which is what whoever reads it at night wants to know first."""
        if self.committed:
            return f"release {release_id} serves by now"
        if self.return_failure:
            return f"going back FAILED ({self.return_failure}); run the same again, or look at the host"
        return f"release {before} serves on" if before else "there was no earlier release to go back to"


@dataclass
class Switch:
    """One run of the switch."""

    host: Host
    target: Target
    timeouts: Timeouts = field(default_factory=Timeouts)
    state: State = State.PLANNED
    seconds: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    created: dict[str, list[str]] = field(default_factory=dict)
    workers_before: frozenset[Worker] = frozenset()
    routed: bool = False
    handed_over: set[str] = field(default_factory=set)
    counted: Callable[[], dict[str, int]] = dict

    def run(self) -> None:
        """Go from the first state to the last; on an error before the commit go back, then raise it."""
        for number, transition in enumerate(TRANSITIONS):
            start = self.host.now()
            try:
                self.host.note(transition.name)
                self._call(transition.name)()
            except TROUBLE as error:
                committed = State.COMMITTED in [done.target for done in TRANSITIONS[:number]]
                failure = "" if committed else self._go_back()
                self._leave_nothing_behind(committed=committed)
                raise SwitchError(transition.name, str(error), committed=committed, return_failure=failure) from error
            self.seconds[transition.name] = round(self.host.now() - start, 2)
            self.state = transition.target

    def _go_back(self) -> str:
        """Take everything back, last things first; say what went wrong with that.

        All of it, however far this run has come: what an earlier one left that was cut off has to go back as well.
        """
        troubles: dict[str, str] = {}
        for undo in [transition.undo for transition in reversed(TRANSITIONS) if transition.undo]:
            # A candidate must not go while requests or tasks may still be sent to it.
            if undo == "discard" and {"route_back", "take_back"} & set(troubles):
                continue
            try:
                self._call(undo)()
            except TROUBLE as error:
                troubles[undo] = str(error)
        return "; ".join(f"{undo}: {trouble}" for undo, trouble in troubles.items())

    def _leave_nothing_behind(self, *, committed: bool) -> None:
        """Wait for what was begun: whoever goes back after the commit must find the old containers ended, and not ending."""
        if committed:
            with suppress(*TROUBLE):
                self.host.stopped(self._leaving())
        self.counted()

    def _call(self, name: str) -> Callable[[], None]:
        method: Callable[[], None] = getattr(self, name)
        return method

    # -- the steps -----------------------------------------------------------------------------------------------

    def create(self) -> None:
        """Create the containers that are missing, and start none of them.

        What somebody has paused goes on before: Compose does not work beside it, and it would not hear that it is to stop.
        """
        self.host.unpause([name for work in self.target.works for name in work.paused])
        scales = {work.service.name: work.create for work in self.target.works if work.create}
        self.created = {name: [] for name in scales}
        if scales:
            self.created = {name: list(ids) for name, ids in self.host.create(scales).items()}

    def start(self) -> None:
        """Start what may run beside its old containers, and what only has to be started again: the first wave of it."""
        self.counted = self.host.tasks()
        waves = self._waves()
        later = [work for wave in waves[1:] for work in wave]
        self._begin([work for wave in waves[:1] for work in wave], [w for w in self.target.works if w not in later])

    def health(self) -> None:
        """Wait until all of them are healthy, and answer where they have a way to be asked."""
        waves = self._waves()
        for number, wave in enumerate(waves):
            if number:
                self._begin(wave, wave)
            self.host.wait([check for work in wave for check in self._checks(work)], self.timeouts.health)
        if len(waves) > 1:
            # Those of the first wave have run on while the others were waited for: their first seconds are over.
            again = [replace(check, fresh=False) for work in waves[0] for check in self._checks(work)]
            self.host.wait(again, self.timeouts.health)
        self.facts["tasks_before"] = self.counted()

    def static(self) -> None:
        """Serve the new release's static files first, then the others': pages of each find their own."""
        served = self.host.static()
        if self.target.static and served[:1] != (self.target.release_id,):
            others = [name for name in served if name != self.target.release_id]
            self.host.set_static([self.target.release_id, *others])

    def handover(self) -> None:
        """Let old workers take no further task, and replace what must never run twice."""
        for work in self.target.works:
            old = [] if work.service.routed else work.old_running
            if old or (work.old and not work.service.beside):
                self.handed_over.add(work.service.name)
                # All of them are asked first: an old worker takes the longest of all to end, beside what follows.
                self.host.stop(old)
        for work in self.target.works:
            if work.service.name in self.handed_over and not work.service.beside:
                self.host.stopped(work.old_running)
                self.host.start(self._new(work))
        self.facts["handed_over_at"] = self.host.now()

    def route(self) -> None:
        """Send requests to the new containers."""
        wanted = self.target.route
        if not wanted.alias or not self._route_needed():
            return
        self.workers_before = self.host.edge_workers()
        self.routed = True
        new = [name for work in self.target.works if work.service.routed for name in self._new(work)]
        self.host.set_route(Route(wanted.alias, wanted.port, self.host.addresses(new)))

    def probe(self) -> None:
        """Ask the new release through the edge, as a user would."""
        if self.routed:
            self.host.probe(self.timeouts.probe)

    def drain(self) -> None:
        """Wait until every process of the edge that was there before the reload has answered its last request."""
        start = self.host.now()
        left = self.host.alive(self.workers_before)
        while left and self.host.now() - start < self.timeouts.drain:
            self.host.sleep(DRAIN_POLL_SECONDS)
            left = self.host.alive(left)
        self.facts["undrained"] = len(left)

    def prove(self) -> None:
        """Believe what took the place of another only now: a process that dies of a bad import does so in its first seconds."""
        late = [work for work in self.target.works if work.service.name in self.handed_over and not work.service.beside]
        if any(not work.service.ready for work in late):
            self.host.sleep(max(0.0, SETTLE_SECONDS - (self.host.now() - self.facts["handed_over_at"])))
        checks = [check for work in late for check in self._checks(work)]
        others = [name for name in self._begun() if name not in {check.container for check in checks}]
        self.host.wait([*checks, *(Check(name, begun=True) for name in others)], self.timeouts.health)

    def commit(self) -> None:
        """Let everything on the host speak of the new release."""
        self.host.commit()

    def settle(self) -> None:
        """Keep the name alone, which is known by now: an address may be another container's after a restart.

        The old ones stop meanwhile, having answered their last request; whoever goes back after that starts them again.
        """
        self.host.stop([name for name in self._leaving() if name not in self._handed_over_old()])
        if self.routed:
            self.host.set_route(Route(self.target.route.alias, self.target.route.port), tested=True)

    def retire(self) -> None:
        """Wait until the old containers have stopped gracefully, and remove them."""
        self.host.stopped(self._leaving())
        self.counted = self.host.tasks()
        self.host.remove([name for work in self.target.works for name in [*work.old, *work.surplus]])
        # What dies once it has something to do has had some seconds by now.
        self.host.wait([Check(name, begun=True) for name in self._begun()], self.timeouts.health)
        self.facts["tasks_after"] = self.counted()

    # -- the ways back -------------------------------------------------------------------------------------------

    def discard(self) -> None:
        """Remove the new containers, those of an earlier try that was cut off included."""
        ids = list(self.host.newcomers([work.service.name for work in self.target.works]))
        for work in self.target.works:
            ids += [name for name in self._new(work) if work.replaces and name not in ids]
        self.host.stop(ids)
        self.host.stopped(ids)
        self.host.remove(ids)

    def uncommit(self) -> None:
        """Let everything on the host speak of the earlier release again."""
        self.host.uncommit()

    def hide(self) -> None:
        """Serve the old static files first again."""
        if self.host.static() != self.target.static_before:
            self.host.set_static(self.target.static_before)

    def take_back(self) -> None:
        """Let the old workers, and what must never run twice, go on."""
        for work in self.target.works:
            if not work.service.routed:
                self._revive(work)

    def route_back(self) -> None:
        """Send requests to the old containers again, and let those that the new ones have in hand end."""
        before = self.target.route_before
        if not self.routed and self.host.route() == before:
            return
        routed = [work for work in self.target.works if work.service.routed]
        serving = [name for work in routed for name in (work.serving if work.replaces else work.keep)]
        self.workers_before = self.host.edge_workers()
        if self.workers_before and not serving:
            raise UpError("no container is left of what requests were sent to before")
        for work in routed:
            self._revive(work)
        self.host.set_route(Route(before.alias, before.port, self.host.addresses(serving)))
        self.drain()
        self.host.set_route(before)

    def _revive(self, work: Work) -> None:
        """Start what served and does not run any more, be it for this run or for one that was cut off."""
        handed_over = work.service.name in self.handed_over
        ids = work.serving if handed_over else [name for name in work.serving if name not in work.old_running]
        if not work.replaces or not ids:
            return
        if not work.service.beside:
            self.host.stop(self._new(work))
            self.host.stopped(self._new(work))
        # One that did not end runs on, as it should.
        with suppress(UpError):
            self.host.stopped(work.old_running)
        self.host.start(ids)
        self.host.wait([Check(name) for name in ids], self.timeouts.health)

    # -- questions -----------------------------------------------------------------------------------------------

    def _waves(self) -> list[list[Work]]:
        """Return what is started at once.

        What answers requests comes first and alone, where something serves: each process that loads the application takes the
        processors from the requests, and two that load at once double the time that these wait.
        """
        works = [work for work in self.target.works if work.service.beside or not work.old]
        if not any(work.old_running or work.keep for work in self.target.works):
            return [works]
        waves = [[work for work in works if work.service.routed is routed] for routed in (True, False)]
        return [wave for wave in waves if wave]

    def _begin(self, starts: Sequence[Work], restarts: Sequence[Work]) -> None:
        self.host.start([name for w in starts for name in [*self.created.get(w.service.name, []), *w.start]])
        self.host.restart([name for work in restarts for name in work.restart])

    def _new(self, work: Work) -> list[str]:
        return [*work.keep, *work.start, *work.restart, *self.created.get(work.service.name, [])]

    def _checks(self, work: Work) -> list[Check]:
        begun = self._begun()
        return [
            Check(
                name,
                command=work.service.ready if name in begun else (),
                routed=work.service.routed,
                # Of one that took another's place the first seconds are over by then.
                fresh=name in begun and work.service.name not in self.handed_over,
                begun=name in begun,
            )
            for name in self._new(work)
        ]

    def _begun(self) -> list[str]:
        return [
            name
            for work in self.target.works
            for name in [*work.start, *work.restart, *self.created.get(work.service.name, [])]
        ]

    def _leaving(self) -> list[str]:
        return [name for work in self.target.works for name in [*work.old_running, *work.surplus]]

    def _handed_over_old(self) -> list[str]:
        return [
            name for work in self.target.works if work.service.name in self.handed_over for name in work.old_running
        ]

    def _route_needed(self) -> bool:
        """Whether the edge has to be told: it sends requests elsewhere, or may still hold some for the old containers."""
        wanted = self.target.route
        if self.target.route_stale or self.host.route() != Route(wanted.alias, wanted.port):
            return True
        return any(work.service.routed and work.old for work in self.target.works)
