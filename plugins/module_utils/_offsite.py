# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way of backups to another place and back, by restic: all that were never there, the retention there, a look at it.

A backup that is here is good whatever becomes of this. A repository is made only where that is asked for: at a place that was
mistyped, or whose disk is not mounted, an empty one would look like a good one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _audit,
    _backup_settings,
    _backup_state,
    _data_lock,
    _files,
    _lock,
    _manifest,
    _pipes,
    _restic,
    _retention,
    _work,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.barehost.django.plugins.module_utils._backup_settings import Settings

KIND = "offsite"
LOCK = _data_lock.OFFSITE
# In memory, and gone with a reboot.
FILES_BELOW = Path("/run")
CACHE_BELOW = "/var/cache/barehost"
# Restic itself tries for a quarter of an hour.
QUICK_SECONDS = 120
DIAGNOSE_SECONDS = 30
POLL_SECONDS = 2.0
Trouble = (
    _data_lock.BusyError,
    _manifest.ManifestError,
    _pipes.PipeError,
    _restic.OffsiteError,
    _work.StoppedError,
    OSError,
)


@dataclass
class Report:
    """What a run has come to."""

    sent: list[str] = field(default_factory=list)
    snapshots: int = 0
    created: bool = False
    checked: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """Return it in one line."""
        sent = f"{len(self.sent)} sent ({', '.join(self.sent)})" if self.sent else "nothing to send"
        made = "the repository was made; " if self.created else ""
        return f"{made}{sent}, {self.snapshots} there" + ("; the repository was checked" if self.checked else "")


class Restic:
    """Restic with the files that it reads, for as long as they are there."""

    def __init__(self, wish: _restic.Wish, folder: Path, cache: Path) -> None:
        """Take the directory of the files."""
        self.wish, self._folder = wish, str(folder)
        self._environment = _restic.environment(wish, self._folder, str(cache))

    def run(self, *args: str, seconds: int = QUICK_SECONDS, cwd: Path | None = None) -> tuple[int, str, str]:
        """Run it; raise OffsiteError where it takes too long."""
        argv = _restic.restic_cmd(self.wish, self._folder, *args)
        deadline = time.monotonic() + seconds
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen(
                argv, env=self._environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
            try:
                while process.poll() is None:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(POLL_SECONDS)
                    said = _pipes.tail_of(err)
                    if process.poll() is None and _restic.hopeless(said):
                        return 1, "", said
                    if process.poll() is None and time.monotonic() > deadline:
                        late = f"{self.wish.repository} did not answer `restic {args[0]}` within {seconds} seconds"
                        raise _restic.OffsiteError(_restic.explain(self.wish, late, 0, said) if said.strip() else late)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            out.seek(0)
            return process.returncode, out.read().decode("utf-8", "replace"), _pipes.tail_of(err)

    def demand(self, what: str, *args: str, seconds: int = QUICK_SECONDS, cwd: Path | None = None) -> str:
        """Run it, and return what it prints; raise OffsiteError with the cause where it fails."""
        code, out, err = self.run(*args, seconds=seconds, cwd=cwd)
        if code != 0:
            raise _restic.OffsiteError(_restic.explain(self.wish, what, code, self.diagnosed(err + out)))
        return out

    def diagnosed(self, said: str) -> str:
        """Return what was said, and what SSH itself says where that is not clear: restic loses it at times."""
        if _restic.cause(said) or not self.wish.is_sftp:
            return said
        argv = _restic.ssh_cmd(self.wish, self._folder)
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=DIAGNOSE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{said}\nConnection timed out"
        return f"{said}\n{done.stderr.decode('utf-8', 'replace')}" if done.returncode else said

    def repository_id(self) -> str:
        """Return the id of the repository; empty where there is none."""
        code, out, err = self.run("cat", "config")
        if code == 0:
            return _restic.parse_repository_id(out)
        said = self.diagnosed(err + out)
        if _restic.is_missing(said):
            return ""
        raise _restic.OffsiteError(_restic.explain(self.wish, "the repository cannot be opened", code, said))

    def snapshots(self, stack_id: str = "") -> list[_restic.Snapshot]:
        """List what is there."""
        return _restic.parse_snapshots(self.demand("the snapshots cannot be listed", *_restic.list_args(stack_id)))


@contextmanager
def opened(settings: Settings) -> Iterator[Restic]:
    """Have restic, with nobody else at it for this stack; its files are gone afterwards."""
    wish = _restic.Wish.read(settings.offsite)
    lacking = [name for name in ("restic", *(["ssh"] if wish.is_sftp else [])) if shutil.which(name) is None]
    if lacking:
        raise _restic.OffsiteError(
            f"{' and '.join(lacking)} not installed on this host: run the site or the bootstrap playbook, which installs it"
        )
    cache = Path(CACHE_BELOW) / settings.stack
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    (settings.root / LOCK).parent.mkdir(mode=_lock.FOLDER_MODE, exist_ok=True)
    descriptor = os.open(settings.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _lock.FILE_MODE)
    try:
        if not _lock.try_flock(descriptor):
            raise _data_lock.BusyError("another run is on its way off-site: try again when it has ended")
        folder = FILES_BELOW / f"barehost-{settings.stack}-offsite"
        # What a killed run has left.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            for name, text in wish.files.items():
                _files.replace(folder / name, text, 0o600)
            yield Restic(wish, folder, cache)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def run(settings: Settings, who: str, *, init: bool = False, clock: _work.Clock = _backup_state.now) -> Report:
    """Bring off-site what is not there; raise one of Trouble after everybody was told who has to know."""
    if not settings.offsite:
        raise _restic.OffsiteError(_restic.NOT_WANTED)
    work = _work.Work(settings, KIND, who, clock)
    try:
        report, facts = send(settings, clock, init=init)
    except _data_lock.BusyError:
        # The other one says how it went.
        raise
    except Trouble as error:
        work.failed(error)
        raise
    report.warnings += work.succeeded(report.message, {**facts, "seconds": work.seconds}, to=(report.sent or [""])[-1])
    return report


def send(settings: Settings, clock: _work.Clock, *, init: bool) -> tuple[Report, dict[str, Any]]:
    """Bring off-site what is not there; return what happened, and what the next run has to know."""
    report = Report()
    stack_id = _backup_settings.identity(settings.root)
    if not stack_id:
        raise _restic.OffsiteError(f"{settings.root / _backup_settings.IDENTITY} is missing: deploy the stack first")
    before = dict((_backup_state.load(settings.backups).get(KIND) or {}).get("success") or {})
    with opened(settings) as restic:
        repository = restic.repository_id()
        if not repository:
            repository, report.created = make(restic, init=init), True
        same = before.get("repository") == repository
        stored = list(before.get("stored") or []) if same else []
        # Of runs that were killed on this host, or ended elsewhere long ago; not of those that are at work.
        restic.run("unlock")
        there = restic.snapshots(stack_id)
        local = list(_manifest.of_stack(_manifest.whole(settings.backups), stack_id))
        for name in _restic.missing(local, there, stored):
            if send_one(settings, restic, stack_id, name):
                report.sent.append(name)
            else:
                report.warnings.append(f"backup {name} was removed before it was sent")
        forget = _restic.forget_args(restic.wish, stack_id)
        if forget and report.sent:
            restic.demand("old snapshots cannot be removed", *forget, seconds=restic.wish.timeout_seconds)
        checked = str(before.get("checked") or "") if same else ""
        if due(checked, restic.wish.check_days, clock()):
            args = _restic.check_args(restic.wish.check_percent)
            restic.demand("the repository does not pass its check", *args, seconds=restic.wish.timeout_seconds)
            checked, report.checked = _backup_state.stamp(clock()), True
        report.snapshots = len(restic.snapshots(stack_id)) if report.sent else len(there)
        url = restic.wish.repository
    kept = [name for name in local if name in {*stored, *report.sent, *(item.backup for item in there)}]
    facts = {"repository": repository, "url": url, "stored": kept, "checked": checked, "snapshots": report.snapshots}
    return report, {**facts, "sent": report.sent, "newest": (kept or [""])[-1]}


def make(restic: Restic, *, init: bool) -> str:
    """Make the repository, where that is wanted; return its id."""
    if not init:
        raise _restic.OffsiteError(
            f"there is no repository at {restic.wish.repository}: see whether the place is the right one and its disk is mounted; "
            "to make one there run the playbook backup once with -e backup_offsite_init=true"
        )
    restic.demand("the repository cannot be made", "init")
    return restic.repository_id()


def send_one(settings: Settings, restic: Restic, stack_id: str, name: str) -> bool:
    """Store one backup; return whether it was still there."""
    at = _retention.time_of(name).strftime("%Y-%m-%d %H:%M:%S")
    args = _restic.backup_args(settings.stack, stack_id, socket.gethostname(), name, at)
    with ExitStack() as stack:
        try:
            stack.enter_context(_retention.reading(settings.backups / name))
        except FileNotFoundError:
            return False
        what = f"backup {name} cannot be sent"
        restic.demand(what, *args, seconds=restic.wish.timeout_seconds, cwd=settings.backups)
    return True


def due(checked: str, days: int, at: datetime) -> bool:
    """Whether the repository has to be looked at again."""
    try:
        then = datetime.strptime(checked, _backup_state.TIME).replace(tzinfo=timezone.utc)
    except ValueError:
        return True
    # An hour less: a timer is not as exact as a clock. One that lies in the future says nothing.
    return not timedelta(0) <= at - then < timedelta(days=days, hours=-1)


def listing(settings: Settings) -> list[_restic.Snapshot]:
    """Return what lies off-site, of this stack and of others in the same repository."""
    with opened(settings) as restic:
        demand_repository(restic)
        return restic.snapshots()


def demand_repository(restic: Restic) -> None:
    """Refuse where there is none to read from."""
    if not restic.repository_id():
        raise _restic.OffsiteError(
            f"there is no repository at {restic.wish.repository}: see whether the place is the right one"
        )


def fetch(settings: Settings, wanted: str, who: str, clock: _work.Clock = _backup_state.now) -> Path:
    """Bring a backup back, and return where it lies; it gets its name when all of it is here and is what its manifest says."""
    flaw = _restic.id_flaw(wanted)
    if flaw:
        raise _restic.OffsiteError(flaw)
    begun = clock()
    with opened(settings) as restic:
        demand_repository(restic)
        found = _restic.find(restic.snapshots(), wanted, _backup_settings.identity(settings.root))
        final = settings.backups / found.backup
        if final.exists():
            raise _restic.OffsiteError(f"{final} is here already: nothing was fetched")
        settings.backups.mkdir(mode=0o700, exist_ok=True)
        for left in settings.backups.glob(".fetch-*"):
            shutil.rmtree(left)
        staging = settings.backups / f".fetch-{found.backup}"
        staging.mkdir(mode=0o700)
        try:
            args = _restic.restore_args(found.id, str(staging))
            restic.demand(f"backup {found.backup} cannot be fetched", *args, seconds=restic.wish.timeout_seconds)
            digest = settle(staging / found.backup, final)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    # A drill compares with it: the snapshot itself is proven by the repository's password.
    outcome = {
        "result": "ok",
        "message": f"from {restic.wish.repository}",
        "to": found.backup,
        "manifest_sha256": digest,
    }
    seconds = (clock() - begun).total_seconds()
    text = _audit.event(who, "fetch", _backup_state.stamp(begun), seconds, outcome)
    _audit.append(Path(settings.audit_log or _audit.default_path(settings.dir)), text)
    return final


def settle(staged: Path, final: Path) -> str:
    """Give a backup that was fetched its name, where it is whole; return the digest of its manifest."""
    manifest = _manifest.read(staged)
    problem = _manifest.damage(staged, manifest)
    if manifest.id != final.name or problem:
        raise _manifest.ManifestError(problem or f"{staged} holds backup {manifest.id}")
    for name in (_manifest.FILE, *manifest.files):
        _files.own(staged / name, 0o600)
        _files.sync(staged / name)
    _files.own(staged, 0o700)
    _files.sync(staged)
    staged.rename(final)
    _files.sync(final.parent)
    return _pipes.digest_of(final / _manifest.FILE).sha256
