# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is noted of the backups, and when that is trouble."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _backup_settings, _backup_state

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def stack(root: Path, **more: object) -> _backup_settings.Settings:
    (root / "backups").mkdir()
    (root / "backup").mkdir()
    (root / _backup_settings.FILE).write_text(
        json.dumps({"stack": "shop", "dir": str(root), "database": "shop", **more})
    )
    os.utime(root / _backup_settings.FILE, (NOW.timestamp(), NOW.timestamp()))
    return _backup_settings.load(root)


def test_a_success_ends_the_trouble_and_a_failure_keeps_the_success(tmp_path: Path) -> None:
    _backup_state.note_success(tmp_path, "backup", NOW, id="one")
    _backup_state.note_failure(tmp_path, "backup", hours(1), "two\nlines")
    _backup_state.note_success(tmp_path, "drill", NOW)
    assert _backup_state.load(tmp_path)["backup"] == {
        "success": {"at": "2026-11-26T03:00:00Z", "id": "one"},
        "failure": {"at": "2026-11-26T04:00:00Z", "message": "two lines"},
    }
    _backup_state.note_success(tmp_path, "backup", hours(2), id="three")
    assert _backup_state.load(tmp_path)["backup"]["failure"] is None
    assert sorted(_backup_state.load(tmp_path)) == ["backup", "drill"]


@pytest.mark.parametrize("content", ["", "{", "[]", "nonsense"])
def test_a_damaged_note_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / _backup_state.FILE).write_text(content)
    assert _backup_state.load(tmp_path) == {}


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        (1, ""),
        (26, ""),
        (27, "the last backup is 27 hours old, and at most 26 were asked for"),
        (-0.1, ""),
        (-24, "the last backup is 24.0 hours in the future: the clock of the host is wrong, or was"),
    ],
)
def test_overdue_and_from_the_future(tmp_path: Path, at: float, problem: str) -> None:
    settings = stack(tmp_path)
    _backup_state.note_success(settings.backups, "backup", NOW)
    assert _backup_state.problems(settings, hours(at)) == [problem] * bool(problem)


def test_a_failure_is_trouble_until_the_next_success(tmp_path: Path) -> None:
    settings = stack(tmp_path, scheduled=False)
    _backup_state.note_failure(settings.backups, "backup", NOW, "no space")
    assert _backup_state.problems(settings, hours(1)) == ["the last backup failed at 2026-11-26T03:00:00Z: no space"]
    _backup_state.note_success(settings.backups, "backup", hours(2))
    assert _backup_state.problems(settings, hours(200)) == []


def test_the_first_one_has_its_time(tmp_path: Path) -> None:
    settings = stack(tmp_path)
    assert _backup_state.problems(settings, hours(25)) == []
    assert _backup_state.problems(settings, hours(27)) == [
        "there was no backup yet, and at least one in 26 hours was asked for"
    ]


def test_off_site_is_due_as_often_as_a_backup_and_only_where_it_is_wanted(tmp_path: Path) -> None:
    settings = stack(tmp_path, scheduled=False, offsite={"repository": "s3:x/y"})
    assert _backup_state.problems(settings, hours(27)) == [
        "there was no offsite yet, and at least one in 26 hours was asked for"
    ]
    _backup_state.note_failure(settings.backups, "offsite", NOW, "vault cannot be reached")
    assert _backup_state.problems(settings, hours(1)) == [
        "the last offsite failed at 2026-11-26T03:00:00Z: vault cannot be reached"
    ]
    assert _backup_state.problems(replace(settings, offsite={}), hours(1)) == []


def test_a_drill_is_due_by_its_own_days_and_its_failure_is_said_either_way(tmp_path: Path) -> None:
    settings = stack(tmp_path, scheduled=False, drill={"scheduled": True, "max_age_days": 35})
    _backup_state.note_success(settings.backups, "drill", NOW)
    assert _backup_state.problems(settings, hours(35 * 24)) == []
    assert _backup_state.problems(settings, hours(36 * 24)) == [
        "the last drill is 864 hours old, and at most 840 were asked for"
    ]
    by_hand = replace(settings, drill={})
    assert _backup_state.problems(by_hand, hours(36 * 24)) == []
    _backup_state.note_failure(settings.backups, "drill", NOW, "a row is missing")
    assert _backup_state.problems(by_hand, hours(1)) == [
        "the last drill failed at 2026-11-26T03:00:00Z: a row is missing"
    ]


def test_two_that_end_at_the_same_time_are_both_noted(tmp_path: Path) -> None:
    def note(number: int) -> None:
        _backup_state.note_success(tmp_path, f"kind{number}", NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note, range(40)))
    assert len(_backup_state.load(tmp_path)) == 40
