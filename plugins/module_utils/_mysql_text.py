# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values in the text formats of the data servers: SQL, MySQL option files, Redis configuration.

Each function refuses what its format cannot hold (ValueError), and never shows the value: it may be a password.
"""

from __future__ import annotations

MAX_IDENTIFIER = 64
MAX_USER = 32
# A line of an option file longer than 4096 bytes is cut without a word; the name of the option needs room as well.
MAX_OPTION_BYTES = 3_800
BASIC_PLANE = 0xFFFF

LITERAL_ESCAPES = {"\\": "\\\\", "'": "''", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z"}
OPTION_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b"}


def literal(value: object) -> str:
    """Return a value as an SQL literal (for a session without NO_BACKSLASH_ESCAPES, which is MySQL's default)."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(int(value))
    if not isinstance(value, str):
        raise ValueError(f"a {type(value).__name__} is no SQL literal: give text, a whole number, a boolean or null")  # noqa: TRY004
    _must_be_unicode(value)
    return "'" + "".join(LITERAL_ESCAPES.get(char, char) for char in value) + "'"


def identifier(name: str) -> str:
    """Return the name of a schema, table or column in backticks."""
    _check_identifier(name)
    return backticked(name)


def escaped_pattern(name: str) -> str:
    """Return the name of a schema as the server keeps it of a grant, where a bare `_` or `%` would stand for others too."""
    _check_identifier(name)
    return "".join("\\" + char if char in "\\_%" else char for char in name)


def backticked(text: str) -> str:
    """Return what the server keeps of a grant, which may be a pattern, in backticks."""
    return "`" + text.replace("`", "``") + "`"


def grant_pattern(name: str) -> str:
    """Return the name of a schema for `GRANT … ON`."""
    return backticked(escaped_pattern(name))


def option(value: object) -> str:
    """Return a value for an option file, in double quotes: `#` starts no comment there, blanks and quotes stay."""
    text = str(value)
    _must_be_unicode(text)
    if "\0" in text:
        raise ValueError("a zero byte cannot stand in an option file")
    quoted = '"' + "".join(OPTION_ESCAPES.get(char, char) for char in text) + '"'
    if len(quoted.encode()) > MAX_OPTION_BYTES:
        raise ValueError(f"the value takes more than the {MAX_OPTION_BYTES} bytes that a line of an option file holds")
    return quoted


def redis_string(value: object) -> str:
    """Return an argument of a Redis configuration line, in double quotes; what is not ASCII in hexadecimal."""
    text = str(value)
    _must_be_unicode(text)
    if "\0" in text:
        raise ValueError("a zero byte cannot stand in a Redis configuration")
    return '"' + "".join(_redis_byte(byte) for byte in text.encode()) + '"'


def _redis_byte(byte: int) -> str:
    char = chr(byte)
    if char in '"\\':
        return "\\" + char
    return char if " " <= char <= "~" else f"\\x{byte:02x}"


def _check_identifier(name: str) -> None:
    """Demand a name that MySQL takes."""
    if not isinstance(name, str) or not name:
        raise ValueError("a name in SQL must be a text that is not empty")
    _must_be_unicode(name)
    if len(name) > MAX_IDENTIFIER:
        raise ValueError(f"the name {name!r} has {len(name)} characters, and MySQL takes {MAX_IDENTIFIER}")
    if name.endswith(" "):
        raise ValueError(f"the name {name!r} ends with a blank, which MySQL refuses")
    if "\0" in name or any(ord(char) > BASIC_PLANE for char in name):
        raise ValueError(f"the name {name!r} holds a character that MySQL does not take in a name")


def _must_be_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the text is not valid Unicode: save the file that it comes from as UTF-8") from None
