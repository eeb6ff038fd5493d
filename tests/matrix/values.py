# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The passwords of the matrix: every sign that some format takes for its own, alone, at both ends, in pairs, and very long."""

from __future__ import annotations

# What quotes, interpolates, escapes, comments, or begins something in a shell, in SQL, in YAML, in Jinja, in a URL or in a file
# of options; words that are no text in YAML; letters of more than one byte, and such as cannot be seen.
SIGNS = (
    "'", '"', "`", "$", "$$", "${X}", "$(id)", "\\", "\\\\", "\\n", "\\x41", "%41", "%", "%s", "#", " #", " ", "  ",
    "{{", "}}", "{{ x }}", "{%", "{#", "!", "!vault", "!unsafe x", "&a", "*", "*a", "|", ">", "-", "--", "- a", "?", ":", "a: b",
    "@", "/", "//", ",", ";", "=", "[", "]", "(", ")", "<", "~", "^", "+", "_",
    "ñ", "ß", "密码", "пароль", "\U0001f512", "e\u0301", "\u00a0", "\u2028", "\ufeff", "\u202e",
    "yes", "no", "null", "true", "0123", "1e3", "0x1F", "12_3", "2001-01-01", ".inf",
)  # fmt: skip
# Those that change what the next one means.
STRONG = ("'", '"', "$", "\\", "#", " ", "%41", "{{", "`", "ñ", "!", "{")
# What no file of one line holds.
CONTROL = ("\n", "\r", "\t", "\0", "\x01", "\x1b", "\x7f", "\x85", "\ud800")
# The name of an account is told from its number; the length is what caching_sha2_password takes.
MYSQL_LONGEST = 256
# And what the first start of the official image pastes into SQL, as it is.
UNFIT_FOR_ROOT = ("'", "\\")


def fit() -> list[str]:
    """Return every password that has to arrive as it is."""
    found = [form for sign in SIGNS for form in (sign, f"{sign}a{sign}")]
    found += [one + other for one in STRONG for other in STRONG]
    found += ["x", "x" * MYSQL_LONGEST, ("'\"$\\ #%{ñ" * 100)[:128], "\\" * MYSQL_LONGEST, "'" * MYSQL_LONGEST]
    return list(dict.fromkeys(found))


def long() -> list[str]:
    """Return those that are longer than MySQL takes, and no problem elsewhere."""
    return ["y" * 512, ("'\"$\\ #%{ñ`!" * 60)[:512], "\\" * 511, "密" * 512]


def key_of(value: str) -> str:
    """Return a secret key with a value in it, as long and as varied as one has to be; the value stands at both ends."""
    return f"{value}0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP{value}"
