# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ways back of a switch, on a host in memory: from every step, and from what a run that was cut off has left."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _edge, _rollover, _switch, _up
from support.switch import NEW, OLD, WORKER, FakeHost, cut_off, switch, works

# The nth call of a kind, and the step that it belongs to.
CALLS_BEFORE_COMMIT = [
    ("create", 1, "create"), ("start", 1, "start"), ("restart", 1, "start"), ("wait", 1, "health"), ("start", 2, "health"),
    ("wait", 2, "health"), ("ready", 1, "health"), ("wait", 3, "health"), ("set_static", 1, "static"), ("stop", 1, "handover"),
    ("stop", 2, "handover"), ("stopped", 1, "handover"), ("start", 3, "handover"), ("set_route", 1, "route"),
    ("probe", 1, "probe"), ("alive", 1, "drain"), ("wait", 4, "prove"), ("commit", 1, "commit"),
]  # fmt: skip


@pytest.mark.parametrize("trouble", [_up.UpError, OSError])
@pytest.mark.parametrize("failure", CALLS_BEFORE_COMMIT, ids=lambda found: f"{found[0]}-{found[1]}")
def test_whatever_fails_before_the_commit_leaves_the_host_as_it_was(
    failure: tuple[str, int, str], trouble: type[Exception]
) -> None:
    call, number, step = failure
    host = FakeHost(fails={call: number}, trouble=trouble)
    with pytest.raises(_switch.SwitchError, match="broke") as error:
        switch(host).run()
    assert (error.value.step, error.value.return_failure) == (step, "")
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


def test_where_the_edge_does_not_load_the_name_alone_nothing_is_left_ending() -> None:
    host = FakeHost(fails={"set_route": 2})
    with pytest.raises(_switch.SwitchError) as error:
        switch(host).run()
    assert error.value.step == "settle"
    # What is still ending when somebody goes back counts as running, is not started, and then is gone.
    assert host.stopping == set()
    assert host.existing >= {"web-1", "worker-1", "beat-1"}
    assert not host.running & {"web-1", "worker-1", "beat-1"}


def test_of_two_old_workers_the_one_that_had_ended_is_started_beside_the_other() -> None:
    host = FakeHost(
        running={"web-1", "worker-1", "beat-1"},
        existing={"web-1", "worker-1", "worker-2", "beat-1"},
        fails={"ready": 1},
    )
    with pytest.raises(_switch.SwitchError) as error:
        switch(host).run()
    assert error.value.return_failure == ""
    assert host.running == {"web-1", "worker-1", "worker-2", "beat-1"}


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


def test_a_first_release_that_fails_leaves_nothing_behind() -> None:
    host = FakeHost(running=set(), existing=set(), edge=False, routed_to=_edge.Route(), links=(), fails={"wait": 1})
    with pytest.raises(_switch.SwitchError):
        switch(host, route_before=_edge.Route(), static_before=()).run()
    assert host.existing == set()
    assert host.routed_to == _edge.Route()
    assert host.links == ()


def test_on_the_way_back_no_candidate_goes_before_it_has_answered_what_it_has_in_hand() -> None:
    host = FakeHost(fails={"probe": 1})
    with pytest.raises(_switch.SwitchError):
        switch(host).run()
    names = host.names()
    back = len(names) - 1 - names[::-1].index("set_route")
    assert "alive" in names[names.index("set_route") + 1 : back]
    assert names.index("remove") > back
