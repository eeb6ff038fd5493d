# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is restored from: a backup with its manifest, or the plain file of a dump; and whether it is whole."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _dump_rows,
    _manifest,
    _newest,
    _pipes,
    _restore_media,
    _restore_mysql,
    _restore_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Callable

LATEST = "latest"
PLAIN = {".sql": "cat", ".gz": "gzip", ".zst": "zstd"}
OWN = re.compile(r"\d{8}T\d{6}Z-before-")
SHOWN = 5


class SourceError(Exception):
    """Nothing that can be restored, in one line that says why."""


@dataclass(frozen=True)
class Source:
    """Where the data comes from."""

    path: Path
    dump: Path
    manifest: _manifest.Manifest | None = None
    media: Path | None = None
    own: bool = False  # a plain file that this stack has made itself, by its place and its name

    @property
    def name(self) -> str:
        """How it is called in messages."""
        return self.manifest.id if self.manifest else self.path.name


@dataclass
class Verified:
    """What reading all of it has shown."""

    found: _restore_text.Found
    rows: dict[str, int]
    migrations: set[str] = field(default_factory=set)
    media: _restore_media.Uploads = field(default_factory=_restore_media.Uploads)
    warnings: list[str] = field(default_factory=list)
    fits: bool = True


def find(root: Path, wanted: str, parts: list[str]) -> Source:
    """Return the backup or the file that is meant."""
    backups = root / "backups"
    if not wanted:
        raise SourceError(f"say what to restore with restore_from: {choice(backups)}")
    if wanted == LATEST:
        newest, _older = _newest.find(root, "Name another one with restore_from")
        if newest is None:
            raise SourceError(f"there is no whole backup in {backups}: name a file with restore_from")
        wanted = newest.id
    path = backups / wanted if "/" not in wanted else Path(wanted)
    if path.is_dir():
        return of_backup(path, parts)
    if not path.is_file():
        raise SourceError(f"{path} is not there; {choice(backups)}")
    if path.suffix not in PLAIN:
        raise SourceError(f"{path.name} is no dump by its name: it must end in .sql, .sql.gz or .sql.zst")
    if "database" not in parts:
        raise SourceError(f"{path.name} is a dump, and holds none of what restore_parts names: {', '.join(parts)}")
    return Source(path, path, own=path.parent == backups and OWN.match(path.name) is not None)


def choice(backups: Path) -> str:
    """Say what there is to restore."""
    known = list(_manifest.whole(backups)) if backups.is_dir() else []
    dumps = sorted(path.name for path in backups.glob("*-before-*.sql.*") if path.is_file()) if backups.is_dir() else []
    newest = [*reversed(known), *reversed(dumps)][:SHOWN]
    return f"in {backups} there are {', '.join(newest)}" if newest else f"{backups} holds no backup"


def of_backup(path: Path, parts: list[str]) -> Source:
    """Return a backup, by its manifest."""
    manifest = _manifest.read(path)
    media = path / _manifest.MEDIA if _manifest.MEDIA in manifest.files and "media" in parts else None
    if parts == ["media"] and media is None:
        raise SourceError(f"the backup {manifest.id} holds no uploaded files")
    return Source(path, path / _manifest.DATABASE, manifest, media)


def reader_cmd(path: Path) -> list[str]:
    """Return the argv that prints what a file holds."""
    program = PLAIN[path.suffix]
    if program == "zstd":
        return _pipes.unzstd_cmd(str(path))
    return ["gzip", "--decompress", "--stdout", "--", str(path)] if program == "gzip" else ["cat", "--", str(path)]


def need_programs(source: Source) -> None:
    """Refuse where a program that reads the files is not there."""
    for path in (source.dump, source.media):
        program = PLAIN[path.suffix] if path else "cat"
        if shutil.which(program) is None:
            raise SourceError(f"{program} is not installed on this host: run barehost.django.bootstrap first")


def check_files(source: Source) -> None:
    """Compare the files of a backup with what its manifest says: their sizes first, which costs nothing."""
    files: Mapping[str, Mapping[str, Any]] = source.manifest.files if source.manifest else {}
    wanted = [path for path in (source.dump, source.media) if path and path.name in files]
    for path in wanted:
        if not path.is_file():
            raise SourceError(f"{path} is missing: the backup is damaged, take another one")
        size = path.stat().st_size
        if size != files[path.name]["bytes"]:
            raise SourceError(
                f"{path} has {size} bytes, and was written with {files[path.name]['bytes']}: take another backup"
            )
    for path in wanted:
        if _pipes.digest_of(path).sha256 != files[path.name]["sha256"]:
            raise SourceError(f"{path} is not what was written: its SHA-256 differs; take another backup")


def read_dump(source: Source, sink: Callable[[bytes], object], watch: Callable[[int], None]) -> _restore_text.Found:
    """Read a dump to its end, and hand on what belongs to the tables."""
    reader = _restore_text.Reader(sink)
    with _pipes.reading(reader_cmd(source.dump)) as (stream, ended):
        _pipes.widen(stream)
        try:
            _restore_mysql.copy(stream, reader.feed, watch)
        except _restore_text.TextError as error:
            raise SourceError(f"{source.dump.name} cannot be restored: {error}") from None
    if ended.code != 0:
        raise SourceError(f"{source.dump.name} cannot be read: {_pipes.last_line(ended.err)}")
    try:
        return reader.end()
    except _restore_text.TextError as error:
        raise SourceError(f"{source.dump.name} cannot be restored: {error}") from None


class _Reached(Exception):  # noqa: N818 - no error
    """What was looked for has been found."""


def line_of(source: Source, sent: int) -> int:
    """Return the line of a dump in which that begins which was handed on as a line of this number; 0 where nobody knows.

    Reading it once more costs less than keeping, for all of a large dump, which line has become which.
    """
    seen = 0

    def count(piece: bytes) -> None:
        nonlocal seen
        seen += piece.count(b"\n")
        if seen >= sent > 0:
            raise _Reached

    reader = _restore_text.Reader(count)
    try:
        with _pipes.reading(reader_cmd(source.dump)) as (stream, _ended):
            _restore_mysql.copy(stream, reader.feed, lambda _size: None)
    except _Reached:
        return reader.place
    except (_restore_text.TextError, OSError):
        return 0
    return 0


def verify(source: Source, uploads: Path | None = None) -> Verified:
    """Read all of it once, and compare it with what it says of itself, and files with those that are there; changes nothing."""
    need_programs(source)
    check_files(source)
    counter = _dump_rows.RowCounter()
    found = read_dump(source, counter.feed, lambda _size: None)
    verified = Verified(found, dict(counter.end()), {f"{app}.{name}" for app, name in found.migrations})
    # Views have a table's outline in the dump.
    views = {item.name for item in found.items if item.kind == "view"}
    verified.rows = {name: rows for name, rows in verified.rows.items() if name not in views}
    if source.manifest:
        compare(source.manifest, verified)
    if not verified.rows:
        raise SourceError(f"{source.dump.name} holds no table")
    if source.media:
        verified.media = look_through(source.media, uploads)
        said = (source.manifest.files[_manifest.MEDIA] if source.manifest else {}).get("entries")
        if said is not None and said != verified.media.entries:
            raise SourceError(f"{source.media.name} has {verified.media.entries} entries, and its manifest says {said}")
    return verified


def compare(manifest: _manifest.Manifest, verified: Verified) -> None:
    """Refuse a dump that is not the one that the manifest speaks of."""
    wrong = [
        f"{name} has {verified.rows.get(name, 'no table and so no')} rows, and the manifest says {rows}"
        for name, rows in sorted(manifest.tables.items())
        if verified.rows.get(name) != rows
    ]
    wrong += [f"{name} is not in the manifest" for name in sorted(verified.rows.keys() - manifest.tables.keys())]
    wrong += [
        f"there are {verified.found.count(kind)} {kind}, and the manifest says {number}"
        for kind, number in sorted(manifest.objects.items())
        if verified.found.count(kind) != number
    ]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise SourceError(
            f"the dump is not that of its manifest: {'; '.join(wrong[:SHOWN])}{more}; take another backup"
        )
    verified.migrations = {f"{app}.{name}" for app, name in manifest.migrations} or verified.migrations
    verified.warnings += list(manifest.warnings)


def look_through(path: Path, uploads: Path | None) -> _restore_media.Uploads:
    """Read the archive of the uploaded files to its end."""
    with _pipes.reading(reader_cmd(path)) as (stream, ended):
        found = _restore_media.look_through(stream, uploads)
    if ended.code != 0:
        raise SourceError(f"{path.name} cannot be read: {_pipes.last_line(ended.err)}")
    return found
