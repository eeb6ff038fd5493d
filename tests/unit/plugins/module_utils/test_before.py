# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of before: noted once, put back as a whole."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _before, _lock, _lock_state

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the directory of a stack that serves."""
    (tmp_path / "redis").mkdir()
    (tmp_path / "compose.yaml").write_text("old\n")
    (tmp_path / "redis" / "redis.conf").write_text("requirepass old\n")
    (tmp_path / "redis" / "redis.conf").chmod(0o400)
    return tmp_path


PATHS = ["compose.yaml", "redis/redis.conf", "redis/extra.conf"]


def change(root: Path, text: str) -> None:
    """Change the files as a run does."""
    _before.note(root, PATHS)
    for path in PATHS:
        (root / path).unlink(missing_ok=True)
        (root / path).write_text(text)


def test_what_was_changed_made_and_removed_is_as_before(root: Path) -> None:
    change(root, "new\n")
    (root / "redis").joinpath("redis.conf").unlink()
    assert _before.put_back(root) == sorted(PATHS)
    assert (root / "compose.yaml").read_text() == "old\n"
    assert (root / "redis/redis.conf").read_text() == "requirepass old\n"
    assert stat.S_IMODE((root / "redis/redis.conf").stat().st_mode) == 0o400
    assert not (root / "redis/extra.conf").exists()
    # Nothing is put back twice.
    assert _before.put_back(root) == []


def test_what_a_failed_run_has_noted_stays(root: Path) -> None:
    change(root, "new\n")
    change(root, "newer\n")
    _before.put_back(root)
    assert (root / "compose.yaml").read_text() == "old\n"


def test_after_a_good_end_the_next_run_begins_anew(root: Path) -> None:
    change(root, "new\n")
    _before.forget(root)
    change(root, "newer\n")
    _before.put_back(root)
    assert (root / "compose.yaml").read_text() == "new\n"


def test_nobody_else_may_read_it(root: Path) -> None:
    change(root, "new\n")
    assert stat.S_IMODE((root / _before.FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((root / _before.FILE).parent.stat().st_mode) == 0o700


def test_a_first_deploy_has_no_before(tmp_path: Path) -> None:
    _before.note(tmp_path, PATHS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_note_is_none(root: Path, text: str) -> None:
    change(root, "new\n")
    (root / _before.FILE).write_text(text)
    assert _before.put_back(root) == []
    assert (root / "compose.yaml").read_text() == "new\n"


def test_what_is_no_text_file_is_left_as_the_run_made_it(root: Path) -> None:
    (root / "redis" / "redis.conf").chmod(0o600)
    (root / "redis" / "redis.conf").write_bytes(b"# ca\xf1a\n")
    (root / "redis" / "extra.conf").symlink_to("redis.conf")
    change(root, "new\n")
    assert _before.put_back(root) == ["compose.yaml"]
    assert (root / "redis" / "redis.conf").read_text() == "new\n"
    assert (root / "redis" / "extra.conf").read_text() == "new\n"


@pytest.mark.parametrize("installed", [True, False])
def test_a_good_end_without_the_files_proves_nothing_of_them(root: Path, *, installed: bool) -> None:
    """As a rollback's."""
    lock = _lock_state.new("t1", {"owner": "ana@desk"}, 1800)
    _lock.acquire(str(root), _lock_state.Wish(lock))
    with _lock.hold(str(root), "t1", "configuration" if installed else "switch"):
        change(root, "new\n")
        _before.settle(root)
    assert (_before.load(root) == {}) is installed
