# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""config_tree: the directory that everything lies in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.modules import config_tree
from support.modules import run

if TYPE_CHECKING:
    from pathlib import Path


def args(dest: Path) -> dict[str, Any]:
    """Return what the action plugin hands over for one file."""
    owner = {"owner": os.getuid(), "group": os.getgid()}
    file = {"path": "nginx/site.conf", "content": "a\n", "service": "nginx", "mode": "0644", "secret": False, **owner}
    tree = {"name": "nginx", "role": "barehost.django.nginx"}
    return {"dest": str(dest), "trees": [tree], "files": [file]}


@pytest.mark.parametrize("check", [True, False])
def test_a_directory_that_is_not_there_comes_with_its_files(tmp_path: Path, *, check: bool) -> None:
    """In a real deploy the lock has made it before: what a dry run says of it would be a change that never comes."""
    before = os.umask(0o077)
    try:
        result = run(config_tree.main, args(tmp_path / "shop"), check=check)
    finally:
        os.umask(before)
    assert [(item["path"], item["action"]) for item in result["changes"]] == [("nginx/site.conf", "create")]
    assert (tmp_path / "shop").exists() is not check
    if not check:
        assert (tmp_path / "shop").stat().st_mode & 0o777 == 0o750
        assert run(config_tree.main, args(tmp_path / "shop"))["changed"] is False


def test_a_directory_that_was_opened_to_others_is_closed(tmp_path: Path) -> None:
    run(config_tree.main, args(tmp_path / "shop"))
    (tmp_path / "shop").chmod(0o755)
    result = run(config_tree.main, args(tmp_path / "shop"))
    assert [(item["path"], item["action"]) for item in result["changes"]] == [(".", "directory")]
    assert (tmp_path / "shop").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("check", [True, False])
def test_a_directory_of_files_that_was_opened_to_others_is_closed(tmp_path: Path, *, check: bool) -> None:
    run(config_tree.main, args(tmp_path / "shop"))
    (tmp_path / "shop" / "nginx").chmod(0o777)
    result = run(config_tree.main, args(tmp_path / "shop"), check=check)
    assert result["changes"] == [{"path": "nginx", "service": "nginx", "action": "directory"}]
    assert (tmp_path / "shop" / "nginx").stat().st_mode & 0o777 == (0o777 if check else 0o755)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("directory", "file", "reason"),
    [
        ("nginx/site.conf", "", "Is a directory"),
        ("", "nginx", "Not a directory"),
        ("nginx", "nginx/more", "Not a directory"),
    ],
)
def test_what_stands_in_the_way_of_a_file_is_named_by_a_dry_run_as_well(
    tmp_path: Path, directory: str, file: str, reason: str, *, check: bool
) -> None:
    dest = tmp_path / "shop"
    (dest / directory).mkdir(parents=True)
    if file:
        (dest / file).write_text("in the way\n")
    told = args(dest)
    told["trees"][0]["directories"] = {"nginx/more": "0755"}
    result = run(config_tree.main, told, check=check)
    assert result["failed"] is True
    assert str(dest / (file or directory)) in result["msg"]
    assert reason in result["msg"]
    assert "run the same again" in result["msg"]
    assert (dest / (file or directory)).exists()
