# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of one backup: each written through its filters, watched so that the disk never gets full."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _archive,
    _backup_source,
    _dump,
    _dump_rows,
    _fifo,
    _files,
    _gentle,
    _manifest,
    _pipes,
    _restore_media,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Callable

    from ansible_collections.barehost.django.plugins.module_utils._backup_settings import Settings

# So much of the disk is left alone: the database may lie on it, and stops where there is none.
RESERVE_SHARE, RESERVE_MOST = 0.05, 1 << 30
LOOK_EVERY = 16 << 20
QUERY_SECONDS = 60
# All that lies in the stack's directory takes part in bringing it up on another host, but for its data, what is made anew,
# and what is of this host alone.
NOT_SETTINGS = frozenset({"backups", "lock", "media", "scratch", "source", "static"})


class BackupError(Exception):
    """A backup that cannot be made."""


def reserve(total: int) -> int:
    """Return the bytes of a disk of that size which are left alone."""
    return min(RESERVE_MOST, int(total * RESERVE_SHARE))


class Watched:
    """A writer that stops before the disk is full."""

    def __init__(self, writer: _pipes.FileWriter, folder: Path) -> None:
        """Take the writer, and the directory whose disk is watched."""
        self._writer, self._folder = writer, folder
        self._since = LOOK_EVERY

    def write(self, piece: bytes) -> int:
        """Take the next piece."""
        self._since += len(piece)
        if self._since >= LOOK_EVERY:
            self._since = 0
            demand_space(self._folder)
        return self._writer.write(piece)


def demand_space(folder: Path, needed: int = 0) -> None:
    """Refuse where the disk would get full."""
    usage = shutil.disk_usage(folder)
    least = reserve(usage.total)
    if usage.free < needed + least:
        wanted = f"{_dump.megabytes(needed)} and " if needed else ""
        raise BackupError(
            f"{folder} has {_dump.megabytes(usage.free)} free, and {wanted}{_dump.megabytes(least)} are left alone for what "
            "else lies on that disk: make room, or keep fewer backups (backup_keep_least, backup_keep_days)"
        )


def answer_of(argv: Sequence[str], seconds: int = QUERY_SECONDS) -> str:
    """Return what a query is answered."""
    try:
        done = subprocess.run(
            list(argv), stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds + 30, check=False
        )
    except subprocess.TimeoutExpired:
        raise BackupError(f"{argv[0]} did not answer within {seconds + 30} seconds") from None
    if done.returncode != 0:
        raise BackupError(_backup_source.why_refused(done.returncode, done.stderr.decode("utf-8", "replace"), seconds))
    return done.stdout.decode("utf-8", "replace")


def ensure_folder(folder: Path) -> None:
    """Have the directory of the backups, for root alone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    _files.own(folder, 0o700)


def find_container(settings: Settings) -> str:
    """Return the id of the container that the server runs in."""
    found = answer_of(_dump.container_cmd(settings.stack, settings.service)).split()
    if not found:
        raise BackupError(
            f"no container of the service {settings.service} runs, so there is nothing to ask: see `docker compose ps` in "
            f"{settings.dir}"
        )
    return found[0]


def entry(written: _pipes.Written, **more: int) -> dict[str, Any]:
    """Return what the manifest says of a file."""
    return {"bytes": written.bytes, "sha256": written.sha256, **more}


@contextmanager
def dumping(settings: Settings, container: str) -> Iterator[tuple[IO[bytes], _pipes.Ended]]:
    """Hand out a dump of the schema as a stream, by the shortest way there is."""
    seconds, pid = settings.timeout_seconds, int(answer_of(_fifo.pid_cmd(container)).strip() or 0)
    if _fifo.reachable(pid):
        pipe = _fifo.new_name()
        with _fifo.reading(_backup_source.dump_cmd(container, settings.database, seconds, pipe), pid, pipe) as found:
            yield found
    else:
        with _pipes.reading(_backup_source.dump_cmd(container, settings.database, seconds)) as found:
            yield found


def dump(settings: Settings, container: str, folder: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Dump the schema; return what the manifest says of the file, and the rows of each table in it."""
    seconds = settings.timeout_seconds
    counter, tail, plain = _dump_rows.RowCounter(), b"", 0
    with _pipes.writing(folder / _manifest.DATABASE, [_pipes.zstd_cmd(settings.zstd_level)]) as writer:
        target = Watched(writer, folder)
        with dumping(settings, container) as (stream, ended):
            rest = _gentle.Rest(settings.rest_percent)
            if not settings.rest_percent:
                # A wide pipe would be filled in one go after each rest.
                _pipes.widen(stream)
            while True:
                piece = stream.read1(_pipes.CHUNK)  # type: ignore[attr-defined]
                if not piece:
                    break
                target.write(piece)
                counter.feed(piece)
                plain += len(piece)
                tail = (tail + piece[-_dump.TAIL :])[-_dump.TAIL :]
                rest.take()
        problem = _dump.why_bad(ended.code, tail, ended.err, seconds)
        if problem:
            raise BackupError(f"the dump is no good and was removed: {problem}")
        written = writer.finish()
    return entry(written, plain_bytes=plain), counter.end()


def pack(
    folder: Path, name: str, filters: Sequence[Sequence[str]], fill: Callable[[Watched], _archive.Packed]
) -> tuple[dict[str, Any], list[str]]:
    """Write an archive; return what the manifest says of it, and what could not be had as it was."""
    with _pipes.writing(folder / name, filters) as writer:
        packed = fill(Watched(writer, folder))
        written = writer.finish()
    return entry(written, plain_bytes=packed.plain_bytes, entries=packed.entries), packed.warnings


def media(settings: Settings, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Pack what users have uploaded."""

    def left_out(path: Path) -> bool:
        # What a restore has replaced is no upload, and no restore would take it.
        return str(path.parent) == settings.media and _restore_media.is_ours(path.name)

    filters = [_pipes.zstd_cmd(settings.zstd_level)]
    return pack(
        folder, _manifest.MEDIA, filters, lambda to: _archive.pack(settings.root, [settings.media], to, left_out)
    )


def configuration(settings: Settings, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Pack configuration and secrets, encrypted before they touch the disk."""
    filters = [_pipes.zstd_cmd(settings.zstd_level), _pipes.age_cmd(settings.age_recipients)]
    return pack(
        folder, _manifest.SETTINGS, filters, lambda to: _archive.pack(settings.root, settings_of(settings.root), to)
    )


def settings_of(root: Path) -> list[str]:
    """Return the names of the files and directories that are configuration or secrets."""
    return sorted(path.name for path in root.iterdir() if path.name not in NOT_SETTINGS)


def settle(partial: Path, final: Path) -> None:
    """Give a backup its name, once all of it is on the disk."""
    _files.sync(partial)
    partial.rename(final)
    _files.sync(final.parent)
