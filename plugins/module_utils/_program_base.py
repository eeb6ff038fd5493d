# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""First part of every program that runs inside a container of the app: it answers in marked lines.

The programs run with whatever Python and Django the image has (Python >= 3.8), and read nothing but what is sent with
them.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from typing import Any

# Nothing is written into a container beside what a program is for.
sys.dont_write_bytecode = True
# What `leave` has to do, which runs no exit hooks.
AT_THE_END: list[Any] = []
ERROR_LENGTH = 2000
TRACE_LENGTH = 3000


class Reporter:
    """Writes events to the standard output, where the app and its entrypoint may write as well."""

    def __init__(self, mark: str) -> None:
        """Take the mark that tells an event from any other line."""
        self.mark = mark

    def emit(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Write one event, on a line of its own."""
        sys.stdout.flush()
        line = "\n" + self.mark + json.dumps({"event": event, **fields}, sort_keys=True, default=str) + "\n"
        # Straight to the descriptor: an app may have put something else in the place of sys.stdout.
        data = line.encode("ascii")
        while data:
            data = data[os.write(1, data) :]

    def fail(self, stage: str, error: BaseException, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Write what went wrong, and where."""
        # Without the error behind it: a database's own error is only the same one once more.
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__, chain=False))
        if len(trace) > TRACE_LENGTH:
            trace = "…\n" + trace[-TRACE_LENGTH:].partition("\n")[2]
        self.emit(
            "failed",
            stage=stage,
            error=type(error).__name__,
            message=" ".join(str(error).split())[:ERROR_LENGTH],
            trace=trace,
            **fields,
        )

    def connected(self, connection: Any) -> bool:  # noqa: ANN401 - a connection of Django's
        """Connect to a database; False where it does not let the app in, which is then reported."""
        try:
            connection.ensure_connection()
        except Exception as error:  # noqa: BLE001 - each database has errors of its own
            self.fail("connect", error)
            return False
        return True


def set_up_django(parameters: dict[str, Any], reporter: Reporter) -> bool:
    """Load the settings and the apps; False where that failed, which is then reported."""
    if parameters.get("settings_module"):
        os.environ["DJANGO_SETTINGS_MODULE"] = parameters["settings_module"]
    if not sys.path or sys.path[0] != "":
        sys.path.insert(0, "")
    try:
        import django  # noqa: PLC0415 - it is only there in the image

        django.setup()
    except Exception as error:  # noqa: BLE001 - settings are any code
        reporter.fail("setup", error)
        return False
    return True


def leave(code: int) -> None:
    """End at once: an app's threads and exit hooks must not keep the container."""
    for tidy in AT_THE_END:
        with contextlib.suppress(Exception):
            tidy()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
