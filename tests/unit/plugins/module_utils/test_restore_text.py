# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A dump on its way into another schema: what goes on, what is kept apart, what is left out, and what is no dump."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _restore_text
from ansible_collections.barehost.django.plugins.module_utils._dump_rows import RowCounter
from hypothesis import given
from hypothesis import strategies as st

# What mysqldump of MySQL 9.7.4 wrote with --databases --single-transaction --routines --triggers --events.
EVERYTHING = (Path(__file__).parents[2] / "fixtures" / "dumps" / "everything.sql").read_bytes()
HEAD = b"-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n-- Server version\t9.7.4\n\n"
END = b"\n-- Dump completed on 2026-11-26 19:52:33\n"
ROWS = {"c": 1, "log": 1, "odd`name": 2, "p": 4}


def read(data: bytes, size: int = 1 << 20) -> tuple[_restore_text.Found, bytes]:
    out: list[bytes] = []
    reader = _restore_text.Reader(out.append)
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    return reader.end(), b"".join(out)


def refused(data: bytes, size: int = 1 << 20) -> str:
    with pytest.raises(_restore_text.TextError) as error:
        read(data, size)
    return str(error.value)


def counted(data: bytes) -> dict[str, int]:
    counter = RowCounter()
    counter.feed(data)
    return counter.end()


def test_a_real_dump() -> None:
    found, out = read(EVERYTHING)
    assert (found.database, found.server, found.schemas, found.noise) == ("t1", "9.7.4-2", ["t1"], [])
    assert counted(out) == ROWS
    made = [(item.kind, item.name) for item in found.items if item.kind != "set"]
    assert made == [
        ("trigger", "t2"), ("trigger", "tp"), ("placeholder", "v"), ("placeholder", "v2"), ("event", "e1"),
        ("function", "f1"), ("procedure", "pr"), ("view", "v"), ("view", "v2"),
    ]  # fmt: skip
    assert {kind: found.count(kind) for kind in ("views", "triggers", "routines", "events")} == {
        "views": 2, "triggers": 2, "routines": 2, "events": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "word", [b"GTID", b"SQL_LOG_BIN", b"DATABASE", b"USE `", b"TRIGGER", b"VIEW `v`", b"DELIMITER"]
)
def test_nothing_goes_on_that_reaches_beyond_the_tables(word: bytes) -> None:
    lines = [line for line in read(EVERYTHING)[1].splitlines() if word in line]
    assert lines == []


@given(st.integers(1, 300))
def test_it_is_the_same_wherever_the_stream_is_cut_into_pieces(size: int) -> None:
    assert read(EVERYTHING, size) == read(EVERYTHING)


@given(st.integers(1, 300))
def test_the_line_breaks_of_a_terminal_make_no_difference(size: int) -> None:
    through = b"Enter password: \r\n" + EVERYTHING.replace(b"\n", b"\r\n")
    found, out = read(through, size)
    assert out == read(EVERYTHING)[1]
    assert found.items == read(EVERYTHING)[0].items
    assert found.noise == ["'Enter password:'"]


@given(st.integers(0, len(EVERYTHING.rstrip()) - len("-- Dump completed on 2026-11-26 19:52:33")))
def test_wherever_it_is_cut_it_is_not_whole(length: int) -> None:
    assert refused(EVERYTHING[:length])


def test_what_others_say_before_it_is_left_out() -> None:
    noise = (
        b"mysqldump: [Warning] Using a password on the command line interface can be insecure.\n"
        b"Warning: A partial dump from a server that has GTIDs will by default include the GTIDs of all transactions\n"
        b'time="2026-11-26T10:00:00Z" level=warning msg="the attribute `version` is obsolete"\n'
    )
    found, out = read(noise + EVERYTHING)
    assert out == read(EVERYTHING)[1]
    assert len(found.noise) == 3


@pytest.mark.parametrize(
    "line", [b"/*M!999999\\- enable the sandbox mode */ \n", b"/*!999999\\- enable the sandbox mode */\n"]
)
def test_the_first_line_of_mariadbs_client_is_left_out(line: bytes) -> None:
    text = (
        line
        + HEAD.replace(b"MySQL dump", b"MariaDB dump")
        + b"/*M!100616 SET @OLD=1 */;\nINSERT INTO `t` VALUES\n(1,'a'),\n(2,'b;');\n"
        + END
    )
    found, out = read(text, 5)
    assert found.mariadb
    assert out == b"INSERT INTO `t` VALUES (1,'a'),(2,'b;');\n"
    assert counted(out) == {"t": 2}


def test_the_migrations_are_read_from_the_rows() -> None:
    row = b"INSERT INTO `django_migrations` VALUES (1,'auth','0001_initial','2026-01-01'),(2,'o\\'x','0002_a','2026-01-01');\n"
    assert read(HEAD + row + END, 3)[0].migrations == [("auth", "0001_initial"), ("o\\'x", "0002_a")]


def test_the_longest_row_is_known() -> None:
    row = b"INSERT INTO `t` VALUES (1,'" + b"x" * 5_000_000 + b"');\n"
    assert read(HEAD + row + END)[0].longest == len(row)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it does not begin as"),
        (b"root:x:0:0\n", "but with 'root:x:0:0'"),
        (b"DROP TABLE t;\n", "but with 'DROP TABLE t;'"),
        (HEAD, "its end is missing"),
        (HEAD + b"CREATE TABLE `t` (\n" + END, "its end is missing"),
        (HEAD + b"INSERT INTO `t` VALUES (1)" + END, "its end is missing"),
        (HEAD + END + HEAD, "goes on after the end of a dump"),
        (HEAD + END + b"DROP TABLE t;\n", "goes on after the end of a dump"),
        (HEAD + END + b"INSERT INTO `t` VALUES (1);\n", "goes on after the end of a dump"),
        (HEAD + b"USE `a`;\nUSE `b`;\n" + END, "it holds the schemas a, b"),
        (HEAD + b"mysqldump: Got error: 2013\n" + END, "mysqldump complained in line 6"),
        (HEAD + b"CREATE DEFINER=`a`@`b` FUNCTION `other`.`f`() RETURNS int RETURN 1;\n" + END, "names a schema of its own"),
        (HEAD + b"x" * (_restore_text.LONGEST + 2), "longer than any"),
    ],
)  # fmt: skip
def test_what_is_no_dump(text: bytes, cause: str) -> None:
    assert cause in refused(text)


def test_a_warning_after_the_end_is_no_harm() -> None:
    said = b"mysqldump: [Warning] Using a password on the command line interface can be insecure.\n"
    assert read(HEAD + END + said)[0].server == "9.7.4"


def test_a_dump_of_another_schema_alone_is_taken_by_its_name() -> None:
    found, _out = read(
        HEAD.replace(b"shop", b"") + b"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `sh``op`;\nUSE `sh``op`;\n" + END
    )
    assert (found.database, found.schemas, found.dropped) == ("sh`op", ["sh`op"], 2)


def test_at_no_byte_can_it_be_cut_without_notice() -> None:
    end = EVERYTHING.rindex(b"-- Dump completed")
    assert [length for length in range(end) if not refused(EVERYTHING[:length])] == []
