# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host with the data and the one that keeps files for it, both seen from outside; runs of the playbooks."""

from __future__ import annotations

import http.client
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests import hosts, playbooks, site  # noqa: E402 - below the root, which is not in the path before

if TYPE_CHECKING:
    from collections.abc import Callable

INVENTORY = ROOT / "molecule" / "data" / "inventory"
PORT = 8523
STACK_DIR = "/opt/app"


def ask(path: str, body: dict[str, Any] | None = None, seconds: float = 20) -> tuple[int, Any]:
    """Return the status and the JSON of an answer of the site; what is no JSON is text."""
    connection = site.connect(PORT, seconds)
    try:
        content = None if body is None else json.dumps(body)
        connection.request("POST" if body else "GET", path, body=content, headers={"Host": "localhost"})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text


@dataclass(frozen=True)
class Host(hosts.Host):
    """The host with the data."""

    name: str = "data"

    def serves(self) -> bool:
        """Whether the site answers, and its database does."""
        return ask("/health/")[0] == http.HTTPStatus.OK


@dataclass(frozen=True)
class Vault(hosts.Host):
    """The host that keeps files; whoever has a key that was let in reaches it by SFTP, and by nothing else."""

    name: str = "vault"
    user: str = "keeper"

    @property
    def folder(self) -> str:
        """Return where its user may write."""
        return f"/home/{self.user}"

    def let_in(self, public_key: str) -> None:
        """Make the user, with this key alone."""
        self.run(f"id {self.user} > /dev/null 2>&1 || useradd --create-home --shell /bin/sh {self.user}")
        home = f"{self.folder}/.ssh"
        self.run(
            f"install -d -o {self.user} -g {self.user} -m 0700 {home} && cat > {home}/authorized_keys"
            f" && chown {self.user}: {home}/authorized_keys",
            given=f'restrict,command="internal-sftp" {public_key.strip()}\n',
        )

    @property
    def known_host(self) -> str:
        """Return its line of a known_hosts file."""
        kind, key, *_ = self.run("cat /etc/ssh/ssh_host_ed25519_key.pub").split()
        return f"{self.address} {kind} {key}"


@pytest.fixture(scope="session")
def machine() -> Host:
    """Return the host with the data."""
    return Host()


@pytest.fixture(scope="session")
def vault() -> Vault:
    """Return the host that keeps files."""
    return Vault()


@pytest.fixture
def runner() -> Callable[..., playbooks.PlaybookRun]:
    """Return the function that runs a playbook on the host with the data."""

    def run(name: str, *options: str) -> playbooks.PlaybookRun:
        return playbooks.run(name, "--limit", "data", *options, inventory=INVENTORY, host="data")

    return run
