# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The site behind TLS, another host of the same network that looks at it, and runs of the playbooks."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests import hosts, playbooks  # noqa: E402 - below the root, which is not in the path before

INVENTORY = ROOT / "molecule" / "edge" / "inventory"
STACK_DIR = "/opt/app"
DOMAIN = "edge.test"
HTTP_PORT, HTTPS_PORT = 8180, 8543
# A dry run cannot call what needs a library that the run would install: another task says what these would do.
FORESEEN = {"Ask the authority": "Say what would be asked for", **playbooks.MAKE_CERTIFICATE}
# What the host outside needs beside what a bare host has.
PROGRAMS = ("curl", "testssl.sh", "pebble", "bsdextrautils", "dnsutils")


@dataclasses.dataclass(frozen=True)
class Host(hosts.Host):
    """A test host, and the files of its stack."""

    def read(self, path: str) -> str:
        """Return the text of a file below the stack's directory."""
        return self.run(f"cat {STACK_DIR}/{path}") + "\n"


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


import mirrored  # noqa: E402 - which needs what stands above


@pytest.fixture(scope="session")
def mirror(edge: Host, tmp_path_factory: pytest.TempPathFactory) -> mirrored.Site:
    """Return the site as the hostile tests have it."""
    site = mirrored.Site(edge, tmp_path_factory.mktemp("mirror"))
    site.deploy()
    return dataclasses.replace(site, ca=edge.read("tls/self_signed/ca.pem"))
