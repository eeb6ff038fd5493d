# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a look says of the lock, and which containers it calls strays."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _lock, _look

if TYPE_CHECKING:
    from pathlib import Path

HELD = {"owner": "ana", "at_work": False, "description": "ana, in step switch"}
WORKS = {**HELD, "at_work": True}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {}, {}),
        ({}, HELD, HELD),
        (HELD, {}, {}),
        (HELD, WORKS, WORKS),
        # It has ended in between, and what was seen is of the time before.
        (WORKS, HELD, WORKS),
        (WORKS, {}, WORKS),
    ],
)
def test_what_was_at_work_during_the_look_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], after: dict[str, Any], said: dict[str, Any]
) -> None:
    monkeypatch.setattr(_lock, "look", lambda _root: after)
    assert _look.lock_after(str(tmp_path), before) == {"obstacle": "", "lock": said}


def test_what_is_in_the_way_of_the_lock_does_not_end_the_look(tmp_path: Path) -> None:
    (tmp_path / "lock" / "deploy.json").mkdir(parents=True)
    assert _look.lock_info(str(tmp_path)) == {}
    assert "deploy.json is a directory" in _look.lock_after(str(tmp_path), {})["obstacle"]


def test_who_looks_at_the_lock_sees_an_upgrade_that_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_look, "engine_info", lambda _module: {"present": False})
    monkeypatch.setattr(_look, "host_info", dict)
    (tmp_path / "lock").mkdir()
    (tmp_path / "lock" / "upgrade.json").write_text("{")
    module: Any = types.SimpleNamespace(run_command=lambda *_args, **_options: (1, "", ""))
    wish = {"project": "shop", "ports": [], "packages": [], "units": [], "volumes": False, "missing": False}
    assert "upgrade has come" in _look.look(module, str(tmp_path), {**wish, "lock": True})["stack"]["upgrade"]
    assert "upgrade" not in _look.look(module, str(tmp_path), wish)["stack"]


@pytest.mark.parametrize(
    ("generations", "strays"),
    [({"web": "b"}, [False, True]), ({"worker": "b"}, [False, False]), (None, [False, False])],
)
def test_a_stray_is_of_another_generation_than_the_release(
    generations: dict[str, str] | None, strays: list[bool]
) -> None:
    def container(name: str, generation: str) -> Any:
        values = dict.fromkeys(("state", "health", "image", "restarts", "oom_killed"), "")
        labels = {"barehost.django.generation": generation}
        return types.SimpleNamespace(name=name, service="web", started="2026", labels=labels, **values)

    found = _look.service_info([container("web-2", "a"), container("web-1", "b")], generations)
    assert [item["container"] for item in found["web"]] == ["web-1", "web-2"]
    assert [item["stray"] for item in found["web"]] == strays
