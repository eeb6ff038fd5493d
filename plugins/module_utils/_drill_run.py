# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One restore drill: the newest backup into a throw-away server, and what comes out of it again.

Run by a timer, by hand, and by the module `restore_drill`. Nothing of what serves is touched, and nothing is left behind but
what has become of it; what a drill that was killed has left is removed by the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import (
    _audit,
    _audited,
    _backup_files,
    _backup_settings,
    _backup_source,
    _backup_state,
    _data_lock,
    _drill,
    _drill_app,
    _drill_server,
    _dump,
    _files,
    _lock,
    _manifest,
    _newest,
    _oneshot,
    _pipes,
    _program_drill,
    _retention,
    _work,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.barehost.django.plugins.module_utils._backup_settings import Settings
    from ansible_collections.barehost.django.plugins.module_utils._manifest import Manifest

KIND = "drill"
LOCK = _data_lock.DRILL
POLL_SECONDS = 5.0
Trouble = (
    _backup_files.BackupError,
    _backup_source.SourceError,
    _data_lock.BusyError,
    _drill.DrillError,
    _manifest.ManifestError,
    _pipes.PipeError,
    _work.StoppedError,
    OSError,
)


@dataclass
class Report:
    """What a drill has come to."""

    id: str
    age_seconds: float
    rows: int
    tables: int
    app: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note how long a part takes."""
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)

    @property
    def message(self) -> str:
        """Return it in one line."""
        return f"{self.id}: {_dump.contents(self.rows, self.tables)} came back, and the app has read {self.app}"


@dataclass(frozen=True)
class Plan:
    """What will be drilled, as far as it is known before anything is started."""

    folder: Path
    manifest: Manifest
    image: str
    entrypoint: list[str]


def run(settings: Settings, who: str, backup: str = "", clock: _work.Clock = _backup_state.now) -> Report:
    """Do a drill; raise one of Trouble after everybody was told who has to know. A slip in an id is nobody else's business."""
    if backup:
        demand_known(settings, backup)
    with alone(settings.root):
        work = _work.Work(settings, KIND, who, clock)
        try:
            report = drill(settings, backup, clock)
        except Trouble as error:
            work.failed(error)
            raise
        facts = {"id": report.id, "rows": report.rows, "backup_age_seconds": report.age_seconds}
        facts |= {"seconds": work.seconds, "stages": report.seconds}
        report.warnings += work.succeeded(report.message, facts, to=report.id, stages=report.seconds)
    return report


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep other drills of the stack away."""
    path = root / LOCK
    path.parent.mkdir(mode=_lock.FOLDER_MODE, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _lock.FILE_MODE)
    try:
        if not _lock.try_flock(descriptor):
            raise _data_lock.BusyError("another restore drill is at work on this stack: its result stands in `status`")
        yield
    finally:
        os.close(descriptor)


def drill(settings: Settings, backup: str, clock: _work.Clock) -> Report:
    """Do a drill within its time."""
    wish = _drill.Wish.read(settings.drill)
    need_programs()
    deadline = time.monotonic() + wish.timeout_seconds
    _drill_server.sweep(settings.dir)
    warnings = wait_for_deploy(settings)
    folder, manifest, said = choose(settings, backup)
    warnings += said
    with _retention.reading(folder):
        age = (clock() - _retention.time_of(manifest.id)).total_seconds()
        report = Report(manifest.id, round(age), manifest.rows, len(manifest.tables), warnings=warnings)
        with report.stage("verify"):
            report.warnings += verify(settings, folder, manifest)
        plan = look(settings, folder, manifest)
        try:
            carry_out(settings, wish, plan, report, deadline)
        finally:
            report.warnings += _drill_server.sweep(settings.dir)
            (settings.root / _lock.FOLDER / _drill_app.FILE).unlink(missing_ok=True)
    return report


def foresee(settings: Settings, backup: str) -> str:
    """Say what a drill would do, and refuse what it would refuse before it starts anything."""
    wish = _drill.Wish.read(settings.drill)
    need_programs()
    folder, manifest, said = choose(settings, backup)
    with _retention.reading(folder):
        said += verify(settings, folder, manifest)
        look(settings, folder, manifest)
    return (
        f"would load backup {manifest.id} ({_dump.contents(manifest.rows, len(manifest.tables))}) into a throw-away server of "
        f"{manifest.mysql['image']} with {wish.memory_mb} MiB, count its rows, and let the app read it"
        + "".join(f"; {text}" for text in said)
    )


def need_programs() -> None:
    """Refuse where a program is missing."""
    if shutil.which("docker") is None or shutil.which("zstd") is None:
        raise _drill.DrillError("docker or zstd is not installed on this host: run the site or the bootstrap playbook")


def wait_for_deploy(settings: Settings) -> list[str]:
    """Let a deploy that is at work build and switch first; say so where it takes too long to wait for."""
    begun = time.monotonic()
    while _lock.look(settings.dir).get("at_work"):
        if time.monotonic() - begun >= settings.wait_seconds:
            return [f"a deploy was at work for more than {settings.wait_seconds} seconds, and the drill ran beside it"]
        time.sleep(min(POLL_SECONDS, settings.wait_seconds))
    return []


def choose(settings: Settings, backup: str) -> tuple[Path, Manifest, list[str]]:
    """Return the backup to drill, and what is to be said of others: the newest, or the one that is named.

    One that is damaged is not passed over where it may be the newest.
    """
    if backup:
        return settings.backups / backup, named(settings, backup), []
    newest, said = _newest.find(settings.root, "Make a new backup (barehost.django.backup), or name another one")
    if newest is None:
        raise _drill.DrillError(f"there is no backup in {settings.backups}: make one first (backup playbook)")
    return settings.backups / newest.id, newest, said


def demand_known(settings: Settings, backup: str) -> tuple[dict[str, Manifest], dict[str, str]]:
    """Refuse an id that no backup has; return the whole ones, and why others are damaged."""
    whole, damaged = _manifest.survey(settings.backups)
    if backup not in whole and backup not in damaged:
        wrong = f"there is no backup {backup}" if _manifest.ID.fullmatch(backup) else f"{backup!r} is no id of a backup"
        raise _drill.DrillError(f"{wrong}: {known_in(settings, whole)}")
    return whole, damaged


def known_in(settings: Settings, whole: Mapping[str, Manifest]) -> str:
    """Say which backups there are."""
    return f"in {settings.backups} there {'is' if len(whole) == 1 else 'are'} {_newest.named(whole) or 'none'}"


def named(settings: Settings, backup: str) -> Manifest:
    """Return the backup of that id, or say which ones there are."""
    whole, damaged = demand_known(settings, backup)
    if backup in damaged:
        raise _manifest.ManifestError(f"backup {backup} is damaged: {damaged[backup]}; {known_in(settings, whole)}")
    return whole[backup]


def verify(settings: Settings, folder: Path, manifest: Manifest) -> list[str]:
    """Refuse a backup that is not the one that was made; return what nobody can say.

    Whoever makes a backup here notes it here, too. Another host's was noted there, and loading it proves what there is to prove.
    """
    log = Path(settings.audit_log or _audit.default_path(settings.dir))
    changed, unknown = _audited.ask(folder, manifest.id, log)
    own = (_backup_settings.identity(settings.root), socket.gethostname())
    if changed or (unknown and (manifest.stack.get("id"), manifest.stack.get("host")) == own):
        raise _drill.DrillError(changed or unknown)
    problem = _manifest.damage(folder, manifest)
    if problem:
        raise _manifest.ManifestError(problem)
    return [unknown] if unknown else []


def look(settings: Settings, folder: Path, manifest: Manifest) -> Plan:
    """Ask what can be asked before a server is started, and refuse what would be refused."""
    ask = _drill_server.ask
    try:
        container = _backup_files.find_container(settings)
        image = ask(_drill.container_image_cmd(container)).strip()
    except _backup_files.BackupError:
        # What serves is down, and that is when a backup is needed.
        image = str(manifest.mysql["image"])
    entrypoint = json.loads(ask(_drill.entrypoint_cmd(image))) or []
    place = Path(ask(_drill.root_dir_cmd()).strip())
    usage, least = shutil.disk_usage(place), _drill.needed(manifest)
    if usage.free < least + _backup_files.reserve(usage.total):
        raise _drill.DrillError(
            f"{place} has {_dump.megabytes(usage.free)} free, and the data of backup {manifest.id} may take "
            f"{_dump.megabytes(least)} there: make room"
        )
    return Plan(folder, manifest, image, list(entrypoint))


def carry_out(settings: Settings, wish: _drill.Wish, plan: Plan, report: Report, deadline: float) -> None:
    """Load the backup, and compare."""
    manifest = plan.manifest
    database = str(manifest.mysql["database"])
    config = settings.root / "mysql" / "conf.d"
    server = _drill.Server(
        name=_drill.new_name(settings.stack),
        stack_dir=settings.dir,
        image=plan.image,
        entrypoint=plan.entrypoint,
        hosts=(wish.host, settings.service),
        config=str(config) if config.is_dir() else "",
        memory_mb=wish.memory_mb,
        cpus=min(wish.cpus, float(len(os.sched_getaffinity(0)))),
        seconds=wish.timeout_seconds,
    )
    left = _drill_server.Clock(deadline, wish.timeout_seconds)
    password = (settings.root / "secrets" / wish.secret).read_text(encoding="utf-8").strip("\r\n")
    with _drill_server.running(server, left) as running:
        with report.stage("start"):
            running.wait()
            running.sql(_drill.setup_sql(manifest, wish.user, password))
        with report.stage("load"):
            running.load(plan.folder / _manifest.DATABASE, database)
        with report.stage("compare"):
            compare(running, manifest, database)
        with report.stage("app"):
            ask_app(settings, wish, running, manifest, report)


def compare(running: _drill_server.Running, manifest: Manifest, database: str) -> None:
    """Refuse data that are not what the manifest says."""
    facts = _backup_source.parse_facts(running.sql(_drill.facts_sql(database)), database)
    rows = _drill.parse_counts(running.sql(_drill.counts_sql(facts.tables), database))
    problems = _drill.differences(manifest, facts, rows)
    if not problems and _backup_source.MIGRATIONS in facts.tables:
        applied = _backup_source.parse_migrations(running.sql(_drill.migrations_sql(database)))
        problems = _drill.migration_differences(manifest, applied)
    if problems:
        raise _drill.DrillError(f"backup {manifest.id} does not come back as it was: {_drill.summary(problems)}")


def ask_app(
    settings: Settings, wish: _drill.Wish, running: _drill_server.Running, manifest: Manifest, report: Report
) -> None:
    """Let the app look at its data."""
    service = _drill_app.services(running.clock.ask(_drill_app.config_cmd(settings.dir))).get(wish.service)
    if service is None:
        raise _drill.DrillError(f"the stack has no service {wish.service}, which the drill wants to ask")
    image = str(manifest.release.get("image") or "")
    same = bool(image) and running.clock.succeeds(_drill.entrypoint_cmd(image))
    folder = settings.root / _lock.FOLDER
    file = folder / _drill_app.FILE
    image = image if same else str(service["image"])
    _files.replace(file, _drill_app.compose_text(service, image, running.server), 0o600)
    mark = _oneshot.new_mark()
    text = _oneshot.program_text(_program_drill, {**_drill_app.parameters(wish, manifest), "mark": mark})
    done = running.clock.run(_drill_app.run_cmd(str(file), str(folder), running.server, wish.python), text)
    with suppress(FileNotFoundError):
        file.unlink()
    answer = _oneshot.parse_answer(mark, done.code, done.out, done.err)
    report.app, said = _drill_app.judge(answer, manifest, same_release=same, seconds=wish.timeout_seconds)
    report.warnings += said
