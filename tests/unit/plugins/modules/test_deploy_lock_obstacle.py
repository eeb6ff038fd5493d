# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""deploy_lock where something lies in the place of something else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.modules import deploy_lock
from support.modules import Engine, run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("check", [True, False])
def test_what_is_in_the_way_of_a_later_step_is_refused_with_the_lock(tmp_path: Path, *, check: bool) -> None:
    obstacle = tmp_path / "releases" / "settings"
    obstacle.parent.mkdir()
    obstacle.touch()
    log = tmp_path / "audit.jsonl"
    args = {"project_dir": str(tmp_path), "audit_log": str(log)}
    refused = run(deploy_lock.main, args, Engine(), check=check)
    assert refused["failed"] is True
    assert refused["msg"] == (
        f"{obstacle} is a file and has to be a directory: nothing was done; move it away, then run the same again"
    )
    # Another run has nothing to do with it, and is not waited for.
    assert "in_the_way" not in refused
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    assert [(line["result"], line["message"]) for line in lines] == ([("failed", refused["msg"])] if not check else [])
    assert {path.name for path in tmp_path.iterdir()} - {log.name} == {"releases"}


def test_a_lock_is_broken_whatever_is_in_the_way_of_a_deploy(tmp_path: Path) -> None:
    (tmp_path / "backups").touch()
    args = {"project_dir": str(tmp_path), "audit_log": str(tmp_path / "audit.jsonl"), "state": "broken"}
    assert "nobody holds the lock" in run(deploy_lock.main, args, Engine())["msg"]
    (tmp_path / "lock").touch()
    refused = run(deploy_lock.main, args, Engine())
    assert f"{tmp_path}/lock is a file and has to be a directory" in refused["msg"]
