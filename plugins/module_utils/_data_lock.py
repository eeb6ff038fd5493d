# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One at a time where a dump must not meet a change of what it reads: backup, restore, migrations, a new server.

A flock on `lock/data`, which the kernel drops when the process ends, however it ends. It is another one than the lock of a
deploy: a backup may run beside a build or a switch, and a deploy need not know of the timer that runs backups. A backup has
it only while it asks the server and reads the dump: uploaded files may take hours to pack, and no deploy is to wait for them.
For all of its time it has `lock/backup`, which keeps away another backup and a restore.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _half_done, _lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = f"{_lock.FOLDER}/data"
BACKUP = f"{_lock.FOLDER}/backup"
# Those of a drill and of the way off-site, beside which anything else may run.
DRILL = f"{_lock.FOLDER}/drill"
OFFSITE = f"{_lock.FOLDER}/offsite"
POLL_SECONDS = 0.5
# A backup of some gigabytes ends within it; who waits says for whom.
WAIT_SECONDS = 900.0


class BusyError(Exception):
    """Somebody else is at work on the data, or was and has left them half done."""


@contextmanager
def held(
    root: Path, who: str, wait_seconds: float = WAIT_SECONDS, *, settles: bool = False, file: str = FILE
) -> Iterator[float]:
    """Keep others from the data of the stack in root; yield the seconds that were waited, or raise BusyError with who has it.

    file is FILE or BACKUP; whoever needs both takes BACKUP first. who is one word or a few, as it reads in the refusal of
    somebody else: `backup`, `migrations of release 0a1b`.
    What a restore that was killed has left is for those alone who settle it: raises BusyError for all others.
    """
    path = root / file
    path.parent.mkdir(mode=_lock.FOLDER_MODE, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _lock.FILE_MODE)
    try:
        waited = wait_for(descriptor, wait_seconds)
        left = [] if settles else _half_done.sentences(root)
        if left:
            raise BusyError("; ".join(left))
        since = datetime.now(tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"who": who, "pid": os.getpid(), "since": since}).encode() + b"\n", 0)
        yield waited
    finally:
        os.close(descriptor)


def foresee(root: Path) -> None:
    """Refuse in a dry run what would be refused for what a restore has left; who is at work now would be waited for."""
    left = _half_done.sentences(root)
    if left and not is_held(root):
        raise BusyError("; ".join(left))


def is_held(root: Path, file: str = FILE) -> bool:
    """Whether anybody is at work on the data, or for BACKUP on the backups, at this moment."""
    try:
        descriptor = os.open(root / file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _lock.try_flock(descriptor)
    finally:
        os.close(descriptor)


def wait_for(descriptor: int, seconds: float) -> float:
    """Take the flock within so many seconds; return how many it took."""
    begun = time.monotonic()
    while not _lock.try_flock(descriptor):
        waited = time.monotonic() - begun
        if waited >= seconds:
            raise BusyError(refusal(os.pread(descriptor, 4096, 0), waited))
        time.sleep(min(POLL_SECONDS, seconds - waited))
    return round(time.monotonic() - begun, 1)


def refusal(content: bytes, waited: float) -> str:
    """Say who is at work, by what it wrote into the file; it may not have written it yet."""
    try:
        found = json.loads(content.decode())
        who = f"{found['who']} (process {found['pid']}, since {found['since']})"
    except (ValueError, TypeError, KeyError):
        who = "another process"
    patience = f" after {waited:.0f} s of waiting" if waited >= 1 else ""
    return f"{who} is at work on the data{patience}: try again when it has ended"
