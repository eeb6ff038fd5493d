# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The outer engine: whose it is, what is stale, and what is said when there can be none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "tools"))

import engine


def test_a_process_is_known_by_its_number_and_its_name() -> None:
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    assert engine.runs_as(os.getpid(), name)
    # The number of an earlier boot may belong to another program by now.
    assert not engine.runs_as(os.getpid(), "dockerd")


def test_a_dead_process_does_not_run() -> None:
    child = os.fork()
    if not child:
        os._exit(0)
    try:
        assert engine.wait_until(lambda: not engine.runs_as(child, "python"), 5)
    finally:
        os.waitpid(child, 0)


@pytest.mark.parametrize("content", ["", "many\n"])
def test_a_broken_process_file_names_nobody(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pid"
    path.write_text(content)
    assert engine.read_pid(path) == 0
    assert engine.read_pid(tmp_path / "missing") == 0


def test_a_stranger_s_engine_is_used_and_never_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "answers", lambda: True)
    monkeypatch.setattr(engine, "PID_FILE", tmp_path / "dockerd.pid")
    assert engine.start() == "present, not ours"
    assert engine.stop() == "not ours, left alone"


def test_only_root_can_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "answers", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(engine.EngineError, match="only root can start one"):
        engine.start()


def test_elsewhere_than_on_debian_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(engine.shutil, "which", lambda _name: None)
    with pytest.raises(engine.EngineError, match="this is no Debian system"):
        engine.require_daemon()
