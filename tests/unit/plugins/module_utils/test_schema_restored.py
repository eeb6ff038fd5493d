# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the records say of the schema once earlier data was restored: a way back is judged by what is there now."""

from __future__ import annotations

from typing import Any

from ansible_collections.barehost.django.plugins.module_utils import _rollback, _schema

DROPPED = {"migration": "a.2", "kinds": ["destructive"], "state": "applied", "at": "2026-03-01", "dump": "/d"}


def record(release: str, known: list[str], asked: str, **more: Any) -> dict[str, Any]:
    schema = [{"asked": asked, "known": known, "unknown": [], "replacing": []}]
    return {
        "id": release,
        "created": asked,
        "activated": f"{asked}T12",
        "schema": schema,
        "heads": {"a": known[-1][2:]},
        **more,
    }


OLD = record("old", ["a.1"], "2026-01-01")
NEW = record("new", ["a.1", "a.2"], "2026-02-28", migrations=[DROPPED])


def restored(data: set[str]) -> list[dict[str, Any]]:
    changed = {item["id"]: item for item in _schema.after_restore([OLD, NEW], "new", data, "2026-04-01")}
    return [changed.get(item["id"], item) for item in (OLD, NEW)]


def test_without_a_restore_the_way_back_is_closed() -> None:
    assert not _rollback.schema([OLD, NEW], OLD, NEW).safe


def test_after_a_restore_from_before_it_is_open() -> None:
    old, new = restored({"a.1"})
    assert _schema.lacks(new) == {"a.2"}
    assert _rollback.schema([old, new], old, new).migrations == ()


def test_once_the_migration_is_applied_again_it_is_closed() -> None:
    old, new = restored({"a.1"})
    new["migrations"] = [*new["migrations"], {**DROPPED, "at": "2026-04-02"}]
    assert _schema.lacks(new) == set()
    assert not _rollback.schema([old, new], old, new).safe


def test_a_restore_of_the_same_state_changes_no_record() -> None:
    assert _schema.after_restore([OLD, NEW], "new", {"a.1", "a.2"}, "2026-04-01") == []


def test_data_of_today_takes_the_note_away_again() -> None:
    old, new = restored({"a.1"})
    (again,) = _schema.after_restore([old, new], "new", {"a.1", "a.2"}, "2026-04-03")
    assert _schema.lacks(again) == set()
