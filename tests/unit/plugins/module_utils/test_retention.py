# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backups go, and what killed runs have left."""

from __future__ import annotations

import fcntl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _retention
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
DAYS = [f"202611{day:02}T030000Z" for day in range(1, 27)]


@pytest.mark.parametrize(
    ("least", "days", "gone"),
    [(7, 30, []), (7, 10, DAYS[:15]), (20, 10, DAYS[:6]), (26, 1, []), (0, 1, DAYS[:24]), (1, 1, DAYS[:24])],
)
def test_by_count_and_by_age(least: int, days: int, gone: list[str]) -> None:
    assert _retention.superfluous(DAYS, NOW, least, days) == gone


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(1, 40), st.integers(1, 400))  # noqa: DTZ001
def test_whatever_the_clock_says_the_newest_stay(at: datetime, least: int, days: int) -> None:
    gone = _retention.superfluous(DAYS, at.replace(tzinfo=UTC), least, days)
    assert not set(gone) & set(DAYS[-least:])


def test_what_is_removed_is_no_backup_from_the_first_moment_on(tmp_path: Path) -> None:
    (tmp_path / DAYS[0]).mkdir()
    (tmp_path / DAYS[0] / "manifest.json").write_text("{}")
    (tmp_path / DAYS[1]).mkdir()
    _retention.remove(tmp_path, [DAYS[0]])
    assert [path.name for path in tmp_path.iterdir()] == [DAYS[1]]


def test_what_somebody_reads_stays(tmp_path: Path) -> None:
    for name in DAYS[:2]:
        (tmp_path / name).mkdir()
    with _retention.reading(tmp_path / DAYS[0]), _retention.reading(tmp_path / DAYS[0]):
        assert _retention.remove(tmp_path, DAYS[:2]) == [DAYS[1]]
    assert _retention.remove(tmp_path, [DAYS[0]]) == [DAYS[0]]
    assert list(tmp_path.iterdir()) == []


def test_what_was_removed_while_somebody_waited_for_it_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / DAYS[0]
    path.mkdir()
    monkeypatch.setattr(fcntl, "flock", lambda *_args: path.rename(tmp_path / ".gone"))
    with pytest.raises(FileNotFoundError), _retention.reading(path):
        pass


def test_leftovers_are_those_of_backups_alone(tmp_path: Path) -> None:
    for name in (f".{DAYS[0]}.partial", f".{DAYS[1]}.gone", DAYS[2], "20261101T030000Z-before-0a1b2c3d4e5f.sql.gz"):
        (tmp_path / name).mkdir()
    assert [path.name for path in _retention.leftovers(tmp_path)] == [f".{DAYS[0]}.partial", f".{DAYS[1]}.gone"]
