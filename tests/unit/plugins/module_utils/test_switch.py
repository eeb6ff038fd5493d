# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The switch: its order, on a host in memory."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.barehost.django.plugins.module_utils import _edge, _rollover, _switch
from support.switch import NEW, WEB, WORKER, FakeHost, switch, works


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
    # They stop while the edge loads the name alone, and are removed once it has.
    assert web_stopped < events.index(("set_route", NEW)) < names.index("remove")


def test_no_worker_is_told_to_stop_before_its_successor_answers() -> None:
    host = FakeHost()
    switch(host).run()
    assert host.calls.index(("ready", ("worker-new-0", ["ping"]))) < host.calls.index(("stop", ["worker-1"]))


def test_what_answers_requests_is_started_alone_where_something_serves() -> None:
    host = FakeHost()
    switch(host).run()
    web, worker = host.calls.index(("start", ["web-new-0"])), host.calls.index(("start", ["worker-new-0"]))
    assert web < host.calls.index(("wait", ["web-new-0"])) < worker < host.calls.index(("note", "static"))


def test_the_first_wave_is_looked_at_once_more_after_the_last() -> None:
    host = FakeHost()
    switch(host).run()
    looks = [argument for name, argument in host.calls[: host.calls.index(("note", "static"))] if name == "wait"]
    assert looks == [["web-new-0"], ["worker-new-0"], ["web-new-0"]]


def test_more_of_what_serves_comes_in_waves_too() -> None:
    host = FakeHost(routed_to=NEW, links=("new", "old"))
    more = [_rollover.Work(work.service, keep=work.old, create=1) for work in works(host) if work.service.beside]
    switch(host, works=more, route_before=NEW).run()
    started = [argument for name, argument in host.calls if name == "start" and argument]
    assert started == [["web-new-0"], ["worker-new-0"]]


def test_where_nothing_serves_all_start_at_once() -> None:
    host = FakeHost(running=set(), existing=set(), edge=False, routed_to=_edge.Route(), links=())
    switch(host, route_before=_edge.Route(), static_before=()).run()
    started = [argument for name, argument in host.calls if name == "start"]
    assert started == [["beat-new-0", "web-new-0", "worker-new-0"]]


def test_old_workers_end_while_beat_is_replaced() -> None:
    host = FakeHost()
    switch(host).run()
    assert host.calls.index(("stop", ["worker-1"])) < host.calls.index(("stopped", ["beat-1"]))


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


def test_a_first_release_has_no_edge_to_ask_and_nothing_to_fall_back_on() -> None:
    host = FakeHost(running=set(), existing=set(), edge=False, routed_to=_edge.Route(), links=())
    switch(host, route_before=_edge.Route(), static_before=()).run()
    assert host.routed_to == NEW
    assert "probe" not in host.names()
    assert host.running == {"web-new-0", "worker-new-0", "beat-new-0"}


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


def test_what_was_started_is_looked_at_once_more_at_the_end() -> None:
    host = FakeHost()
    switch(host).run()
    assert host.names()[-1] == "wait"
    assert set(host.calls[-1][1]) == {"web-new-0", "worker-new-0", "beat-new-0"}  # type: ignore[call-overload]


def test_an_edge_that_was_started_again_is_asked_for_the_release() -> None:
    host = FakeHost(edge=False)

    def set_route(route: _edge.Route, *, tested: bool = False) -> None:
        assert tested is (route == NEW)
        host.edge, host.routed_to = True, route

    host.set_route = set_route  # type: ignore[method-assign]
    switch(host).run()
    assert "probe" in host.names()


def test_what_is_paused_goes_on_before_anything_is_created() -> None:
    host = FakeHost()
    paused = [replace(work, paused=work.old) if work.service is WORKER else work for work in works(host)]
    switch(host, works=paused).run()
    assert next(call for call in host.calls if call[0] != "note") == ("unpause", ["worker-1"])
    assert ("stop", ["worker-1"]) in host.calls
