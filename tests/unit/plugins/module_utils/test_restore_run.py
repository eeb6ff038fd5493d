# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore demands of what it has loaded, and when it stops."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _restore,
    _restore_journal,
    _restore_mysql,
    _restore_run,
    _restore_source,
    _restore_sql,
)
from ansible_collections.barehost.django.plugins.module_utils._restore_objects import Item
from ansible_collections.barehost.django.plugins.module_utils._restore_text import Found

VIEW = Item(
    "view",
    "/*!50001 CREATE */ /*!50013 DEFINER=`ghost`@`%` SQL SECURITY DEFINER */ /*!50001 VIEW `v` AS SELECT 1 */",
    "v",
)


class Usage(NamedTuple):
    """What a disk has left."""

    free: int


class FakeServer:
    """Says what was loaded, and notes what it is told."""

    container = "0a1b"

    def __init__(self, counts: dict[str, int]) -> None:
        """Take the rows of each table."""
        self.rows, self.said = counts, ""

    def contents(self, _schema: str) -> _restore_sql.Contents:
        """Say what there is."""
        return _restore_sql.Contents(sorted(self.rows), {kind: [] for kind in _restore_sql.MOVED})

    def counts(self, _schema: str, _tables: Any, _seconds: int) -> dict[str, int]:
        """Count."""
        return self.rows

    def run(self, sql: str, *_more: Any) -> str:
        """Note it; whatever makes a broken view is refused."""
        if "broken" in sql:
            raise _restore_mysql.MysqlError("MySQL said 1146: no such table", 1146)
        self.said += sql
        return ""


def proven(
    counts: dict[str, int], *items: Item, definer: str = "app@%"
) -> tuple[_restore_run.Done, _restore_journal.Journal]:
    job = _restore.Job(Path("/opt/shop"), "shop", "shop", "latest", definer=definer)
    verified = _restore_source.Verified(Found(items=list(items)), {"t": 2, "u": 0}, {"a.1"})
    source = _restore_source.Source(Path("/b"), Path("/b"))
    able = [["root", "localhost"], ["owner", "%"]]
    facts = {"accounts": [["app", "%"], *able], "trigger": able, "event": able[:1]}
    plan = _restore.Plan(source, verified, facts, _restore_sql.Contents(), {}, "", ("/", "/"))
    done, journal = _restore_run.Done("20261126T030000Z"), _restore_journal.Journal("20261126T030000Z", "shop")
    runner = _restore_run.Runner(job, FakeServer(counts))  # type: ignore[arg-type]
    runner._prove(plan, journal, done)
    return done, journal


def test_what_was_loaded_is_counted() -> None:
    done, journal = proven({"t": 2, "u": 0})
    assert (done.rows, journal.migrations) == (2, ["a.1"])


@pytest.mark.parametrize(
    ("counts", "cause"),
    [
        ({"t": 1, "u": 0}, "t has 1 rows and not 2"),
        ({"t": 2}, "u has no table and so no rows and not 0"),
        ({"t": 2, "u": 0, "w": 3}, "w has 3 rows and not none"),
    ],
)
def test_other_rows_than_those_of_the_dump_never_get_a_place(counts: dict[str, int], cause: str) -> None:
    with pytest.raises(_restore.RestoreError, match=cause):
        proven(counts)


@pytest.mark.parametrize(
    ("definer", "owner"), [("app@%", ("app", "%")), ("gone@%", ("root", "localhost")), ("", ("root", "localhost"))]
)
def test_what_belongs_to_nobody_here_gets_an_owner(definer: str, owner: tuple[str, str]) -> None:
    done, journal = proven({"t": 2, "u": 0}, VIEW, definer=definer)
    assert journal.after[0].definer == owner
    assert done.warnings[0].endswith(f"went from ghost@% to {'@'.join(owner)}")


@pytest.mark.parametrize(
    ("kind", "owner"), [("TRIGGER", ("owner", "%")), ("EVENT", ("root", "localhost")), ("PROCEDURE", ("app", "%"))]
)
def test_what_its_owner_may_not_have_gets_one_who_may(kind: str, owner: tuple[str, str]) -> None:
    # Each write to the table of such a trigger would fail.
    item = Item(kind.lower(), f"CREATE DEFINER=`app`@`%` {kind} `x` DO 1", "x")
    _done, journal = proven({"t": 2, "u": 0}, item, definer="owner@%")
    assert journal.after[0].definer == owner


def test_a_view_that_cannot_be_made_is_found_out_in_time() -> None:
    broken = Item("view", "CREATE VIEW `v` AS SELECT * FROM broken", "v")
    with pytest.raises(_restore.RestoreError, match="cannot be made: MySQL said 1146"):
        proven({"t": 2, "u": 0}, broken)


def test_what_cannot_be_made_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [
        Item("set", "/*!50003 SET sql_mode = '' */"),
        Item("procedure", "CREATE DEFINER=`app`@`%` PROCEDURE `p`()\nSELECT 1", "p", line=8),
        Item("placeholder", "/*!50001 CREATE VIEW `v` AS SELECT \n 1 AS `a` */", "v", line=3),
        Item("view", "/*!50001 CREATE ALGORITHM=UNDEFINED */ /*!50013 DEFINER=`app`@`%` */ /*!50001 VIEW `v` AS x */", "v", line=12),
        Item("trigger", "/*!50003 CREATE*/ /*!50017 DEFINER=`app`@`%`*/ /*!50003 TRIGGER `r` BEFORE INSERT */", "r", line=20),
    ]  # fmt: skip
    sql = _restore_sql.prove_objects(items)
    for number, text in enumerate(sql.splitlines(), 1):
        expected = next(
            (
                f"the {item.kind} {item.name} in line {item.line}"
                for item in items
                if f"{item.kind.upper()} `{item.name}`" in text
            ),
            "a view, trigger or routine",
        )

        def fail(_server: Any, _sql: str, *_more: Any, line: int = number) -> str:
            raise _restore_mysql.MysqlError("MySQL said 1064: no", 1064, line)

        monkeypatch.setattr(FakeServer, "run", fail)
        with pytest.raises(
            _restore.RestoreError, match=f"{expected} of the dump cannot be made: MySQL said 1064: no; the data"
        ):
            proven({"t": 2, "u": 0}, *items)


def test_what_cannot_be_loaded_is_told_with_the_line_of_the_dump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.sql"
    path.write_text(
        "-- MySQL dump 10.13\n\n\nSET @a = 1;\n\nCREATE TABLE `t` (\n`id` nonsense\n);\n-- Dump completed\n"
    )
    source = _restore_source.Source(path, path)

    class Refused:
        """Takes it all, and then says what MySQL says."""

        def __init__(self, *_given: Any) -> None:
            """Count what was sent."""
            self.sent = b""

        def write(self, piece: bytes) -> None:
            """Take it."""
            self.sent += piece

        def finish(self) -> None:
            """Fail at what is followed by another statement."""
            line = self.sent[: self.sent.index(b"SET @a")].count(b"\n") + 1
            raise _restore_mysql.MysqlError("MySQL said 1064: nonsense", 1064, line)

        def close(self) -> None:
            """Let go."""

    monkeypatch.setattr(_restore_mysql, "Load", Refused)
    monkeypatch.setattr(FakeServer, "pid", lambda _self: 0, raising=False)
    runner = _restore_run.Runner(_restore.Job(tmp_path, "shop", "shop", "latest"), FakeServer({}))  # type: ignore[arg-type]
    facts = {"packet": 1 << 26, "charset": "utf8mb4", "collation": "utf8mb4_bin"}
    plan = _restore.Plan(
        source, _restore_source.Verified(Found(), {}), facts, _restore_sql.Contents(), {}, "", ("/", "/")
    )
    with pytest.raises(
        _restore.RestoreError, match=r"MySQL said 1064: nonsense \(line 4 of x.sql\); the data is as it was"
    ):
        runner._load(plan, _restore_journal.Journal("20261126T030000Z", "shop"))


def test_loading_stops_before_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    job = _restore.Job(Path("/opt/shop"), "shop", "shop", "latest", reserve=100)
    runner = _restore_run.Runner(job, FakeServer({}))  # type: ignore[arg-type]
    plan = _restore.Plan(None, None, {}, _restore_sql.Contents(), {}, "", ("/", "/"))  # type: ignore[arg-type]
    watch = runner._watch(plan)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(100))
    watch(_restore_run.WATCHED)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(99))
    watch(_restore_run.WATCHED + 1)
    with pytest.raises(_restore.RestoreError, match="loading was stopped"):
        watch(2 * _restore_run.WATCHED)
