# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The switch, on a host that keeps its state in memory and records what it is asked."""

# ruff: noqa: D102 - the methods of the fake are those of Host, which says what each does
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _edge, _rollover, _switch, _up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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

    def restart(self, ids: Sequence[str]) -> None:
        self._called("restart", list(ids))

    def stop(self, ids: Sequence[str]) -> None:
        self._called("stop", list(ids))
        self.running -= set(ids)

    def stopped(self, ids: Sequence[str]) -> None:
        self._called("stopped", list(ids))

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

    def set_route(self, route: _edge.Route) -> None:
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
        self._called("probe")

    def static(self) -> tuple[str, ...]:
        return self.links

    def set_static(self, releases: Sequence[str]) -> None:
        self.links = tuple(releases)
        self._called("set_static", self.links)

    def tasks(self) -> dict[str, int]:
        return {"queued": 3, "in_flight": 1}

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


def test_the_table_is_one_chain_and_names_methods_that_exist() -> None:
    chain = [transition.source for transition in _switch.TRANSITIONS] + [_switch.TRANSITIONS[-1].target]
    assert chain == list(_switch.State)
    for transition in _switch.TRANSITIONS:
        assert callable(getattr(_switch.Switch, transition.name))
        assert not transition.undo or callable(getattr(_switch.Switch, transition.undo))


def test_the_old_ones_end_last_and_never_before_the_edge_has_drained() -> None:
    host = FakeHost()
    switch(host).run()
    assert host.running == host.existing == {"web-new-0", "worker-new-0", "beat-new-0"}
    assert host.routed_to == NEW
    assert host.links[:2] == ("new", "old")
    assert host.committed
    events = [call for call in host.calls if call[0] in ("set_route", "probe", "alive", "commit", "stop", "remove")]
    names = [name for name, _ in events]
    web_stopped = events.index(("stop", ["web-1"]))
    assert names.index("probe") < names.index("alive") < names.index("commit") < web_stopped
    assert events.index(("set_route", _edge.Route("web-new", 8000, ("192.0.2.9",)))) < names.index("probe")
    assert events.index(("set_route", NEW)) < web_stopped


def test_no_worker_is_told_to_stop_before_its_successor_answers() -> None:
    host = FakeHost()
    switch(host).run()
    assert host.calls.index(("ready", ("worker-new-0", ["ping"]))) < host.calls.index(("stop", ["worker-1"]))


def test_there_are_never_two_beats() -> None:
    host = FakeHost()
    switch(host).run()
    assert host.most_beats == 1
    stop, start = host.calls.index(("stop", ["beat-1"])), host.calls.index(("start", ["beat-new-0"]))
    assert stop < host.calls.index(("stopped", ["beat-1"])) < start


def test_a_request_that_never_ends_does_not_hold_a_release_for_ever() -> None:
    host = FakeHost()
    host.alive = lambda workers: workers  # type: ignore[method-assign]
    job = switch(host)
    job.run()
    assert job.facts["undrained"] == 1
    assert host.clock >= _switch.Timeouts().drain


def test_tasks_are_counted_before_and_after() -> None:
    job = switch(FakeHost())
    job.run()
    assert job.facts["tasks_before"] == job.facts["tasks_after"] == {"queued": 3, "in_flight": 1}


CALLS_BEFORE_COMMIT = [
    ("create", 1), ("start", 1), ("start", 2), ("restart", 1), ("wait", 1), ("wait", 2), ("ready", 1),
    ("set_static", 1), ("stop", 1), ("stop", 2), ("stopped", 1), ("set_route", 1), ("probe", 1), ("alive", 1),
    ("commit", 1),
]  # fmt: skip


@pytest.mark.parametrize("trouble", [_up.UpError, OSError])
@pytest.mark.parametrize("failure", CALLS_BEFORE_COMMIT, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def test_whatever_fails_before_the_commit_leaves_the_host_as_it_was(
    failure: tuple[str, int], trouble: type[Exception]
) -> None:
    host = FakeHost(fails=dict([failure]), trouble=trouble)
    with pytest.raises(_switch.SwitchError, match="broke") as error:
        switch(host).run()
    assert error.value.return_failure == ""
    assert not error.value.committed
    assert not host.committed
    assert host.running == {"web-1", "worker-1", "beat-1"}
    assert host.routed_to == OLD
    assert host.links == ("old", "older")
    assert host.existing == {"web-1", "worker-1", "beat-1"}
    assert host.most_beats == 1


@pytest.mark.parametrize("failure", [("set_route", 2), ("stop", 3), ("stopped", 2), ("remove", 1)])
def test_trouble_with_tidying_up_is_said_and_nothing_is_taken_back(failure: tuple[str, int]) -> None:
    host = FakeHost(fails=dict([failure]))
    with pytest.raises(_switch.SwitchError) as error:
        switch(host).run()
    assert error.value.committed
    assert {"web-new-0", "worker-new-0", "beat-new-0"} <= host.running
    assert host.routed_to.alias == "web-new"


def test_candidates_stay_where_requests_could_not_be_sent_back() -> None:
    host = FakeHost(fails={"probe": 1, "set_route": 2})
    with pytest.raises(_switch.SwitchError) as error:
        switch(host).run()
    assert error.value.return_failure == "route_back: set_route broke"
    assert {"web-1", "web-new-0"} <= host.running


@pytest.mark.parametrize("state", list(_switch.State)[:-1])
def test_a_run_that_was_cut_off_after_any_step_is_completed_by_the_next(state: _switch.State) -> None:
    host = FakeHost()
    cut_off(host, state)
    switch(host).run()
    assert host.running == host.existing == {"web-new-0", "worker-new-0", "beat-new-0"}
    assert host.routed_to == NEW
    assert host.links[:2] == ("new", "old")
    assert host.most_beats == 1


UNCOMMITTED = list(_switch.State)[: list(_switch.State).index(_switch.State.COMMITTED)]


@pytest.mark.parametrize("failure", ["create", "start", "wait", "set_static", "stop", "set_route", "probe", "commit"])
@pytest.mark.parametrize("state", UNCOMMITTED)
def test_a_run_that_was_cut_off_after_any_step_is_taken_back_where_the_next_one_fails(
    state: _switch.State, failure: str
) -> None:
    host = FakeHost()
    cut_off(host, state)
    host.fails = {failure: 1}
    failed = None
    try:
        switch(host).run()
    except _switch.SwitchError as error:
        failed = error
    if failed is None:
        # What fails here was done by the run that was cut off.
        assert failure not in host.names()
        return
    assert (failed.committed, failed.return_failure) == (False, "")
    assert host.running == host.existing == {"web-1", "worker-1", "beat-1"}
    assert host.routed_to == OLD
    assert host.links == ("old", "older")
    assert not host.committed
    assert host.most_beats == 1


def test_what_serves_already_is_not_removed_with_the_candidates_of_other_services() -> None:
    host = FakeHost(
        running={"web-new-0", "worker-1", "beat-new-0"},
        existing={"web-new-0", "worker-1", "beat-new-0"},
        routed_to=NEW,
        links=("new", "old"),
        fails={"ready": 1},
    )
    mixed = [
        work if work.service is WORKER else _rollover.Work(work.service, keep=work.keep, replaces=False)
        for work in works(host)
    ]
    with pytest.raises(_switch.SwitchError):
        switch(host, works=mixed, route_before=NEW, static_before=("new", "old")).run()
    assert host.running == host.existing == {"web-new-0", "worker-1", "beat-new-0"}
    assert (host.routed_to, host.links) == (NEW, ("new", "old"))


def test_requests_are_not_sent_back_to_what_is_gone() -> None:
    host = FakeHost(
        running={"web-new-0", "worker-1", "beat-1"},
        existing={"web-new-0", "worker-1", "beat-1"},
        routed_to=NEW,
        fails={"wait": 1},
    )
    with pytest.raises(_switch.SwitchError) as error:
        switch(host).run()
    assert error.value.return_failure == "route_back: no container is left of what requests were sent to before"
    assert "web-new-0" in host.running
    assert host.routed_to == NEW


def test_a_full_disk_does_not_keep_requests_from_going_back() -> None:
    host = FakeHost(fails={"probe": 1})

    def uncommit() -> None:
        raise OSError("no space left")

    host.uncommit = uncommit  # type: ignore[method-assign]
    with pytest.raises(_switch.SwitchError) as error:
        switch(host).run()
    assert error.value.return_failure == "uncommit: no space left"
    assert host.running == host.existing == {"web-1", "worker-1", "beat-1"}
    assert host.routed_to == OLD


def test_a_first_release_has_no_edge_to_ask_and_nothing_to_fall_back_on() -> None:
    host = FakeHost(running=set(), existing=set(), edge=False, routed_to=_edge.Route(), links=())
    switch(host, route_before=_edge.Route(), static_before=()).run()
    assert host.routed_to == NEW
    assert "probe" not in host.names()
    assert host.running == {"web-new-0", "worker-new-0", "beat-new-0"}


def test_a_first_release_that_fails_leaves_nothing_behind() -> None:
    host = FakeHost(running=set(), existing=set(), edge=False, routed_to=_edge.Route(), links=(), fails={"wait": 1})
    with pytest.raises(_switch.SwitchError):
        switch(host, route_before=_edge.Route(), static_before=()).run()
    assert host.existing == set()
    assert host.routed_to == _edge.Route()
    assert host.links == ()


def test_a_worker_alone_is_replaced_without_touching_the_edge() -> None:
    host = FakeHost(routed_to=NEW, links=("new", "old"))
    only = [work if work.service is WORKER else _rollover.Work(work.service, keep=work.old) for work in works(host)]
    switch(host, works=only, route_before=NEW).run()
    assert "set_route" not in host.names()
    assert host.running == {"web-1", "beat-1", "worker-new-0"}


def test_a_route_that_was_written_and_not_loaded_is_loaded() -> None:
    host = FakeHost(routed_to=NEW, links=("new", "old"))
    kept = [_rollover.Work(work.service, keep=work.old) for work in works(host)]
    switch(host, works=kept, route_stale=True).run()
    assert "set_route" in host.names()


def test_on_the_way_back_no_candidate_goes_before_it_has_answered_what_it_has_in_hand() -> None:
    host = FakeHost(fails={"probe": 1})
    with pytest.raises(_switch.SwitchError):
        switch(host).run()
    names = host.names()
    back = len(names) - 1 - names[::-1].index("set_route")
    assert "alive" in names[names.index("set_route") + 1 : back]
    assert names.index("remove") > back


def test_old_containers_are_drained_before_they_end_though_requests_go_to_the_new_ones_already() -> None:
    host = FakeHost(
        running={"web-1", "web-new-0", "worker-1", "beat-1"},
        existing={"web-1", "web-new-0", "worker-1", "beat-1"},
        routed_to=NEW,
        links=("new", "old"),
    )
    web = _rollover.Work(WEB, keep=("web-new-0",), old=("web-1",), old_running=("web-1",))
    switch(host, works=[web]).run()
    names = host.names()
    assert names.index("set_route") < names.index("alive") < host.calls.index(("stop", ["web-1"]))
