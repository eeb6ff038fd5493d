# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
r"""The text of a dump on its way into a schema of another name, in constant memory.

The tables and their rows go on as they are. Views, triggers, routines and events are kept apart, since they are made where the
tables end up. What would reach beyond one schema is left out: the name of the schema itself, the server's GTIDs, the position
in its binary log. And so is what is no SQL at all: a prompt, warnings, the line breaks of a terminal.

mysqldump writes the line breaks within values as `\n`, so that a line is never part of a value. Comments begin with `-- `; the
last one says that the dump came to its end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _restore_statements
from ansible_collections.barehost.django.plugins.module_utils._restore_objects import (
    KINDS,
    PLACEHOLDER,
    REMOVAL,
    VIEW,
    Item,
    flaw,
    item_of,
)

if TYPE_CHECKING:
    from typing import Callable

# A statement that is no INSERT is held in memory, and all views, triggers, routines and events together are.
LONGEST = 8 << 20
LONGEST_MIGRATIONS = 4 << 20
# What only the server that wrote the dump, or its replicas, would want; a name that the schema does not have here.
DROPPED = re.compile(
    rb"(?:/\*!\d{5,6}\s*)?(?:SET\s+@@GLOBAL\.GTID_PURGED|SET\s+@@SESSION\.SQL_LOG_BIN|SET\s+@MYSQLDUMP_TEMP_LOG_BIN"
    rb"|CHANGE MASTER|CHANGE REPLICATION)\b|/\*M!"
    # Of --all-databases: that it holds several is said of the second one.
    rb"|/\*!50606\s+SET\s+(?:GLOBAL\s+|@OLD_)INNODB_STATS_AUTO_RECALC\s*="
    # How Percona's mysqldump loads faster, where the server has RocksDB.
    rb"|/\*!(?:50717|50112)\s+(?:SELECT|SET|PREPARE|EXECUTE|DEALLOCATE)\s",
    re.IGNORECASE,
)
NAMED = re.compile(
    rb"(?:/\*!\d+\s+)?(?:USE|(?:CREATE|ALTER|DROP)\s+(?:DATABASE|SCHEMA)(?:\s+(?:/\*!\d+\s+)?IF\s+(?:NOT\s+)?EXISTS(?:\s*\*/)?)?)"
    rb"\s*(?:`((?:[^`]|``)+)`|(?<=\s)([\w$\x80-\xff]+))",
    re.IGNORECASE,
)
SERVERS_OWN = ("mysql", "sys", "information_schema", "performance_schema")
OBJECTS = re.compile(rb"/\*!50(?:001|003|106|032)\s|CREATE\s+(?:DEFINER|PROCEDURE|FUNCTION|EVENT|TRIGGER|VIEW)\b")
SANDBOX = re.compile(rb"/\*M?!999999")
HEADER = re.compile(rb"-- (MySQL|MariaDB) dump ")
TRAILER = re.compile(rb"-- Dump completed")
DATABASE = re.compile(rb"-- Host: .*\sDatabase: (.+)")
SERVER = re.compile(rb"-- Server version\s+(\S+)")
# What mysqldump, its prompt and Compose say on a terminal, or where both outputs were sent into the file.
NOISE = re.compile(
    rb"(?:Enter password:|(?:mysqldump|mariadb-dump): (?:\[Warning\]|Deprecated)|Warning: A (?:partial )?dump |"
    rb"In order to ensure a consistent backup|time=\"[^\"]*\" level=warning|WARN\[|"
    rb"mysqldump: Error: 'Access denied; you need .*PROCESS)"
)
COMPLAINT = re.compile(rb"(?:mysqldump|mariadb-dump): ")
MIGRATION = re.compile(r"\(\d+,'((?:[^'\\]|\\.|'')*)','((?:[^'\\]|\\.|'')*)',")
MIGRATIONS = b"INSERT INTO `django_migrations` "
INSERT = b"INSERT INTO "


class TextError(Exception):
    """A text that is no dump of one schema, or not all of it."""


@dataclass
class Found:
    """What a dump says of itself."""

    database: str = ""
    server: str = ""
    mariadb: bool = False
    schemas: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)
    dropped: int = 0
    longest: int = 0
    migrations: list[tuple[str, str]] = field(default_factory=list)
    bytes: int = 0

    def count(self, kind: str) -> int:
        """Return how many views, triggers, routines or events there are."""
        return sum(item.kind in KINDS[kind] for item in self.items)


class Reader:
    """Takes a dump piece by piece, and hands on what belongs to its tables."""

    def __init__(self, sink: Callable[[bytes], object]) -> None:
        """Begin before the first line."""
        self.found = Found()
        self._sink = sink
        self._line = b""
        self._number = 1
        self.place = 0  # the line in which the statement that is read begins
        self._begun = self._ended = self._crlf = False
        self._delimiter = b";"
        self._statement: list[bytes] = []
        self._size = self._kept = 0
        self._inserting = self._held = self._noting = self._making = False
        self._end = self._migrations = b""

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self.found.bytes += len(data)
        start = 0
        while start < len(data):
            end = data.find(b"\n", start)
            stop = len(data) if end < 0 else end + 1
            self._take(data[start:stop], ended=end >= 0)
            start = stop

    def end(self) -> Found:
        """Return what was found; raise TextError where the dump is not whole."""
        if self._line:
            self._take(b"\n", ended=True)
        if not self._begun:
            raise TextError("it is empty" if not self.found.bytes else "it does not begin as mysqldump begins a dump")
        if not self._ended or self._inserting or self._statement:
            raise TextError(
                "its end is missing, the line `-- Dump completed`: it was cut, or made with --skip-comments; "
                "nothing can say that it is whole"
            )
        names = {kind: {item.name for item in self.found.items if item.kind == kind} for kind in (PLACEHOLDER, VIEW)}
        alone = sorted(names[PLACEHOLDER] - names[VIEW])
        if alone:
            raise TextError(
                f"its view {alone[0]} is only begun: mysqldump writes what it reads, and whose it is, at the end"
            )
        self.found.database = (self.found.schemas or [self.found.database])[0]
        text = self._migrations.decode("utf-8", "replace")
        self.found.migrations = [(match[1], match[2]) for match in MIGRATION.finditer(text)]
        return self.found

    def _take(self, piece: bytes, *, ended: bool) -> None:
        """Take a part of a line, which may be all of it."""
        if not self._inserting:
            self._line += piece
            if (ended or len(self._line) >= _restore_statements.LONGEST_HEAD) and self._is_insert():
                self._begin_insert()
                piece, self._line = self._line, b""
            elif not ended:
                if len(self._line) > LONGEST:
                    raise TextError(f"line {self._number} is longer than any of a dump: it is none, or damaged")
                return
        if self._inserting:
            self._insert(piece, ended=ended)
        else:
            line, self._line = self._line, b""
            self._whole(line)
        self._number += ended

    def _is_insert(self) -> bool:
        """Whether the line is one of rows, which may be too long to be held."""
        return (
            self._line.startswith(INSERT)
            and self._begun
            and not self._ended
            and not self._statement
            and self._delimiter == b";"
        )

    def _begin_insert(self) -> None:
        self.place = self._number
        reason = _restore_statements.refusal_of_rows(self._line)
        if reason:
            raise self._refused(self._line, reason)
        self._inserting, self._size, self._end = True, 0, b""
        self._noting = self._line.startswith(MIGRATIONS)

    def _insert(self, piece: bytes, *, ended: bool) -> None:
        """Hand on a part of an INSERT; what goes on in the next line, as MariaDB's client writes it, is put into one."""
        if self._held:
            piece, self._held = b"\r" + piece, False
        if self._crlf and piece.endswith(b"\r"):
            piece, self._held = piece[:-1], True
        if ended:
            body = piece.rstrip(b"\r\n")
            last = (self._end + body)[-8:].rstrip()
            self._inserting = not last.endswith(b";")
            piece = body + (b"\n" if not self._inserting else b"" if last.endswith(b",") else b" ")
        self._end = (self._end + piece)[-8:]
        self._size += len(piece)
        self.found.longest = max(self.found.longest, self._size)
        if self._noting:
            self._migrations += piece
            if len(self._migrations) > LONGEST_MIGRATIONS:
                raise TextError("its table django_migrations is larger than any")
        self._sink(piece)

    def _whole(self, line: bytes) -> None:
        """Take a whole line that is no row of a table."""
        text = line.rstrip(b"\r\n")
        if not self._begun:
            self._before(line, text)
        elif self._ended:
            if text.strip() and not NOISE.match(text):
                raise TextError(f"line {self._number} goes on after the end of a dump: {shown(text)}")
        elif self._statement or not self._is_comment(text):
            self._add(text)

    def _before(self, line: bytes, text: bytes) -> None:
        """Take a line of the beginning, where other programs may have said something."""
        # The first words may stand behind a prompt.
        match = HEADER.search(text)
        if match and not text[: match.start()].strip(b"\r ").replace(b"Enter password:", b"").strip():
            self._begun, self._crlf = True, line.endswith(b"\r\n")
            self.found.mariadb = match.group(1) == b"MariaDB"
        elif NOISE.match(text):
            self.found.noise.append(shown(text))
        elif text.strip() and not SANDBOX.match(text):
            raise TextError(f"it does not begin as mysqldump begins a dump, but with {shown(text)}")

    def _is_comment(self, text: bytes) -> bool:
        """Read a line that is no statement; say whether it is none."""
        if not text.strip() or text == b"--" or SANDBOX.match(text):
            return True
        if text.startswith(b"DELIMITER "):
            # Where the dump was cut there may be none.
            self._delimiter = (text.split()[1:] or [self._delimiter])[0]
            return True
        if not text.startswith(b"-- "):
            return False
        database, server = DATABASE.match(text), SERVER.match(text)
        if database:
            self.found.database = database.group(1).strip().decode("utf-8", "replace")
        if server:
            self.found.server = server.group(1).decode("ascii", "replace")
            self.found.mariadb = self.found.mariadb or b"MariaDB" in text
        self._ended = self._ended or TRAILER.match(text) is not None
        return True

    def _add(self, text: bytes) -> None:
        """Take a line of a statement, which may end with it."""
        if self._delimiter == b";" and COMPLAINT.match(text):
            raise TextError(f"mysqldump complained in line {self._number}: {shown(text)}")
        self.place = self.place if self._statement else self._number
        self._statement.append(text)
        self._size = len(text) + (self._size if len(self._statement) > 1 else 0)
        if self._size > LONGEST:
            raise TextError(f"the statement that ends in line {self._number} is longer than any of a dump")
        if text.rstrip().endswith(self._delimiter):
            whole = b"\n".join(self._statement).rstrip()[: -len(self._delimiter)].rstrip()
            self._statement = []
            for part in _restore_statements.parts(whole) if self._delimiter == b";" else [whole]:
                self._file(part.strip())

    def _file(self, statement: bytes) -> None:
        """Put a statement where it belongs."""
        named = NAMED.match(statement)
        if named:
            self._name((named[1] or named[2]).replace(b"``", b"`").decode("utf-8", "replace"))
        elif DROPPED.match(statement):
            self.found.dropped += 1
        elif self._delimiter != b";" or OBJECTS.match(statement):
            text = statement.decode("utf-8", "surrogateescape")
            item = item_of(text)
            if item is not None:
                self._keep(replace(item, line=self.place))
            elif REMOVAL.fullmatch(text):
                self.found.dropped += 1
            else:
                raise self._refused(statement, "it is none that mysqldump writes there")
        else:
            reason = _restore_statements.refusal(statement)
            if reason:
                raise self._refused(statement, reason)
            self._making = self._making or b"TABLE" in statement
            self._sink(statement + b";\n")

    def _name(self, name: str) -> None:
        """Note a schema that is named, which is left out: a dump of one names that alone."""
        self.found.dropped += 1
        if self._making and not self.found.schemas and self.found.database:
            # Up to here it was of the schema that is named at the top.
            self.found.schemas.append(self.found.database)
        self.found.schemas += [name] if name not in self.found.schemas else []
        if len(self.found.schemas) > 1 or name.lower() in SERVERS_OWN:
            several = len(self.found.schemas) > 1
            what = f"the schemas {', '.join(self.found.schemas)}" if several else f"the server's own schema {name}"
            raise TextError(
                f"it holds {what} (line {self.place}): give a dump of that of the application alone, made without --all-databases"
            )

    def _refused(self, statement: bytes, reason: str) -> TextError:
        said, advice = _restore_statements.named(statement), _restore_statements.advice(reason)
        return TextError(f"the statement {said} in line {self.place} is not run: {reason}{advice}")

    def _keep(self, item: Item) -> None:
        problem = flaw(item)
        if problem:
            raise TextError(f"{problem}; it begins in line {item.line}")
        self.found.items.append(item)
        self._kept += len(item.text)
        if self._kept > LONGEST:
            raise TextError("its views, triggers, routines and events are larger than any")


def shown(text: bytes) -> str:
    """Return the beginning of a line as a message shows it."""
    return repr(text[:120].decode("utf-8", "replace").strip())
