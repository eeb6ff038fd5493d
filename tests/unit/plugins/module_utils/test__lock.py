# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock on the disk, with processes that really race, really work and are really killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _audit, _lock, _lock_state
from ansible_collections.barehost.django.plugins.module_utils._lock_state import HeldError, Lock, LockError, Taken, Wish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORK = multiprocessing.get_context("fork")


def wish(token: str, wait: float = 0.0, dead: str = "") -> Wish:
    return Wish(_lock_state.new(token, {"owner": f"{token}@here"}, 1800), wait, dead)


def acquire(root: Path, token: str, wait: float = 0.0, dead: str = "") -> Taken:
    return _lock.acquire(str(root), wish(token, wait, dead))


def lying(root: Path) -> Lock:
    found = _lock.read(root / "lock")
    assert found
    return found


def age(root: Path, seconds: float) -> None:
    """Let the holder be silent for so long."""
    past = _lock_state.stamp(_lock_state.now() - timedelta(seconds=seconds))
    _lock.write(root / "lock", replace(lying(root), heartbeat=past))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def work(root: Path, token: str, step: str, ready: Any) -> None:
    with _lock.hold(str(root), token, step):
        ready.set()
        time.sleep(60)


@contextmanager
def at_work(root: Path, token: str, step: str = "migrate") -> Iterator[Any]:
    """Let another process be a module that works."""
    ready = FORK.Event()
    process = FORK.Process(target=work, args=(root, token, step, ready))
    process.start()
    try:
        assert ready.wait(20), "the step did not begin"
        yield process
    finally:
        process.kill()
        process.join()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_lock, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(_lock, "STEP_GRACE_SECONDS", 0.2)
    return tmp_path / "opt" / "shop"


def test_taken_and_given_back(root: Path) -> None:
    taken = acquire(root, "t1")
    assert (taken.taken_over, taken.previous) == ("", None)
    folder = root / "lock"
    assert (mode(root), mode(folder), mode(folder / "deploy.json")) == (0o750, 0o700, 0o600)
    assert (lying(root).token, lying(root).step) == ("t1", "lock")
    with _lock.hold(str(root), "t1", "image"):
        pass
    assert [item["name"] for item in _lock.release(str(root), "t1").steps] == ["lock", "image"]
    # Nothing else is removed: the flock's file stays, for it may be somebody's.
    assert [path.name for path in folder.iterdir()] == ["step"]


@pytest.mark.parametrize("taken", [False, True])
def test_a_directory_that_went_while_somebody_waited_guards_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, *, taken: bool
) -> None:
    acquire(root, "t1")
    flock = _lock.try_flock

    def meanwhile(descriptor: int) -> bool:
        monkeypatch.setattr(_lock, "try_flock", flock)
        _lock.release(str(root), "t1", failed=True)
        assert not root.exists()
        if taken:
            acquire(root, "t2")
        return flock(descriptor)

    monkeypatch.setattr(_lock, "try_flock", meanwhile)
    if taken:
        with pytest.raises(HeldError, match="t2@here"):
            acquire(root, "t3")
    else:
        acquire(root, "t3")
    assert lying(root).token == ("t2" if taken else "t3")


def test_the_guard_of_a_directory_that_was_made_again_is_no_guard(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    acquire(root, "t1")
    flock = _lock.try_flock

    def meanwhile(descriptor: int) -> bool:
        monkeypatch.setattr(_lock, "try_flock", flock)
        _lock.release(str(root), "t1", failed=True)
        acquire(root, "t2")
        return flock(descriptor)

    monkeypatch.setattr(_lock, "try_flock", meanwhile)
    with pytest.raises(FileNotFoundError, match="removed meanwhile"), _lock.guarded(root / "lock"):
        pass


def test_a_directory_that_is_there_keeps_its_mode(root: Path) -> None:
    root.mkdir(parents=True)
    root.chmod(0o755)
    acquire(root, "t1")
    assert mode(root) == 0o755


def test_a_second_one_is_refused_by_name(root: Path) -> None:
    acquire(root, "t1")
    with pytest.raises(HeldError, match=r"^another run is at work: t1@here, started .* in step lock, ") as caught:
        acquire(root, "t2")
    assert caught.value.holder.token == "t1"
    assert lying(root).token == "t1"


def race(root: Path, token: str, dead: str, start: Any, winners: Any) -> None:
    start.wait()
    try:
        acquire(root, token, dead=dead)
    except LockError:
        return
    winners.put(token)


@pytest.mark.parametrize("left_behind", [False, True])
def test_of_many_that_race_exactly_one_wins(root: Path, left_behind: bool) -> None:  # noqa: FBT001
    if left_behind:
        acquire(root, "t0")
    for lap in range(5):
        start, winners = FORK.Event(), FORK.Queue()
        dead = lying(root).token if left_behind else ""
        racers = [
            FORK.Process(target=race, args=(root, f"t{lap}-{number}", dead, start, winners)) for number in range(6)
        ]
        for racer in racers:
            racer.start()
        start.set()
        first = winners.get(timeout=20)
        for racer in racers:
            racer.join()
        assert winners.empty()
        assert lying(root).token == first
        if not left_behind:
            _lock.release(str(root), first)


def test_waiting_for_the_one_before(root: Path) -> None:
    acquire(root, "t1")
    winners = FORK.Queue()
    process = FORK.Process(target=lambda: (acquire(root, "t2", wait=20), winners.put("t2")))
    process.start()
    time.sleep(0.3)
    assert winners.empty()
    _lock.release(str(root), "t1")
    assert winners.get(timeout=20) == "t2"
    process.join()


def test_a_wait_ends(root: Path) -> None:
    acquire(root, "t1")
    begun = time.monotonic()
    with pytest.raises(HeldError):
        acquire(root, "t2", wait=0.3)
    assert 0.3 <= time.monotonic() - begun < 5


def test_an_expired_lock_is_taken_over_with_a_message(root: Path) -> None:
    acquire(root, "t1")
    age(root, 1790)
    with pytest.raises(HeldError):
        acquire(root, "t2")
    age(root, 1801)
    taken = acquire(root, "t2")
    assert taken.taken_over.startswith("the lock was taken over from t1@here, started ")
    assert "expired" in taken.taken_over
    assert taken.previous
    assert lying(root).token == "t2"
    with pytest.raises(LockError, match="this run has lost the lock of the stack: t2@here has it since"):
        _lock.release(str(root), "t1")
    assert lying(root).token == "t2"


def test_a_step_at_work_is_a_sign_of_life(root: Path) -> None:
    acquire(root, "t1")
    with at_work(root, "t1"):
        age(root, 9999)
        with pytest.raises(HeldError):
            acquire(root, "t2")


def test_a_dead_run_is_followed_when_its_last_step_has_ended(root: Path) -> None:
    acquire(root, "t1")
    with at_work(root, "t1") as process:
        with pytest.raises(
            LockError, match=rf"still at work on the host: step migrate since .*end process {process.pid} "
        ):
            acquire(root, "t2", dead="t1")
        assert lying(root).token == "t1"
        os.kill(process.pid, signal.SIGKILL)
        # The kernel drops the flock with the process: nobody has to clean up.
        assert "has ended without giving the lock back" in acquire(root, "t2", wait=20, dead="t1").taken_over


def test_whoever_lost_the_lock_changes_nothing(root: Path) -> None:
    acquire(root, "t1")
    acquire(root, "t2", dead="t1")
    done = []
    with pytest.raises(LockError, match="lost the lock of the stack: t2@here"), _lock.hold(str(root), "t1", "switch"):
        done.append(1)
    _lock.break_open(str(root), force=False)
    with pytest.raises(LockError, match="it was removed"), _lock.hold(str(root), "t2", "switch"):
        done.append(1)
    with pytest.raises(LockError, match="it was removed"), _lock.hold(str(root / "nowhere"), "t2", "switch"):
        done.append(1)
    assert done == []


def test_two_modules_never_work_at_once(root: Path) -> None:
    acquire(root, "t1")
    with at_work(root, "t1"):
        assert lying(root).step == "migrate"
        with pytest.raises(LockError, match="step migrate since"), _lock.hold(str(root), "t1", "switch"):
            pass
    with _lock.hold(str(root), "t1", "switch"):
        assert lying(root).step == "switch"


def test_a_step_that_fails_leaves_nothing_behind_and_a_sign_of_life(root: Path) -> None:
    acquire(root, "t1")

    def fail() -> None:
        with _lock.hold(str(root), "t1", "image"):
            age(root, 500)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _lock.at_work(root / "lock") is None
    assert _lock_state.seconds_between(lying(root).heartbeat, _lock_state.now()) < 100


def test_without_a_token_nothing_is_asked(root: Path) -> None:
    with _lock.hold(str(root), "", "image"):
        assert not root.exists()


def test_a_look_says_who_has_it_and_whether_anything_is_at_work(root: Path) -> None:
    assert _lock.look(str(root)) == {}
    acquire(root, "t1")
    age(root, 300)
    seen = _lock.look(str(root))
    assert (seen["owner"], seen["step"], seen["at_work"]) == ("t1@here", "lock", False)
    assert 300 <= seen["silent_seconds"] < 310
    assert seen["description"].startswith("t1@here, ")
    assert "token" not in seen
    with at_work(root, "t1"):
        seen = _lock.look(str(root))
        assert (seen["step"], seen["at_work"], seen["silent_seconds"]) == ("migrate", True, 0)
    _lock.release(str(root), "t1")
    assert _lock.look(str(root)) == {}


def test_a_look_is_in_nobodys_way(root: Path) -> None:
    """It tries the step flock for a moment, and a step that begins just then is refused where it does so unguarded."""
    acquire(root, "t1")
    with ThreadPoolExecutor() as pool, _lock.guarded(root / _lock.FOLDER):
        looking = pool.submit(_lock.look, str(root))
        with pytest.raises(TimeoutError):
            looking.result(timeout=0.3)
        _lock.write(root / _lock.FOLDER, replace(lying(root), step="switch"))
    assert looking.result()["step"] == "switch"


def test_breaking(root: Path) -> None:
    assert _lock.break_open(str(root), force=False) is None
    acquire(root, "t1")
    with at_work(root, "t1"):
        with pytest.raises(LockError, match="step migrate"):
            _lock.break_open(str(root), force=False)
        assert lying(root).token == "t1"
        found = _lock.break_open(str(root), force=True)
        assert found
        assert found.step == "migrate"
        # Even then nothing runs beside what is at work.
        with pytest.raises(LockError, match="still at work on the host: step migrate"):
            acquire(root, "t2")
    acquire(root, "t2")


def test_a_dry_run_writes_nothing(root: Path) -> None:
    assert _lock.acquire(str(root), wish("t1"), dry=True).taken_over == ""
    assert not root.exists()
    acquire(root, "t1")
    before = (root / "lock/deploy.json").read_text()
    with pytest.raises(HeldError):
        _lock.acquire(str(root), wish("t2"), dry=True)
    assert _lock.acquire(str(root), wish("t2", dead="t1"), dry=True).taken_over
    assert _lock.release(str(root), "t1", dry=True)
    assert _lock.break_open(str(root), force=False, dry=True)
    assert (root / "lock/deploy.json").read_text() == before


def append_many(path: Path, mark: str) -> None:
    for _number in range(40):
        _audit.append(path, mark * 9000 + "\n")


def test_lines_of_the_audit_log_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "log" / "shop.jsonl"
    writers = [FORK.Process(target=append_many, args=(path, mark)) for mark in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lines = path.read_text().splitlines()
    assert len(lines) == 160
    assert {(len(line), len(set(line))) for line in lines} == {(9000, 1)}
    assert (mode(path.parent), mode(path)) == (0o750, 0o640)


def test_a_line_that_was_cut_short_swallows_no_other(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_text('{"who": "al')
    _audit.append(path, json.dumps({"who": "bob"}) + "\n")
    assert json.loads(path.read_text().splitlines()[1]) == {"who": "bob"}


def test_the_audit_log_is_no_link_to_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "shop.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        _audit.append(tmp_path / "shop.jsonl", "x\n")
