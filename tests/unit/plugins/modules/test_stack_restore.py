# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the module begins: what is refused at once, and that a restore goes on where nobody else may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _data_lock,
    _restore,
    _restore_back,
    _restore_journal,
)
from ansible_collections.barehost.django.plugins.modules import stack_restore
from support.modules import Engine, run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def restored(root: Path, **values: Any) -> dict[str, Any]:
    args = {"project_dir": str(root), "project": "shop", "database": "shop", "source": "latest", **values}
    return dict(run(stack_restore.main, args, Engine()))


def test_data_of_which_nothing_would_be_left_are_not_replaced(tmp_path: Path) -> None:
    result = restored(tmp_path, keep_old=False, dump_first=False)
    assert "nothing would be left of the data" in result["msg"]


def test_a_restore_goes_on_with_what_one_that_was_killed_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _restore_journal.write(tmp_path, _restore_journal.Journal("20261126T030000Z", "shop"))
    steps = []

    def plan(*_args: Any) -> None:
        raise _restore.RestoreError("as far as this test goes")

    def recover(_back: Any) -> list[str]:
        steps.append(_data_lock.is_held(tmp_path))
        steps.append(_data_lock.is_held(tmp_path, _data_lock.BACKUP))
        return []

    monkeypatch.setattr(_restore, "find_container", lambda *_args: "0a1b")
    monkeypatch.setattr(_restore, "find_source", lambda _job: (None, None))
    monkeypatch.setattr(_restore_back.Back, "recover", recover)
    monkeypatch.setattr(_restore, "make_plan", plan)
    assert restored(tmp_path)["msg"] == "latest was not restored: as far as this test goes"
    assert steps == [True, True]
