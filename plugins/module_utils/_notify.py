# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Telling somebody what has become of a backup: a command of the operator's, which gets an event as JSON on its input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECONDS = 60


def tell(hook: Sequence[str], event: Mapping[str, object]) -> str:
    """Run the command; return why it did not do its work, empty where it did. It never decides how a backup ends."""
    if not hook:
        return ""
    text = json.dumps(event, sort_keys=True) + "\n"
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(list(hook), stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    except OSError as error:
        return f"the hook {hook[0]} cannot be run: {error.strerror}"
    with process:
        try:
            out, err = process.communicate(text.encode(), SECONDS)
        except subprocess.TimeoutExpired:
            # What a shell has started would live on without it, and hold the pipes.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return f"the hook {hook[0]} took longer than {SECONDS} seconds and was stopped"
    if process.returncode == 0:
        return ""
    lines = (err or out).decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
    return f"the hook {hook[0]} ended with {process.returncode}: {lines[-1][:300]}"
