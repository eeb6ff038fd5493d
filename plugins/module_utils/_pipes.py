# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Streams through other programs into a file: piece by piece, hashed on the way, on the disk before it gets its name."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

CHUNK = 1 << 20
PIPE_BYTES = 1 << 20
SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ; Python names it from 3.10 on
LONGEST_COMPLAINT = 4000
# All of a large file at once, at its end, would let the database wait for the disk.
WRITE_OUT_EVERY = 8 << 20


class PipeError(Exception):
    """A program in between that did not end well."""


@dataclass(frozen=True)
class Written:
    """A file that was written."""

    bytes: int
    sha256: str


@dataclass
class Ended:
    """How a program ended, and what it complained of."""

    code: int = 0
    err: str = ""


def widen(stream: IO[bytes]) -> None:
    """Give a pipe more room, so that both of its ends work at the same time; only that of whoever may have as much."""
    with suppress(OSError):
        fcntl.fcntl(stream.fileno(), SET_PIPE_SIZE, PIPE_BYTES)


@contextmanager
def reading(argv: Sequence[str]) -> Iterator[tuple[IO[bytes], Ended]]:
    """Run a program and hand out what it prints; how it ended is known once the block is left without an error."""
    ended = Ended()
    with tempfile.TemporaryFile() as err:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err)
        try:
            yield cast("IO[bytes]", process.stdout), ended
        except BaseException:
            process.kill()
            raise
        finally:
            cast("IO[bytes]", process.stdout).close()
            ended.code = process.wait()
            ended.err = tail_of(err)


class FileWriter:
    """A new file behind a row of filters, each a program that reads its standard input and prints: zstd, age."""

    def __init__(self, path: Path, filters: Sequence[Sequence[str]]) -> None:
        """Make the file, closed to everybody but root, and start the filters."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._errors: list[IO[bytes]] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._filters = filters
        source: IO[bytes] | int = subprocess.PIPE
        for argv in filters:
            self._errors.append(tempfile.TemporaryFile())  # noqa: SIM115 - closed with everything else
            process = subprocess.Popen(argv, stdin=source, stdout=subprocess.PIPE, stderr=self._errors[-1])
            if source != subprocess.PIPE:
                # Only the next program reads it: otherwise the one before would not notice that this one has ended.
                cast("IO[bytes]", source).close()
            self._processes.append(process)
            source = cast("IO[bytes]", process.stdout)
            # While rows are counted nothing else runs in Python: without room for it the filter would stand still for as long.
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    widen(stream)
        self._hash, self._size = hashlib.sha256(), 0
        self._trouble: OSError | None = None
        self._input = cast("IO[bytes]", self._processes[0].stdin)
        self._thread = threading.Thread(target=self._drain, args=(source,), daemon=True)
        self._thread.start()

    def _drain(self, source: IO[bytes]) -> None:
        """Write what comes out at the end; after trouble nothing reads any more, and the programs end with a broken pipe."""
        begun = 0
        with source:
            try:
                while True:
                    piece = source.read1(CHUNK)  # type: ignore[attr-defined]
                    if not piece:
                        return
                    self._hash.update(piece)
                    self._size += len(piece)
                    self._file.write(piece)
                    if self._size - begun >= WRITE_OUT_EVERY:
                        # Begins to write it out, without waiting; nor is the memory of the host to be full of it.
                        os.posix_fadvise(self._file.fileno(), begun, self._size - begun, os.POSIX_FADV_DONTNEED)
                        begun = self._size
            except OSError as error:
                self._trouble = error

    def write(self, piece: bytes) -> int:
        """Take the next piece."""
        try:
            if not self._input.closed:
                return self._input.write(piece)
        except BrokenPipeError:
            pass
        # Once it has failed it fails like that again: an archive writes its end even then, and that must not hide the reason.
        self.finish()
        raise PipeError("the pipe broke, and no program in it says why")

    def finish(self) -> Written:
        """Wait for the end, and put the file on the disk; raise PipeError where one of the programs did not end well."""
        self._end()
        if self._trouble is not None:
            raise self._trouble
        for argv, process, err in zip(self._filters, self._processes, self._errors):
            if process.returncode != 0:
                raise PipeError(f"{argv[0]} ended with {process.returncode}: {last_line(tail_of(err))}")
        self._file.flush()
        os.fsync(self._file.fileno())
        return Written(self._size, self._hash.hexdigest())

    def close(self) -> None:
        """Let go of everything, whatever has happened; for a file that is whole after finish, for any other instead of it."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
        self._end()
        # What could not be written is dropped with its file.
        with suppress(OSError):
            self._file.close()
        for err in self._errors:
            err.close()

    def _end(self) -> None:
        with suppress(BrokenPipeError):
            self._input.close()
        self._thread.join()
        for process in self._processes:
            process.wait()


@contextmanager
def writing(path: Path, filters: Sequence[Sequence[str]]) -> Iterator[FileWriter]:
    """Write a file through filters; what was begun and did not come to its end stays, and is the caller's to remove."""
    writer = FileWriter(path, filters)
    try:
        yield writer
    finally:
        writer.close()


def digest_of(path: Path) -> Written:
    """Read a file for its size and its SHA-256."""
    total, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while True:
            piece = file.read(CHUNK)
            if not piece:
                return Written(size, total.hexdigest())
            total.update(piece)
            size += len(piece)


def tail_of(err: IO[bytes]) -> str:
    """Return the end of what was complained of."""
    size = err.seek(0, os.SEEK_END)
    err.seek(max(0, size - LONGEST_COMPLAINT))
    return err.read().decode("utf-8", "replace")


def last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:500] if lines else "it said nothing"


def zstd_cmd(level: int) -> list[str]:
    """Return the argv that compresses its standard input, with a checksum of its own."""
    return ["zstd", "--quiet", "--stdout", "--check", "--no-progress", f"-{level}", "-T1"]


def unzstd_cmd(path: str) -> list[str]:
    """Return the argv that prints what a compressed file holds."""
    return ["zstd", "--quiet", "--decompress", "--stdout", "--no-progress", "--", path]


def age_cmd(recipients: Sequence[str]) -> list[str]:
    """Return the argv that encrypts its standard input to public keys."""
    return ["age", "--encrypt", *(word for key in recipients for word in ("--recipient", key))]
