# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is sent, when a repository is made, and that what went wrong elsewhere costs nothing here; restic is a stand-in."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _backup_settings,
    _backup_state,
    _data_lock,
    _manifest,
    _offsite,
    _pipes,
    _restic,
)
from test_drill import MANIFEST
from test_restic import GIVEN

NOW = datetime(2026, 11, 26, 4, tzinfo=UTC)
NAMES = ["20261124T030000Z", "20261125T030000Z"]


class Place:
    """A repository that is somewhere else."""

    def __init__(self) -> None:
        """Begin with none."""
        self.id = ""
        self.snapshots: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.broken: dict[str, str] = {}

    def run(self, *args: str, seconds: int = 0, cwd: Path | None = None) -> tuple[int, str, str]:
        """Answer as restic does."""
        del seconds
        self.calls.append(args[0])
        if args[0] in self.broken:
            return 1, "", self.broken[args[0]]
        if args[0] == "cat":
            return (0, json.dumps({"id": self.id}), "") if self.id else (10, "", "Lstat: file does not exist")
        if args[0] == "init":
            self.id = "new"
        if args[0] == "backup":
            assert cwd is not None
            assert (cwd / args[-1] / _manifest.FILE).exists()
            tags = args[args.index("--tag") + 1].split(",")
            self.snapshots.append({"id": f"{len(self.snapshots):064x}", "time": args[6], "hostname": "h", "tags": tags})
        if args[0] == "restore":
            source = Path(str(self.snapshots[-1]["source"]))
            target = Path(args[-1]) / source.name
            target.mkdir()
            for file in source.iterdir():
                (target / file.name).write_bytes(file.read_bytes())
        return 0, json.dumps(self.snapshots) if args[0] == "snapshots" else "", ""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Place:
    """Have a place that is reached without restic."""
    found = Place()
    monkeypatch.setattr(_offsite.Restic, "run", lambda _self, *args, **options: found.run(*args, **options))
    monkeypatch.setattr(_offsite.Restic, "diagnosed", lambda _self, said: said)
    monkeypatch.setattr(_offsite.shutil, "which", lambda name: name)
    monkeypatch.setattr(_offsite, "FILES_BELOW", tmp_path / "run")
    monkeypatch.setattr(_offsite, "CACHE_BELOW", str(tmp_path / "cache"))
    (tmp_path / "run").mkdir()
    return found


def add(folder: Path, name: str, content: bytes = b"dump", stack_id: str = "abc") -> Path:
    path = folder / name
    path.mkdir()
    (path / _manifest.DATABASE).write_bytes(content)
    written = _pipes.digest_of(path / _manifest.DATABASE)
    files = {_manifest.DATABASE: {"bytes": written.bytes, "sha256": written.sha256}}
    stack = {"name": "shop", "id": stack_id, "host": "one"}
    _manifest.write(path, replace(MANIFEST, id=name, files=files, stack=stack))
    return path


@pytest.fixture
def settings(tmp_path: Path) -> _backup_settings.Settings:
    """Have a stack with two backups."""
    root = tmp_path / "shop"
    for folder in ("backups", "secrets", "lock"):
        (root / folder).mkdir(parents=True)
    (root / _backup_settings.IDENTITY).write_text("abc")
    for name in NAMES:
        add(root / "backups", name)
    log = str(tmp_path / "audit.jsonl")
    return _backup_settings.Settings("shop", str(root), "shop", offsite=GIVEN, audit_log=log)


def test_without_off_site_settings_it_is_said_what_to_set(settings: _backup_settings.Settings) -> None:
    for verb in (run, _offsite.listing):
        with pytest.raises(_restic.OffsiteError, match=r"set backup_offsite_repository .* run the site playbook$"):
            verb(replace(settings, offsite={}))
    # Nothing of it is a failure: nobody wanted it.
    assert _backup_state.load(settings.backups) == {}


def test_what_has_not_the_form_of_an_id_is_refused_before_all_else(settings: _backup_settings.Settings) -> None:
    for wanted in ("../../etc", "", "2026112", "latest"):
        with pytest.raises(_restic.OffsiteError, match=f"^'{wanted}' is the id neither of a backup"):
            _offsite.fetch(replace(settings, offsite={}), wanted, "test")


def run(settings: _backup_settings.Settings, at: datetime = NOW, *, init: bool = False) -> _offsite.Report:
    return _offsite.run(settings, "test", init=init, clock=lambda: at)


def noted(settings: _backup_settings.Settings) -> dict[str, Any]:
    return dict(_backup_state.load(settings.backups)["offsite"])


def test_a_repository_is_made_only_on_request(place: Place, settings: _backup_settings.Settings) -> None:
    with pytest.raises(_restic.OffsiteError, match="there is no repository at"):
        run(settings)
    assert "init" not in place.calls
    assert "there is no repository at" in noted(settings)["failure"]["message"]
    report = run(settings, init=True)
    assert (report.created, report.sent, report.snapshots) == (True, NAMES, 2)
    assert noted(settings)["failure"] is None
    # Nor a second one, where there is one.
    assert not run(settings, init=True).created
    assert place.calls.count("init") == 1


def test_one_that_cannot_be_reached_is_not_made_even_on_request(
    place: Place, settings: _backup_settings.Settings
) -> None:
    place.broken = {"cat": "ssh: connect to host vault port 22: Connection refused"}
    with pytest.raises(_restic.OffsiteError, match="vault cannot be reached"):
        run(settings, init=True)
    assert place.calls == ["cat"]


def test_what_failed_is_caught_up_with(place: Place, settings: _backup_settings.Settings) -> None:
    run(settings, init=True)
    names = ["20261126T030000Z", "20261126T030001Z"]
    for name in names:
        add(settings.backups, name)
    place.broken = {"backup": "sftp: no space left on device"}
    with pytest.raises(_restic.OffsiteError, match=f"backup {names[0]} cannot be sent: there is no space left"):
        run(settings)
    place.broken = {}
    assert run(settings).sent == names


def test_what_was_removed_there_is_not_sent_again(place: Place, settings: _backup_settings.Settings) -> None:
    run(settings, init=True)
    del place.snapshots[0]
    assert run(settings).sent == []
    # Another repository at the same address knows nothing of that.
    place.id, place.snapshots = "another", []
    assert run(settings).sent == NAMES


def test_one_that_is_removed_on_the_way_fails_nothing(
    place: Place, settings: _backup_settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = _restic.missing

    def missing(*args: Any) -> Any:
        found = plain(*args)
        shutil.rmtree(settings.backups / NAMES[0])
        return found

    monkeypatch.setattr(_restic, "missing", missing)
    report = run(settings, init=True)
    assert (report.sent, len(place.snapshots)) == (NAMES[1:], 1)
    assert f"backup {NAMES[0]} was removed before it was sent" in report.warnings
    assert (noted(settings)["success"]["stored"], noted(settings)["failure"]) == (NAMES[1:], None)


def test_what_another_stack_has_made_is_not_sent_as_ours(place: Place, settings: _backup_settings.Settings) -> None:
    add(settings.backups, "20261126T030000Z", stack_id="xyz")
    assert run(settings, init=True).sent == NAMES
    assert len(place.snapshots) == len(NAMES)


def test_old_ones_are_removed_when_there_is_a_new_one(place: Place, settings: _backup_settings.Settings) -> None:
    run(settings, init=True)
    assert place.calls.count("forget") == 1
    run(settings)
    assert place.calls.count("forget") == 1


def test_the_repository_is_looked_at_now_and_then(place: Place, settings: _backup_settings.Settings) -> None:
    assert run(settings, init=True).checked
    assert not run(settings, NOW + timedelta(days=6)).checked
    assert run(settings, NOW + timedelta(days=7)).checked
    place.broken = {"check": "Fatal: repository contains errors"}
    with pytest.raises(_restic.OffsiteError, match=r"does not pass its check: .* is damaged"):
        run(settings, NOW + timedelta(days=20))
    # One that failed is not taken for done.
    place.broken = {}
    assert run(settings, NOW + timedelta(days=20)).checked


@pytest.mark.parametrize("checked", ["", "never", "2026-11-27T04:00:00Z"])
def test_a_look_of_which_nothing_is_known_is_due(checked: str) -> None:
    assert _offsite.due(checked, 7, NOW)


def test_its_files_are_gone_afterwards(place: Place, settings: _backup_settings.Settings) -> None:
    seen: dict[str, str] = {}

    def look(*args: str, **_options: Any) -> tuple[int, str, str]:
        folder = _offsite.FILES_BELOW / "barehost-shop-offsite"
        seen.update({path.name: f"{path.stat().st_mode & 0o777:o}" for path in folder.iterdir()})
        raise _restic.OffsiteError(args[0])

    place.run = look  # type: ignore[method-assign]
    with suppress(_restic.OffsiteError):
        run(settings)
    assert seen == {"password": "600", "key": "600", "known_hosts": "600"}
    assert list(_offsite.FILES_BELOW.iterdir()) == []


def test_one_at_a_time(place: Place, settings: _backup_settings.Settings) -> None:
    descriptor = os.open(settings.root / _offsite.LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(_data_lock.BusyError, match="another run is on its way off-site"):
            run(settings)
    finally:
        os.close(descriptor)
    assert place.calls == []
    assert _backup_state.load(settings.backups) == {}


def lying_there(place: Place, settings: _backup_settings.Settings, tmp_path: Path) -> Path:
    """Have a backup that is only there."""
    place.id = "x"
    source = add(tmp_path, "20261120T030000Z")
    tags = _restic.tags("shop", "abc", source.name)
    place.snapshots = [{"id": "1" * 64, "time": "t", "hostname": "h", "tags": tags, "source": str(source)}]
    assert settings.backups.is_dir()
    return source


def test_a_backup_comes_back_and_the_audit_log_knows_its_manifest(
    place: Place, settings: _backup_settings.Settings, tmp_path: Path
) -> None:
    source = lying_there(place, settings, tmp_path)
    final = _offsite.fetch(settings, source.name, "test")
    assert (final / _manifest.FILE).read_bytes() == (source / _manifest.FILE).read_bytes()
    line = json.loads(Path(settings.audit_log).read_text().splitlines()[-1])
    digest = _pipes.digest_of(source / _manifest.FILE).sha256
    assert (line["command"], line["to"], line["manifest_sha256"]) == ("fetch", source.name, digest)
    with pytest.raises(_restic.OffsiteError, match="is here already"):
        _offsite.fetch(settings, source.name, "test")


@pytest.mark.parametrize("damage", ["bytes", "content", "missing"])
def test_one_that_is_damaged_gets_no_name_here(
    place: Place, settings: _backup_settings.Settings, tmp_path: Path, damage: str
) -> None:
    source = lying_there(place, settings, tmp_path)
    file = source / _manifest.DATABASE
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"DUMP" if damage == "content" else b"dumps")
    with pytest.raises(_manifest.ManifestError, match="damaged"):
        _offsite.fetch(settings, source.name, "test")
    assert sorted(path.name for path in settings.backups.iterdir()) == NAMES


def running(monkeypatch: pytest.MonkeyPatch, script: str, seconds: int = 60) -> tuple[int, str, str]:
    """Run a shell in the place of restic."""
    monkeypatch.setattr(_offsite, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(_restic, "restic_cmd", lambda *_args: ["sh", "-c", script])
    restic = _offsite.Restic(_restic.Wish.read(GIVEN), Path("/nonexistent"), Path("/nonexistent"))
    return restic.run("backup", seconds=seconds)


def test_what_restic_says_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert running(monkeypatch, "echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")


def test_where_no_space_is_left_it_is_not_tried_for_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.monotonic()
    code, _out, err = running(monkeypatch, "echo 'sftp: no space left on device, retrying' >&2; exec sleep 50")
    assert (code, "no space left" in err) == (1, True)
    assert time.monotonic() - begun < 20


def test_one_that_does_not_end_is_ended_with_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(_restic.OffsiteError, match=r"within 1 seconds: vault cannot be reached"):
        running(monkeypatch, "echo 'dial tcp: i/o timeout' >&2; exec sleep 50", seconds=1)
