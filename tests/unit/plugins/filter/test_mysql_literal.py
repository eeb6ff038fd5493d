# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text for MySQL and Redis, through readers written from their documentation and sources."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.filter.mysql_literal import FilterModule
from hypothesis import given
from hypothesis import strategies as st

FILTERS = FilterModule().filters()
literal = FILTERS["mysql_literal"]
identifier = FILTERS["mysql_identifier"]
grant_pattern = FILTERS["mysql_grant_pattern"]
option = FILTERS["mysql_option"]
redis_string = FILTERS["redis_config_string"]

TEXT = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("'\"\\`#%_ \n\r\t\b\x1a"), max_size=30)


def read_literal(sql: str) -> str:
    """Read a string literal as MySQL does without NO_BACKSLASH_ESCAPES."""
    assert sql[0] == sql[-1] == "'"
    escapes = {"0": "\0", "'": "'", '"': '"', "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "\\": "\\"}
    body, out, index = sql[1:-1], "", 0
    while index < len(body):
        char = body[index]
        if char == "\\":
            index += 1
            # `\%` and `\_` keep their backslash; any other character loses it.
            out += escapes.get(body[index], body[index])
            assert body[index] not in "%_"
        elif char == "'":
            assert body[index + 1] == "'"
            index += 1
            out += "'"
        else:
            out += char
        index += 1
    return out


def read_option(line: str) -> str:
    """Read `name=value` as mysys/my_default.cc does: end comments, blanks, quotes, then escapes."""
    quote, escape = "", False
    for index, char in enumerate(line):
        if char in "'\"" and not escape:
            quote = char if not quote else ("" if char == quote else quote)
        if not quote and char == "#":
            line = line[:index]
            break
        escape = bool(quote) and char == "\\" and not escape
    value = line.partition("=")[2].strip(" \t\n\v\f\r")
    if len(value) > 1 and value[0] in "'\"" and value[0] == value[-1]:
        value = value[1:-1]
    names = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "s": " ", '"': '"', "'": "'", "\\": "\\"}
    return re.sub(r"\\(.)", lambda m: names.get(m[1], m[0]), value, flags=re.DOTALL)


def read_redis(text: str) -> bytes:
    """Read a double-quoted argument as sdssplitargs() does."""
    assert text[0] == text[-1] == '"'
    body, out, index = text[1:-1].encode(), b"", 0
    while index < len(body):
        if match := re.match(rb"\\x([0-9a-fA-F]{2})", body[index:]):
            out += bytes([int(match[1], 16)])
            index += 4
        elif body[index : index + 1] == b"\\":
            out += {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}.get(
                body[index + 1 : index + 2], body[index + 1 : index + 2]
            )
            index += 2
        else:
            assert body[index : index + 1] != b'"'
            out += body[index : index + 1]
            index += 1
    return out


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        ("", "''"),
        ("app", "'app'"),
        ("it's", "'it''s'"),
        ("a\\", r"'a\\'"),
        ("\\'; DROP", r"'\\''; DROP'"),
        ("a\nb\0", r"'a\nb\0'"),
        ('"x"', "'\"x\"'"),
        ("ñ\U0001f512", "'ñ\U0001f512'"),
        (None, "NULL"),
        (True, "TRUE"),
        (False, "FALSE"),
        (7, "7"),
        (-1, "-1"),
    ],
)
def test_literals(value: object, sql: str) -> None:
    assert literal(value) == sql


@pytest.mark.parametrize(
    ("name", "quoted", "pattern"),
    [
        ("app", "`app`", "`app`"),
        ("my_app", "`my_app`", r"`my\_app`"),
        ("50%", "`50%`", r"`50\%`"),
        ("a`b", "`a``b`", "`a``b`"),
        ("a\\b", "`a\\b`", r"`a\\b`"),
        ("ñ x", "`ñ x`", "`ñ x`"),
        ("x" * 64, "`" + "x" * 64 + "`", "`" + "x" * 64 + "`"),
    ],
)
def test_names(name: str, quoted: str, pattern: str) -> None:
    assert identifier(name) == quoted
    assert grant_pattern(name) == pattern


@pytest.mark.parametrize("name", ["", "x" * 65, "a ", "a\0", "\U0001f512", "\ud800", None, 3])
def test_names_that_mysql_refuses(name: object) -> None:
    for function in (identifier, grant_pattern):
        with pytest.raises(AnsibleFilterError):
            function(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", '"plain"'),
        ("a#b", '"a#b"'),
        ('say "so"', r'"say \"so\""'),
        ("it's", '"it\'s"'),
        (" x ", '" x "'),
        ("a\\nb", r'"a\\nb"'),
        ("a\nb", r'"a\nb"'),
        (3306, '"3306"'),
    ],
)
def test_options(value: object, text: str) -> None:
    assert option(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", '"plain"'),
        ("a b", '"a b"'),
        ('"\\', r'"\"\\"'),
        ("\n", r'"\x0a"'),
        ("ñ", r'"\xc3\xb1"'),
        ("\x7f", r'"\x7f"'),
        (6379, '"6379"'),
    ],
)
def test_redis_strings(value: object, text: str) -> None:
    assert redis_string(value) == text


@given(TEXT)
def test_literals_come_back(text: str) -> None:
    assert read_literal(literal(text)) == text


@given(TEXT.filter(lambda text: "\0" not in text))
def test_options_come_back(text: str) -> None:
    quoted = option(text)
    assert "\n" not in quoted
    assert read_option(f"password={quoted}\n") == text


@given(TEXT.filter(lambda text: "\0" not in text))
def test_redis_strings_come_back(text: str) -> None:
    quoted = redis_string(text)
    assert quoted.isascii()
    assert quoted.isprintable()
    assert read_redis(quoted) == text.encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mysql_literal", "hunter2\ud800"),
        ("mysql_literal", ["hunter2"]),
        ("mysql_option", "hunter2\0"),
        ("mysql_option", "hunter2" * 1000),
        ("mysql_option", "hunter2\ud800"),
        ("redis_config_string", "hunter2\0"),
        ("redis_config_string", "hunter2\ud800"),
    ],
)
def test_refused_without_the_value(name: str, value: object) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        FILTERS[name](value)
    assert str(caught.value).startswith(f"{name}: ")
    assert "hunter2" not in str(caught.value)
