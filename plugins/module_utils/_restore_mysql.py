# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clients of MySQL inside the server's own container, which take their SQL and their password from a pipe."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, cast

from ansible_collections.barehost.django.plugins.module_utils import _dump, _fifo, _pipes, _restore_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Callable

QUERY_SECONDS = 120
# The options come from one pipe and the SQL from another, so that a password stands neither on a command line nor in a file.
SPLIT = '| { exec 4<&0 0<&3 3<&-; exec "$@"; }'
AS_ROOT = (
    "exec 3<&0; secret=$(sed 's/[\\\\\"]/\\\\&/g' /run/secrets/root_password) && "
    f'printf \'[client]\\nuser=root\\npassword="%s"\\n\' "$secret" {SPLIT}'
)
# The first line of the input is the password.
AS_LOADER = "IFS= read -r secret && exec 3<&0 && {client}"
# And the SQL comes through a pipe in the container's memory, which the engine has no part in; see _fifo.
THROUGH_PIPE = 'IFS= read -r secret && umask 077 && mkfifo -- "$0" && exec 3< "$0" && {client}'
LOADER_CLIENT = f'printf \'[client]\\nuser={_restore_sql.LOADER}\\npassword="%s"\\n\' "$secret" {SPLIT}'
CLIENT = (
    "mysql",
    "--defaults-extra-file=/dev/fd/4",
    "--batch",
    "--raw",
    "--skip-column-names",
    # Otherwise a dump could have the client itself do something.
    "--binary-mode",
    "--loose-system-command=OFF",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
)
# Of a statement the client says the line; where it has none the server did not let it in. What the client itself refuses has no number.
ERROR = re.compile(r"ERROR(?: (\d+) \(\w+\))?(?: at line (\d+))?: (.*)")
LOCK_WAIT, DEADLOCK = 1205, 1213
# Of a statement this is no password: reading or writing a file of the server takes a privilege that no schema gives.
DENIED = 1045
NO_FILES = "not for its password, but since that statement reads or writes a file of the server (privilege FILE)"


class MysqlError(Exception):
    """What MySQL has refused; its number is 0 where it did not say one, and so is the line of what was sent."""

    def __init__(self, message: str, number: int = 0, line: int = 0) -> None:
        """Keep the number and the line."""
        super().__init__(message)
        self.number = number
        self.line = line


def load_cmd(container: str, seconds: int, database: str, pipe: str = "") -> list[str]:
    """Return the argv of a client that loads a dump as the account that was made for it, through a pipe where there is one."""
    script = (THROUGH_PIPE if pipe else AS_LOADER).replace("{client}", LOADER_CLIENT)
    argv = client_cmd(container, script, seconds, database)
    # What the shell is called is its first argument.
    at = argv.index(script) + 1
    return [*argv[:at], pipe or argv[at], *argv[at + 1 :]]


def client_cmd(container: str, script: str, seconds: int, database: str = "") -> list[str]:
    """Return the argv of a client that reads SQL from its input; it is ended inside the container when its time is over."""
    limited = ["timeout", f"--kill-after={_dump.KILL_AFTER}", str(seconds), *CLIENT]
    return [
        "docker",
        "exec",
        "--interactive",
        container,
        "sh",
        "-c",
        script,
        "sh",
        *limited,
        *([database] if database else []),
    ]


def datadir_cmd(container: str) -> list[str]:
    """Return the argv that asks where on the host the files of the server are."""
    mounted = '{{range .Mounts}}{{if eq .Destination "/var/lib/mysql"}}{{.Source}}{{end}}{{end}}'
    return ["docker", "container", "inspect", "--format", mounted, container]


def objects_cmd(container: str, database: str) -> list[str]:
    """Return the argv that prints a schema without its rows: its triggers, views, routines and events.

    A view whose table is gone is left out, and must not keep anybody from restoring that table.
    """
    argv = ["mysqldump", *_dump.OPTIONS, "--no-data", "--force", "--", database]
    return _dump.as_root_cmd(container, argv, QUERY_SECONDS)


def failure(code: int, err: str, seconds: int) -> MysqlError:
    """Return why a client has ended, in the server's words."""
    if code == _dump.TIMED_OUT:
        return MysqlError(f"it took longer than {seconds} seconds and was stopped")
    found = ERROR.search(err)
    if found:
        number, line = int(found[1] or 0), int(found[2] or 0)
        said = f"{f'MySQL said {number}' if number else 'its client said'}: {found[3].strip()}"[:500]
        if line:
            return MysqlError(f"{said}; {NO_FILES}" if number == DENIED else said, number, line)
        return MysqlError(_dump.advised(said), number)
    return MysqlError(f"the client of MySQL ended with {code}: {_pipes.last_line(err)}")


class Server:
    """The server in its container, asked as root."""

    def __init__(self, container: str) -> None:
        """Take the container."""
        self.container = container

    def pid(self) -> int:
        """Return the first process of the container, as this host sees it."""
        done = subprocess.run(_fifo.pid_cmd(self.container), capture_output=True, text=True, check=False)
        return int(done.stdout.strip() or 0) if done.returncode == 0 else 0

    def run(self, sql: str, database: str = "", seconds: int = QUERY_SECONDS) -> str:
        """Run SQL to its first error; return what was printed."""
        argv = client_cmd(self.container, AS_ROOT, seconds, database)
        done = subprocess.run(argv, input=sql.encode("utf-8", "surrogateescape"), capture_output=True, check=False)
        if done.returncode != 0:
            raise failure(done.returncode, done.stderr.decode("utf-8", "replace"), seconds)
        return done.stdout.decode("utf-8", "replace")

    def ask(self, sql: str, database: str = "", seconds: int = QUERY_SECONDS) -> list[Any]:
        """Return the rows of an answer in JSON."""
        return [json.loads(line) for line in self.run(sql, database, seconds).splitlines() if line]

    def facts(self, live: str) -> dict[str, Any]:
        """Return what has to be known of the server."""
        return dict(self.ask(_restore_sql.facts(live))[0])

    def contents(self, schema: str) -> _restore_sql.Contents:
        """Return what is in a schema."""
        found = self.ask(_restore_sql.contents(schema))[0]
        objects = {kind: sorted(found[kind] or []) for kind in _restore_sql.MOVED}
        return _restore_sql.Contents(sorted(found["tables"] or []), objects)

    def counts(self, schema: str, tables: Iterable[str], seconds: int) -> dict[str, int]:
        """Count the rows of each table."""
        sql = _restore_sql.counts(schema, tables)
        return {name: int(rows) for name, rows in self.ask(sql, seconds=seconds)} if sql else {}


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """Return a stream piece by piece."""
    while True:
        piece = stream.read1(_pipes.CHUNK)  # type: ignore[attr-defined]
        if not piece:
            return
        yield piece


class Load:
    """A client that takes a dump as the account that reaches nothing but the new schema."""

    def __init__(self, argv: Sequence[str], password: str, seconds: int, pipe: str = "") -> None:
        """Start it; pipe is where this host finds the pipe that it makes for its SQL."""
        self._seconds = seconds
        self._err = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the client
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._err, bufsize=_pipes.CHUNK
        )
        self._input = cast("IO[bytes]", self._process.stdin)
        self.write(password.encode() + b"\n")
        if pipe:
            # Where it is broken the client has ended, and opening says why.
            with suppress(BrokenPipeError):
                self._input.close()
            self._input = self._open(pipe)
        _pipes.widen(self._input)

    def _open(self, pipe: str) -> IO[bytes]:
        """Open the pipe to write into, once the client reads it."""
        deadline = time.monotonic() + _fifo.OPEN_SECONDS
        while time.monotonic() < deadline:
            over = self._process.poll() is not None
            # Until it is there, and somebody reads it.
            with suppress(OSError):
                descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
                os.unlink(pipe)  # noqa: PTH108 - it is no path of this host
                os.set_blocking(descriptor, True)
                return os.fdopen(descriptor, "wb", buffering=_pipes.CHUNK)
            if over:
                raise self._why()
            time.sleep(0.01)
        raise MysqlError(f"nothing in the container read the dump within {_fifo.OPEN_SECONDS:.0f} seconds")

    def write(self, piece: bytes) -> None:
        """Hand over the next piece."""
        try:
            self._input.write(piece)
        except BrokenPipeError:
            raise self._why() from None

    def finish(self) -> None:
        """Wait for the end; raise MysqlError where something was refused."""
        try:
            self._input.close()
        except BrokenPipeError:
            raise self._why() from None
        if self._process.wait() != 0:
            raise self._why()

    def close(self) -> None:
        """Let go of it, whatever has happened."""
        if self._process.poll() is None:
            self._process.kill()
        with suppress(OSError):
            self._input.close()
        self._process.wait()
        self._err.close()

    def _why(self) -> MysqlError:
        return failure(self._process.wait(), _pipes.tail_of(self._err), self._seconds)


def copy(stream: IO[bytes], take: Callable[[bytes], object], watch: Callable[[int], None]) -> None:
    """Hand a stream on, and look at the host now and then."""
    size = 0
    for piece in pieces(stream):
        take(piece)
        size += len(piece)
        watch(size)
