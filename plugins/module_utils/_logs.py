# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person has to see of a failed container's log.

A server with several workers prints its cause once for each, and ends with a traceback of its own that only says that
workers died: the last lines alone never show the cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# How far back the cause is looked for.
SEARCHED_LINES = 200
TRACEBACK_LINES = 30
LAST_LINES = 10
LAST_LINES_ALONE = 25
HEAD = "Traceback (most recent call last)"
# Raised because something else went wrong before.
CONSEQUENCES = ("gunicorn.errors.HaltServer",)


def excerpt(text: str) -> str:
    """Return the first traceback and the last lines; only the last lines where there is no traceback."""
    lines = text.strip().split("\n")[-SEARCHED_LINES:]
    found = first_traceback(lines)
    if found is None:
        return "\n".join(lines[-LAST_LINES_ALONE:])
    start, end = found
    rest = max(end, len(lines) - LAST_LINES)
    between = [_left_out(rest - end)] if rest > end else []
    return "\n".join([*_shortened(lines[start:end]), *between, *lines[rest:]])


def first_traceback(lines: Sequence[str]) -> tuple[int, int] | None:
    """Return where the first traceback begins and ends; one that is only a consequence counts where there is no other."""
    blocks = [(start, _end(lines, start)) for start, line in enumerate(lines) if line.startswith(HEAD)]
    causes = [block for block in blocks if not lines[block[1] - 1].startswith(CONSEQUENCES)]
    return next(iter(causes or blocks), None)


def _end(lines: Sequence[str], start: int) -> int:
    """Return the index behind the line of the exception, the first one that is not indented."""
    for index in range(start + 1, len(lines)):
        if not lines[index].startswith(" "):
            return index + 1
    return len(lines)


def _shortened(block: Sequence[str]) -> list[str]:
    """Leave out frames of the outermost calls: the innermost ones and the exception say what went wrong."""
    if len(block) <= TRACEBACK_LINES:
        return list(block)
    kept = TRACEBACK_LINES - 2
    return [block[0], _left_out(len(block) - 1 - kept), *block[-kept:]]


def _left_out(count: int) -> str:
    return f"  … {count} lines …"
