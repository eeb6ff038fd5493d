# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked of MySQL before and after an upgrade, and in which container the new version is tried.

It is tried where nobody reaches it: without a network, on the data itself, of which a copy is kept. Only what has passed
there is started for the application.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _dump, _mysql_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LABEL = "barehost.django.upgrade"
# So many tables in one statement: a command line is not endless.
BATCH = 100
# What is the server's own view, and has no rows on the disk.
VIRTUAL = ("information_schema", "performance_schema", "sys")
# Of the words that CHECK TABLE answers with, those that are no trouble.
HARMLESS = ("status", "note", "info")
# From here on no transaction is acknowledged that the copy would not hold; and the shutdown leaves nothing half-done behind,
# as https://dev.mysql.com/doc/refman/9.7/en/upgrade-binary-package.html has it.
FREEZE = "SET SESSION lock_wait_timeout = 60; SET GLOBAL super_read_only = ON; SET GLOBAL innodb_fast_shutdown = 0"


class CheckError(Exception):
    """A new version that does not pass, and why."""


def client(sql: str) -> list[str]:
    """Return the words that run some SQL as the client's."""
    return ["mysql", "--batch", "--skip-column-names", "--raw", f"--execute={sql}"]


def ask_cmd(container: str, sql: str, seconds: int) -> list[str]:
    """Return the argv that asks the server in a container as root."""
    return _dump.as_root_cmd(container, client(sql), seconds)


def tables_sql(schema: str = "") -> str:
    """Return the question for the tables of one schema, or of all that have any on the disk."""
    names = ", ".join(_mysql_text.literal(name) for name in VIRTUAL)
    where = f"= {_mysql_text.literal(schema)}" if schema else f"NOT IN ({names})"
    return (
        "SELECT table_schema, table_name FROM information_schema.tables "  # noqa: S608 - the names are escaped
        f"WHERE table_type = 'BASE TABLE' AND table_schema {where} ORDER BY 1, 2"
    )


def parse_rows(text: str) -> list[list[str]]:
    """Read the rows of an answer."""
    return [line.split("\t") for line in text.splitlines() if line]


def batches(names: Sequence[list[str]]) -> Iterable[list[str]]:
    """Return the full names of tables, some at a time."""
    full = [".".join(_mysql_text.identifier(part) for part in name) for name in names]
    for start in range(0, len(full), BATCH):
        yield full[start : start + BATCH]


def count_sql(names: Sequence[str]) -> str:
    """Return the question for the exact number of rows of some tables."""
    return " UNION ALL ".join(
        f"SELECT {_mysql_text.literal(name)}, COUNT(*) FROM {name}"  # noqa: S608 - the names are escaped
        for name in names
    )


def check_sql(names: Sequence[str]) -> str:
    """Return the question whether some tables are whole."""
    return f"CHECK TABLE {', '.join(names)}"


def broken(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return what is wrong with tables, by the answers to check_sql; a table that was not checked for its kind is none of it."""
    found = []
    for table, _, kind, said in rows:
        if kind.lower() not in HARMLESS or (
            kind.lower() == "status" and said not in ("OK", "Table is already up to date")
        ):
            found.append(f"{table}: {said}")
    return found


def differences(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Return which tables do not have the rows that they had."""
    names = sorted({*before, *after})
    return [
        f"{name} had {before.get(name, 'no')} rows and has {after.get(name, 'none')}"
        for name in names
        if before.get(name) != after.get(name)
    ]


@dataclass(frozen=True)
class Trial:
    """The container in which a new version is tried."""

    name: str
    project: str
    root: str
    image: str
    volumes: Sequence[Mapping[str, Any]]
    command: Sequence[str] = ()
    user: str = ""
    # Options of `docker run`: no more than the service may do.
    box: Sequence[str] = ()

    def mounts(self) -> list[str]:
        """Return its volumes as those of the service are, named as Compose names them."""
        found = []
        for item in self.volumes:
            volume = item["type"] == "volume"
            source = f"{self.project}_{item['source']}" if volume else f"{self.root}/{item['source']}"
            found.append(f"--volume={source}:{item['target']}{':ro' if item.get('read_only') else ''}")
        return found

    def run_cmd(self) -> list[str]:
        """Return the argv that starts it."""
        known = [f"--name={self.name}", f"--label={LABEL}={self.root}"]
        limits = [*self.box, *([f"--user={self.user}"] if self.user else [])]
        return [
            "docker",
            "run",
            "--detach",
            *known,
            "--network=none",
            *limits,
            *self.mounts(),
            self.image,
            *self.command,
        ]
