# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The audit log of a stack: one line of JSON for each deploy, backup, restore and drill, whatever became of it."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _files, _lock_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

DIRECTORY = "/var/log/barehost"
DIRECTORY_MODE, FILE_MODE = 0o750, 0o640
MESSAGE_LENGTH = 2000


def default_path(project_dir: str) -> str:
    """Return where the audit log of a stack lies when nobody says otherwise."""
    return f"{DIRECTORY}/{Path(project_dir).name}.jsonl"


def line(lock: _lock_state.Lock, outcome: Mapping[str, Any], at: datetime) -> str:
    """Return the line of a deploy that has ended."""
    entry = {
        "who": lock.owner,
        "command": lock.command,
        "from": outcome.get("from") or "",
        "to": outcome.get("to") or "",
        "started": lock.started,
        "seconds": round(_lock_state.seconds_between(lock.started, at), 1),
        "steps": _lock_state.step_seconds(lock, at),
        "result": outcome["result"],
        "message": _lock_state.one_line(str(outcome.get("message") or ""), MESSAGE_LENGTH),
    }
    return json.dumps(entry, ensure_ascii=False) + "\n"


def event(who: str, command: str, started: str, seconds: float, outcome: Mapping[str, Any]) -> str:
    """Return the line of something else than a deploy; outcome has a result, a message, and whatever is known beside."""
    entry = {
        "who": who,
        "command": command,
        "from": "",
        "to": "",
        "started": started,
        "seconds": round(seconds, 1),
        **outcome,
        "message": _lock_state.one_line(str(outcome.get("message") or ""), MESSAGE_LENGTH),
    }
    return json.dumps(entry, ensure_ascii=False) + "\n"


def append(path: Path, text: str) -> None:
    """Add a line in one write, so that lines never mix, and put it on the disk."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        _files.own(path.parent, DIRECTORY_MODE)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
    try:
        # While somebody else's line is being written the file ends in the middle of it.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.fchmod(descriptor, FILE_MODE)
        size = os.fstat(descriptor).st_size
        # A line that a power cut left unfinished must not swallow this one.
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        content = (("\n" if torn else "") + text).encode()
        if os.write(descriptor, content) != len(content):
            raise OSError(28, "the line was cut short, the disk is full")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
