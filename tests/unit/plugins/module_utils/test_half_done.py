# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore that was killed has left: nobody goes on with such data but who settles it, and a dry run says the same."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _backup,
    _backup_cli,
    _backup_settings,
    _backup_state,
    _data_lock,
    _restore_journal,
)

if TYPE_CHECKING:
    from pathlib import Path

STAMP = "20261126T030000Z"
SAID = f"the restore {STAMP} was killed in the middle: run barehost.django.restore again"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Have a stack whose restore was killed."""
    (tmp_path / "backup").mkdir()
    given = {"stack": "shop", "dir": str(tmp_path), "database": "shop", "audit_log": str(tmp_path / "audit.jsonl")}
    (tmp_path / _backup_settings.FILE).write_text(json.dumps(given))
    _restore_journal.write(tmp_path, _restore_journal.Journal(STAMP, "shop"))
    return tmp_path


def test_who_settles_it_has_the_data_and_nobody_else(root: Path) -> None:
    with _data_lock.held(root, "restore", settles=True):
        # It is under way, and a dry run would wait for it.
        _data_lock.foresee(root)
    with pytest.raises(_data_lock.BusyError, match=SAID):
        _data_lock.foresee(root)
    with pytest.raises(_data_lock.BusyError, match=SAID), _data_lock.held(root, "backup"):
        pass
    _restore_journal.close(root, _restore_journal.Journal(STAMP, "shop"))
    _data_lock.foresee(root)
    with _data_lock.held(root, "backup"):
        pass


def test_a_backup_refuses_and_notes_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    settings = _backup_settings.load(root)
    with pytest.raises(_data_lock.BusyError, match=SAID):
        _backup.run(settings, "timer")
    assert _backup_state.load(settings.backups)["backup"]["failure"]["message"].startswith(SAID)
    with pytest.raises(_data_lock.BusyError, match=SAID):
        _backup.look(settings)


def test_whoever_watches_the_host_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _backup_cli.main(root, ["check"]) == 1
    assert SAID in capsys.readouterr().out
