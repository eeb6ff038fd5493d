# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is noted of the backups, and when that is trouble."""

from __future__ import annotations

import json
import os
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
