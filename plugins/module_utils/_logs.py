# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a person has to see of a failed container's log.

A server with several workers prints its cause once for each, and ends with a traceback of its own that only says that
workers died: the last lines alone never show the cause.
"""

from __future__ import annotations

import re
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
# What Redis has always to say with the mark of a warning.
_USUAL = "WARNING|oO0O|Redis version|Configuration loaded|Server initialized"
# Where a server writes its complaint, the surest place first; what they print before and after is no answer.
COMPLAINTS = (
    re.compile(r"\[ERROR\] \[MY-\d+\] (?:\[[^]]*\] )*(?P<said>.+)"),
    re.compile(r"\[emerg\] (?:\d+#\d+: )?(?P<said>.+)"),
    # Redis quotes the line, and says in the next what is wrong with it.
    re.compile(r"(?P<said>>>> '.+\n.+)"),
    re.compile(rf"^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ # (?!{_USUAL})(?P<said>.+)", re.MULTILINE),
    re.compile(r"^docker: (?P<said>.+)", re.MULTILINE),
)
REDIS_STAMP = re.compile(r"\n(?:\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ # )?")
HIDDEN = "********"
# A word in quotes, which may hold quotes and, escaped, the end of a line. Only the name of a category is shown.
_WORD = r"(?![+-]@\w+'{0})(?:[\s\S]*?(?='{0}(?!.*'{0}))|.*)"
# Where Redis repeats a password: the line of a directive that holds one, and the word of it that is wrong.
PASSWORDS = (
    (re.compile(r"(>>> '[\"']?(?:\S*?pas\w*|\S*?auth|user)\b).*", re.IGNORECASE), rf"\g<1> {HIDDEN}'"),
    (re.compile(r"(>>> '.*?\s[\"']?)>\S.*"), rf"\g<1>{HIDDEN}'"),
    (re.compile(rf"(Error in (?:user declaration|applying operation) '){_WORD.format(': ')}"), rf"\g<1>{HIDDEN}"),
    (re.compile(rf"(Error loading ACL rule '){_WORD.format(' for the user named ')}"), rf"\g<1>{HIDDEN}"),
)
COMPLAINT_LENGTH = 500


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


def masked(text: str) -> str:
    """Return what a server said without the passwords that it repeats of its configuration."""
    for pattern, shown in PASSWORDS:
        text = pattern.sub(shown, text)
    return text


def cause(text: str) -> str:
    """Return what MySQL, Nginx, Redis or Docker has to say against what it was started with, in one line; empty where nothing.

    Not the first warning, and not what follows from it.
    """
    # Masked while a line is still a line: joined with the next one, nobody knows where a password ends.
    whole = masked(text)
    found = next((match.group("said") for match in (pattern.search(whole) for pattern in COMPLAINTS) if match), "")
    return REDIS_STAMP.sub("; ", found.strip())[:COMPLAINT_LENGTH].rstrip(" .")


def complaint(text: str) -> str:
    """Return the cause, or what was said last."""
    lines = [line.strip() for line in masked(text).splitlines() if line.strip()]
    return cause(text) or (lines[-1][:COMPLAINT_LENGTH].rstrip(" .") if lines else "nothing")
