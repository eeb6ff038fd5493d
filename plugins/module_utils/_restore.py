# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore: everything verified first, loaded beside what serves, then swapped in; whatever fails leaves the data as it was."""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _audit,
    _audited,
    _dump,
    _pipes,
    _release,
    _restore_checks,
    _restore_kept,
    _restore_media,
    _restore_mysql,
    _restore_objects,
    _restore_source,
    _restore_sql,
    _restore_text,
    _retention,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DATABASE, MEDIA = "database", "media"
# Made before each restore, as a plain dump: as a backup it would be the latest one, and restoring that again undone by it.
SAFETY = "before-restore.sql"
LOCK_SECONDS, TRIES, PAUSE = 10, 6, 5.0
OWN_ID = "secrets/stack_id"


class RestoreError(Exception):
    """A restore that was refused or taken back, in one line that says why."""


@dataclass(frozen=True)
class Job:
    """What is wanted."""

    root: Path
    project: str
    database: str
    wanted: str
    service: str = "mysql"
    confirm: str = ""
    parts: Sequence[str] = (DATABASE, MEDIA)
    allow_mismatch: bool = False
    keep_old: bool = True
    dump_first: bool = True
    definer: str = ""
    reserve: int = 512 << 20
    seconds: int = 21600
    audit_log: str = ""
    cache: Mapping[str, Any] = field(default_factory=dict)  # service, db, password_file; empty leaves it alone

    @property
    def media(self) -> Path:
        """Where the uploaded files are."""
        return self.root / "media"


@dataclass
class Plan:
    """What has been verified, and what there is."""

    source: _restore_source.Source
    verified: _restore_source.Verified
    facts: dict[str, Any]
    live: _restore_sql.Contents
    before: dict[str, int]
    stranger: str
    devices: Sequence[str]  # where the data, the dump of before and the uploaded files go
    database: bool = True  # whether its tables are restored

    def tables(self) -> list[dict[str, Any]]:
        """Return each table that is replaced, with its rows before and after."""
        if not self.database:
            return []
        after = self.verified.rows
        return [
            {"table": name, "before": self.before.get(name), "after": after.get(name)}
            for name in sorted({*self.before, *after})
        ]


def find_container(project: str, service: str) -> str:
    """Return the id of the container that a service runs in; empty where there is none."""
    done = subprocess.run(_dump.container_cmd(project, service), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RestoreError(f"the engine does not answer: {_pipes.last_line(done.stderr)}")
    return next(iter(done.stdout.split()), "")


def data_path(container: str, root: Path) -> str:
    """Return a path on the file system of the server's files."""
    done = subprocess.run(_restore_mysql.datadir_cmd(container), capture_output=True, text=True, check=False)
    found = done.stdout.strip()
    return found if found and Path(found).is_dir() else str(root)


def identity(job: Job) -> _restore_checks.Identity:
    """Return which stack this is."""
    return _restore_checks.Identity(
        job.project, (_release.read_text(job.root / OWN_ID) or "").strip(), socket.gethostname(), job.database
    )


def find_source(job: Job) -> tuple[_restore_source.Source, _restore_source.Verified]:
    """Find what is to be restored, and read all of it; changes nothing."""
    source = _restore_source.find(job.root, job.wanted, list(job.parts))
    return source, _restore_source.verify(source, job.media)


def foresee(job: Job, server: _restore_mysql.Server) -> Plan:
    """Verify in a dry run: without the lock of the data, so the backup is kept where it is for as long as it is read."""
    source = _restore_source.find(job.root, job.wanted, list(job.parts))
    with _retention.reading(source.path) if source.path.is_dir() else nullcontext():
        return make_plan(job, server, source, _restore_source.verify(source, job.media))


def make_plan(
    job: Job, server: _restore_mysql.Server, source: _restore_source.Source, verified: _restore_source.Verified
) -> Plan:
    """Compare it with what there is; raise where something is in the way. Changes nothing."""
    own = identity(job)
    stranger = _restore_checks.stranger(source, verified, own)
    facts = server.facts(job.database)
    if facts["charset"] is None:
        raise RestoreError(f"MySQL has no schema {job.database}: run barehost.django.site first")
    record = _release.current_record(str(job.root)) or {}
    made_by = str(source.manifest.release.get("id", "")) if source.manifest else ""
    records = _release.records(str(job.root))
    devices = (data_path(server.container, job.root), *places(job))
    for problem in (
        altered(job, source, verified, stranger),
        _restore_checks.confirmed(stranger, job.confirm, own),
        _restore_checks.version(source, verified, facts["version"]),
        _restore_checks.migrations(verified, record, records, made_by, allow=job.allow_mismatch),
        _restore_checks.room(
            room_of(devices, job.reserve), verified, binlog=bool(facts["binlog"]), schema_bytes=int(facts["bytes"])
        ),
    ):
        if problem:
            raise RestoreError(problem)
    if not job.keep_old:
        refusal, warning = _restore_kept.lost_files(source, job.root / _dump.FOLDER, job.media, own.id)
        if refusal:
            raise RestoreError(refusal)
        verified.warnings += [warning] if warning else []
    live = server.contents(job.database)
    before = count_before(job, server, live, verified)
    return Plan(source, verified, facts, live, before, stranger, devices, database=DATABASE in job.parts)


def count_before(
    job: Job, server: _restore_mysql.Server, live: _restore_sql.Contents, verified: _restore_source.Verified
) -> dict[str, int]:
    """Count the rows that are there; a table that is damaged must not keep anybody from restoring it."""
    try:
        return server.counts(job.database, live.tables, job.seconds)
    except _restore_mysql.MysqlError as error:
        verified.warnings.append(f"the rows that are there cannot be counted: {error}")
        return {}


def altered(job: Job, source: _restore_source.Source, verified: _restore_source.Verified, stranger: str) -> str:
    """Ask the audit log whether a manifest is the one that was written; what it says of another stack's is of one of that name."""
    if source.manifest is None:
        return ""
    log = Path(job.audit_log or _audit.default_path(str(job.root)))
    changed, unknown = _audited.ask(source.path, source.manifest.id, log)
    if stranger and changed:
        changed, unknown = "", f"the audit log {log} knows another backup {source.manifest.id} than that of {stranger}"
    verified.warnings += [unknown] if unknown else []
    return changed


def places(job: Job) -> tuple[str, str]:
    """Return a path on the file system that the dump of before goes to, and one on that which the uploaded files are unpacked on."""
    backups = job.root / _dump.FOLDER
    new, _old = _restore_media.place(job.root, job.media, now_id())
    return tuple(str(path if path.is_dir() else job.root) for path in (backups, new.parent))  # type: ignore[return-value]


def room_of(paths: Sequence[str], reserve: int) -> _restore_checks.Room:
    """Return how much room there is."""
    found = [(shutil.disk_usage(path).free, Path(path).stat().st_dev) for path in paths]
    return _restore_checks.Room(*found[0], *found[1], *found[2], reserve)


def now_id() -> str:
    """Return the name of a restore that begins now."""
    return datetime.now(tz=timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def objects_of(server: _restore_mysql.Server, schema: str, found: _restore_sql.Contents) -> list[_restore_objects.Item]:
    """Return the texts of what a schema has beside its tables."""
    if not any(found.has(kind) for kind in _restore_sql.MOVED):
        return []
    reader = _restore_text.Reader(lambda _piece: None)
    with _pipes.reading(_restore_mysql.objects_cmd(server.container, schema)) as (stream, ended):
        _restore_mysql.copy(stream, reader.feed, lambda _size: None)
    try:
        return reader.end().items
    except _restore_text.TextError:
        said = _pipes.last_line(ended.err)
        raise RestoreError(f"the triggers and views of {schema} cannot be read: {said}") from None


def safety_dump(job: Job, container: str, restore_id: str) -> Path:
    """Dump the schema as it is; the file has its name only once it is whole."""
    zstd = shutil.which("zstd") is not None
    path = job.root / _dump.FOLDER / f"{restore_id}-{SAFETY}.{'zst' if zstd else 'gz'}"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    tail = b""
    try:
        with _pipes.writing(partial, [_pipes.zstd_cmd(3) if zstd else ["gzip", "-1"]]) as writer:
            with _pipes.reading(_dump.dump_cmd(container, job.database, job.seconds)) as (stream, ended):
                for piece in _restore_mysql.pieces(stream):
                    writer.write(piece)
                    tail = (tail + piece)[-_dump.TAIL :]
            _dump.demand_whole(ended.code, tail, ended.err, job.seconds)
            writer.finish()
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path


def flush_cmd(container: str, password_file: str, database: int) -> list[str]:
    """Return the argv that empties one database of Redis; the password is read inside, where it is."""
    script = 'REDISCLI_AUTH="$(cat "$0")" exec redis-cli -e -n "$1" FLUSHDB ASYNC'
    return ["docker", "exec", container, "sh", "-c", script, password_file, str(database)]


def flush_cache(job: Job) -> str:
    """Empty the cache, which speaks of data that is not there any more; return why that could not be done."""
    container = find_container(job.project, str(job.cache.get("service"))) if job.cache else ""
    if not container:
        return "" if not job.cache else f"{job.cache.get('service')} does not run, so the cache was not emptied"
    argv = flush_cmd(container, str(job.cache["password_file"]), int(job.cache["db"]))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"the cache was not emptied: {_pipes.last_line(done.stdout + done.stderr)}"
