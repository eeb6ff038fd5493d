# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of a restore that change something, each with what takes it back, and what a killed one has left."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _dump,
    _fifo,
    _mysql_text,
    _pipes,
    _restore,
    _restore_back,
    _restore_journal,
    _restore_kept,
    _restore_media,
    _restore_mysql,
    _restore_objects,
    _restore_source,
    _restore_sql,
)

if TYPE_CHECKING:
    from ansible_collections.barehost.django.plugins.module_utils._restore import Job, Plan
    from ansible_collections.barehost.django.plugins.module_utils._restore_journal import Journal

LOAD_SQL = "SET SESSION sql_notes = 0; SET SESSION foreign_key_checks = 0; SET SESSION unique_checks = 0;\n"
WATCHED = 8 << 20
PACKET_ROOM = 1 << 20
LARGEST_PACKET = 1 << 30


@dataclass
class Done:
    """What a restore has come to."""

    id: str
    safety_dump: str = ""
    old_schema: str = ""
    old_media: str = ""
    rows: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Runner:
    """One restore on one host, under the lock of the data."""

    def __init__(self, job: Job, server: _restore_mysql.Server) -> None:
        """Take what is wanted and the server."""
        self.job = job
        self.server = server
        self.back = _restore_back.Back(job, server)
        self._clock = time.monotonic()

    def run(self, plan: Plan) -> Done:
        """Do it all; whatever fails is taken back."""
        done = Done(_restore.now_id())
        journal = _restore_journal.Journal(done.id, self.job.database)
        self._mark(done, "")
        if _restore.DATABASE in self.job.parts and plan.live.tables and self.job.dump_first:
            done.safety_dump = self._dump_first(done.id)
        self._mark(done, "safety_dump")
        try:
            _restore_journal.write(self.job.root, journal)
            self._beside(plan, journal, done)
            self._change_places(plan, journal, done)
        except BaseException as error:
            trouble = self.back.take_back(journal)
            if trouble:
                raise _restore.RestoreError(
                    f"{error}; taking it back failed: {trouble}; the next run of this playbook goes on with that"
                ) from error
            raise
        self._finish(journal, done)
        return done

    def _dump_first(self, restore_id: str) -> str:
        """Dump what there is; where that is damaged, only whoever restores can know that it need not be dumped."""
        try:
            return str(_restore.safety_dump(self.job, self.server.container, restore_id))
        except (_dump.DumpError, _pipes.PipeError) as error:
            raise _restore.RestoreError(
                f"the data as it is could not be dumped first, and nothing was touched: {error}; if it is damaged, go on without "
                "that dump with restore_dump_first: false, its tables are kept beside"
            ) from None

    def _beside(self, plan: Plan, journal: Journal, done: Done) -> None:
        """Have everything beside what serves, whole and proven."""
        if _restore.DATABASE in self.job.parts:
            self._load(plan, journal)
            self._mark(done, "load")
            self._prove(plan, journal, done)
            self._mark(done, "count")
        if plan.source.media:
            self._unpack(plan, journal)
            self._mark(done, "unpack")

    def _load(self, plan: Plan, journal: Journal) -> None:
        """Fill the new schema."""
        schemas = _restore_sql.Schemas.of(self.job.database, journal.id)
        need = plan.verified.found.longest + PACKET_ROOM
        if need > int(plan.facts["packet"]):
            journal.packet = int(plan.facts["packet"])
            _restore_journal.write(self.job.root, journal)
            self.server.run(_restore_sql.packet(min(need, LARGEST_PACKET)))
        password = secrets.token_hex(24)
        self.server.run(_restore_sql.prepare(schemas, plan.facts["charset"], plan.facts["collation"], password))
        pid = self.server.pid()
        pipe = _fifo.new_name() if _fifo.reachable(pid) else ""
        argv = _restore_mysql.load_cmd(self.server.container, self.job.seconds, schemas.new, pipe)
        load = _restore_mysql.Load(argv, password, self.job.seconds, f"/proc/{pid}/root{pipe}" if pipe else "")
        try:
            load.write(LOAD_SQL.encode())
            _restore_source.read_dump(plan.source, load.write, self._watch(plan))
            load.finish()
        except _restore_mysql.MysqlError as error:
            # The line that MySQL says is one of what it was sent.
            sent = error.line - LOAD_SQL.count("\n")
            line = _restore_source.line_of(plan.source, sent) if sent > 0 else 0
            where = f" (line {line} of {plan.source.dump.name})" if line else ""
            raise _restore.RestoreError(
                f"the dump could not be loaded: {error}{where}; the data is as it was"
            ) from None
        finally:
            load.close()

    def _watch(self, plan: Plan) -> Any:  # noqa: ANN401 - a function
        """Return what stops a load before the disk is full: MySQL would wait for room, and everybody with it."""
        seen = [0]

        def watch(size: int) -> None:
            if size - seen[0] < WATCHED:
                return
            seen[0] = size
            free = shutil.disk_usage(plan.devices[0]).free
            if free < self.job.reserve:
                raise _restore.RestoreError(
                    f"the disk of MySQL has only {_dump.megabytes(free)} left, so loading was stopped; the data is as it was: "
                    "make room, then run the same again"
                )

        return watch

    def _prove(self, plan: Plan, journal: Journal, done: Done) -> None:
        """Count what was loaded, and make its views and triggers where nobody misses them."""
        schemas = _restore_sql.Schemas.of(self.job.database, journal.id)
        found = self.server.contents(schemas.new)
        counted = self.server.counts(schemas.new, found.tables, self.job.seconds)
        wrong = [
            f"{name} has {counted.get(name, 'no table and so no')} rows and not {plan.verified.rows.get(name, 'none')}"
            for name in sorted({*counted, *plan.verified.rows})
            if counted.get(name) != plan.verified.rows.get(name)
        ]
        if wrong:
            raise _restore.RestoreError(
                f"what was loaded is not what the dump holds: {'; '.join(wrong[:5])}; the data is as it was"
            )
        done.rows = sum(counted.values())
        journal.migrations = sorted(plan.verified.migrations)
        owners = _restore_objects.Owners.of(
            plan.facts, self.job.definer, _restore_sql.ROOT, foreign=bool(plan.stranger)
        )
        journal.after, changed = owners.settle(plan.verified.found.items)
        if changed:
            done.warnings.append(
                "views, triggers, routines or events of accounts that are not this stack's, or may not have them, went from "
                + ", ".join(changed)
            )
        sql = _restore_sql.prove_objects(journal.after)
        try:
            self.server.run(sql, schemas.new)
        except _restore_mysql.MysqlError as error:
            item = _restore_objects.made_at(sql, error.line, journal.after)
            what = f"the {item.kind} {item.name} in line {item.line}" if item else "a view, trigger or routine"
            raise _restore.RestoreError(f"{what} of the dump cannot be made: {error}; the data is as it was") from None
        self.server.run(_restore_sql.clear_objects(schemas.new, self.server.contents(schemas.new)))

    def _unpack(self, plan: Plan, journal: Journal) -> None:
        """Unpack the uploaded files beside those that are there."""
        if not plan.source.media:
            return
        new, old = _restore_media.place(self.job.root, self.job.media, journal.id)
        journal.media_new, journal.media_old = str(new), str(old)
        _restore_journal.write(self.job.root, journal)
        _restore_media.make(new)
        with _pipes.reading(_restore_source.reader_cmd(plan.source.media)) as (stream, ended):
            tar = subprocess.run(
                _restore_media.unpack_cmd(str(new)), stdin=stream, capture_output=True, text=True, check=False
            )
        if tar.returncode != 0 or ended.code != 0:
            said = tar.stderr if tar.returncode != 0 else ended.err
            raise _restore.RestoreError(
                f"the uploaded files could not be unpacked: {_pipes.last_line(said)}; the data is as it was"
            )
        journal.media_names = _restore_media.entries(new)

    def _change_places(self, plan: Plan, journal: Journal, done: Done) -> None:
        """Swap tables, then files."""
        schemas = _restore_sql.Schemas.of(self.job.database, journal.id)
        if _restore.DATABASE in self.job.parts:
            live = self.server.contents(self.job.database)
            journal.before = _restore.objects_of(self.server, self.job.database, live)
            journal.phase = _restore_journal.SWAP
            _restore_journal.write(self.job.root, journal)
            self.server.run(
                f"CREATE DATABASE {_mysql_text.identifier(schemas.old)} CHARACTER SET {plan.facts['charset']} "
                f"COLLATE {plan.facts['collation']};\n"
            )
            way = _restore_sql.Way(self.job.database, schemas.old, schemas.new)
            self._swap(way, live, journal)
            done.old_schema = schemas.old
        self._mark(done, "swap")
        if journal.media_new:
            journal.phase = _restore_journal.MEDIA
            _restore_journal.write(self.job.root, journal)
            _restore_media.swap(self.job.media, Path(journal.media_new), Path(journal.media_old), journal.media_names)
            done.old_media = journal.media_old
            self._mark(done, "media")

    def _swap(self, way: _restore_sql.Way, live: _restore_sql.Contents, journal: Journal) -> None:
        """Let the tables change places, in one of a few tries: whoever holds one of them holds up everybody who comes after us."""
        incoming = self.server.contents(way.back)
        sql = _restore_sql.swap(way, live, incoming, journal.after, _restore.LOCK_SECONDS)
        for rest in range(_restore.TRIES - 1, -1, -1):
            error = self._try(sql, way.live)
            if error is None:
                return
            waits = error.number in (_restore_mysql.LOCK_WAIT, _restore_mysql.DEADLOCK)
            if not waits or not self.server.contents(way.back).tables:
                raise _restore.RestoreError(f"the tables could not change places: {error}; the data is as it was")
            if rest:
                time.sleep(_restore.PAUSE)
        held = "; ".join(self.server.run(_restore_sql.blockers(self.job.database)).splitlines())
        raise _restore.RestoreError(
            f"the tables could not change places in {_restore.TRIES} tries of {_restore.LOCK_SECONDS} s, since somebody uses them "
            f"without a pause ({held or 'gone by now'}); the data is as it was: end that, then run the same again"
        )

    def _try(self, sql: str, database: str) -> _restore_mysql.MysqlError | None:
        """Run SQL; return why it has failed."""
        try:
            self.server.run(sql, database)
        except _restore_mysql.MysqlError as error:
            return error
        return None

    def _finish(self, journal: Journal, done: Done) -> None:
        """Tidy up behind a restore that is done: trouble here is a warning."""
        try:
            self.back.note_migrations(journal)
            self.back.tidy(journal)
            self._forget(done)
            problem = _restore.flush_cache(self.job)
        except (_restore_mysql.MysqlError, _restore.RestoreError, OSError) as error:
            problem = f"not everything was tidied up: {error}"
        done.warnings += [problem] if problem else []
        self._mark(done, "tidy")

    def _forget(self, done: Done) -> None:
        """Remove what older restores have replaced, each kind only where this one has replaced something of it as well."""
        keep = self.job.keep_old
        facts = self.server.facts(self.job.database)
        known = _restore_sql.ours(self.job.database, _restore_sql.OLD, facts["schemas"])
        for name in _restore_kept.superfluous(known, done.old_schema, _restore_kept.SCHEMAS, keep_own=keep):
            self.server.run(_restore_sql.drop_schema(name))
        files = _restore_kept.media(self.job.root, self.job.media)
        for name in _restore_kept.superfluous(files, done.old_media, _restore_kept.MEDIA, keep_own=keep):
            shutil.rmtree(name, ignore_errors=True)
        if not keep:
            done.old_schema = done.old_media = ""
        dumps = sorted((self.job.root / _dump.FOLDER).glob(f"*-{_restore.SAFETY}.*"))
        for path in dumps[: -_restore_kept.DUMPS]:
            path.unlink()

    def _mark(self, done: Done, name: str) -> None:
        """Note how long the step that has just ended took."""
        at = time.monotonic()
        if name:
            done.seconds[name] = round(at - self._clock, 1)
        self._clock = at
