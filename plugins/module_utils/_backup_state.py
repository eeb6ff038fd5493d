# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has become of the backups of a stack: noted by the program, shown by `status`, asked by whoever watches.

Each kind of work (`backup`, `offsite`, `drill`) has its last success and, until the next one, its last failure.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _files, _restore_journal
from ansible_collections.barehost.django.plugins.module_utils._backup_settings import FILE as SETTINGS_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ansible_collections.barehost.django.plugins.module_utils._backup_settings import Settings

FILE = "state.json"
TIME = "%Y-%m-%dT%H:%M:%SZ"
HOUR = 3600
# A clock that is put right by that much is no trouble.
TOLERANCE_SECONDS = 600
MESSAGE_LENGTH = 1000


def now() -> datetime:
    """Return the time."""
    return datetime.now(tz=timezone.utc)


def stamp(at: datetime) -> str:
    """Write a time."""
    return at.strftime(TIME)


def load(folder: Path) -> dict[str, Any]:
    """Read what was noted; nothing where nothing was, or where that is damaged."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def note_success(folder: Path, kind: str, at: datetime, **facts: Any) -> None:  # noqa: ANN401 - facts are JSON
    """Note that a kind of work went well, which ends the trouble that there was with it."""
    _write(folder, kind, {"at": stamp(at), **facts}, None)


def note_failure(folder: Path, kind: str, at: datetime, message: str) -> None:
    """Note that it did not; what went well last stays."""
    entry = load(folder).get(kind) or {}
    failure = {"at": stamp(at), "message": " ".join(message.split())[:MESSAGE_LENGTH]}
    _write(folder, kind, entry.get("success"), failure)


def _write(folder: Path, kind: str, success: Mapping[str, Any] | None, failure: Mapping[str, Any] | None) -> None:
    entry = {"success": success, "failure": failure}
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A backup and a drill may end at the same time, and each knows only its own part.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _files.replace(folder / FILE, json.dumps({**load(folder), kind: entry}, indent=1, sort_keys=True) + "\n", 0o600)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def age_seconds(entry: Mapping[str, Any] | None, at: datetime) -> float | None:
    """Return how long ago a kind of work went well; None where it never did, or nobody can tell."""
    try:
        then = datetime.strptime(((entry or {}).get("success") or {})["at"], TIME).replace(tzinfo=timezone.utc)
    except (KeyError, TypeError, ValueError):
        return None
    return (at - then).total_seconds()


def trouble(state: Mapping[str, Any], kind: str, limit_hours: int, at: datetime, since: datetime) -> str:
    """Say in one line what is wrong with a kind of work that is to be done since then; empty where nothing is."""
    entry = state.get(kind) or {}
    failure, age = entry.get("failure"), age_seconds(entry, at)
    if failure:
        return f"the last {kind} failed at {failure.get('at', '?')}: {failure.get('message', '?')}"
    if age is None:
        waited = (at - since).total_seconds() > limit_hours * HOUR
        return f"there was no {kind} yet, and at least one in {limit_hours} hours was asked for" if waited else ""
    if age < -TOLERANCE_SECONDS:
        return f"the last {kind} is {-age / HOUR:.1f} hours in the future: the clock of the host is wrong, or was"
    if age > limit_hours * HOUR:
        return f"the last {kind} is {age / HOUR:.0f} hours old, and at most {limit_hours} were asked for"
    return ""


def problems(settings: Settings, at: datetime) -> list[str]:
    """Say what is wrong with the backups of a stack, a line each."""
    state = load(settings.backups)
    # When the settings were written is when somebody last asked for it.
    since = datetime.fromtimestamp((settings.root / SETTINGS_FILE).stat().st_mtime, tz=timezone.utc)
    found = _restore_journal.problems(settings.root)
    if settings.scheduled or (state.get("backup") or {}).get("failure"):
        found.append(trouble(state, "backup", settings.max_age_hours, at, since))
    if settings.offsite:
        # What cannot be sent in one night is sent in the next one.
        found.append(trouble(state, "offsite", settings.max_age_hours, at, since))
    drill = settings.drill
    if drill.get("scheduled") or (state.get("drill") or {}).get("failure"):
        found.append(trouble(state, "drill", 24 * int(drill.get("max_age_days") or 35), at, since))
    return [text for text in found if text]
