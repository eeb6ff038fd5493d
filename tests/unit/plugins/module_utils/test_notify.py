# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Telling an operator's command, in whatever way that goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _notify


def test_the_command_gets_the_event(tmp_path: Path) -> None:
    assert _notify.tell(["sh", "-c", f"cat > {tmp_path}/event"], {"event": "backup_failed", "message": "é"}) == ""
    assert json.loads((tmp_path / "event").read_text()) == {"event": "backup_failed", "message": "é"}


def test_without_a_command_nobody_is_told() -> None:
    assert _notify.tell([], {}) == ""


@pytest.mark.parametrize(
    ("hook", "problem"),
    [
        (["/nowhere/hook"], "the hook /nowhere/hook cannot be run: No such file or directory"),
        (["sh", "-c", "echo one; echo no route >&2; exit 4"], "the hook sh ended with 4: no route"),
        (["false"], "the hook false ended with 1: it said nothing"),
    ],
)
def test_what_goes_wrong_is_one_line(hook: list[str], problem: str) -> None:
    assert _notify.tell(hook, {}) == problem


def test_one_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_notify, "SECONDS", 0.2)
    assert _notify.tell(["sleep", "60"], {}) == "the hook sleep took longer than 0.2 seconds and was stopped"


def test_what_a_hook_has_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_notify, "SECONDS", 1)
    pid = tmp_path / "pid"
    assert "was stopped" in _notify.tell(["sh", "-c", f"sleep 60 & echo $! > {pid}; wait"], {})
    stat = Path(f"/proc/{pid.read_text().strip()}/stat")
    # Who has taken it over may not have asked for it yet.
    assert not stat.exists() or stat.read_text().split()[2] == "Z"
