# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which release a rollback goes to, and when the schema forbids it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _rollback

ADD = {"migration": "shop.0002_note", "kinds": ["additive"]}
DROP = {"migration": "shop.0003_drop", "kinds": ["additive", "destructive"]}


def record(name: str, minute: int, *, served: bool = True, **more: Any) -> dict[str, Any]:
    """Return the record of a release."""
    found = {"id": name, "created": f"2026-01-01T00:{minute:02d}", "heads": {"shop": "0001_initial"}, **more}
    return {**found, "activated": f"2026-01-01T00:{minute:02d}"} if served else found


def test_the_last_that_served_is_taken() -> None:
    records = [record("r1", 1), record("r2", 2), record("bad", 3, served=False), record("r3", 4)]
    assert _rollback.choose(records, "r3")["id"] == "r2"


def test_a_release_that_is_named_is_taken() -> None:
    assert _rollback.choose([record("r1", 1), record("r2", 2), record("r3", 3)], "r3", "r1")["id"] == "r1"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("r3", "release r3 is the one that serves; others that have served: r2, r1"),
        ("nine", "release nine has never served here; those that have: r2, r1"),
        ("bad", "release bad has never served here"),
    ],
)
def test_a_release_that_cannot_be_gone_back_to_is_refused_with_those_that_can(wanted: str, said: str) -> None:
    records = [record("r1", 1), record("r2", 2), record("r3", 3), record("bad", 4, served=False)]
    with pytest.raises(_rollback.RollbackError, match=said):
        _rollback.choose(records, "r3", wanted)


def test_without_an_earlier_release_there_is_no_way_back() -> None:
    with pytest.raises(_rollback.RollbackError, match="deploy one instead"):
        _rollback.choose([record("r1", 1)], "r1")


def test_a_release_that_was_rejected_is_gone_back_to_only_by_its_name() -> None:
    records = [record("r1", 1), record("r2", 2, rejected={"reason": "no answer"}), record("r3", 3)]
    assert _rollback.choose(records, "r3")["id"] == "r1"
    assert _rollback.choose(records, "r3", "r2")["id"] == "r2"
    with pytest.raises(_rollback.RollbackError, match=r"every earlier release .* was rejected; .*: r2"):
        _rollback.choose(records[1:], "r3")


def test_a_schema_that_nobody_touched_is_safe() -> None:
    first, second = record("r1", 1), record("r2", 2)
    found = _rollback.schema([first, second], first, second)
    assert found.safe
    assert found.migrations == ()


def test_what_only_added_can_be_lived_with() -> None:
    first, second = record("r1", 1), record("r2", 2, migrations=[ADD])
    found = _rollback.schema([first, second], first, second)
    assert found.safe
    assert "ahead of it by shop.0002_note" in found.describe()


def test_what_took_something_away_cannot_and_the_dump_is_named() -> None:
    records = [
        record("r1", 1),
        record("r2", 2, migrations=[ADD]),
        # Also what a release did that never served.
        record("bad", 3, served=False, migrations=[DROP], dump="/opt/app/backups/a.sql.gz"),
        record("r3", 4),
    ]
    found = _rollback.schema(records, records[0], records[3])
    assert not found.safe
    assert found.harmful == ("shop.0003_drop (additive, destructive)",)
    assert "barehost.django.restore -e restore_from=/opt/app/backups/a.sql.gz" in _rollback.restore_hint(found)


def test_a_later_release_is_not_ahead_of_itself() -> None:
    records = [record("r1", 1), record("r2", 2, migrations=[DROP]), record("r3", 3)]
    assert _rollback.schema(records, records[1], records[2]).safe


def test_a_migration_that_the_target_has_as_its_head_is_known_to_it() -> None:
    target, current = record("r1", 1, heads={"shop": "0002_note"}), record("r2", 2, migrations=[ADD])
    assert _rollback.schema([target, current], target, {**current, "heads": target["heads"]}).migrations == ()


def test_a_record_without_migration_heads_is_not_trusted() -> None:
    target = record("r1", 1)
    del target["heads"]
    assert not _rollback.schema([target], target, target).safe


def test_heads_that_differ_without_a_word_why_are_not_trusted() -> None:
    target, current = record("r1", 1), record("r2", 2, heads={"shop": "0002_note", "new": "0001_initial"})
    found = _rollback.schema([target, current], target, current)
    assert found.harmful == ("new.0001_initial (of an unknown kind)", "shop.0002_note (of an unknown kind)")


def test_one_migration_that_replaces_others_is_no_change() -> None:
    old = {
        "asked": "2026-01-01T00:00",
        "known": ["shop.0001_initial", "shop.0002_note"],
        "replacing": [],
        "unknown": [],
    }
    new = {**old, "known": [*old["known"], "shop.0001_all"], "replacing": ["shop.0001_all"]}
    target, current = record("r1", 1, schema=[old]), record("r2", 2, schema=[new])
    assert _rollback.schema([target, current], target, current).migrations == ()


def test_of_many_migrations_the_first_are_named() -> None:
    heads = {f"app{number}": "0001_initial" for number in range(9)}
    target, current = record("r1", 1, heads={}), record("r2", 2, heads=heads)
    said = _rollback.schema([target, current], target, current).describe()
    assert said.count("0001_initial") == 5
    assert " and 4 more: " in said
