# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
r"""Counting the rows of a dump while it passes by, in constant memory.

mysqldump begins a line for each statement and writes the line breaks within texts as `\n`: so a line ends where a line break
is, and each `),(` outside of a text begins another row. What is counted is what was written, table by table, and a server
that has loaded the dump must hold exactly that.
"""

from __future__ import annotations

import re

# A name may hold anything, a backtick twice. With generated columns the statement names the others.
INSERT = re.compile(rb"INSERT INTO `((?:[^`]|``)+)` (?:\((?:`(?:[^`]|``)*`(?:, ?)?)+\) )?VALUES ")
CREATE = re.compile(rb"CREATE TABLE `((?:[^`]|``)+)` \(")
PREFIXES = (b"INSERT INTO `", b"CREATE TABLE `", b"DELIMITER ")
# A table may have 4096 columns with names of 64 characters, four bytes each.
LONGEST_HEAD = 2 << 20
NEXT_ROW = b"),("
REST = bytes(set(range(256)) - set(b"'(),"))


class RowCounter:
    """Counts the rows of each table in a stream of SQL as mysqldump writes it."""

    def __init__(self) -> None:
        """Begin at the beginning of a line."""
        self.rows: dict[str, int] = {}
        self._head = b""
        self._table: str | None = None
        self._skipping = False
        # What is between two DELIMITER lines is the text of triggers, routines and events, which may hold any statement.
        self._body = False
        self._in_text = False
        self._escaped = False
        self._carry = b""

    def feed(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        start = 0
        while start < len(data):
            end = data.find(b"\n", start)
            piece = data[start:] if end < 0 else data[start:end]
            self._take(piece)
            if end < 0:
                return
            self._end_line()
            start = end + 1

    def end(self) -> dict[str, int]:
        """Return the rows of each table, 0 for one without any; the stream has ended."""
        self._end_line()
        return self.rows

    def _take(self, piece: bytes) -> None:
        """Take a part of a line."""
        if self._table is not None:
            self._count(self._table, piece)
        elif not self._skipping:
            self._head += piece
            self._classify()

    def _classify(self) -> None:
        """Find out what kind of a line it is, as soon as enough of it is there."""
        head = self._head
        if not any(head.startswith(prefix[: len(head)]) for prefix in PREFIXES) or len(head) > LONGEST_HEAD:
            self._skip()
            return
        if self._body and len(head) >= len(PREFIXES[0]) and not head.startswith(b"DELIMITER "):
            self._skip()
            return
        created, inserted = CREATE.match(head), INSERT.match(head)
        if created and not self._body:
            self.rows.setdefault(name_of(created.group(1)), 0)
            self._skip()
        elif inserted and not self._body:
            self._table = name_of(inserted.group(1))
            self.rows[self._table] = self.rows.get(self._table, 0) + 1
            self._head = b""
            self._count(self._table, head[inserted.end() :])

    def _skip(self) -> None:
        self._head, self._skipping = b"", True

    def _count(self, table: str, piece: bytes) -> None:
        """Count the rows that begin in a part of an INSERT."""
        if self._escaped and piece:
            piece, self._escaped = piece[1:], False
        # Two backslashes are one sign; what is left before a quote makes that a sign, too.
        # As long as what they replace, they take two thirds of the time; they go with the rest.
        piece = piece.replace(b"\\\\", b"xx").replace(b"\\'", b"xx")
        if piece.endswith(b"\\"):
            piece, self._escaped = piece[:-1], True
        # What neither is a sign of the syntax nor can hide one goes first: what is left is short.
        parts = piece.translate(None, REST).replace(b"''", b"").split(b"'")
        outside = parts[1 if self._in_text else 0 :: 2]
        # Where a text lies between two parts, that is no place for a row to begin.
        plain = self._carry + b"'".join(outside) if not self._in_text else b"'".join(outside)
        self.rows[table] += plain.count(NEXT_ROW)
        if len(parts) % 2 == 0:
            self._in_text = not self._in_text
        self._carry = b"" if self._in_text else plain[-(len(NEXT_ROW) - 1) :]

    def _end_line(self) -> None:
        """Begin a new line."""
        if self._head.startswith(b"DELIMITER "):
            self._body = self._head.split()[1:] != [b";"]
        self._head, self._table, self._skipping = b"", None, False
        self._in_text = self._escaped = False
        self._carry = b""


def name_of(quoted: bytes) -> str:
    """Return a name without its quoting."""
    return quoted.replace(b"``", b"`").decode("utf-8", "replace")
