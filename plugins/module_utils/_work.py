# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Telling what has become of work on the backups: in state.json for `status`, in the audit log, through the operator's hook.

The same for a backup, its way off-site, and a drill. What cannot be told never hides what has happened.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import _audit, _backup_state, _notify

if TYPE_CHECKING:
    from datetime import datetime

    from ansible_collections.barehost.django.plugins.module_utils._backup_settings import Settings


class StoppedError(Exception):
    """Somebody has asked the program to stop."""


def stop(number: int, _frame: object) -> None:
    """End what is at work as an error would, so that it tidies up and says so."""
    raise StoppedError(f"it was stopped by {signal.Signals(number).name}")


def stoppable() -> None:
    """Let whoever asks the program to stop have it tidy up first."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)


Clock = Callable[[], "datetime"]


class Work:
    """One piece of work: `kind` is its section in state.json, `who` stands in the audit log."""

    def __init__(self, settings: Settings, kind: str, who: str, clock: Clock = _backup_state.now) -> None:
        """Begin."""
        self.settings, self.kind, self.who = settings, kind, who
        self.begun, self._start = clock(), time.monotonic()

    @property
    def seconds(self) -> float:
        """Return how long it has taken so far."""
        return round(time.monotonic() - self._start, 1)

    def succeeded(self, message: str, facts: dict[str, Any], **audit: Any) -> list[str]:  # noqa: ANN401 - facts are JSON
        """Tell that it went well: facts for state.json, more of them for the audit log; return what could not be told."""
        before = _backup_state.load(self.settings.backups).get(self.kind) or {}
        problems = []
        try:
            _backup_state.note_success(self.settings.backups, self.kind, self.begun, **facts)
        except OSError as error:
            problems.append(f"{self.settings.backups}/{_backup_state.FILE} cannot be written: {error.strerror}")
        problems += self._audit({"result": "ok", "message": message, **audit})
        if before.get("failure"):
            problems += self._tell(f"{self.kind}_recovered", message)
        return problems

    def failed(self, error: BaseException) -> str:
        """Tell that it went wrong, and return why in one line."""
        message = sentence(error)
        with suppress(OSError):
            _backup_state.note_failure(self.settings.backups, self.kind, self.begun, message)
        self._audit({"result": "failed", "message": message})
        untold = self._tell(f"{self.kind}_failed", message)
        if untold:
            # Whoever counts on the hook has to find in the other places that it told nobody.
            sys.stderr.write(f"warning: {untold[0]}\n")
            with suppress(OSError):
                _backup_state.note_failure(
                    self.settings.backups, self.kind, self.begun, f"{message}; and nobody was told: {untold[0]}"
                )
        return message

    def _audit(self, outcome: dict[str, Any]) -> list[str]:
        path = self.settings.audit_log or _audit.default_path(self.settings.dir)
        text = _audit.event(self.who, self.kind, _backup_state.stamp(self.begun), self.seconds, outcome)
        try:
            _audit.append(Path(path), text)
        except OSError as error:
            return [f"the audit log {path} cannot be written: {error.strerror}"]
        return []

    def _tell(self, event: str, message: str) -> list[str]:
        what = {"event": event, "stack": self.settings.stack, "host": socket.gethostname(), "message": message}
        problem = _notify.tell(self.settings.hook, {**what, "at": _backup_state.stamp(self.begun)})
        return [problem] if problem else []


def sentence(error: BaseException) -> str:
    """Return an error in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(str(error).split())
