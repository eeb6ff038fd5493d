# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that plans and collects at one start of Django, and looks at the superuser while it is at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _oneshot, _program_prepare, _program_superuser
from support.project import add_migration, ask, done, query

if TYPE_CHECKING:
    from pathlib import Path

USER = {"username": "admin", "email": "admin@example.org", "password": "first-password", "fields": {}}
WANTED = {**USER, "renew_password": True}


def prepare(app: Path, **parameters: Any) -> tuple[_oneshot.Answer, _oneshot.Answer]:
    return ask(app, _program_prepare, static_root=str(app / "out"), **parameters).split("collecting")


def test_both_are_done_and_nothing_is_applied(app: Path) -> None:
    plan, files = prepare(app)
    assert plan.first("done") is not None
    assert [step["migration"] for step in (plan.first("plan") or {})["plan"]][-1] == "shop.0001_initial"
    assert files.first("done") is not None
    assert (app / "out" / "shop" / "a.css").exists()
    assert query(app, "SELECT name FROM sqlite_master") == []


def test_what_is_refused_is_not_collected(migrated: Path) -> None:
    add_migration(migrated, "0002_drop", "0001_initial", "migrations.DeleteModel('Item')")
    plan, files = prepare(migrated, refuse_destructive=True)
    assert plan.first("refused") is not None
    assert files.events == []
    assert not (migrated / "out").exists()


def test_a_failure_of_the_files_is_none_of_the_plan(migrated: Path) -> None:
    (migrated / "out").write_text("in the way")
    plan, files = prepare(migrated)
    assert (plan.code, plan.first("failed")) == (0, None)
    assert (files.first("failed") or {})["stage"] == "collect"


@pytest.mark.parametrize(
    ("changes", "settled"),
    [
        ({}, True),
        ({"password": "another-password"}, False),
        ({"email": "other@example.org"}, False),
        ({"username": "b"}, False),
    ],
)
def test_the_superuser_is_looked_at_and_left_alone(migrated: Path, changes: dict[str, str], settled: bool) -> None:  # noqa: FBT001
    done(migrated, _program_superuser, **WANTED)
    before = query(migrated, "SELECT * FROM auth_user")
    plan, _files = prepare(migrated, superuser={**WANTED, **changes})
    assert plan.first("superuser") == {"event": "superuser", "settled": settled}
    assert query(migrated, "SELECT * FROM auth_user") == before


def test_before_its_table_is_there_nothing_is_said_of_the_superuser(app: Path) -> None:
    plan, _files = prepare(app, superuser=WANTED)
    assert plan.first("superuser") is None
    assert plan.first("done") is not None
