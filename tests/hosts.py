# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A test host as root sees it from outside, so that it may be down, shut or rebooting; and waiting for what it comes to."""

from __future__ import annotations

import http.client
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

# What a question says that came too early.
NOT_YET = (OSError, ValueError, http.client.HTTPException, subprocess.SubprocessError)
NETWORKS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"


@dataclass(frozen=True)
class Host:
    """A test host."""

    name: str

    def run(self, command: str, *, given: str | None = None, check: bool = True, seconds: float = 600) -> str:
        """Run a shell command, with a text on its standard input; what it prints need not be text."""
        argv = ["docker", "exec", *(["-i"] if given is not None else []), f"barehost-{self.name}", "sh", "-c", command]
        done = subprocess.run(
            argv, input=given, capture_output=True, text=True, errors="replace", check=False, timeout=seconds
        )
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
            error.add_note((done.stdout + done.stderr).strip())
            raise error
        return done.stdout.strip()

    @property
    def address(self) -> str:
        """Return the address at which another host reaches it that is in one network; another boot may give it another one."""
        return self.inspected(NETWORKS)

    def inspected(self, template: str) -> str:
        """Return what the outer engine says of it."""
        argv = ["docker", "inspect", "--format", template, f"barehost-{self.name}"]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    def container(self, service: str) -> str:
        """Return the name of the container of a service of the stack `app` that runs."""
        labels = f"label=com.docker.compose.project=app --filter label=com.docker.compose.service={service}"
        return self.run(f"docker ps --filter {labels} --format '{{{{.Names}}}}'")


def wait_until(true: Callable[[], bool], what: str, seconds: float = 90) -> float:
    """Wait until it is so, and return how long that took; whoever does not answer yet is asked again."""
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        try:
            if true():
                return time.monotonic() - begin
        except NOT_YET:
            pass
        time.sleep(0.2)
    pytest.fail(f"{what}: not within {seconds:g} s")
