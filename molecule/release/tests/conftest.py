# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases of a project that is made to be watched: its versions, the runs, what the host looks like afterwards."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests import hosts, playbooks, site  # noqa: E402 - below the root, which is not in the path before

if TYPE_CHECKING:
    from collections.abc import Callable

SCENARIO = ROOT / "molecule" / "release"
INVENTORY = SCENARIO / "inventory"
PORTS = {"release": 8473, "twin": 8483}
STACK_DIR = "/opt/app"
VERSIONS = ROOT / ".state" / "release"


def version(name: str, *variants: str) -> Path:
    """Make a version of the project that no host has seen: its style sheet says so. Each variant changes what it changes."""
    folder = VERSIONS / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SCENARIO / "project", folder)
    for variant in variants:
        shutil.copytree(SCENARIO / "variants" / variant, folder, dirs_exist_ok=True)
    with (folder / "static" / "site" / "site.css").open("a") as file:
        file.write(f"/* {name}, {time.time_ns()} */\n")
    return folder


def deploy(source: Path, *options: str, hosts: str = "release", playbook: str = "deploy") -> playbooks.PlaybookRun:
    """Deploy a version."""
    arguments = ["--limit", hosts, "-e", f"django_source_path={source}", *options]
    return playbooks.run(playbook, *arguments, inventory=INVENTORY, host=hosts.partition(",")[0])


def start(source: Path, *options: str) -> subprocess.Popen[str]:
    """Start a deploy, and do not wait for it."""
    arguments = ["--limit", "release", "-e", f"django_source_path={source}", *options]
    argv, env = playbooks.command("deploy", *arguments, inventory=INVENTORY)
    return subprocess.Popen(
        argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def status(host: str = "release") -> dict[str, Any]:
    """Return what `status` says of a host."""
    run = playbooks.run("status", "--limit", host, inventory=INVENTORY, host=host)
    found: dict[str, Any] = run.tasks["Show the status"]["report"]["hosts"][host]
    return found


def ask(path: str, host: str = "release") -> Any:
    """Return the JSON at a path of the site."""
    connection = site.connect(PORTS[host])
    connection.request("GET", path, headers={"Host": "localhost"})
    return json.loads(connection.getresponse().read())


def serving(host: str = "release") -> str:
    """Return the id of the release that answers."""
    return str(ask("/health/", host)["release"])


@dataclass(frozen=True)
class Host(hosts.Host):
    """A test host that is deployed to."""

    name: str = "release"

    def containers(self) -> dict[str, list[str]]:
        """Map each service to the names and states of its containers, stopped ones included."""
        listing = self.run(
            'docker ps --all --format "{{.Label \\"com.docker.compose.service\\"}} {{.Names}} {{.State}}"'
        )
        found: dict[str, list[str]] = {}
        for line in listing.splitlines():
            service, name, state = line.split()
            found.setdefault(service, []).append(f"{name} {state}")
        return found

    def is_clean(self) -> bool:
        """Whether each service has exactly one container, which runs, and nothing of a one-shot is left."""
        found = self.containers()
        expected = {"beat", "mysql", "nginx", "redis", "web", "worker"}
        return set(found) == expected and all(
            len(names) == 1 and names[0].endswith(" running") for names in found.values()
        )

    def record(self, release: str = "current") -> dict[str, Any]:
        """Return the record of a release."""
        name = release if release == "current" else f"{release}.json"
        found: dict[str, Any] = json.loads(self.run(f"cat {STACK_DIR}/releases/{name}"))
        return found

    def steps(self) -> dict[str, str]:
        """Map each release to the step that its record names."""
        lines = self.run(f"grep -H '\"step\"' {STACK_DIR}/releases/[0-9a-f]*.json || true").splitlines()
        return {line.partition(":")[0]: line.split('"')[3] for line in lines}

    def wait_for_step(self, before: dict[str, str], *steps: str, seconds: float = 120) -> str:
        """Wait until a release, which was not there before, is in one of these steps."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, step in self.steps().items():
                if name not in before and step in steps:
                    return step
            time.sleep(0.1)
        pytest.fail(f"no release came to step {' or '.join(steps)} within {seconds:g} s")


@pytest.fixture(scope="session")
def machine() -> Host:
    """Return the host."""
    return Host()


@pytest.fixture(scope="session")
def base() -> Path:
    """Return a good version, which serves whenever a test begins that asks for it."""
    source = version("base", "additive", "data")
    assert deploy(source).code == 0
    return source


@pytest.fixture
def runner() -> Callable[..., playbooks.PlaybookRun]:
    """Return the function that runs a playbook on the first host."""

    def run(name: str, *options: str) -> playbooks.PlaybookRun:
        return playbooks.run(name, "--limit", "release", *options, inventory=INVENTORY, host="release")

    return run
