# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way back of a restore, and what becomes of one that was killed: back where no table has moved, on where they have."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import (
    _dump,
    _release,
    _restore,
    _restore_journal,
    _restore_kept,
    _restore_media,
    _restore_mysql,
    _restore_sql,
    _schema,
)

if TYPE_CHECKING:
    from ansible_collections.barehost.django.plugins.module_utils._restore import Job
    from ansible_collections.barehost.django.plugins.module_utils._restore_journal import Journal


class Back:
    """What undoes the steps of a restore; each of its own may be stopped and done again."""

    def __init__(self, job: Job, server: _restore_mysql.Server) -> None:
        """Take what is wanted and the server."""
        self.job = job
        self.server = server

    def left(self) -> list[str]:
        """Say what killed runs have left."""
        found = [f"the restore {journal.id} that was killed" for journal in _restore_journal.left(self.job.root)]
        schemas = self.server.facts(self.job.database)["schemas"]
        found += [f"the schema {name}" for name in _restore_sql.ours(self.job.database, _restore_sql.NEW, schemas)]
        return found

    def recover(self) -> list[str]:
        """Take back or bring to its end what killed runs have begun; return what was done."""
        self.end_sessions()
        said = [self._settled(journal) for journal in _restore_journal.left(self.job.root)]
        for name in _restore_sql.ours(
            self.job.database, _restore_sql.NEW, self.server.facts(self.job.database)["schemas"]
        ):
            self.server.run(_restore_sql.drop_schema(name))
            said.append(f"the schema {name} of a restore that was killed was removed")
        for path in (self.job.root / _dump.FOLDER).glob(f".*-{_restore.SAFETY}.*.partial"):
            path.unlink(missing_ok=True)
        return said

    def _settled(self, journal: Journal) -> str:
        """Bring one restore to an end, or say what is in the way and what to do."""
        try:
            return self.settle(journal)
        except (_restore_mysql.MysqlError, OSError) as error:
            raise _restore.RestoreError(
                f"the restore {journal.id} that was killed could not be brought to an end: {error}; mend that and run the same again, "
                f"or remove {_restore_journal.path_of(self.job.root, journal.id)} to leave everything as it is"
            ) from None

    def settle(self, journal: Journal) -> str:
        """Bring one restore to an end: back where no table has moved, and on where they have."""
        if journal.live not in ("", self.job.database):
            path = _restore_journal.path_of(self.job.root, journal.id)
            return f"the restore {journal.id} of the schema {journal.live} was left alone: remove {path} where that is no more"
        schemas = _restore_sql.Schemas.of(self.job.database, journal.id)
        if journal.phase == _restore_journal.BACK:
            trouble = self.take_back(journal)
            if trouble:
                raise _restore.RestoreError(f"the restore {journal.id} cannot be taken back: {trouble}")
            return f"the restore {journal.id} that was killed was taken back: the data is that of before it"
        moved = journal.phase == _restore_journal.MEDIA or (
            journal.phase == _restore_journal.SWAP and not self.server.contents(schemas.new).tables
        )
        if not moved:
            self.undo_load(journal)
            return f"the restore {journal.id} that was killed was taken back: the data is that of before it"
        live = self.server.contents(self.job.database)
        others = [kind for kind in _restore_sql.MOVED if kind != "trigger"]
        self.server.run(
            _restore_sql.clear_objects(self.job.database, live, others)
            + _restore_sql.missing(journal.after, _restore_sql.Contents((), {"trigger": live.objects["trigger"]})),
            self.job.database,
        )
        if journal.media_new and Path(journal.media_new).is_dir():
            paths = (self.job.media, Path(journal.media_new), Path(journal.media_old))
            _restore_media.swap(*paths, journal.media_names)
        self.note_migrations(journal)
        self.tidy(journal)
        kept = _restore_kept.of_before(self.job.root, journal.id, _restore.SAFETY, journal.media_old)
        where = f"; what was there before it is in {kept}" if kept else ""
        return f"the restore {journal.id} that was killed after its tables had moved was brought to its end{where}"

    def end_sessions(self) -> None:
        """End what the clients of a dead run may still be doing, which outlive the program that began them."""
        for number in self.server.ask(_restore_sql.sessions()):
            with contextlib.suppress(_restore_mysql.MysqlError):
                self.server.run(f"KILL {int(number)};\n")
        if self.server.run(_restore_sql.wait_for_guard(60)).strip() != "1":
            raise _restore.RestoreError(
                "the swap of a restore that was killed is still under way: try again in a minute"
            )

    def take_back(self, journal: Journal) -> str:
        """Undo whatever was done; return what could not be."""
        try:
            if journal.phase != _restore_journal.LOAD:
                journal.phase = _restore_journal.BACK
                _restore_journal.write(self.job.root, journal)
            if journal.media_new and journal.phase == _restore_journal.BACK:
                _restore_media.put_back(
                    self.job.media, Path(journal.media_new), Path(journal.media_old), journal.media_names
                )
            schemas = _restore_sql.Schemas.of(self.job.database, journal.id)
            swapped = journal.phase != _restore_journal.LOAD and _restore.DATABASE in self.job.parts
            if swapped and not self.server.contents(schemas.new).tables:
                way = _restore_sql.Way(self.job.database, schemas.new, schemas.old)
                live, old = self.server.contents(self.job.database), self.server.contents(schemas.old)
                self.server.run(
                    _restore_sql.swap(way, live, old, journal.before, _restore.LOCK_SECONDS), self.job.database
                )
            self.undo_load(journal)
        except (_restore_mysql.MysqlError, _restore.RestoreError, OSError) as error:
            return str(error)
        return ""

    def undo_load(self, journal: Journal) -> None:
        """Remove what is beside, and make what was removed for the swap; no table has moved, or all are back."""
        schemas = _restore_sql.Schemas.of(self.job.database, journal.id)
        if journal.phase != _restore_journal.LOAD:
            # From here on nothing has moved, whatever is removed.
            journal.phase = _restore_journal.LOAD
            _restore_journal.write(self.job.root, journal)
        self.end_sessions()
        again = _restore_sql.missing(journal.before, self.server.contents(self.job.database)) if journal.before else ""
        if again:
            self.server.run(again, self.job.database)
        if not self.server.contents(schemas.old).tables:
            self.server.run(_restore_sql.drop_schema(schemas.old))
        if journal.media_old and not _restore_media.entries(Path(journal.media_old)):
            shutil.rmtree(journal.media_old, ignore_errors=True)
        self.tidy(journal)

    def tidy(self, journal: Journal) -> None:
        """Remove what only a restore needs."""
        schemas = _restore_sql.Schemas.of(self.job.database, journal.id)
        packet = _restore_sql.packet(journal.packet) if journal.packet else ""
        self.server.run(_restore_sql.drop_schema(schemas.new) + _restore_sql.take_back_account() + packet)
        if journal.media_new:
            shutil.rmtree(journal.media_new, ignore_errors=True)
        _restore_journal.close(self.job.root, journal)

    def note_migrations(self, journal: Journal) -> None:
        """Let the records of the releases say what the database has now: a rollback asks them."""
        data = set(journal.migrations)
        if not data:
            return
        root = str(self.job.root)
        changed = _schema.after_restore(_release.records(root), _release.serving_id(root), data, _release.now())
        for record in changed:
            _release.write_record(_release.record_path(root, str(record["id"])), record)
