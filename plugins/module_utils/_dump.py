# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dumps of a MySQL schema, with the clients of the server's own image, inside its own container.

mysqldump ends with 0 where it printed an error, and a dump that was cut between two statements restores without a word.
So nothing counts as a dump that does not end with the line which mysqldump writes last.
"""

from __future__ import annotations

import gzip
import os
import re
import secrets
import subprocess
import tempfile
from typing import IO, TYPE_CHECKING, cast

from ansible_collections.barehost.django.plugins.module_utils import _compose, _files, _mysql_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOLDER = "backups"
SUFFIX = ".sql.gz"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# The files of the dumps that the role `release` has made before migrations, and of no others.
BEFORE = rf"[0-9]{{8}}T[0-9]{{6}}Z-before-[0-9a-f]{{12}}{re.escape(SUFFIX)}"
CHUNK = 1 << 20
# The dump is made beside what serves: little time of the processor is worth more than the last tenth of the size.
COMPRESSION = 1
TAIL = 256
TRAILER = re.compile(rb"\n-- Dump completed(?: on [^\n]*)?\n\Z")
# What the indexes of information_schema say is an estimate.
RESERVE = 1.2
KILL_AFTER = 10
# What `timeout` exits with; KILLED where it had to kill, and where somebody else did.
TIMED_OUT = 124
KILLED = 137
# What MySQL says where a password is not the right one, and who puts that right. Of a statement, whose line is there, it says the
# same where the privilege FILE is missing.
DENIED = re.compile(r"(?:ERROR|error:|said) 1045\b(?! \(\w+\) at line)")
SETTLED_BY = (
    "the server knows another password than the stack's files: a change of passwords that was cut off is brought to its end by "
    "barehost.django.deploy; then run the same again"
)

# The client reads the password from a pipe, so that it stands on no command line, in no environment and in no new file.
# `printf` is part of the shell; `sed` sees the file and prints what an option file needs escaped.
AS_ROOT = (
    "secret=$(sed 's/[\\\\\"]/\\\\&/g' /run/secrets/root_password) && "
    'printf \'[client]\\nuser=root\\npassword="%s"\\n\' "$secret" | "$@"'
)
OPTIONS = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    "--set-gtid-purged=OFF",
    "--no-tablespaces",
    # The client's own limit is lower than the server's: one long row would end every dump.
    "--max-allowed-packet=1G",
    # The line at the end is a comment.
    "--comments",
)


class DumpError(Exception):
    """A dump that cannot be made, or is none."""


def container_cmd(project: str, service: str) -> list[str]:
    """Return the argv that lists the running containers of a service; what `compose run` started is none of them."""
    labels = {_compose.LABEL_PROJECT: project, _compose.LABEL_SERVICE: service, _compose.LABEL_ONEOFF: "False"}
    filters = [word for name, value in labels.items() for word in ("--filter", f"label={name}={value}")]
    return ["docker", "ps", "--quiet", "--no-trunc", "--filter", "status=running", *filters]


def as_root_cmd(container: str, client: Sequence[str], seconds: int) -> list[str]:
    """Return the argv that runs a client of MySQL as root inside a container, for so long.

    The limit is inside: a `docker exec` that is ended leaves what it started.
    """
    name, *rest = client
    limited = ["timeout", f"--kill-after={KILL_AFTER}", str(seconds), name, "--defaults-extra-file=/dev/stdin", *rest]
    return ["docker", "exec", container, "sh", "-c", AS_ROOT, "sh", *limited]


def size_cmd(container: str, database: str, seconds: int) -> list[str]:
    """Return the argv that asks for the number of tables and the bytes of a schema."""
    query = (
        # Otherwise the figures may be a day old.
        "SET SESSION information_schema_stats_expiry = 0; "  # noqa: S608 - the name is escaped
        "SELECT COUNT(*), COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables "
        f"WHERE table_type = 'BASE TABLE' AND table_schema = {_mysql_text.literal(database)}"
    )
    return as_root_cmd(container, ["mysql", "--batch", "--skip-column-names", f"--execute={query}"], seconds)


def dump_cmd(container: str, database: str, seconds: int) -> list[str]:
    """Return the argv that prints a consistent dump of a schema."""
    return as_root_cmd(container, ["mysqldump", *OPTIONS, "--", database], seconds)


def parse_size(text: str) -> tuple[int, int]:
    """Read the number of tables and the bytes of a schema."""
    fields = text.split()
    if len(fields) != 2 or not all(re.fullmatch(r"\d+", field) for field in fields):  # noqa: PLR2004 - two columns
        raise DumpError(f"the size of the schema cannot be read from {text.strip()[:200]!r}")
    return int(fields[0]), int(fields[1])


def needed(size: int) -> int:
    """Return the bytes that must be free before a schema of that size is dumped."""
    return int(size * RESERVE)


def megabytes(size: int) -> str:
    """Return a size as a person reads it."""
    return f"{max(1, round(size / 1_000_000))} MB"


def counted(number: int, noun: str) -> str:
    """Return a number of things as a person says it."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def contents(rows: int, tables: int) -> str:
    """Say how much a schema or a dump of it holds."""
    return f"{counted(rows, 'row')} in {counted(tables, 'table')}"


def check_name(name: str) -> str:
    """Demand a name that is one of a file, and nothing else."""
    if not NAME.fullmatch(name):
        raise DumpError(f"{name!r} is no name of a dump: give letters, digits, dots, hyphens and underscores")
    return name


def file_name(name: str, stamp: str) -> str:
    """Return the name of a dump's file: the oldest sorts first, and a second try never replaces the first one."""
    return f"{stamp}-{check_name(name)}{SUFFIX}"


def complete(tail: bytes) -> bool:
    """Whether these last bytes are those of a whole dump."""
    return TRAILER.search(tail) is not None


def complaint(err: str) -> str:
    """Return the first line that is an error, which mysqldump may print and still end with 0; warnings are none."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    return next((line for line in lines if re.match(r"mysqldump: (?!\[Warning\])", line)), "")


def advised(said: str) -> str:
    """Say what to do, too, where the server did not let in whom it should."""
    return f"{said}; {SETTLED_BY}" if DENIED.search(said) else said


def why_bad(code: int, tail: bytes, err: str, seconds: int) -> str:
    """Say what is wrong with a dump; empty where nothing is."""
    if code == TIMED_OUT:
        return f"it took longer than {seconds} seconds and was stopped"
    if code == KILLED:
        return f"mysqldump was killed (exit {KILLED}), most likely for want of memory"
    last = ([line.strip() for line in err.splitlines() if line.strip()] or ["it said nothing"])[-1]
    if code != 0:
        return advised(f"mysqldump ended with {code}: {complaint(err) or last}"[:500])
    if complaint(err):
        return f"mysqldump complained: {complaint(err)}"[:500]
    return "" if complete(tail) else f"its end is missing, the line `-- Dump completed`: {last}"[:500]


def demand_whole(code: int, tail: bytes, err: str, seconds: int) -> None:
    """Refuse a dump that is none."""
    problem = why_bad(code, tail, err, seconds)
    if problem:
        raise DumpError(f"the dump is no good and was removed: {problem}")


def compress(source: IO[bytes], target: IO[bytes]) -> bytes:
    """Copy a stream into a compressed one, piece by piece; return its last bytes as they were."""
    tail = b""
    # No name and no time in it: the same dump is the same file.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=COMPRESSION, fileobj=target, mtime=0) as packed:
        while True:
            piece = source.read(CHUNK)
            if not piece:
                return tail
            packed.write(piece)
            tail = (tail + piece)[-TAIL:]


class Target:
    """The file of a dump: under another name until the dump is known to be whole, and gone where it is not."""

    def __init__(self, path: Path) -> None:
        """Take the final name."""
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")

    def open(self) -> IO[bytes]:
        """Make the folder and the file, closed to everybody but root."""
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        _files.own(self.path.parent, 0o700)
        return os.fdopen(os.open(self.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")

    def keep(self) -> None:
        """Give the file its name; it must not be lost with the power."""
        _files.sync(self.temporary)
        self.temporary.replace(self.path)
        _files.sync(self.path.parent)

    def drop(self) -> None:
        """Leave nothing of a dump that is none."""
        self.temporary.unlink(missing_ok=True)


def stream(argv: list[str], file: IO[bytes]) -> tuple[int, bytes, str]:
    """Write what a command prints into a file, compressed; return how it ended, its last bytes and what it complained of."""
    with tempfile.TemporaryFile() as err:
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err) as process:
            tail = compress(cast("IO[bytes]", process.stdout), file)
        err.seek(0)
        return process.returncode, tail, err.read().decode("utf-8", "replace")


def write(argv: list[str], target: Target, seconds: int) -> None:
    """Stream a dump into its file; leave nothing where it is not whole."""
    try:
        with target.open() as file:
            code, tail, said = stream(argv, file)
        demand_whole(code, tail, said, seconds)
        target.keep()
    except BaseException:
        target.drop()
        raise


def leftovers(folder: Path, name: str) -> list[Path]:
    """Return what killed runs left of dumps of this name."""
    return sorted(folder.glob(f".*-{check_name(name)}{SUFFIX}.*.partial"))
