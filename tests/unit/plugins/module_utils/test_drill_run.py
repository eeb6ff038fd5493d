# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backup a drill takes and what it refuses before it starts a server; and what it says and leaves when it fails."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _audit,
    _backup_settings,
    _backup_state,
    _data_lock,
    _drill,
    _drill_run,
    _drill_server,
    _manifest,
    _retention,
)
from test_drill import MANIFEST
from test_offsite import add

NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
NAMES = ["20261125T030000Z", "20261126T030000Z"]


@pytest.fixture
def settings(tmp_path: Path) -> _backup_settings.Settings:
    """Have a stack with two backups, as they were made."""
    root = tmp_path / "shop"
    for folder in ("backups", "secrets", "lock"):
        (root / folder).mkdir(parents=True)
    log = tmp_path / "audit.jsonl"
    for number, name in enumerate(NAMES):
        path = add(root / "backups", name)
        digest = _manifest.write(path, replace(_manifest.read(path), sequence=number))
        note(log, name, digest)
    (root / _backup_settings.IDENTITY).write_text("abc")
    drill = {"user": "shop", "secret": "mysql_password"}
    return _backup_settings.Settings("shop", str(root), "shop", drill=drill, audit_log=str(log))


def note(log: Path, name: str, digest: str) -> None:
    outcome = {"result": "ok", "to": name, "manifest_sha256": digest}
    _audit.append(log, _audit.event("timer", "backup", "2026-11-26T03:00:00Z", 1, outcome))


def chosen(settings: _backup_settings.Settings, backup: str = "") -> str:
    folder, manifest, _said = _drill_run.choose(settings, backup)
    _drill_run.verify(settings, folder, manifest)
    return manifest.id


def test_it_is_the_newest_or_the_one_that_is_named(settings: _backup_settings.Settings) -> None:
    assert chosen(settings) == NAMES[1]
    assert chosen(settings, NAMES[0]) == NAMES[0]
    there = f"in {settings.backups} there are {NAMES[1]}, {NAMES[0]}"
    with pytest.raises(_drill.DrillError, match=f"'../secrets' is no id of a backup: {there}$"):
        chosen(settings, "../secrets")
    with pytest.raises(_drill.DrillError, match=f"there is no backup 20260101T030000Z: {there}$"):
        chosen(settings, "20260101T030000Z")
    (settings.backups / NAMES[0] / _manifest.FILE).write_text("{")
    with pytest.raises(
        _manifest.ManifestError, match=rf"backup {NAMES[0]} is damaged: .* is no JSON; .* is {NAMES[1]}$"
    ):
        chosen(settings, NAMES[0])


def test_the_newest_is_that_of_the_last_run_and_not_of_the_clock(settings: _backup_settings.Settings) -> None:
    # The clock of the host was a year ahead when the first one was made.
    ahead = settings.backups / "20271125T030000Z"
    (settings.backups / NAMES[0]).rename(ahead)
    _manifest.write(ahead, replace(_manifest.read(ahead), id=ahead.name))
    assert _drill_run.choose(settings, "")[1].id == NAMES[1]


def test_one_that_was_fetched_for_a_restore_is_not_the_newest_of_this_stack(
    settings: _backup_settings.Settings,
) -> None:
    path = add(settings.backups, "20261126T040000Z", stack_id="xyz")
    _manifest.write(path, replace(_manifest.read(path), sequence=99))
    assert chosen(settings) == NAMES[1]


def test_a_damaged_one_is_not_passed_over_and_is_named_with_what_to_do(settings: _backup_settings.Settings) -> None:
    folder = settings.backups / NAMES[1]
    (folder / _manifest.FILE).write_text("")
    first = rf"^{folder} is damaged .* is no JSON\. Make a new backup .*, of which there are {NAMES[0]}; "
    said = rf"{first}to set it aside: mv {folder} {folder}\.damaged$"
    with pytest.raises(_manifest.ManifestError, match=said):
        chosen(settings)


def test_one_that_was_damaged_long_ago_blocks_no_drill_and_is_told_of(settings: _backup_settings.Settings) -> None:
    old = settings.backups / NAMES[0]
    (old / _manifest.FILE).write_text("{")
    _folder, manifest, said = _drill_run.choose(settings, "")
    assert manifest.id == NAMES[1]
    (sentence,) = said
    assert sentence.startswith(f"{old} is damaged, and older than the newest backup: ")


def test_one_under_the_name_of_another_is_not_passed_over(settings: _backup_settings.Settings) -> None:
    (settings.backups / NAMES[1]).rename(settings.backups / "20261127T030000Z")
    with pytest.raises(_manifest.ManifestError, match=f"20261127.* holds the manifest of backup {NAMES[1]}"):
        chosen(settings)


def test_without_a_backup_there_is_nothing_to_drill(settings: _backup_settings.Settings) -> None:
    _retention.remove(settings.backups, NAMES)
    with pytest.raises(_drill.DrillError, match="there is no backup in"):
        chosen(settings)


def test_a_manifest_that_was_made_anew_is_found(settings: _backup_settings.Settings) -> None:
    folder = settings.backups / NAMES[1]
    digest = _manifest.write(folder, replace(_manifest.read(folder), tables={"item": 2, "order": 0}, rows=2))
    with pytest.raises(_drill.DrillError, match=f"is not the one that was written: its SHA-256 is {digest[:12]}"):
        chosen(settings)
    # Nor is it believed where somebody has added a line for it.
    note(Path(settings.audit_log), NAMES[1], digest)
    with pytest.raises(_drill.DrillError, match="is not the one that was written"):
        chosen(settings)


def test_one_that_nobody_has_noted_is_refused(settings: _backup_settings.Settings) -> None:
    Path(settings.audit_log).unlink()
    folder = settings.backups / NAMES[1]
    found = _manifest.read(folder)
    _manifest.write(folder, replace(found, stack={**found.stack, "host": socket.gethostname()}))
    with pytest.raises(_drill.DrillError, match=f"has no line of backup {NAMES[1]}"):
        chosen(settings)
    # One of another host was noted there.
    _manifest.write(folder, replace(found, stack={**found.stack, "host": "elsewhere"}))
    said = _drill_run.verify(settings, folder, _manifest.read(folder))
    assert [text for text in said if "nobody can say whether" in text]


@pytest.mark.parametrize(
    ("content", "why"), [(b"DUMP", "has SHA-256"), (b"dumps", "has 5 bytes"), (None, "is missing")]
)
def test_a_damaged_file_is_found(settings: _backup_settings.Settings, content: bytes | None, why: str) -> None:
    file = settings.backups / NAMES[1] / _manifest.DATABASE
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(_manifest.ManifestError, match=why):
        chosen(settings)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have an engine whose server ends at once, and that notes what it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "asked"
    (folder / "docker").write_text(
        f'#!/bin/sh\necho "$@" >> {log}\n'
        'case "$1 $2" in\n'
        '"run --rm") echo "[ERROR] [Server] unknown variable"; exit 1 ;;\n'
        '"info --format") echo / ;;\n'
        '"image inspect") echo \'["docker-entrypoint.sh"]\' ;;\n'
        f'"ps --all"|"volume ls") [ -e {tmp_path}/left ] && echo left; rm -f {tmp_path}/left ;;\n'
        '"exec "*) exit 1 ;;\nesac\n'
    )
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(_drill_run.shutil, "which", lambda name: name)
    monkeypatch.setattr(_drill_run._drill, "needed", lambda _manifest: 0)
    return log


def run(settings: _backup_settings.Settings) -> str:
    (settings.root / "secrets" / "mysql_password").write_text("not-for-production")
    with pytest.raises(_drill_run.Trouble) as caught:
        _drill_run.run(settings, "test", clock=lambda: NOW)
    return str(caught.value)


def test_a_server_that_does_not_start_is_quoted_noted_and_removed(
    settings: _backup_settings.Settings, engine: Path, tmp_path: Path
) -> None:
    (tmp_path / "left").touch()
    said = run(settings)
    assert said == "the throw-away server ended with 1: [ERROR] [Server] unknown variable"
    assert _backup_state.load(settings.backups)["drill"]["failure"]["message"] == said
    line: dict[str, Any] = json.loads(Path(settings.audit_log).read_text().splitlines()[-1])
    assert (line["command"], line["result"], line["message"]) == ("drill", "failed", said)
    asked = engine.read_text().splitlines()
    # What an earlier one has left goes first, its own server at the end.
    assert asked.index("rm --force --volumes left") < next(i for i, text in enumerate(asked) if text.startswith("run "))
    assert any(text.startswith("rm --force --volumes barehost-drill-shop-") for text in asked)
    assert "not-for-production" not in engine.read_text()


def test_two_at_once_are_refused_and_the_first_one_has_the_word(
    settings: _backup_settings.Settings, engine: Path
) -> None:
    descriptor = os.open(settings.root / _drill_run.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert "another restore drill is at work" in run(settings)
    finally:
        os.close(descriptor)
    assert not engine.exists()
    assert _backup_state.load(settings.backups) == {}


def test_settings_of_before_there_were_drills_are_refused(settings: _backup_settings.Settings, engine: Path) -> None:
    assert "deploy again" in run(replace(settings, drill={}))
    assert not engine.exists()


def test_a_slip_in_an_id_is_no_drill_that_has_failed(settings: _backup_settings.Settings, engine: Path) -> None:
    with pytest.raises(_drill.DrillError, match="there is no backup 20260101T030000Z"):
        _drill_run.run(settings, "test", "20260101T030000Z")
    assert _backup_state.load(settings.backups) == {}
    assert not engine.exists()


def test_a_busy_one_is_no_error_of_a_backup() -> None:
    assert _data_lock.BusyError in _drill_run.Trouble


def test_time_that_is_over_is_said() -> None:
    clock = _drill_server.Clock(0.0, 60)
    with pytest.raises(_drill.DrillError, match="took longer than 60 seconds"):
        clock.run(["true"])


def loading(tmp_path: Path, text: bytes, client: str) -> _drill_server.Running:
    """Have a server whose client is a shell command, and a dump of that text."""
    packed = subprocess.run(["zstd", "--quiet", "--stdout"], input=text, capture_output=True, check=True).stdout
    (tmp_path / "dump").write_bytes(packed)
    running = _drill_server.Running.__new__(_drill_server.Running)
    running.clock = _drill_server.Clock(float("inf"), 60)
    running.demand_alive = lambda: None  # type: ignore[method-assign]
    running.server = replace(SERVER, name=client)
    return running


SERVER = _drill.Server("c", "/opt/shop", "i", [], (), "", 512, 1.0, 60)
END = b"\n-- Dump completed on 2026-11-26  3:00:00\n"


@pytest.mark.parametrize(
    ("text", "client", "why"),
    [
        (b"x" * 3_000_000 + END, "cat > /dev/null", ""),
        (b"x" * 3_000_000, "cat > /dev/null", "its end is missing"),
        (b"x" * 3_000_000 + END, "head -c 9 > /dev/null; echo ERROR 1062 >&2; exit 1", "cannot be loaded: ERROR 1062"),
        (b"x" + END, "cat > /dev/null; echo ERROR 1062 >&2; exit 1", "cannot be loaded: ERROR 1062"),
    ],
)
def test_a_dump_is_loaded_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: bytes, client: str, why: str
) -> None:
    monkeypatch.setattr(_drill, "client_cmd", lambda name, _database: ["sh", "-c", name])
    running = loading(tmp_path, text, client)
    if not why:
        running.load(tmp_path / "dump", "shop")
        return
    with pytest.raises(_drill.DrillError, match=why):
        running.load(tmp_path / "dump", "shop")


def test_the_manifest_of_the_tests_is_one() -> None:
    assert _manifest.flaw(MANIFEST) == ""
