# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program of a drill, in a real Django: it reads, and says what cannot be read."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _program_drill
from support.project import add_migration, ask

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.barehost.django.plugins.module_utils import _oneshot


def drill(app: Path, **parameters: Any) -> _oneshot.Answer:
    return ask(app, _program_drill, **{"rows": {}, "most": 100, **parameters})


def execute(app: Path, *statements: str) -> None:
    with sqlite3.connect(app / "db.sqlite3") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_a_row_of_each_model_is_read(migrated: Path) -> None:
    execute(migrated, "INSERT INTO shop_item (name) VALUES ('a'), ('b')")
    rows = {"shop_item": 2, "django_session": 0, "auth_permission": 1000}
    answer = drill(migrated, rows=rows)
    assert answer.first("pending") == {"event": "pending", "migrations": []}
    read = answer.first("read") or {}
    # Also the tables between two models.
    assert read["models"] >= 9
    assert read["rows"] >= 1
    # The largest that is not too large.
    assert answer.first("counted") == {"event": "counted", "table": "shop_item", "rows": 2}
    assert answer.first("done") is not None


def test_a_table_without_a_column_is_named(migrated: Path) -> None:
    execute(migrated, "ALTER TABLE shop_item RENAME COLUMN name TO other")
    answer = drill(migrated)
    failed = answer.first("failed") or {}
    assert (failed["stage"], failed["model"], failed["error"]) == ("query", "shop.Item", "OperationalError")
    assert answer.first("done") is None


def test_migrations_that_are_missing_are_said_and_nothing_is_read(migrated: Path) -> None:
    add_migration(migrated, "0002_more", "0001_initial", "migrations.RunPython(migrations.RunPython.noop)")
    answer = drill(migrated)
    assert (answer.first("pending") or {})["migrations"] == ["shop.0002_more"]
    assert answer.first("read") is None
    assert answer.first("done") is not None


def test_a_database_that_lets_nobody_in_is_said(migrated: Path) -> None:
    (migrated / "db.sqlite3").unlink()
    (migrated / "db.sqlite3").mkdir()
    assert (drill(migrated).first("failed") or {})["stage"] == "connect"
