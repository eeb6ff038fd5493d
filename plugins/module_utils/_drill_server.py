# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The throw-away server of a restore drill while it runs: started, asked, loaded, and gone at the end, however that comes."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

from ansible_collections.barehost.django.plugins.module_utils import _drill, _dump, _pipes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

POLL_SECONDS = 0.5
QUICK_SECONDS = 120
SWEEPS = 10


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def execute(argv: Sequence[str], given: str = "", seconds: float = QUICK_SECONDS) -> Done:
    """Run a command; raise subprocess.TimeoutExpired where it takes too long."""
    done = subprocess.run(list(argv), input=given.encode(), capture_output=True, timeout=seconds, check=False)
    return Done(done.returncode, *(text.decode("utf-8", "replace") for text in (done.stdout, done.stderr)))


def ask(argv: Sequence[str], seconds: float = QUICK_SECONDS) -> str:
    """Return what a command prints; raise DrillError where it fails."""
    try:
        done = execute(argv, seconds=seconds)
    except subprocess.TimeoutExpired:
        raise _drill.DrillError(f"`{' '.join(argv[:3])}` did not end within {seconds:.0f} seconds") from None
    if done.code != 0:
        raise _drill.DrillError(f"`{' '.join(argv[:3])}` ended with {done.code}: {_pipes.last_line(done.err)}")
    return done.out


def sweep(stack_dir: str) -> list[str]:
    """Remove every container and volume of drills of a stack; return what could not be removed, in a sentence."""
    left: list[str] = []
    for attempt in range(SWEEPS):
        # The engine itself removes a server that has ended, and refuses to do it twice at once.
        time.sleep(POLL_SECONDS if attempt else 0)
        containers, volumes = (ask(argv).split() for argv in _drill.listing_cmds(stack_dir))
        left = [*containers, *volumes]
        if not left:
            return []
        for container in containers:
            execute(["docker", "rm", "--force", "--volumes", container])
        for volume in volumes:
            execute(["docker", "volume", "rm", volume])
    return [f"this could not be removed after the drill: {', '.join(name[:12] for name in left)}"]


@dataclass(frozen=True)
class Clock:
    """Until when the drill may go on."""

    deadline: float
    whole: int

    @property
    def left(self) -> float:
        """Return the seconds that are left; raise DrillError where there are none."""
        rest = self.deadline - time.monotonic()
        if rest <= 0:
            raise self.late()
        return rest

    def late(self) -> _drill.DrillError:
        """Return the error of a drill that takes too long."""
        return _drill.DrillError(
            f"it took longer than {self.whole} seconds and was stopped (backup_drill_timeout_seconds)"
        )

    def run(self, argv: Sequence[str], given: str = "") -> Done:
        """Run a command within the time that is left."""
        try:
            return execute(argv, given, self.left)
        except subprocess.TimeoutExpired:
            raise self.late() from None

    def ask(self, argv: Sequence[str]) -> str:
        """Return what a command prints."""
        return ask(argv, min(QUICK_SECONDS, self.left))

    def succeeds(self, argv: Sequence[str]) -> bool:
        """Whether a command does what it is asked to do."""
        return self.run(argv).code == 0


class Running:
    """A server that was started."""

    def __init__(self, server: _drill.Server, clock: Clock) -> None:
        """Start it. What it says goes into a file that nobody else sees."""
        self.server, self.clock = server, clock
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end
        self._process = subprocess.Popen(
            _drill.server_cmd(server),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # A Ctrl-C is for the drill, which then ends the server.
            start_new_session=True,
        )

    def said(self) -> str:
        """Return the last line that tells why it ended."""
        lines = [line.strip() for line in _pipes.tail_of(self._log).splitlines() if line.strip()]
        errors = [line for line in lines if "[ERROR]" in line or "docker:" in line]
        return ([*lines[-1:], *errors] or ["it said nothing"])[-1][:500]

    def demand_alive(self) -> None:
        """Refuse one that has ended."""
        code = self._process.poll()
        if code is not None:
            memory = ", most likely for want of memory (backup_drill_memory_mb)" if code == _dump.KILLED else ""
            raise _drill.DrillError(f"the throw-away server ended with {code}{memory}: {self.said()}")

    def wait(self) -> None:
        """Wait until it answers."""
        while not self.clock.succeeds(_drill.ready_cmd(self.server.name)):
            self.demand_alive()
            time.sleep(min(POLL_SECONDS, self.clock.left))

    def sql(self, text: str, database: str = "") -> str:
        """Carry out SQL, and return what it prints."""
        done = self.clock.run(_drill.client_cmd(self.server.name, database), text)
        if done.code != 0:
            self.demand_alive()
            raise _drill.DrillError(f"the throw-away server refuses: {_pipes.last_line(done.err)}")
        return done.out

    def load(self, path: Path, database: str) -> None:
        """Load a dump, piece by piece; refuse one that has no end."""
        argv = _drill.client_cmd(self.server.name, database)
        tail = b""
        with tempfile.TemporaryFile() as err, _pipes.reading(_pipes.unzstd_cmd(str(path))) as (stream, ended):
            client = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=err)
            target = cast("IO[bytes]", client.stdin)
            _pipes.widen(stream)
            try:
                for piece in iter(lambda: stream.read1(_pipes.CHUNK), b""):  # type: ignore[attr-defined]
                    _ = self.clock.left
                    target.write(piece)
                    tail = (tail + piece[-_dump.TAIL :])[-_dump.TAIL :]
                with suppress(BrokenPipeError):
                    target.close()
                code = client.wait(self.clock.left)
            except BrokenPipeError:
                code = client.wait(QUICK_SECONDS)
            except subprocess.TimeoutExpired:
                raise self.clock.late() from None
            finally:
                end(client)
            said = _pipes.tail_of(err)
            if code != 0:
                self.demand_alive()
                raise _drill.DrillError(f"{path} cannot be loaded: {_pipes.last_line(said)}")
        if ended.code != 0:
            raise _drill.DrillError(f"{path} cannot be unpacked: {_pipes.last_line(ended.err)}")
        if not _dump.complete(tail):
            raise _drill.DrillError(f"{path} is cut: its end is missing, the line `-- Dump completed`")

    def stop(self) -> None:
        """End it, and all that it has."""
        with suppress(subprocess.TimeoutExpired):
            execute(["docker", "rm", "--force", "--volumes", self.server.name])
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(QUICK_SECONDS)
        end(self._process)
        self._log.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Leave no process."""
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


@contextmanager
def running(server: _drill.Server, clock: Clock) -> Iterator[Running]:
    """Have a server for as long as it is needed."""
    found = Running(server, clock)
    try:
        yield found
    finally:
        found.stop()
