# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text of an `.env` file that means the same to everything that reads it.

Two programs read the file, and they disagree about escapes. Docker Compose hands the values to the containers: it
interpolates `$`, knows backslash escapes in double quotes, and takes single quotes almost literally.
python-decouple, where it is pointed at the file, only takes one pair of quotes off. So the quoting that both read alike
is taken where there is one (`shared_form`), and the escapes of Compose where there is none: what a container gets is
always exact, and python-decouple reads the environment of its container before any file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Compose loads the `.env` beside its file into its own settings too: these names would change what it does.
RESERVED = re.compile(r"(COMPOSE|DOCKER|BUILDX|BUILDKIT)_")
# execve(2) takes no string above 128 KiB: "name=value" and the final zero byte.
MAX_BYTES = 131_071

ESCAPES = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\t": "\\t"}


def problems(values: Mapping[str, object]) -> list[str]:
    """Say, by name and never by value, what cannot be carried by an `.env` file."""
    found = ((name, _problem(name, value)) for name, value in values.items())
    return [f"{name}: {problem}" for name, problem in found if problem]


def render(values: Mapping[str, object]) -> str:
    """Return the text of the file, sorted by name; ValueError with every problem where there is any."""
    if found := problems(values):
        raise ValueError("; ".join(found))
    return "".join(f"{name}={quote(text_of(values[name]))}\n" for name in sorted(values))


def text_of(value: object) -> str:
    """Return the text that a value has in an environment."""
    if isinstance(value, bool):
        return "True" if value else "False"
    return str(value)


def quote(text: str) -> str:
    """Quote a value: in the form that every reader takes alike, else in the form that Compose reads."""
    shared = shared_form(text)
    if shared is not None:
        return shared
    return '"' + "".join(ESCAPES.get(char, char) for char in text) + '"'


def shared_form(text: str) -> str | None:
    """Return the quoted value that Compose and python-decouple read alike, or None where there is none."""
    if "\n" in text:
        return None
    trailing = len(text) - len(text.rstrip("\\"))
    if "'" not in text and trailing % 2 == 0:
        return f"'{text}'"
    if not set(text) & {'"', "\\", "$"}:
        return f'"{text}"'
    if "$" not in text and _bare(text):
        return text
    return None


def _bare(text: str) -> bool:
    """Whether both readers take the text as it is, without quotes."""
    return text == text.strip() and text[0] not in "'\"#" and not re.search(r"\s#", text)


def _problem(name: object, value: object) -> str | None:
    """Say why one variable cannot be carried."""
    if not isinstance(name, str) or not NAME.match(name):
        return "is no name of an environment variable (letters, digits and _, not a digit first)"
    if RESERVED.match(name):
        return "is a setting of Docker's own tools, which read the same file: choose another name"
    if value is None:
        return "has no value: give it one ('' for an empty one) or remove the name"
    if not isinstance(value, (str, int, float)):
        return f"is a {_kind(value)}, and an environment variable is text: join it to one text first"
    return _text_problem(name, text_of(value))


def _kind(value: object) -> str:
    """Name a type in the words of an inventory; what Ansible wraps is a subclass with a name of its own."""
    if isinstance(value, Mapping):
        return "mapping"
    return "list" if isinstance(value, (list, tuple)) else type(value).__name__


def _text_problem(name: str, text: str) -> str | None:
    """Say why a text cannot be carried."""
    for position, char in enumerate(text, 1):
        category = unicodedata.category(char)
        if category == "Cc" and char not in "\n\t":
            return f"holds the control character U+{ord(char):04X} (character {position}): remove it"
        if category == "Cs":
            return f"is not valid Unicode (character {position}): save the file that it comes from as UTF-8"
    if len(f"{name}={text}".encode()) >= MAX_BYTES:
        return "is longer than 128 KiB, more than Linux lets an environment variable hold: mount a file instead"
    return None
