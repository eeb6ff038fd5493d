# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One real MySQL and one real Redis, each in a container without a network, with little memory, that is removed at the end."""

from __future__ import annotations

import secrets
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LABEL = "barehost.matrix"
SECONDS = 120.0
START_SECONDS = 90.0


@dataclass(frozen=True)
class Server:
    """A container."""

    name: str

    def run(self, *command: str, given: str = "", check: bool = True) -> str:
        """Run a command inside."""
        argv = ["docker", "exec", "--interactive", self.name, *command]
        done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False, timeout=SECONDS)
        if check and done.returncode:
            pytest.fail(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
        return done.stdout

    def logs(self) -> str:
        """Return what it has said so far."""
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def wait(self, *command: str, said: str) -> None:
        """Wait until a command says something."""
        self._until(lambda: said in self.run(*command, check=False))

    def wait_for_log(self, said: str) -> None:
        """Wait until it says something by itself."""
        self._until(lambda: said in self.logs())

    def _until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + START_SECONDS
        while not true():
            if time.monotonic() > end:
                pytest.fail(f"{self.name} does not answer: {self.logs()[-2000:]}")
            time.sleep(0.3)


@contextmanager
def serving(image: str, options: Sequence[str], command: Sequence[str], folder: Path) -> Iterator[Server]:
    """Start one, with a folder of ours at /matrix."""
    name = f"barehost-matrix-{secrets.token_hex(4)}"
    limits = ("--network=none", "--memory=1g", "--cpus=1", "--pids-limit=200", f"--label={LABEL}")
    argv = ["docker", "run", "--detach", f"--name={name}", *limits, f"--volume={folder}:/matrix:ro", *options]
    started = subprocess.run([*argv, image, *command], capture_output=True, text=True, check=False)
    if started.returncode:
        pytest.fail(f"{image} does not start: {started.stderr.strip()}")
    try:
        yield Server(name)
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)
