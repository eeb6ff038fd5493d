# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds canaries again, however they are written.

Each has a mark at both ends, of letters and digits alone: quoting for a shell, for JSON, YAML, SQL, a URL or HTML leaves these as
they are, whatever it does to what stands between them, and a value that is cut keeps one of them. What does change letters is
base64, which has three forms of the same text (and nine, done twice), hexadecimal digits, and letters of two bytes.
"""

from __future__ import annotations

import base64
import functools
import itertools
import re
import secrets
import string
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LETTERS = string.ascii_letters + string.digits
MARK_LENGTH, NUMBER_LENGTH = 14, 10
# What each format takes for a sign of its own; MySQL's image takes no quote and no backslash for root.
AWKWARD = ' "it\'s" $HOME #%41 &<b> \\n\\ '
PLAIN = " $HOME #%41 &<b> "
SHOWN = 40
# A piece of a line of a key: longer than anything that is the same in two keys of a kind.
PIECE = 24
FILES_AT_ONCE = 500
# The lines of a key with the headers of its format say nothing that is secret.
KEY_LINE = re.compile(r"^[A-Za-z0-9+/=]{20,}$", re.MULTILINE)


def word(length: int) -> str:
    """Return letters that nobody can guess."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def base64_forms(text: bytes) -> set[bytes]:
    """Return what base64 makes of a text that stands anywhere in another one: three forms, each as far as it is certain."""
    forms = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + text)
        whole = (before + len(text)) // 3 * 4
        form = encoded[:whole][(0, 2, 3)[before] :]
        forms |= {form, form.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


@functools.cache
def forms_of(text: str) -> set[bytes]:
    """Return every way in which a text of letters and digits is written that is not the text itself to begin with."""
    plain = text.encode()
    once = base64_forms(plain)
    twice = set(itertools.chain.from_iterable(map(base64_forms, once)))
    wide = {text.encode("utf-16-le"), text.encode("utf-16-be")}
    return {plain, plain.hex().encode(), plain.hex().upper().encode(), *once, *twice, *wide}


@functools.cache
def sorted_forms(texts: tuple[str, ...]) -> list[bytes]:
    """Return the forms of several texts."""
    return sorted(set(itertools.chain.from_iterable(map(forms_of, texts))))


def pieces_of(key: str) -> list[str]:
    """Return a piece of each line of a key but the first, which is the same in all keys of a kind, or nearly."""
    lines = KEY_LINE.findall(key)[1:]
    return [line[max(0, len(line) - PIECE - 4) :][:PIECE] for line in lines if len(line) >= PIECE]


@dataclass(frozen=True)
class Leak:
    """A canary that was found."""

    name: str
    form: bytes
    text: bytes

    def __str__(self) -> str:
        """Return what it is and where it stands; of nobody's use but the test's, since the value was made for it."""
        return f"{self.name}: …{self.text.decode(errors='replace')}…"


@dataclass
class Canaries:
    """The canaries of one run of the tests."""

    mark: str = field(default_factory=lambda: word(MARK_LENGTH))
    numbers: dict[str, str] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)

    def make(self, name: str, middle: str = AWKWARD) -> str:
        """Return a new value under a name: the mark at both ends, and beside it what tells it from the others."""
        number = self.numbers[name] = word(NUMBER_LENGTH)
        return f"{self.mark}{number}{middle}{number}{self.mark}"

    def add_key(self, name: str, key: str) -> str:
        """Look for a key as well, which cannot hold a mark; return it."""
        found = pieces_of(key)
        if not found:
            raise ValueError(f"{name} has no line that could be looked for")
        self.keys[name] = found
        return key

    def patterns(self) -> list[bytes]:
        """Return all that is looked for, in a fixed order."""
        texts = (self.mark, *itertools.chain.from_iterable(self.keys.values()))
        return sorted_forms(texts)

    def names(self) -> list[str]:
        """Return the names of all."""
        return [*self.numbers, *self.keys]

    def find(self, content: bytes) -> list[Leak]:
        """Return the canaries in a content, once each."""
        found: dict[str, Leak] = {}
        for form in self.patterns():
            at = content.find(form)
            while at >= 0:
                around = content[max(0, at - SHOWN) : at + len(form) + SHOWN]
                name = self._name(form, content[max(0, at - 2 * len(form)) : at + 3 * len(form)])
                found.setdefault(name, Leak(name, form, around))
                at = content.find(form, at + len(form))
        return list(found.values())

    def _name(self, form: bytes, around: bytes) -> str:
        for name, pieces in self.keys.items():
            if any(form in forms_of(piece) for piece in pieces):
                return name
        for name, number in self.numbers.items():
            # The mark touches it on one side, so of its forms not all of the outermost letters are certain.
            if any(part in around for part in forms_of(number)):
                return name
        return "a canary whose name is not beside it"

    def find_in(self, contents: Mapping[str, bytes | str]) -> list[str]:
        """Return the canaries in several contents, each with the name of the place."""
        return [
            f"{place}: {leak}"
            for place, content in contents.items()
            for leak in self.find(content.encode() if isinstance(content, str) else content)
        ]

    def find_files(self, paths: Iterable[Path]) -> list[str]:
        """Return those of some files of this machine in which, or in whose name, there is one."""
        known = list(map(str, paths))
        patterns = b"\n".join(pattern for pattern in self.patterns() if b"\0" not in pattern)
        found = [path for path in known if self.find(path.encode())]
        for begin in range(0, len(known), FILES_AT_ONCE):
            argv = ["grep", "-laFs", "-f", "-", "--", *known[begin : begin + FILES_AT_ONCE]]
            done = subprocess.run(argv, input=patterns, capture_output=True, check=False, env={"LC_ALL": "C"})
            found += done.stdout.decode(errors="replace").splitlines()
        return found
