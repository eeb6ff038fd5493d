# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of the deployed host share: the host as root, the site from outside, and playbook runs."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = ROOT / "molecule" / "default" / "inventory"
HOST = "default"
HTTP_PORT = 8090
SECOND_PORT = 8453
STACK_DIR = "/opt/app"


@pytest.fixture(scope="module")
def root(host: Any) -> Iterator[Any]:
    """Return the host as root sees it."""
    with host.sudo():
        yield host


@dataclass(frozen=True)
class Answer:
    """What a request brought."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def request(path: str, *, method: str = "GET", port: int = HTTP_PORT, **options: Any) -> Answer:
    """Send one request through the published port, from outside of the host."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, options.get("body"), options.get("headers", {}))
    answer = connection.getresponse()
    return Answer(answer.status, answer.headers, answer.read())


@dataclass(frozen=True)
class PlaybookRun:
    """How a playbook ended on the host."""

    code: int
    output: str
    tasks: dict[str, dict[str, Any]]
    stats: dict[str, int]

    @property
    def changed(self) -> list[str]:
        """Return the names of the tasks that changed something."""
        return [name for name, result in self.tasks.items() if result.get("changed")]

    @property
    def message(self) -> str:
        """Return why the run failed."""
        failures = [result.get("msg", "") for result in self.tasks.values() if result.get("failed")]
        return " ".join(str(item) for item in failures) or self.output


def read_tasks(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Map the name of each task, without its role's, to its result on the host."""
    found: dict[str, dict[str, Any]] = {}
    for play in document["plays"]:
        for task in play["tasks"]:
            for result in task["hosts"].values():
                found[task["task"]["name"].rsplit(" : ", 1)[-1]] = result
    return found


def run_playbook(name: str, *options: str, inventory: Path = INVENTORY) -> PlaybookRun:
    """Run one of our playbooks by its full name, and read what it did from Ansible's own JSON."""
    program = shutil.which("ansible-playbook") or "ansible-playbook"
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_FORCE_COLOR": "0",
    }
    argv = [program, "-i", str(inventory), f"barehost.django.{name}", *options]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=900)
    start = done.stdout.find("{\n")
    document = json.loads(done.stdout[start:]) if start >= 0 else {"plays": [], "stats": {}}
    return PlaybookRun(
        done.returncode, done.stdout + done.stderr, read_tasks(document), document["stats"].get(HOST, {})
    )


@pytest.fixture(scope="session")
def playbook() -> Callable[..., PlaybookRun]:
    """Return the function that runs a playbook."""
    return run_playbook
