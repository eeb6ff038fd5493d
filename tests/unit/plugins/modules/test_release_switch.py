# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""release_switch: what a dry run says where there is nothing to look at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _asleep
from ansible_collections.barehost.django.plugins.modules import release_switch
from support.modules import Engine, run

if TYPE_CHECKING:
    from pathlib import Path

SAID = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
STOPPED = (1, "", f"{SAID}\n")


def switch(tmp_path: Path, *, check: bool, **options: Any) -> dict[str, Any]:
    """Switch to a release with an engine that is stopped."""
    asked = {
        "project_dir": str(tmp_path),
        "project": "app",
        "release_id": "abc",
        "image": "app/app:abc",
        "services": [{"name": "web", "rollover": "beside"}],
        "definitions": {"web": "d1"},
        **options,
    }
    return run(release_switch.main, asked, Engine().on("docker", reply=STOPPED), check=check)


@pytest.fixture(autouse=True)
def asleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files of the engine say that it has no container."""
    root = tmp_path / "docker"
    (root / "containers").mkdir(parents=True)
    (tmp_path / "daemon.json").write_text(json.dumps({"data-root": str(root)}))
    monkeypatch.setattr(_asleep, "DAEMON_JSON", tmp_path / "daemon.json")


@pytest.mark.parametrize("check", [True, False])
def test_what_starts_no_engine_is_refused_in_a_dry_run_as_in_a_real_one(tmp_path: Path, *, check: bool) -> None:
    (tmp_path / "compose.yaml").touch()
    result = switch(tmp_path, check=check)
    assert result["failed"] is True
    assert SAID in result["msg"]


@pytest.mark.parametrize("there", [True, False])
def test_where_the_run_starts_the_engine_the_dry_run_goes_on(tmp_path: Path, *, there: bool) -> None:
    if there:
        (tmp_path / "compose.yaml").touch()
    result = switch(tmp_path, check=True, engine_first=True)
    assert "failed" not in result
    assert [(step["service"], step["action"]) for step in result["steps"]] == [("web", "create")]


def test_on_a_bare_host_nothing_is_asked(tmp_path: Path) -> None:
    (step,) = switch(tmp_path, check=True)["steps"]
    assert step["reason"] == "nothing is deployed yet"
