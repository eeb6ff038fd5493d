# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock of a stack: one deploy at a time, and who that is.

Two things are kept apart. `lock/deploy.json` says which run may change the stack; it outlives connections and reboots, and
expires. A flock on `lock/step` says that a module is at work on the host this very moment; the kernel drops it when the
module ends, however it ends. So a lock may be taken over when its owner is gone, and still nothing runs beside a module
that its dead controller has left behind.

Whoever reads and then writes `deploy.json` holds a flock on the directory meanwhile, for milliseconds.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _files, _lock_state
from ansible_collections.barehost.django.plugins.module_utils._lock_state import (
    AtWork,
    HeldError,
    Lock,
    LockError,
    Taken,
    Wish,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ARGUMENTS: dict[str, Any] = {"lock": {"type": "str", "default": ""}}
FOLDER, FILE, STEP_FILE = "lock", "deploy.json", "step"
FOLDER_MODE, FILE_MODE, PROJECT_MODE = 0o700, 0o600, 0o750
# How long a module that its dead controller has left behind may take to end before a new deploy is refused.
STEP_GRACE_SECONDS = 60.0
POLL_SECONDS = 1.0
GUARD_SECONDS = 30.0


@contextmanager
def guarded(folder: Path) -> Iterator[None]:
    """Keep everybody else from reading and then writing the lock; raise FileNotFoundError where it went meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + GUARD_SECONDS
        while not try_flock(descriptor):
            if time.monotonic() > deadline:
                raise LockError(f"{folder} is in use for more than {GUARD_SECONDS:.0f} s: try again")
            time.sleep(0.02)
        if not os.path.samestat(os.fstat(descriptor), folder.stat()):
            raise FileNotFoundError(2, "the directory was removed meanwhile", str(folder))
        yield
    finally:
        os.close(descriptor)


def try_flock(descriptor: int) -> bool:
    """Take a flock if nobody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read(folder: Path) -> Lock | None:
    """Return the lock that lies there."""
    path = folder / FILE
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, tz=timezone.utc)
        return _lock_state.parse(path.read_text(encoding="utf-8", errors="replace"), written)
    except FileNotFoundError:
        return None


def write(folder: Path, lock: Lock) -> None:
    """Put a lock in place, whole and on the disk."""
    _files.replace(folder / FILE, _lock_state.render(lock), FILE_MODE)
    _files.sync(folder)


def at_work(folder: Path) -> AtWork | None:
    """Return which module holds the step flock at this moment."""
    try:
        descriptor = os.open(folder / STEP_FILE, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        return None if try_flock(descriptor) else read_work(descriptor)
    finally:
        os.close(descriptor)


def read_work(descriptor: int) -> AtWork:
    """Read what the module that holds the step flock wrote; it may not have written it yet."""
    try:
        content = json.loads(os.pread(descriptor, 4096, 0).decode())
        return AtWork(str(content["step"]), int(content["pid"]), str(content["since"]))
    except (ValueError, TypeError, KeyError):
        return AtWork("?", 0, "")


def look(project_dir: str) -> dict[str, Any]:
    """Return who holds the lock, and whether a module is at work under it at this moment; empty where nobody does."""
    folder = Path(project_dir) / FOLDER
    try:
        with guarded(folder):
            found, work = read(folder), at_work(folder)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    if found is None:
        return {}
    at = _lock_state.now()
    return {
        "owner": found.owner,
        "command": found.command,
        "started": found.started,
        "step": found.step,
        "heartbeat": found.heartbeat,
        "silent_seconds": 0 if work else round(_lock_state.seconds_between(found.heartbeat, at)),
        "at_work": work is not None,
        "description": _lock_state.description(found, at),
        "controller": found.controller,
    }


def make_folder(project_dir: Path) -> Path:
    """Make the directory of the lock, and that of the stack on a host that has none yet."""
    folder = project_dir / FOLDER
    for path, mode in ((project_dir, PROJECT_MODE), (folder, FOLDER_MODE)):
        with suppress(FileExistsError):
            path.mkdir(mode=mode, parents=True)
            _files.own(path, mode)
    return folder


def take(folder: Path, wish: Wish, *, dry: bool) -> tuple[str, Lock | None]:
    """Try once: return from whom and why the lock was taken, or raise why it cannot be. To be called under guard."""
    at = _lock_state.now()
    found, work = read(folder), at_work(folder)
    taken_over = _lock_state.why_to_take_over(found, wish, work, at, dry=dry) if found else ""
    if found and not taken_over:
        raise HeldError(_lock_state.refusal(found, at), found)
    if work:
        raise LockError(_lock_state.still_at_work(work, at))
    if not dry:
        write(folder, _lock_state.begin(wish.lock, at))
    return taken_over, found


def acquire(project_dir: str, wish: Wish, *, dry: bool = False) -> Taken:
    """Take the lock, or raise who has it once the patience is over; a dry run only looks."""
    root = Path(project_dir)
    begun = time.monotonic()
    while True:
        if dry and not (root / FOLDER).is_dir():
            return Taken("", None, 0.0)
        folder = root / FOLDER if dry else make_folder(root)
        try:
            with guarded(folder):
                taken_over, previous = take(folder, wish, dry=dry)
            return Taken(taken_over, previous, round(time.monotonic() - begun, 1))
        except FileNotFoundError:
            # Whoever had the lock has left a bare host bare.
            rest = begun + max(wish.wait_seconds, GUARD_SECONDS) - time.monotonic()
            if rest <= 0:
                raise
        except LockError as error:
            left_behind = not isinstance(error, HeldError)
            patience = max(wish.wait_seconds, STEP_GRACE_SECONDS) if left_behind else wish.wait_seconds
            rest = begun + patience - time.monotonic()
            if rest <= 0:
                raise
        time.sleep(min(POLL_SECONDS, rest))


def release(project_dir: str, token: str, *, dry: bool = False, failed: bool = False) -> Lock:
    """Give the lock back and return it; raise where this run does not have it any more.

    Where the run has failed before it did anything on a bare host, that is bare again.
    """
    folder = Path(project_dir) / FOLDER
    if not folder.is_dir():
        raise LockError(_lock_state.lost(None, _lock_state.now()))
    with guarded(folder):
        found = read(folder)
        if found is None or found.token != token:
            raise LockError(_lock_state.lost(found, _lock_state.now()))
        if not dry:
            (folder / FILE).unlink()
            _files.sync(folder)
            if failed:
                remove_bare(folder)
    return found


def remove_bare(folder: Path) -> None:
    """Leave no directory behind where nothing was ever done below the lock. To be called under guard."""
    if list(folder.parent.iterdir()) == [folder]:
        # What is not empty has had a step, and stays.
        with suppress(OSError):
            folder.rmdir()
            folder.parent.rmdir()


def break_open(project_dir: str, *, force: bool, dry: bool = False) -> Lock | None:
    """Remove the lock, whoever has it, and return it; a module at work is in the way, unless by force."""
    folder = Path(project_dir) / FOLDER
    if not folder.is_dir():
        return None
    with guarded(folder):
        found, work = read(folder), at_work(folder)
        if work and not force:
            raise LockError(_lock_state.still_at_work(work, _lock_state.now()))
        if found and not dry:
            (folder / FILE).unlink()
            _files.sync(folder)
    return found


@contextmanager
def hold(project_dir: str, token: str, step: str) -> Iterator[None]:
    """Do one step under the lock of this run: nothing else works on the host meanwhile. Without a token nothing is asked."""
    if not token:
        yield
        return
    folder = Path(project_dir) / FOLDER
    if not folder.is_dir():
        raise LockError(_lock_state.lost(None, _lock_state.now()))
    descriptor = os.open(folder / STEP_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
    try:
        with guarded(folder):
            begin_step(folder, descriptor, token, step)
        try:
            yield
        finally:
            # A long step was a sign of life until now. Whether that can be noted must not decide how the step ended.
            with suppress(LockError, OSError):
                beat(folder, token)
    finally:
        os.close(descriptor)


def begin_step(folder: Path, descriptor: int, token: str, step: str) -> None:
    """Take the step flock and say so, or raise who is in the way."""
    at = _lock_state.now()
    if not try_flock(descriptor):
        raise LockError(_lock_state.still_at_work(read_work(descriptor), at))
    found = read(folder)
    if found is None or found.token != token:
        raise LockError(_lock_state.lost(found, at))
    work = json.dumps({"step": step, "pid": os.getpid(), "since": _lock_state.stamp(at)}) + "\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, work.encode(), 0)
    write(folder, _lock_state.enter(found, step, at))


def beat(folder: Path, token: str) -> None:
    """Note a sign of life."""
    with guarded(folder):
        found = read(folder)
        if found and found.token == token:
            write(folder, replace(found, heartbeat=_lock_state.stamp(_lock_state.now())))


@contextmanager
def step_of(module: Any, project_dir: str, step: str) -> Iterator[None]:  # noqa: ANN401 - AnsibleModule has no type
    """Do one step of a module under its parameter `lock`; a dry run changes nothing, and so asks nothing."""
    token = "" if module.check_mode else module.params["lock"]
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(project_dir, token, step))
        except LockError as error:
            module.fail_json(msg=str(error))
        except OSError as error:
            module.fail_json(msg=f"cannot write below {project_dir}/{FOLDER}: {error.strerror}")
        yield


def step_until_exit(module: Any, project_dir: str, step: str) -> None:  # noqa: ANN401
    """Do all the rest of a module as one step: for a module that is one step, whichever way it ends."""
    stack = ExitStack()
    stack.enter_context(step_of(module, project_dir, step))
    # For a module that dies of an error of its own.
    atexit.register(stack.close)
    tidy = module.do_cleanup_files

    def end() -> None:
        stack.close()
        tidy()

    # Called by exit_json and fail_json. The process may go on: Mitogen runs the next module in it.
    module.do_cleanup_files = end
