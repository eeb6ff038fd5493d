# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Telling somebody what has become of a backup: a command of the operator's, which gets an event as JSON on its input."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECONDS = 60


def tell(hook: Sequence[str], event: Mapping[str, object]) -> str:
    """Run the command; return why it did not do its work, empty where it did. It never decides how a backup ends."""
    if not hook:
        return ""
    text = json.dumps(event, sort_keys=True) + "\n"
    try:
        done = subprocess.run(list(hook), input=text.encode(), capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"the hook {hook[0]} took longer than {SECONDS} seconds and was stopped"
    except OSError as error:
        return f"the hook {hook[0]} cannot be run: {error.strerror}"
    if done.returncode == 0:
        return ""
    lines = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
    return f"the hook {hook[0]} ended with {done.returncode}: {lines[-1][:300]}"
