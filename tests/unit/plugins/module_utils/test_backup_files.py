# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of the uploaded files goes into a backup, and what a backup and a dry run of a restore let happen beside them."""

from __future__ import annotations

import errno
import subprocess
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _backup,
    _backup_files,
    _backup_settings,
    _manifest,
    _pipes,
    _restore,
    _restore_media,
    _restore_source,
    _retention,
)
from test_restore_source import ID, backup

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_what_a_restore_has_replaced_is_no_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pipes, "zstd_cmd", lambda _level: ["cat"])
    stamp = "20261126T030000Z"
    for name in (f"media/.restore-{stamp}.before", f"media/deep/.restore-{stamp}.before", "media/.restore-me", "to"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    settings = _backup_settings.Settings("shop", str(tmp_path), "shop", media="media")
    entry, said = _backup_files.media(settings, tmp_path / "to")
    path = tmp_path / "to" / _manifest.MEDIA
    names = subprocess.run(["tar", "--list", "--file", str(path)], capture_output=True, text=True, check=True).stdout
    assert f"media/.restore-{stamp}.before" not in names
    assert f"media/deep/.restore-{stamp}.before/file\n" in names
    assert "media/.restore-me/file\n" in names
    # And a restore takes all of it.
    with path.open("rb") as stream:
        assert _restore_media.look_through(stream)[:3] == (entry["entries"], entry["plain_bytes"], 2)
    assert (entry["entries"], said) == (6, [])


def test_room_is_looked_for_where_the_files_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = _restore.Job(tmp_path, "shop", "shop", "latest")
    (tmp_path / "media").mkdir()
    assert _restore.places(job) == (str(tmp_path), str(tmp_path))
    backups, media = tmp_path / "backups", tmp_path / "media"
    backups.mkdir()
    assert _restore.places(job) == (str(backups), str(backups))
    monkeypatch.setattr(_restore_media, "place", lambda _root, folder, name: (folder / name, folder / "old"))
    assert _restore.places(job) == (str(backups), str(media))


def test_a_backup_that_has_its_name_is_one_whatever_becomes_of_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _backup_settings.Settings("shop", str(tmp_path), "shop")

    def fill(_settings: Any, _folder: Path, name: str, _sequence: int) -> _backup.Report:
        return _backup.Report(name, name, 1, 1, 1, 1, "")

    def remove(*_args: Any) -> Any:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(_backup, "need_programs", lambda _settings: None)
    monkeypatch.setattr(_backup, "fill", fill)
    monkeypatch.setattr(_retention, "remove", remove)
    report = _backup.make(settings)
    assert (settings.backups / report.id).is_dir()
    assert "the disk is broken" in report.warnings[0]


def test_a_dry_run_keeps_the_backup_that_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backups").mkdir()
    path = backup(tmp_path)
    removed = []
    monkeypatch.setattr(
        _restore_source, "verify", lambda _source, _there: removed.extend(_retention.remove(path.parent, [ID]))
    )
    monkeypatch.setattr(_restore, "make_plan", lambda *_args: "plan")
    job = _restore.Job(tmp_path, "shop", "shop", ID)
    assert _restore.foresee(job, None) == "plan"  # type: ignore[arg-type, comparison-overlap]
    assert removed == []
    assert path.is_dir()
