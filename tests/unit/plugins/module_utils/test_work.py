# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is noted of work that failed, and of the hook that should have told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _backup_settings, _backup_state, _work

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("hook", "more"),
    [(["true"], ""), (["false"], "; and nobody was told: the hook false ended with 1: it said nothing")],
)
def test_a_failure_that_nobody_was_told_of_says_so_where_it_is_noted(
    hook: list[str], more: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "backups").mkdir()
    settings = _backup_settings.Settings(
        "shop", str(tmp_path), "shop", hook=hook, audit_log=str(tmp_path / "audit.jsonl")
    )
    work = _work.Work(settings, "backup", "timer", _backup_state.now)
    assert work.failed(ValueError("no server")) == "no server"
    noted = _backup_state.load(settings.backups)["backup"]["failure"]["message"]
    assert noted == f"no server{more}"
    assert ("the hook false" in capsys.readouterr().err) == bool(more)
