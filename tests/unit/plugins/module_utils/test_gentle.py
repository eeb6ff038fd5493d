# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who steps aside, and who has done so already."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _gentle

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    found: list[list[str]] = []
    monkeypatch.setattr(os, "setpriority", lambda *_args: None)
    monkeypatch.setattr(_gentle.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(_gentle.subprocess, "run", lambda argv, **_more: found.append(argv))
    monkeypatch.setattr(_gentle, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(_gentle, "MOVED_SECONDS", 0)
    return found


def test_who_was_started_by_hand_is_moved(asked: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/user.slice/user-0.slice/session-1.scope\n")
    _gentle.step_aside("barehost-shop-backup")
    assert [argv[0] for argv in asked] == ["busctl"]
    assert f"barehost-shop-backup-{os.getpid()}.scope" in asked[0]


def test_the_timer_has_a_group_of_its_own(asked: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/barehost-shop-backup.service\n")
    _gentle.step_aside("barehost-shop-backup")
    assert asked == []


@pytest.mark.parametrize("error", [subprocess.TimeoutExpired("busctl", 10), FileNotFoundError("busctl")])
def test_a_host_that_does_not_let_it_is_no_error(
    error: Exception, asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgroup").write_text("0::/\n")

    def fail(*_args: Any, **_more: Any) -> None:
        raise error

    monkeypatch.setattr(_gentle.subprocess, "run", fail)
    _gentle.step_aside("barehost-shop-backup")
    assert asked == []


def test_what_is_not_known_of_a_process_is_no_error(asked: list[list[str]]) -> None:
    _gentle.step_aside("barehost-shop-backup")
    assert asked == []


@pytest.mark.parametrize(
    ("percent", "worked", "rested"), [(0, 0.2, []), (100, 0.2, [0.2]), (50, 0.2, [0.1]), (100, 60, [0.5])]
)
def test_rests_for_a_share_of_the_work_and_never_long(
    percent: int, worked: float, rested: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, slept = [10.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        now[0] += seconds

    monkeypatch.setattr(_gentle.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(_gentle.time, "sleep", sleep)
    rest = _gentle.Rest(percent)
    now[0] += worked
    rest.take()
    assert slept == rested
    # The rest itself is no work.
    rest.take()
    assert [seconds for seconds in slept if seconds] == rested
