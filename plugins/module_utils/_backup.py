# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One backup, from the first question to the audit log: run by a timer, by hand, and by the module `stack_backup`.

A backup is a directory that gets its name when all of it is on the disk. Everything before that is removed again, whatever
happens, and by the next backup where nobody was left to do it.
"""

from __future__ import annotations

import shutil
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _backup_files,
    _backup_settings,
    _backup_source,
    _backup_state,
    _data_lock,
    _dump,
    _fifo,
    _gentle,
    _manifest,
    _pipes,
    _release,
    _retention,
    _work,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.barehost.django.plugins.module_utils._backup_settings import Settings

KIND = "backup"
WITHOUT_SETTINGS = "configuration and secrets are not in it: give backup_age_recipients, a public key of age"
# Everything by which a backup can fail in a way that is said in one line.
Trouble = (
    _backup_files.BackupError,
    _backup_source.SourceError,
    _data_lock.BusyError,
    _fifo.FifoError,
    _manifest.ManifestError,
    _pipes.PipeError,
    _work.StoppedError,
    OSError,
)


@dataclass
class Report:
    """What a backup has come to."""

    id: str
    path: str
    seconds: float
    bytes: int
    rows: int
    tables: int
    manifest_sha256: str
    removed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def run(settings: Settings, who: str, clock: _work.Clock = _backup_state.now) -> Report:
    """Make a backup; raise one of Trouble after everybody was told who has to know."""
    work = _work.Work(settings, KIND, who, clock)
    try:
        report = make(settings, clock)
    except Trouble as error:
        work.failed(error)
        raise
    facts = {"id": report.id, "bytes": report.bytes, "rows": report.rows, "seconds": report.seconds}
    message = f"{_dump.contents(report.rows, report.tables)}, {_dump.megabytes(report.bytes)}"
    report.warnings += work.succeeded(message, facts, to=report.id, manifest_sha256=report.manifest_sha256)
    return report


def make(settings: Settings, clock: _work.Clock = _backup_state.now) -> Report:
    """Make a backup, and remove those that are kept no longer."""
    need_programs(settings)
    _gentle.step_aside(f"barehost-{settings.stack}-backup")
    _backup_files.ensure_folder(settings.backups)
    with _data_lock.held(settings.root, KIND, settings.wait_seconds, file=_data_lock.BACKUP):
        for path in _retention.leftovers(settings.backups):
            shutil.rmtree(path)
        there = _manifest.whole(settings.backups)
        name = free_name(settings.backups, clock)
        partial = settings.backups / f".{name}.partial"
        partial.mkdir(mode=0o700)
        try:
            report = fill(settings, partial, name, 1 + max((item.sequence for item in there.values()), default=0))
            _backup_files.settle(partial, settings.backups / name)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        old = _retention.superfluous([*there, name], clock(), settings.keep_least, settings.keep_days)
        try:
            report.removed = _retention.remove(settings.backups, old)
        except OSError as error:
            # The backup is made, whatever becomes of older ones; the next one tries again.
            report.warnings.append(f"backups that are kept no longer could not be removed: {error}")
    return report


def look(settings: Settings) -> _backup_source.Facts:
    """Ask all that can be asked before a backup is made, and refuse what a backup would be refused for."""
    need_programs(settings)
    _data_lock.foresee(settings.root)
    facts = ask(settings, _backup_files.find_container(settings))
    folder = settings.backups if settings.backups.is_dir() else settings.root
    _backup_files.demand_space(folder, expected_bytes(settings, facts))
    return facts


def need_programs(settings: Settings) -> None:
    """Refuse where a program is missing."""
    wanted = ["docker", "zstd", *(["age"] if settings.age_recipients else [])]
    missing = [name for name in wanted if shutil.which(name) is None]
    if missing:
        raise _backup_files.BackupError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed on this host: run the site or the "
            "bootstrap playbook, which installs what backups need"
        )


def free_name(folder: Path, clock: _work.Clock) -> str:
    """Return the id of a backup that is begun now; they are a second apart."""
    while True:
        name = _retention.stamp(clock())
        if not (folder / name).exists():
            return name
        time.sleep(0.2)


def fill(settings: Settings, folder: Path, name: str, sequence: int) -> Report:
    """Write the files of a backup and its manifest."""
    begun, start = _backup_state.now(), time.monotonic()
    files: dict[str, dict[str, Any]] = {}
    with _data_lock.held(settings.root, KIND, settings.wait_seconds):
        container = _backup_files.find_container(settings)
        facts = ask(settings, container)
        _backup_files.demand_space(settings.backups, expected_bytes(settings, facts))
        files[_manifest.DATABASE], rows = _backup_files.dump(settings, container, folder)
        migrations = ask_migrations(settings, container, facts)
        image = _backup_files.answer_of(_backup_source.image_cmd(container)).strip()
        release = release_of(settings)
    missing = sorted(set(facts.tables) ^ set(rows))
    if missing:
        raise _backup_files.BackupError(
            f"the dump and the schema have not the same tables: {', '.join(missing[:5])}. Was the schema changed meanwhile? "
            "The next backup will tell"
        )
    warnings = [
        f"{table} is no InnoDB table, and so not of the same moment as the others" for table in facts.other_engines
    ]
    # After the dump: a row whose file is missing is worse than a file that no row names yet.
    if settings.media and (settings.root / settings.media).is_dir():
        files[_manifest.MEDIA], said = _backup_files.media(settings, folder)
        warnings += said
    if settings.age_recipients:
        files[_manifest.SETTINGS], said = _backup_files.configuration(settings, folder)
        warnings += said
    # Whoever made it is told what the stack lacks, and not whoever reads the manifest: that is no flaw of what is in it.
    advice = [] if settings.age_recipients else [WITHOUT_SETTINGS]
    seconds = round(time.monotonic() - start, 1)
    manifest = _manifest.Manifest(
        id=name,
        sequence=sequence,
        created=_backup_state.stamp(begun),
        seconds=seconds,
        stack={"name": settings.stack, "id": _backup_settings.identity(settings.root), "host": socket.gethostname()},
        release=release,
        mysql={
            "version": facts.version,
            "image": image,
            "database": settings.database,
            "charset": facts.charset,
            "collation": facts.collation,
        },
        tables=rows,
        rows=sum(rows.values()),
        objects=facts.objects,
        migrations=migrations,
        files=files,
        warnings=warnings,
    )
    digest = _manifest.write(folder, manifest)
    size = sum(item["bytes"] for item in files.values())
    path = str(settings.backups / name)
    return Report(name, path, seconds, size, manifest.rows, len(rows), digest, warnings=[*warnings, *advice])


def ask(settings: Settings, container: str) -> _backup_source.Facts:
    """Ask the server about the schema."""
    query = _backup_source.facts_query(settings.database)
    argv = _backup_source.query_cmd(container, query, _backup_files.QUERY_SECONDS)
    return _backup_source.parse_facts(_backup_files.answer_of(argv), settings.database)


def ask_migrations(settings: Settings, container: str, facts: _backup_source.Facts) -> list[list[str]]:
    """Ask which migrations are applied."""
    if _backup_source.MIGRATIONS not in facts.tables:
        return []
    query = _backup_source.migrations_query(settings.database)
    argv = _backup_source.query_cmd(container, query, _backup_files.QUERY_SECONDS)
    return _backup_source.parse_migrations(_backup_files.answer_of(argv))


def expected_bytes(settings: Settings, facts: _backup_source.Facts) -> int:
    """Return what the files may take: as much as last time and a fifth more, or half of what the schema takes."""
    last = ((_backup_state.load(settings.backups).get(KIND) or {}).get("success") or {}).get("bytes")
    return int(last * 1.2) if isinstance(last, int) else facts.bytes // 2


def release_of(settings: Settings) -> dict[str, Any]:
    """Return what the manifest says of the release that serves."""
    record = _release.current_record(settings.dir) or {}
    return {name: str(record.get(name) or "") for name in ("id", "image", "git_revision")}
