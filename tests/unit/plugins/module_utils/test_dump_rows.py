# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many rows a dump holds, whatever is in them and wherever the stream is cut into pieces."""

from __future__ import annotations

import pytest
from ansible_collections.barehost.django.plugins.module_utils._dump_rows import RowCounter
from hypothesis import given
from hypothesis import strategies as st

ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0", "\x1a": "\\Z"}


def literal(value: str | int | None) -> str:
    """Write a value as mysqldump does."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'" + "".join(ESCAPES.get(char, char) for char in value) + "'"


def insert(table: str, rows: list[tuple[str | int | None, ...]]) -> str:
    name = table.replace("`", "``")
    return f"INSERT INTO `{name}` VALUES " + ",".join(f"({','.join(map(literal, row))})" for row in rows) + ";\n"  # noqa: S608 - it is only counted


def counted(text: str, size: int = 1 << 20) -> dict[str, int]:
    counter, data = RowCounter(), text.encode()
    for at in range(0, len(data), size):
        counter.feed(data[at : at + size])
    return counter.end()


VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.text(alphabet=st.sampled_from("a'\\\"`\n),( ;é\0")),
    st.sampled_from(["),('", "\\", ""]),
)
ROWS = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=6)


@given(st.lists(ROWS, min_size=1, max_size=3), st.integers(1, 9), st.text(alphabet="t`é ),'", min_size=1, max_size=5))
def test_every_row_counts_once_wherever_the_stream_is_cut(statements: list[list[tuple]], size: int, table: str) -> None:  # type: ignore[type-arg]
    text = "".join(insert(table, rows) for rows in statements)
    assert counted(text, size) == {table: sum(map(len, statements))}


def test_an_empty_table_has_no_rows() -> None:
    assert counted("CREATE TABLE `empty` (\n  `id` int\n) ENGINE=InnoDB;\n") == {"empty": 0}


def test_with_generated_columns_the_statement_names_the_others() -> None:
    assert counted("INSERT INTO `t` (`id`, `a),(b`,`c``d`) VALUES (1,'x','y'),(2,'),(','');\n", 3) == {"t": 2}


def test_the_body_of_a_trigger_is_no_data() -> None:
    body = "CREATE TABLE `log` (\nDELIMITER ;;\nINSERT INTO `log` VALUES (1),(2);\nCREATE TABLE `no` (\nEND */;;\nDELIMITER ;\n"
    assert counted(body + insert("log", [(3,)])) == {"log": 1}


@pytest.mark.parametrize(
    "line", ["-- INSERT INTO `t` VALUES (1)\n", "/* INSERT INTO `t` VALUES (1),(2) */\n", "INSERT\n"]
)
def test_a_comment_is_no_data(line: str) -> None:
    assert counted(line, 4) == {}
