# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command of the host: what it refuses at once, and what it lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _backup, _backup_cli, _backup_settings, _manifest
from test_offsite import add

if TYPE_CHECKING:
    from pathlib import Path

WHOLE, DAMAGED = "20261126T030000Z", "20200101T000000Z"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Have a stack with a backup, and a directory that is none."""
    (tmp_path / "backup").mkdir()
    (tmp_path / "backups").mkdir()
    given = {"stack": "shop", "dir": str(tmp_path), "database": "shop", "audit_log": str(tmp_path / "audit.jsonl")}
    (tmp_path / _backup_settings.FILE).write_text(json.dumps(given))
    add(tmp_path / "backups", WHOLE)
    (tmp_path / "backups" / DAMAGED).mkdir()
    (tmp_path / "backups" / DAMAGED / _manifest.FILE).write_text("{")
    return tmp_path


def test_a_damaged_backup_is_listed_as_such(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _backup_cli.main(root, ["list"]) == 0
    bad, good = capsys.readouterr().out.splitlines()
    assert bad.startswith(f"{DAMAGED}  DAMAGED  {root}/backups/{DAMAGED}/manifest.json is no JSON")
    assert bad.endswith("is no JSON")
    assert good.startswith(f"{WHOLE}  ")
    assert _backup_cli.main(root, ["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [DAMAGED, WHOLE]
    assert list(found[DAMAGED]) == ["damaged"]
    assert "damaged" not in found[WHOLE]


def test_an_id_is_refused_by_its_form_before_the_settings_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        _backup_cli.main(tmp_path / "nowhere", ["fetch", "../../etc"])
    assert caught.value.code == 2
    assert "'../../etc' is the id neither of a backup" in capsys.readouterr().err


def test_off_site_verbs_say_what_to_set(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["offsite"], ["snapshots"], ["fetch", WHOLE]):
        assert _backup_cli.main(root, words) == 1
        assert "set backup_offsite_repository" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "rest"), [([], 0), (["--rest", "100"], 100)])
def test_only_who_asks_for_it_rests(words: list[str], rest: int, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def run(settings: _backup_settings.Settings, _who: str) -> _backup.Report:
        seen.append(settings.rest_percent)
        return _backup.Report(WHOLE, f"{root}/backups/{WHOLE}", 1.0, 1, 1, 1, "")

    monkeypatch.setattr(_backup, "run", run)
    assert _backup_cli.main(root, ["backup", *words]) == 0
    assert seen == [rest]


@pytest.mark.parametrize("word", ["-1", "1.5", "much"])
def test_a_rest_that_is_none_is_refused(word: str, root: Path) -> None:
    with pytest.raises(SystemExit):
        _backup_cli.main(root, ["backup", "--rest", word])
