# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of the deployed host share: the host as root, the site from outside, and playbook runs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests import playbooks, site  # noqa: E402 - below the root, which is not in the path before

if TYPE_CHECKING:
    import http.client
    from collections.abc import Callable, Iterator

INVENTORY = ROOT / "molecule" / "default" / "inventory"
HOST = "default"
PORT = 8453
SECOND_PORT = 8454
STACK_DIR = "/opt/app"


@pytest.fixture(scope="module")
def root(host: Any) -> Iterator[Any]:
    """Return the host as root sees it."""
    with host.sudo():
        yield host


def container_of(root: Any, service: str, project: str = "app") -> str:
    """Return the name of a service's container, empty where there is none: each release counts its containers on."""
    labels = f"label=com.docker.compose.project={project} --filter label=com.docker.compose.service={service}"
    return str(root.check_output(f"docker ps --all --filter {labels} --format '{{{{.Names}}}}'"))


@dataclass(frozen=True)
class Answer:
    """What a request brought."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def request(path: str, *, method: str = "GET", port: int = PORT, **options: Any) -> Answer:
    """Send one request through the published port, from outside of the host."""
    connection = site.connect(port, 10)
    connection.request(method, path, options.get("body"), options.get("headers", {}))
    answer = connection.getresponse()
    return Answer(answer.status, answer.headers, answer.read())


def run_playbook(name: str, *options: str, inventory: Path = INVENTORY) -> playbooks.PlaybookRun:
    """Run one of our playbooks on this scenario's host."""
    return playbooks.run(name, *options, inventory=inventory, host=HOST)


@pytest.fixture(scope="session")
def playbook() -> Callable[..., playbooks.PlaybookRun]:
    """Return the function that runs a playbook."""
    return run_playbook
