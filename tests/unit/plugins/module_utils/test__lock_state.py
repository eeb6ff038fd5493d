# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock on paper: when it may be taken, and what people are told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _audit, _lock_state
from ansible_collections.barehost.django.plugins.module_utils._lock_state import AtWork, Lock, Wish

START = datetime(2026, 3, 1, 21, 4, 10, tzinfo=timezone.utc)  # noqa: UP017 - as the code under test, which runs on 3.9
CALLER = {"owner": "alice@ci-7", "command": "ansible-playbook playbooks/deploy.yml", "controller": {"pid": "42"}}
WORK = AtWork("migrate", 77, _lock_state.stamp(START))


def later(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


@pytest.fixture
def lock() -> Lock:
    begun = _lock_state.begin(_lock_state.new("t1", CALLER, 1800), START)
    return _lock_state.enter(begun, "migrate", later(168))


def wish(dead: str = "") -> Wish:
    return Wish(_lock_state.new("t2", {}, 1800), dead=dead)


def test_a_refusal_says_who_since_when_and_what_to_do(lock: Lock) -> None:
    assert _lock_state.refusal(lock, later(180)) == (
        "another run is at work: alice@ci-7, `ansible-playbook playbooks/deploy.yml`, started 21:04:10 UTC (3 min ago), "
        "in step migrate, last sign 12 s ago: "
        "wait for it, use release_lock_wait, or run barehost.django.unlock if it is dead"
    )


def test_another_day_is_named(lock: Lock) -> None:
    assert "started 2026-03-01 21:04:10 UTC (5 h ago)" in _lock_state.refusal(lock, later(5 * 3600))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (3 * 86400, "3 days")]
)
def test_durations(seconds: float, text: str) -> None:
    assert _lock_state.duration(seconds) == text


def test_whose_lock_may_be_taken(lock: Lock) -> None:
    expiry = 168 + 1800
    assert _lock_state.why_to_take_over(lock, wish(), None, later(expiry)) == ""
    reason = _lock_state.why_to_take_over(lock, wish(), None, later(expiry + 1))
    assert reason.endswith("in step migrate: it expired, the last sign was 30 min ago")
    assert reason.startswith(
        "the lock was taken over from alice@ci-7, `ansible-playbook playbooks/deploy.yml`, started "
    )
    # A step that takes longer than the expiry is at work, and that is a sign of life.
    assert _lock_state.why_to_take_over(lock, wish(), WORK, later(expiry + 1)) == ""
    assert "has ended without giving the lock back" in _lock_state.why_to_take_over(lock, wish("t1"), None, later(200))
    assert _lock_state.why_to_take_over(lock, wish("t0"), None, later(200)) == ""
    nobody = replace(lock, token="")
    assert _lock_state.why_to_take_over(nobody, wish(""), None, later(200)) == ""


def test_a_clock_that_was_set_back_expires_nothing(lock: Lock) -> None:
    assert _lock_state.seconds_between(lock.heartbeat, START) == 0
    assert _lock_state.why_to_take_over(lock, wish(), None, START) == ""


def test_a_sign_of_life_further_ahead_than_the_expiry_is_none(lock: Lock) -> None:
    # The clock of the host was set back: without this the lock of a dead run would stay until it has caught up.
    assert _lock_state.why_to_take_over(lock, wish(), None, later(168 - 1800)) == ""
    reason = _lock_state.why_to_take_over(lock, wish(), None, later(168 - 7200))
    assert reason.endswith("its last sign lies 2 h in the future, so the clock of the host was set back since")
    assert _lock_state.why_to_take_over(lock, wish(), WORK, later(168 - 7200)) == ""


def test_a_lock_survives_the_file(lock: Lock) -> None:
    assert _lock_state.parse(_lock_state.render(lock), START) == lock


@pytest.mark.parametrize("change", [{"heartbeat": "soon"}, {"started": "2026-03-01T21:04:10"}, {"token": ""},
                                    {"steps": ["x"]}, {"steps": None}, {"controller": []}, {"expiry_seconds": "x"}])  # fmt: skip
def test_a_lock_that_cannot_be_read_is_somebodys_and_expires(lock: Lock, change: dict[str, object]) -> None:
    text = json.dumps({**json.loads(_lock_state.render(lock)), **change})
    for broken in (text, "", "{", "[]", "\x00"):
        found = _lock_state.parse(broken, START)
        assert (found.token, found.owner, found.heartbeat) == ("", "somebody unknown", _lock_state.stamp(START))
        assert _lock_state.why_to_take_over(found, wish(), None, later(1700)) == ""
        assert "it expired" in _lock_state.why_to_take_over(found, wish(), None, later(1801))


def test_a_step_in_two_calls_is_one_step(lock: Lock) -> None:
    again = _lock_state.enter(lock, "migrate", later(200))
    assert [item["name"] for item in again.steps] == ["lock", "migrate"]
    assert again.heartbeat == _lock_state.stamp(later(200))
    assert _lock_state.step_seconds(again, later(201.5)) == [
        {"name": "lock", "seconds": 168.0},
        {"name": "migrate", "seconds": 33.5},
    ]


def test_the_line_of_the_audit_log(lock: Lock) -> None:
    outcome = {"result": "returned", "from": "a1", "to": "b2", "message": "not\nhealthy"}
    text = _audit.line(lock, outcome, later(180))
    assert text.count("\n") == 1
    assert json.loads(text) == {
        "who": "alice@ci-7",
        "command": "ansible-playbook playbooks/deploy.yml",
        "from": "a1",
        "to": "b2",
        "started": "2026-03-01T21:04:10.000+00:00",
        "seconds": 180.0,
        "steps": [{"name": "lock", "seconds": 168.0}, {"name": "migrate", "seconds": 12.0}],
        "result": "returned",
        "message": "not healthy",
    }


def test_what_a_caller_says_stays_on_one_line() -> None:
    lock = _lock_state.new("t", {"owner": "a\nb", "command": "x " * 900}, 1)
    assert lock.owner == "a b"
    assert len(lock.command) == 400
