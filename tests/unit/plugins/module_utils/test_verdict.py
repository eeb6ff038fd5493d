# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run has come to on a host, whatever happens to it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils._verdict import (
    Run,
    State,
    Verdict,
    begin,
    came_back,
    data_restored,
    decide,
    goes_back,
    outcome,
    reason,
    refuse,
    report,
    restored,
    unclosed,
)

RUNNING, SKIPPED = Verdict(), Verdict(State.SKIPPED, "b failed before its turn came")
FAILED, DEPLOYED = Verdict(State.FAILED, "Prove: no answer", "new"), Verdict(State.DEPLOYED, "", "new")
SWITCHED = {"changed": True, "before": "old", "switch_before": {}, "steps": [{"service": "web"}]}
# What the switch says when it fails before the commit, and after it.
REFUSED = {"failed": True, "msg": "not accepted", "before": "old", "serving": "old", "committed": False}
COMMITTED = {
    "failed": True,
    "msg": "not cleaned up",
    "changed": True,
    "before": "old",
    "serving": "new",
    "committed": True,
}
LOST = {"unreachable": True, "changed": False, "msg": "Connection timed out"}
TASK = {"name": "Switch"}


def run(switched: dict[str, Any] | None = None, **more: Any) -> Run:
    """Return what is known of a run from old to new."""
    return Run.of({"serving": "old", "wanted": "new", "switched": switched or {}, **more})


def test_a_host_whose_turn_comes_after_a_failure_is_left_alone_unless_each_is_judged_by_itself() -> None:
    assert begin(run(failed=["b"])) == SKIPPED
    assert begin(run(failed=["b"], all_or_none=False)) == RUNNING
    assert begin(run()) == RUNNING


@pytest.mark.parametrize(
    ("switched", "serving"), [({}, "old"), (REFUSED, "old"), (COMMITTED, "new"), (SWITCHED, "new"), (LOST, "")]
)
def test_a_failure_names_what_serves(switched: dict[str, Any], serving: str) -> None:
    said = refuse(RUNNING, run(switched), TASK, {"msg": "first\nsecond"})
    assert said == Verdict(State.FAILED, "Switch: first", serving)


def test_nothing_serves_where_nothing_did() -> None:
    assert refuse(RUNNING, Run(wanted="new"), TASK, {}) == Verdict(State.FAILED, "Switch: see above", "")
    assert refuse(RUNNING, run({**REFUSED, "serving": ""}), TASK, {}).serving == ""


def test_a_host_that_is_left_alone_has_not_failed() -> None:
    assert refuse(SKIPPED, run(), TASK, {"msg": "Nothing was done here"}) == SKIPPED


@pytest.mark.parametrize("task", [{"name": "Switch", "no_log": True}, TASK])
@pytest.mark.parametrize("result", [{"_ansible_no_log": True}, {"censored": "hidden"}])
def test_what_is_to_be_kept_secret_is_no_reason(task: dict[str, Any], result: dict[str, Any]) -> None:
    assert reason(task, {"msg": "password hush is wrong", **result}) == "Switch"
    assert reason({**task, "no_log": True}, {"msg": "password hush is wrong"}) == "Switch"


def test_of_a_list_the_first_entry_is_the_reason_too() -> None:
    listed = {"msg": "2 problems:\n- the first\n- the second"}
    assert reason({"name": "Check"}, listed) == "Check: 2 problems: - the first"


def test_a_task_without_a_name_is_its_action() -> None:
    assert reason({"name": "", "action": "ansible.builtin.fail"}, {"msg": " why \n"}) == "ansible.builtin.fail: why"


def test_what_no_task_has_refused_is_decided_by_the_switch() -> None:
    assert decide(RUNNING, run(SWITCHED)) == DEPLOYED
    assert decide(RUNNING, run({"steps": [], "changed": False})) == DEPLOYED
    assert decide(RUNNING, run(LOST)) == Verdict(State.FAILED, "Connection timed out", "")
    assert decide(RUNNING, run()) == Verdict(State.FAILED, "the host does not answer any more", "old")
    for verdict in (FAILED, SKIPPED, Verdict(State.RETURNED)):
        assert decide(verdict, run(SWITCHED)) == verdict


@pytest.mark.parametrize(
    ("verdict", "switched", "more", "expected"),
    [
        (FAILED, SWITCHED, {}, True),
        (FAILED, COMMITTED, {}, True),
        (FAILED, COMMITTED, {"all_or_none": False}, True),
        (FAILED, REFUSED, {}, False),
        (FAILED, {}, {}, False),
        (FAILED, LOST, {}, False),
        (FAILED, {**SWITCHED, "changed": False}, {}, False),
        # An earlier run has committed the release and did not come to its end.
        (FAILED, {**SWITCHED, "changed": False, "returnable": True}, {}, True),
        (FAILED, {**REFUSED, "returnable": True}, {}, True),
        # There was nothing before.
        (FAILED, {**SWITCHED, "before": ""}, {}, False),
        (FAILED, SWITCHED, {"check_mode": True}, False),
        (DEPLOYED, SWITCHED, {}, False),
        (DEPLOYED, SWITCHED, {"failed_in_the_end": ["b"]}, True),
        (DEPLOYED, SWITCHED, {"failed_in_the_end": ["b"], "all_or_none": False}, False),
        (DEPLOYED, SWITCHED, {"failed_in_the_end": ["b"], "check_mode": True}, False),
        (SKIPPED, {}, {"failed_in_the_end": ["b"]}, False),
    ],
)
def test_who_goes_back(verdict: Verdict, switched: dict[str, Any], more: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    assert goes_back(verdict, run(switched, **more)) is expected


def test_only_a_switch_that_says_so_has_gone_back() -> None:
    state = run(SWITCHED, failed_in_the_end=["b", "c"])
    back = came_back(DEPLOYED, state, {"steps": [], "changed": True})
    assert back == Verdict(State.RETURNED, "back on release old, since b, c failed", "old")
    back = came_back(FAILED, state, {"steps": []})
    assert back == Verdict(State.RETURNED, "back on release old, since Prove: no answer", "old")
    stays = came_back(FAILED, state, {"failed": True, "msg": "the image is gone\nlong"})
    assert (stays.state, stays.serving) == (State.FAILED, "new")
    assert (
        stays.reason == "Prove: no answer; going back to release old failed with the image is gone; release new serves"
    )
    assert came_back(DEPLOYED, state, LOST).state is State.FAILED
    half = came_back(FAILED, state, {"failed": True, "msg": "not cleaned up", "serving": "old"})
    assert (half.state, half.serving) == (State.FAILED, "old")
    assert "hush" not in came_back(FAILED, state, {"msg": "hush", "_ansible_no_log": True}).reason


@pytest.mark.parametrize(
    ("verdict", "result"),
    [(DEPLOYED, "ok"), (Verdict(State.RETURNED), "returned"), (FAILED, "failed"), (RUNNING, "failed")],
)
def test_the_audit_log_knows_where_from(verdict: Verdict, result: str) -> None:
    assert outcome(verdict, run()) == {"result": result, "from": "old", "to": "new", "message": verdict.reason}
    assert outcome(verdict, run({**SWITCHED, "before": "older"}))["from"] == "older"


def test_a_program_gets_what_serves_and_why() -> None:
    assert report(FAILED, "http://shop", ["web"]) == {
        "release_id": "new",
        "url": "http://shop",
        "changed": ["web"],
        "verdict": "failed",
        "reason": "Prove: no answer",
    }


def test_a_verdict_survives_a_task() -> None:
    for verdict in (RUNNING, SKIPPED, FAILED, DEPLOYED):
        assert Verdict.of(verdict.as_dict()) == verdict
    assert Verdict.of({}) == RUNNING


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"files": ["a"], "services": ["mysql", "redis"]}, "; mysql, redis has the configuration of before again"),
        ({"left": "mysql is still at it"}, "; its configuration is the new one: mysql is still at it"),
        ({"failed": True, "msg": "no space"}, "; putting the configuration of before back failed: no space"),
        (LOST, "; putting the configuration of before back failed: Connection timed out"),
        # What nobody notices needs no word.
        ({"files": ["a"], "services": [], "left": ""}, ""),
        ({"files": []}, ""),
    ],
)
def test_what_became_of_the_configuration_is_told(result: dict[str, Any], said: str) -> None:
    assert restored(FAILED, run(SWITCHED), result).reason == f"{FAILED.reason}{said}"


def test_of_a_host_that_goes_back_because_of_another_one_the_reason_is_told_first() -> None:
    because = run(SWITCHED, failed_in_the_end=["b"])
    verdict = restored(DEPLOYED, because, {"services": ["mysql"]})
    assert verdict.reason == "b failed; mysql has the configuration of before again"
    back = came_back(verdict, because, {"steps": []})
    assert back.reason == "back on release old, since b failed; mysql has the configuration of before again"


def test_a_restore_has_its_own_end_that_nothing_later_calls_a_failure_of_the_host() -> None:
    done = data_restored(run(), {"changed": True, "msg": "restored b: 3 tables"})
    assert done == Verdict(State.RESTORED, "restored b: 3 tables", "old")
    assert decide(done, run()) == done
    assert not goes_back(done, run(failed_in_the_end=["b"]))
    assert outcome(done, run())["result"] == "ok"
    assert outcome(done, run())["message"] == "restored b: 3 tables"
    # The data is that of the backup then, whatever the site says.
    failed = refuse(done, run(), TASK, {"msg": "no answer"})
    assert (failed.state, failed.reason) == (State.FAILED, "restored b: 3 tables; but Switch: no answer")


def test_a_port_that_is_still_open_is_said_and_the_release_serves_on() -> None:
    said = unclosed(DEPLOYED, {"failed": True, "msg": "nft is gone"}, {"name": "Try the rules"})
    assert (said.state, said.serving) == (State.DEPLOYED, "new")
    assert said.reason.endswith("are still open (Try the rules: nft is gone): run barehost.django.site again")
    assert outcome(said, run(SWITCHED))["result"] == "ok"
