# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host behind the firewall, another one that looks at it from outside, and runs of the playbooks."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests import hosts, playbooks  # noqa: E402 - below the root, which is not in the path before

if TYPE_CHECKING:
    from collections.abc import Iterator

INVENTORY = ROOT / "molecule" / "firewall" / "inventory"
SCANNER = Path(__file__).with_name("scanner.py").read_text(encoding="utf-8")
ADDRESSES = {
    "firewall": ["10.231.90.10", "fd5a:6e1c:90b2::10"],
    "outside": ["10.231.90.20", "fd5a:6e1c:90b2::20"],
}
DECLARED = [22, 80, 443]
# What somebody else has on the host: a container that publishes one port, a program that listens on another one.
PUBLISHED, LISTENING = 8080, 5555
# Beside them what the stack has inside, and what is found open on hosts.
ASKED = sorted({*DECLARED, PUBLISHED, LISTENING, 2375, 3306, 5432, 6379, 8000, 9000, 9100, 11211, 2222, 8443, 33060})
OPEN, REFUSED, SILENT = "open", "refused", "silent"
DELETE = "nft delete table inet barehost"
DIGEST = "nft list table inet barehost 2>/dev/null | grep -o 'barehost [0-9a-f]*' || true"
BACK = "barehost-firewall-back.timer"


@dataclass(frozen=True)
class Host(hosts.Host):
    """A test host in two networks."""

    @property
    def gateway(self) -> str:
        """Return its address in the network that leads on; another boot may give it another one."""
        return self.inspected("{{.NetworkSettings.Networks.bridge.IPAddress}}")

    @property
    def addresses(self) -> list[str]:
        """Return its address of either family, in a network of both hosts."""
        return ADDRESSES[self.name]

    def ask(self, targets: dict[str, list[int]], seconds: float = 1.0) -> dict[str, dict[int, str]]:
        """Say what ports of addresses do with a connection that comes from this host."""
        given = json.dumps([SCANNER, targets, seconds])
        program = "import json, sys; text, *words = json.load(sys.stdin); exec(text); print(json.dumps(scan(*words)))"
        found: dict[str, dict[str, str]] = json.loads(self.run(f"python3 -c '{program}'", given=given))
        return {address: {int(port): outcome for port, outcome in ports.items()} for address, ports in found.items()}

    def within(self, service: str, program: str) -> str:
        """Run a Python program in the container of a service."""
        return self.run(f"docker exec -i {self.container(service)} python -", given=program)


def answers(outside: Host, inside: Host, ports: list[int] | None = None) -> dict[str, list[int]]:
    """Return which ports answer the other host, by family."""
    found = outside.ask(dict.fromkeys(inside.addresses, ports or ASKED))
    return {
        "v6" if ":" in address else "v4": sorted(port for port, outcome in each.items() if outcome == OPEN)
        for address, each in found.items()
    }


EXACTLY = {"v4": DECLARED, "v6": DECLARED}


def serves(inside: Host) -> bool:
    """Whether the site, its database, its queue and a worker answer, asked from the controller."""
    url = f"https://localhost:{playbook_port()}/health/"
    argv = ["curl", "--silent", "--insecure", "--max-time", "10", url]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    try:
        checks = json.loads(done.stdout)["checks"]
    except (ValueError, KeyError):
        return False
    return bool(inside.container("web")) and set(checks.values()) == {"ok"}


def playbook_port() -> int:
    """Return the port of this machine that leads to the site."""
    return 8583


def run_playbook(name: str, *options: str, **values: Any) -> playbooks.PlaybookRun:
    """Run one of our playbooks on the host behind the firewall."""
    more = ["-e", json.dumps(values)] if values else []
    return playbooks.run(name, "--limit", "firewall", *options, *more, inventory=INVENTORY, host="firewall")


@contextmanager
def without(inside: Host) -> Iterator[None]:
    """Take the rules away for a moment: what does not answer under them has to answer now, or nothing was shown."""
    inside.run(DELETE)
    try:
        yield
    finally:
        inside.run("systemctl reload barehost-firewall")


@pytest.fixture(scope="session")
def inside() -> Host:
    """Return the host behind the firewall, deployed to, where somebody else has a container and a program."""
    host = Host("firewall")
    image = host.run("docker inspect --format '{{.Config.Image}}' $(docker ps -q --filter name=web)").split()[0]
    host.run(
        f"docker rm --force other > /dev/null 2>&1; docker run --detach --name other --restart always"
        f" --publish {PUBLISHED}:8000 --entrypoint python {image} -m http.server 8000"
    )
    unit = f"[Service]\nExecStart=python3 -m http.server --bind :: {LISTENING}\n[Install]\nWantedBy=multi-user.target\n"
    host.run("cat > /etc/systemd/system/other.service", given=unit)
    host.run("systemctl daemon-reload && systemctl enable --now other && systemctl restart other")
    return host


@pytest.fixture(scope="session")
def outside() -> Host:
    """Return the host that looks."""
    return Host("outside")
