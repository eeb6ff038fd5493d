# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a lock says, when it may be taken from its holder, and what people are told: no files here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

FIRST_STEP = "lock"
UNKNOWN = "somebody unknown"
# For a lock that cannot be read, and so does not say it.
EXPIRY_SECONDS = 1800
MINUTE, HOUR, DAY = 60, 3600, 86400


class LockError(Exception):
    """The stack may not be changed by this run, in one line that says why."""


class HeldError(LockError):
    """Another run holds the lock."""

    def __init__(self, message: str, holder: Lock) -> None:
        """Keep the holder for whoever can find out whether it is still alive."""
        super().__init__(message)
        self.holder = holder


@dataclass(frozen=True)
class Lock:
    """Which run holds the stack; times are UTC, of the host's clock."""

    token: str
    owner: str
    command: str
    started: str
    heartbeat: str
    expiry_seconds: int
    step: str = FIRST_STEP
    controller: dict[str, str] = field(default_factory=dict)
    steps: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class AtWork:
    """What the module that holds the step flock said of itself."""

    step: str
    pid: int
    since: str


@dataclass(frozen=True)
class Wish:
    """What a run that asks for the lock says: itself, its patience, and the token of the run that it knows to be dead."""

    lock: Lock
    wait_seconds: float = 0.0
    dead: str = ""


@dataclass(frozen=True)
class Taken:
    """A lock that was taken: from whom and why, if from somebody, and after how long."""

    taken_over: str
    previous: Lock | None
    waited_seconds: float


def now() -> datetime:
    """Return the time of the host."""
    return datetime.now(tz=timezone.utc)


def stamp(moment: datetime) -> str:
    """Return a moment as it stands in the files."""
    return moment.isoformat(timespec="milliseconds")


def seconds_between(earlier: str, later: datetime) -> float:
    """Return how long ago something was; a clock that was set back makes it no less than now."""
    return max(0.0, (later - datetime.fromisoformat(earlier)).total_seconds())


def duration(seconds: float) -> str:
    """Return a length of time as people say it."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds // MINUTE:.0f} min"
    return f"{seconds // HOUR:.0f} h" if seconds < 2 * DAY else f"{seconds // DAY:.0f} days"


def clock(moment: str, at: datetime) -> str:
    """Return the time of day of a moment, with its date where that is not today's."""
    then = datetime.fromisoformat(moment)
    return f"{then:%H:%M:%S}" if then.date() == at.date() else f"{then:%Y-%m-%d %H:%M:%S}"


def one_line(text: str, limit: int = 400) -> str:
    """Return a text that fits into one line of an answer."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def new(token: str, caller: dict[str, Any], expiry_seconds: int) -> Lock:
    """Return the lock of a run, which begins when it is taken."""
    return Lock(
        token=token,
        owner=one_line(str(caller.get("owner") or UNKNOWN)),
        command=one_line(str(caller.get("command") or "")),
        controller={str(key): str(value) for key, value in (caller.get("controller") or {}).items()},
        started="",
        heartbeat="",
        expiry_seconds=expiry_seconds,
    )


def begin(lock: Lock, at: datetime) -> Lock:
    """Return the lock of a run that begins now."""
    return enter(replace(lock, started=stamp(at), steps=[]), FIRST_STEP, at)


def parse(text: str, written: datetime) -> Lock:
    """Read a lock; one that cannot be read is somebody's, too, and expires like any other from when it was written."""
    try:
        content = json.loads(text)
        lock = Lock(**{name: content[name] for name in Lock.__dataclass_fields__})
        moments = [lock.started, lock.heartbeat, *(item["started"] for item in lock.steps)]
        aware = all(datetime.fromisoformat(moment).tzinfo for moment in moments)
        if aware and lock.token and isinstance(lock.controller, dict):
            return replace(lock, expiry_seconds=int(lock.expiry_seconds))
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    unreadable = stamp(written)
    return Lock("", UNKNOWN, "", unreadable, unreadable, expiry_seconds=EXPIRY_SECONDS, step="?")


def render(lock: Lock) -> str:
    """Return the text of a lock."""
    return json.dumps(asdict(lock), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def enter(lock: Lock, step: str, at: datetime) -> Lock:
    """Return the lock of a run that begins a step; two calls in a row for the same step are one step."""
    steps = lock.steps
    if not steps or steps[-1]["name"] != step:
        steps = [*steps, {"name": step, "started": stamp(at)}]
    return replace(lock, step=step, steps=steps, heartbeat=stamp(at))


def step_seconds(lock: Lock, at: datetime) -> list[dict[str, Any]]:
    """Return how long each step took, from its start to that of the next one: together all the time there was."""
    ends = [datetime.fromisoformat(item["started"]) for item in lock.steps[1:]] + [at]
    return [
        {"name": item["name"], "seconds": round(seconds_between(item["started"], end), 1)}
        for item, end in zip(lock.steps, ends)
    ]


def name(lock: Lock) -> str:
    """Return whose lock it is, with the command where it is known."""
    return f"{lock.owner}, `{lock.command}`" if lock.command else lock.owner


def seconds_ahead(moment: str, at: datetime) -> float:
    """Return how far a moment lies in the future, which it does where the clock was set back."""
    return max(0.0, (datetime.fromisoformat(moment) - at).total_seconds())


def description(lock: Lock, at: datetime) -> str:
    """Return who holds a lock, since when, in which step, and when there was a sign of life."""
    return (
        f"{name(lock)}, started {clock(lock.started, at)} UTC ({duration(seconds_between(lock.started, at))} ago), "
        f"in step {lock.step}, last sign {duration(seconds_between(lock.heartbeat, at))} ago"
    )


def refusal(lock: Lock, at: datetime) -> str:
    """Say who holds the lock and what can be done."""
    return (
        f"another run is at work: {description(lock, at)}: "
        "wait for it, use release_lock_wait, or run barehost.django.unlock if it is dead"
    )


def still_at_work(work: AtWork, at: datetime) -> str:
    """Say which module is in the way and what can be done."""
    since = f" since {clock(work.since, at)} UTC" if work.since else ""
    process = f"process {work.pid}" if work.pid else "the process that holds lock/step"
    return (
        f"a module of an earlier run is still at work on the host: step {work.step}{since}: "
        f"wait for it, or end {process} on the host"
    )


def why_to_take_over(lock: Lock, wish: Wish, work: AtWork | None, at: datetime, *, dry: bool = False) -> str:
    """Return why a lock may be taken from its holder, or nothing where it may not; a dry run says what would be done."""
    silent, ahead = seconds_between(lock.heartbeat, at), seconds_ahead(lock.heartbeat, at)
    if lock.token and lock.token == wish.dead:
        reason = "its ansible-playbook has ended without giving the lock back"
    # As long as a module of it works there is a sign of life, whatever the file says.
    elif silent > lock.expiry_seconds and work is None:
        reason = f"it expired, the last sign was {duration(silent)} ago"
    # Otherwise the lock of a dead run would stay for as long as the clock was set back by.
    elif ahead > lock.expiry_seconds and work is None:
        reason = f"its last sign lies {duration(ahead)} in the future, so the clock of the host was set back since"
    else:
        return ""
    done = "would be" if dry else "was"
    return f"the lock {done} taken over from {name(lock)}, started {clock(lock.started, at)} UTC, in step {lock.step}: {reason}"


def lost(found: Lock | None, at: datetime) -> str:
    """Say what became of a lock that this run had."""
    who = "it was removed" if found is None else f"{name(found)} has it since {clock(found.started, at)} UTC"
    return f"this run has lost the lock of the stack: {who}; run it again when no other run is at work"
