# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""restore_drill and the off-site part of stack_backup: what they return, and what they say where something is wrong."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _backup,
    _backup_settings,
    _drill,
    _drill_run,
    _offsite,
    _restic,
)
from ansible_collections.barehost.django.plugins.modules import restore_drill, stack_backup
from support.modules import Engine, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MADE = _backup.Report("20261126T030000Z", "/opt/shop/backups/20261126T030000Z", 1.0, 9, 7, 2, "0" * 64)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Leave the signals of the test run as they were."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def stack(tmp_path: Path) -> str:
    """Have the settings of a stack."""
    (tmp_path / "backup").mkdir()
    given = {"stack": "shop", "dir": str(tmp_path), "database": "shop", "offsite": {"repository": "s3:x/y"}}
    (tmp_path / _backup_settings.FILE).write_text(json.dumps(given))
    return str(tmp_path)


def drill(stack: str, *, check: bool = False) -> dict[str, Any]:
    return run(restore_drill.main, {"project_dir": stack}, Engine(), check=check)


def test_a_drill_changes_nothing_and_says_what_came_back(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    report = _drill_run.Report("20261126T030000Z", 60, 7, 2, app="a row of each of 4 models", warnings=["look"])
    monkeypatch.setattr(_drill_run, "run", lambda *_args: report)
    result = drill(stack)
    assert (result["changed"], result["drill"]["rows"]) == (False, 7)
    assert "7 rows in 2 tables came back" in result["msg"]


def test_a_dry_run_foresees_and_does_not_drill(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_drill_run, "foresee", lambda _settings, backup: f"would load {backup or 'the newest'}")
    monkeypatch.setattr(_drill_run, "run", lambda *_args: pytest.fail("a dry run drills"))
    result = drill(stack, check=True)
    assert (result["changed"], result["msg"]) == (False, "would load the newest")


@pytest.mark.parametrize("check", [True, False])
def test_what_is_wrong_fails_it_in_one_line(stack: str, monkeypatch: pytest.MonkeyPatch, check: bool) -> None:  # noqa: FBT001
    def refuse(*_args: object) -> None:
        raise _drill.DrillError("table item has 2 rows and the manifest says 3")

    monkeypatch.setattr(_drill_run, "run", refuse)
    monkeypatch.setattr(_drill_run, "foresee", refuse)
    result = drill(stack, check=check)
    assert result["failed"]
    assert result["msg"] == "the restore drill has failed: table item has 2 rows and the manifest says 3"


def test_a_stack_without_the_program_is_told_to_deploy(tmp_path: Path) -> None:
    assert "deploy the stack first" in drill(str(tmp_path))["msg"]


def backup(stack: str, monkeypatch: pytest.MonkeyPatch, sent: _offsite.Report | Exception) -> dict[str, Any]:
    def send(_settings: object, _who: str, *, init: bool) -> _offsite.Report:
        assert not init
        if isinstance(sent, Exception):
            raise sent
        return sent

    monkeypatch.setattr(_backup, "run", lambda *_args: MADE)
    monkeypatch.setattr(_offsite, "run", send)
    return run(stack_backup.main, {"project_dir": stack}, Engine())


def test_a_backup_says_what_was_sent(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = backup(stack, monkeypatch, _offsite.Report(sent=[MADE.id], snapshots=3))
    assert result["offsite"]["sent"] == [MADE.id]
    assert result["msg"].endswith(f"; off-site: 1 sent ({MADE.id}), 3 there")


def test_one_that_cannot_be_sent_fails_and_is_a_backup(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = backup(stack, monkeypatch, _restic.OffsiteError("vault cannot be reached"))
    assert (result["failed"], result["changed"], result["backup"]["id"]) == (True, True, MADE.id)
    assert result["msg"].endswith("; it could not be sent off-site: vault cannot be reached")
