# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is in the way of a deploy below the stack's directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _layout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a directory as a deploy leaves it."""
    root = tmp_path / "shop"
    for name in _layout.DIRECTORIES:
        (root / name).mkdir(exist_ok=True)
    for name, kind in _layout.OTHERS.items():
        if kind == "a link":
            (root / name).symlink_to("0a1b2c3d4e5f")
        else:
            (root / name).touch()
    return root


def test_nothing_is_in_the_way_of_nothing(root: Path) -> None:
    assert _layout.obstacle(str(root)) == ""
    assert _layout.obstacle(str(root / "nowhere")) == ""


@pytest.mark.parametrize("name", [name for name in _layout.DIRECTORIES if name != "."])
def test_a_file_where_a_directory_belongs(root: Path, name: str) -> None:
    for path in sorted((root / name).rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    (root / name).rmdir()
    (root / name).touch()
    assert _layout.obstacle(str(root)) == (
        f"{root / name} is a file and has to be a directory: nothing was done; move it away, then run the same again"
    )


def test_the_stack_itself_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "shop").touch()
    assert "shop is a file and has to be a directory" in _layout.obstacle(str(tmp_path / "shop"))


@pytest.mark.parametrize(("name", "wanted"), _layout.OTHERS.items())
def test_a_directory_where_something_else_belongs(root: Path, name: str, wanted: str) -> None:
    (root / name).unlink()
    (root / name).mkdir()
    assert f"{root / name} is a directory and has to be {wanted}: " in _layout.obstacle(str(root))


def test_nothing_that_is_kept_beside_the_lock_is_forgotten() -> None:
    beside = {name for name in _layout.OTHERS if name.startswith("lock/")}
    names = ("before.json", "upgrade.json", "rotation.json", "accounts.json", "data", "drill", "offsite")
    assert {f"lock/{name}" for name in names} <= beside


def test_a_link_to_a_directory_is_one_and_a_link_to_nothing_is_none(root: Path, tmp_path: Path) -> None:
    (root / "backups").rmdir()
    (tmp_path / "disk").mkdir()
    (root / "backups").symlink_to(tmp_path / "disk")
    assert _layout.obstacle(str(root)) == ""
    (tmp_path / "disk").rmdir()
    assert f"{root}/backups is a link to nothing and has to be a directory" in _layout.obstacle(str(root))


def test_what_is_no_file_either(root: Path) -> None:
    (root / "backups").rmdir()
    os.mkfifo(root / "backups")
    assert "backups is neither a file nor a directory and has to be a directory" in _layout.obstacle(str(root))


def test_of_the_lock_alone_only_what_is_in_its_own_way(root: Path) -> None:
    (root / "backups").rmdir()
    (root / "backups").touch()
    assert _layout.obstacle(str(root), only_lock=True) == ""
    (root / "lock" / "deploy.json").unlink()
    (root / "lock" / "deploy.json").mkdir()
    assert "lock/deploy.json is a directory and has to be a file" in _layout.obstacle(str(root), only_lock=True)


def test_the_file_of_the_step_is_no_link(root: Path) -> None:
    (root / "lock" / "step").unlink()
    (root / "lock" / "step").symlink_to("elsewhere")
    assert "lock/step is a link and has to be a file" in _layout.obstacle(str(root))
