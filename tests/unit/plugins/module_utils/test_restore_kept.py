# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stays of what restores have replaced: a restore never removes the only copy of what it has not replaced itself."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _restore,
    _restore_journal,
    _restore_kept,
    _restore_media,
    _restore_run,
    _restore_source,
    _restore_sql,
)
from test_restore_source import backup

if TYPE_CHECKING:
    from pathlib import Path

STAMPS = [f"2026112{day}T030000Z" for day in range(1, 6)]


class FakeServer:
    """Has schemas of before."""

    container = "0a1b"

    def __init__(self, *stamps: str) -> None:
        """Take the times of the restores."""
        self.schemas = [_restore_sql.Schemas.of("shop", stamp).old for stamp in stamps]

    def run(self, sql: str, *_more: Any) -> str:
        """Drop schemas."""
        self.schemas = [name for name in self.schemas if f"DROP DATABASE IF EXISTS `{name}`" not in sql]
        return ""

    def facts(self, _live: str) -> dict[str, Any]:
        """Say which schemas there are."""
        return {"schemas": list(self.schemas)}


def finished(root: Path, *, tables: str = "", files: str = "", **wish: Any) -> tuple[list[str], list[str]]:
    """Let a restore that has replaced this tidy up; return the times of the tables and of the files that are left."""
    server = FakeServer(*STAMPS)
    for stamp in STAMPS:
        (root / "backups" / f"{_restore_media.BEFORE}{stamp}").mkdir(parents=True)
    job = _restore.Job(root, "shop", "shop", "latest", **wish)
    done = _restore_run.Done("x", old_schema=tables and _restore_sql.Schemas.of("shop", tables).old)
    done.old_media = files and str(root / "backups" / f"{_restore_media.BEFORE}{files}")
    _restore_run.Runner(job, server)._finish(_restore_journal.Journal(STAMPS[4], "shop"), done)  # type: ignore[arg-type]
    assert done.warnings == []
    return [name[-16:].upper() for name in server.schemas], [
        name[-16:] for name in _restore_kept.media(root, job.media)
    ]


def test_a_restore_tidies_only_what_it_has_replaced_itself(tmp_path: Path) -> None:
    assert finished(tmp_path / "a", tables=STAMPS[4]) == (STAMPS[3:], STAMPS)
    assert finished(tmp_path / "b", files=STAMPS[4]) == (STAMPS, STAMPS[2:])
    assert finished(tmp_path / "c") == (STAMPS, STAMPS)


def test_without_keeping_its_own_goes_and_the_newest_of_before_stay(tmp_path: Path) -> None:
    left = finished(tmp_path, tables=STAMPS[4], files=STAMPS[4], keep_old=False)
    assert left == (STAMPS[2:4], STAMPS[1:4])


def test_a_restore_that_was_killed_and_run_again_and_the_way_back_leave_the_originals() -> None:
    for most in (_restore_kept.SCHEMAS, _restore_kept.MEDIA):
        # Brought to its end, and replaced by the same again.
        assert _restore_kept.superfluous(STAMPS[:2], STAMPS[1], most, keep_own=True) == []


def test_files_of_before_are_found_on_their_own_file_system_as_well(tmp_path: Path) -> None:
    there = tmp_path / "media" / f".restore-{STAMPS[0]}.before"
    here = tmp_path / "backups" / f"media-before-{STAMPS[1]}"
    for path in (here, there, tmp_path / "media" / f".restore-{STAMPS[2]}.new", tmp_path / "media" / "upload"):
        path.mkdir(parents=True)
    assert _restore_kept.media(tmp_path, tmp_path / "media") == [str(there), str(here)]


@pytest.mark.parametrize(
    ("others", "refusal", "warning"), [((), "make a backup first", ""), ((STAMPS[1], STAMPS[2]), "", STAMPS[2])]
)
def test_files_that_nobody_keeps_need_a_backup(
    tmp_path: Path, others: tuple[str, ...], refusal: str, warning: str
) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "media").mkdir()
    entry = {"bytes": 1, "sha256": "0" * 64, "entries": 1}
    files = {"database.sql.zst": entry, "media.tar.zst": entry}
    for number, name in enumerate([*others, STAMPS[0]]):
        backup(tmp_path, name, files=files, stack={"id": "abc"}, sequence=number)
    # Neither that of another stack nor one without files is any good.
    backup(tmp_path, STAMPS[3], files=files, stack={"id": "xyz"}, sequence=7)
    backup(tmp_path, STAMPS[4], stack={"id": "abc"}, sequence=8)
    source = _restore_source.find(tmp_path, STAMPS[0], ["database", "media"])
    place = (tmp_path / "backups", tmp_path / "media", "abc")
    assert _restore_kept.lost_files(source, *place) == ("", "")
    (tmp_path / "media" / "upload").write_text("x")
    said = _restore_kept.lost_files(source, *place)
    assert [bool(text) for text in said] == [bool(refusal), bool(warning)]
    assert refusal in said[0]
    assert warning in said[1]
    alone = _restore_source.find(tmp_path, STAMPS[0], ["database"])
    assert _restore_kept.lost_files(alone, *place) == ("", "")


def test_the_documented_command_brings_the_files_back(tmp_path: Path) -> None:
    media, new, old = (tmp_path / name for name in ("media", "new", "it's old"))
    for folder, name, text in ((media, "a", "old"), (media, ".hidden", "old"), (new, "a", "new")):
        (folder / "deep").mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / "deep" / name).write_text(text)
    media.chmod(0o750)
    _restore_media.swap(media, new, old, ["a", "deep"])
    (media / "deep" / "later").write_text("later")
    (tmp_path / "elsewhere").write_text("mine")
    (media / "deep" / "a").unlink()
    (media / "deep" / "a").symlink_to(tmp_path / "elsewhere")
    subprocess.run(_restore_kept.way_back(str(old), media), shell=True, check=True)  # noqa: S602 - as an operator types it
    found = {str(path.relative_to(media)): path.read_text() for path in media.rglob("*") if path.is_file()}
    assert found == {"a": "old", ".hidden": "old", "deep/a": "old", "deep/.hidden": "old", "deep/later": "later"}
    assert (tmp_path / "elsewhere").read_text() == "mine"
    # That of the directory of before is closed to the app.
    assert media.stat().st_mode & 0o777 == 0o750
