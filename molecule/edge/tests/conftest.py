# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The site behind TLS, another host of the same network that looks at it, and runs of the playbooks."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests import playbooks  # noqa: E402 - below the root, which is not in the path before

if TYPE_CHECKING:
    from collections.abc import Callable

INVENTORY = ROOT / "molecule" / "edge" / "inventory"
STACK_DIR = "/opt/app"
DOMAIN = "edge.test"
HTTP_PORT, HTTPS_PORT = 8180, 8543
# A dry run cannot call what needs a library that the run would install: another task says what these would do.
FORESEEN = {"Ask the authority": "Say what would be asked for", **playbooks.MAKE_CERTIFICATE}
# What the host outside needs beside what a bare host has.
PROGRAMS = ("curl", "testssl.sh", "pebble", "bsdextrautils", "dnsutils")


@dataclasses.dataclass(frozen=True)
class Host:
    """A test host as root sees it."""

    name: str

    def run(self, command: str, *, given: str | None = None, check: bool = True, seconds: float = 300) -> str:
        """Run a shell command, with a text on its standard input."""
        argv = ["docker", "exec", *(["-i"] if given is not None else []), f"barehost-{self.name}", "sh", "-c", command]
        done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False, timeout=seconds)
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
            error.add_note((done.stdout + done.stderr).strip())
            raise error
        return done.stdout.strip()

    @property
    def address(self) -> str:
        """Return the address at which the other host reaches it; another boot may give it another one."""
        network = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        argv = ["docker", "inspect", "--format", network, f"barehost-{self.name}"]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    def read(self, path: str) -> str:
        """Return the text of a file below the stack's directory."""
        return self.run(f"cat {STACK_DIR}/{path}") + "\n"

    def container(self, service: str) -> str:
        """Return the name of the container of a service that runs."""
        labels = f"label=com.docker.compose.project=app --filter label=com.docker.compose.service={service}"
        return self.run(f"docker ps --filter {labels} --format '{{{{.Names}}}}'")


@pytest.fixture(scope="session")
def edge() -> Host:
    """Return the host that serves."""
    return Host("edge")


@pytest.fixture(scope="session")
def outside(edge: Host) -> Host:
    """Return the other host, which has the programs to look with and finds the site by its name."""
    host = Host("attacker")
    missing = host.run(f"dpkg-query --show {' '.join(PROGRAMS)} > /dev/null 2>&1 || echo missing")
    if missing:
        # Of what a package would like to have beside it nothing is needed.
        host.run(
            f"apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends"
            f" {' '.join(PROGRAMS)}",
            seconds=600,
        )
    names = f"{edge.address} {DOMAIN} www.{DOMAIN} other.{DOMAIN}"
    host.run(
        f"sed '/{DOMAIN}/d' /etc/hosts > /tmp/hosts && cat >> /tmp/hosts && cat /tmp/hosts > /etc/hosts",
        given=names + "\n",
    )
    return host


def run_playbook(name: str, *options: str, inventory: Path = INVENTORY) -> playbooks.PlaybookRun:
    """Run one of our playbooks on the host that serves."""
    return playbooks.run(name, "--limit", "edge", *options, inventory=inventory, host="edge")


def as_foreseen(run: playbooks.PlaybookRun) -> set[str]:
    """Return what a run has changed in the words of a dry run."""
    return {FORESEEN.get(name, name) for name in run.changed}


def wait_until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until it is so; whoever does not answer yet is asked again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if true():
                return
        except (OSError, subprocess.CalledProcessError):
            pass
        time.sleep(0.3)
    pytest.fail(f"{what}: not within {seconds:g} s")


import mirrored  # noqa: E402 - which needs what stands above


@pytest.fixture(scope="session")
def mirror(edge: Host, tmp_path_factory: pytest.TempPathFactory) -> mirrored.Site:
    """Return the site as the hostile tests have it."""
    site = mirrored.Site(edge, tmp_path_factory.mktemp("mirror"))
    site.deploy()
    return dataclasses.replace(site, ca=edge.read("tls/self_signed/ca.pem"))
