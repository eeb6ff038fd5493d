# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`.dockerignore` as BuildKit reads it.

The rules are those of Docker's documentation where it says something, and of moby/patternmatcher where it does not: a
path is left out by the last pattern that matches it or one of its parents, and a parent's match is handed down pattern
by pattern.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Characters that mean something to a regular expression and nothing to a pattern.
LITERAL = frozenset(".+()|{}$")
WILDCARDS = frozenset("*?[]\\")


class PatternError(ValueError):
    """A line of the ignore file that BuildKit would refuse too."""


def read_patterns(text: str) -> list[str]:
    """Return the cleaned patterns of an ignore file."""
    patterns = []
    for line in text.lstrip("\ufeff").split("\n"):
        if line.startswith("#"):
            continue
        pattern = line.strip()
        if not pattern:
            continue
        negated = pattern.startswith("!")
        if negated:
            pattern = pattern[1:].strip()
        pattern = _clean(pattern) if pattern else ""
        if len(pattern) > 1 and pattern.startswith("/"):
            pattern = pattern[1:]
        if negated and pattern in ("", "/"):
            raise PatternError(f"the line {line.strip()!r} excepts nothing: give it a pattern or remove it")
        patterns.append("!" + pattern if negated else pattern)
    return patterns


def _clean(pattern: str) -> str:
    """Shorten a path as Go's filepath.Clean does, which, unlike POSIX, knows no leading `//`."""
    cleaned = posixpath.normpath(pattern)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


@dataclass(frozen=True)
class Pattern:
    """One compiled pattern."""

    text: str
    negated: bool
    regex: re.Pattern[str]

    @classmethod
    def compile(cls, line: str) -> Pattern:
        """Compile one cleaned line of an ignore file."""
        negated = line.startswith("!")
        text = line[1:] if negated else line
        try:
            return cls(text, negated, re.compile(to_regex(text), re.DOTALL))
        except re.error as error:
            raise PatternError(f"the pattern {text!r} is malformed ({error})") from None

    def matches(self, path: str) -> bool:
        """Whether the pattern matches this very path (and not only a parent of it)."""
        return self.regex.match(path) is not None

    def could_match_below(self, directory: str) -> bool:
        """Whether something in a directory may match, so that one has to look inside."""
        fixed = re.sub(r"/\*\*?\Z", "", self.text)
        return bool(set(fixed) & WILDCARDS) or f"{fixed}/".startswith(f"{directory}/")


def to_regex(pattern: str) -> str:
    """Translate one pattern to a regular expression for the whole path."""
    parts: list[str] = []
    index = 0
    while index < len(pattern):
        char = pattern[index]
        index += 1
        if char == "*" and pattern.startswith("*", index):
            first = index == 1
            index += 1
            slash = pattern.startswith("/", index)
            index += slash
            if index == len(pattern):
                parts.append(".*")
            elif first and not slash and not set(pattern[index:]) & WILDCARDS:
                # Nothing but `**` in front: BuildKit compares the ending, in the middle of a name too.
                parts.append(".*")
            else:
                parts.append("(?:.*/)?")
        elif char == "*":
            parts.append("[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "\\":
            if index == len(pattern):
                raise PatternError(f"the pattern {pattern!r} ends with a backslash that escapes nothing")
            parts.append(re.escape(pattern[index]))
            index += 1
        elif char == "[":
            end = _class_end(pattern, index)
            parts.append("[" + pattern[index:end].replace("[", "\\[") + "]")
            index = end + 1
        else:
            parts.append(re.escape(char) if char in LITERAL or char in "^]" else char)
    return "".join(parts) + r"\Z"


def _class_end(pattern: str, start: int) -> int:
    """Return where the `]` of a character class stands."""
    index = start + pattern.startswith("^", start)
    if pattern[index : index + 1] in ("]", "-"):
        raise PatternError(f"the pattern {pattern!r} has a character class that starts with {pattern[index]}")
    while index < len(pattern):
        if pattern[index] == "\\":
            index += 1
        elif pattern[index] == "]":
            return index
        index += 1
    raise PatternError(f"the pattern {pattern!r} has a [ without a ]")


# For each pattern, whether it matched the directory at hand or one of its parents.
Matched = tuple[bool, ...]


class Matcher:
    """Decides for each path of a walk whether it is left out."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Compile the patterns; PatternError for a malformed one."""
        self.patterns = [Pattern.compile(line) for line in patterns]
        self.negations = [pattern for pattern in self.patterns if pattern.negated]

    def check(self, path: str, parent: Matched | None = None) -> tuple[bool, Matched]:
        """Return whether a path is left out, and what to hand down to what is inside it."""
        ignored = False
        matched = []
        for index, pattern in enumerate(self.patterns):
            hit = parent is not None and parent[index]
            # A pattern that could not change the answer is not looked at; BuildKit's inheritance depends on it.
            if not hit and pattern.negated == ignored:
                hit = pattern.matches(path)
            matched.append(hit)
            if hit:
                ignored = not pattern.negated
        return ignored, tuple(matched)

    def must_enter(self, directory: str) -> bool:
        """Whether a directory that is left out may hold something that is not."""
        return any(pattern.could_match_below(directory) for pattern in self.negations)
