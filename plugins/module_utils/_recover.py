# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read a secret back from the configuration files that it was rendered into.

A password whose own file is gone still stands where the services read it; a new one would lock them out of their data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMS = ("text", "option", "dotenv")
DOTENV_ESCAPES = {"n": "\n", "t": "\t"}
OPTION_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b"}


@dataclass(frozen=True)
class Copy:
    """Where a secret was rendered: a file below the stack's directory, its format, the name that the value has there."""

    file: str
    form: str = "text"
    key: str = ""


@dataclass(frozen=True)
class Found:
    """A value that was read back, and from where."""

    value: str
    path: Path


def read_copies(entries: Any) -> tuple[Copy, ...]:  # noqa: ANN401 - whatever an inventory holds
    """Check the entries of a parameter; ValueError says what is wrong with them."""
    if entries is None:
        return ()
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("copies must be a list of mappings with file, form and key")
    return tuple(_read_copy(entry) for entry in entries)


def _read_copy(entry: dict[str, Any]) -> Copy:
    values = {str(name): str(value) for name, value in entry.items()}
    path = PurePosixPath(values.get("file", ""))
    if set(values) - {"file", "form", "key"} or not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError("a copy has a file (below the stack's directory), a form and a key")
    copy = Copy(**values)
    if copy.form not in FORMS or (copy.form == "text") == bool(copy.key):
        raise ValueError(f"the form of a copy is one of {', '.join(FORMS)}, and all but text have a key")
    return copy


def find(folder: Path, copies: Sequence[Copy]) -> Found | None:
    """Return the value in the first copy that can be read; None where there is none."""
    for copy in copies:
        path = folder / copy.file
        try:
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            continue
        value = value_in(text, copy)
        if value:
            return Found(value, path)
    return None


def value_in(text: str, copy: Copy) -> str:
    """Return the value that a file's text holds; empty where it holds none."""
    if copy.form == "text":
        return text.removesuffix("\n")
    read: Callable[[str], str] = dotenv_value if copy.form == "dotenv" else option_value
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if equals and name.strip() == copy.key:
            return read(value.strip())
    return ""


def dotenv_value(text: str) -> str:
    """Undo the quoting of an `.env` file that this collection wrote."""
    if text[:1] == "'":
        return text[1:-1]
    return _unescaped(text[1:-1], DOTENV_ESCAPES) if text[:1] == '"' else text


def option_value(text: str) -> str:
    """Undo the quoting of a MySQL option file that this collection wrote."""
    return _unescaped(text[1:-1], OPTION_ESCAPES) if text[:1] == '"' else text


def _unescaped(text: str, names: dict[str, str]) -> str:
    return re.sub(r"\\(.)", lambda match: names.get(match[1], match[1]), text)
