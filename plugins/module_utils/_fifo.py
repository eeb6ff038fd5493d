# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stream between a program in a container and this host, without the engine in between.

What `docker exec` prints passes a shim, the daemon and the client, and costs more of the processor than the dump itself (330 MB:
5.6 s of it, measured). A named pipe in the container's `/dev/shm`, opened by this host through `/proc`, is an ordinary pipe.
Where the host may not open it, as with a rootless engine, the stream goes through the engine.
"""

from __future__ import annotations

import os
import secrets
import select
import stat
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _pipes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FOLDER = "/dev/shm"  # noqa: S108 - of a container, and in its memory
POLL_MS = 200
# The program that writes opens its end as soon as it is started.
OPEN_SECONDS = 60.0
OUT = 'umask 077 && mkfifo -- "$0" && exec "$@" > "$0"'


class FifoError(Exception):
    """A pipe that does not come about."""


def pid_cmd(container: str) -> list[str]:
    """Return the argv that asks for the first process of a container, as this host sees it."""
    return ["docker", "container", "inspect", "--format", "{{.State.Pid}}", container]


def new_name() -> str:
    """Return the path of a pipe in a container."""
    return f"{FOLDER}/barehost-{secrets.token_hex(8)}.fifo"


def writing_cmd(path: str, client: Sequence[str]) -> list[str]:
    """Return the argv, inside of a container, of a program that writes into a pipe which it makes."""
    return ["sh", "-c", OUT, path, *client]


def reachable(pid: int) -> bool:
    """Whether this host can open what lies in a container's memory."""
    return pid > 0 and os.access(f"/proc/{pid}/root{FOLDER}", os.W_OK)


@contextmanager
def reading(argv: Sequence[str], pid: int, path: str) -> Iterator[tuple[IO[bytes], _pipes.Ended]]:
    """Run argv, which writes into the pipe at path in the container of pid, and hand out what it writes."""
    ended, outside = _pipes.Ended(), f"/proc/{pid}/root{path}"
    with tempfile.TemporaryFile() as err:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
        try:
            with open_read(outside, process) as stream:
                yield stream, ended
        except BaseException:
            process.kill()
            raise
        finally:
            with suppress(OSError):
                os.unlink(outside)  # noqa: PTH108 - it is no path of this host
            ended.code = process.wait()
            ended.err = _pipes.tail_of(err)


def open_read(path: str, process: subprocess.Popen[bytes]) -> IO[bytes]:
    """Open the end of a pipe to read from, once a program writes into it; one that has ended before leaves an empty stream."""
    descriptor = open_pipe(path, process)
    if descriptor is None:
        return open(os.devnull, "rb")  # noqa: PTH123 - the caller closes it
    try:
        wait_for_writer(descriptor, process)
        os.set_blocking(descriptor, True)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def open_pipe(path: str, process: subprocess.Popen[bytes]) -> int | None:
    """Open the pipe that a program makes; None where it has ended without making one."""
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        over = process.poll() is not None
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                return descriptor
            os.close(descriptor)
            raise FifoError(f"{path} is no pipe")
        if over:
            return None
        if time.monotonic() > deadline:
            raise FifoError(f"nothing in the container made a pipe within {OPEN_SECONDS:.0f} seconds")
        time.sleep(0.01)


def wait_for_writer(descriptor: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until there is something to read, or the program has ended: before it has opened its end a read sees an end."""
    waiter = select.poll()
    waiter.register(descriptor, select.POLLIN)
    while not waiter.poll(POLL_MS) and process.poll() is None:
        pass
