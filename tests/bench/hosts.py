# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The test hosts that are measured, and the versions of the project that go there."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "molecule" / "bench"
INVENTORY = SCENARIO / "inventory"
STATE = ROOT / ".state"
VERSIONS = STATE / "bench"
PROJECT = ROOT / "molecule" / "release" / "project"
VARIANTS = ROOT / "molecule" / "release" / "variants"
# Everything that a first deploy would have to fetch or build, and everything that it would find.
PREPARED = """
docker ps --all --quiet | xargs --no-run-if-empty docker rm --force
docker volume ls --quiet | xargs --no-run-if-empty docker volume rm
docker network prune --force
docker image prune --all --force
docker builder prune --all --force
rm -rf /opt/app /opt/raw
"""


@dataclass(frozen=True)
class Host:
    """A test host, as its SSH user reaches it and as the outer engine does."""

    name: str
    ssh_port: int
    http_port: int

    @property
    def url(self) -> str:
        """Return the address of the site, from this machine."""
        return f"http://127.0.0.1:{self.http_port}"

    def ssh(self) -> list[str]:
        """Return the command of the one connection that all of the raw road's commands share."""
        options = {
            "UserKnownHostsFile": STATE / "hosts" / self.name / "known_hosts",
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "ControlMaster": "auto",
            "ControlPath": STATE / f"bench-{self.ssh_port}",
            "ControlPersist": "300",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        return ["ssh", "-i", str(STATE / "ssh" / "id_ed25519"), *words, "-p", str(self.ssh_port), "deploy@127.0.0.1"]

    def prepare(self) -> None:
        """Leave an engine that runs and has nothing: no images, no volumes, a cold build cache."""
        argv = ["docker", "exec", f"barehost-{self.name}", "sh", "-ec", PREPARED]
        subprocess.run(argv, check=True, capture_output=True)


HOSTS = (Host("bench-one", 2272, 8130), Host("bench-two", 2282, 8140))


def version(name: str, *variants: str) -> Path:
    """Make a version of the project with one line that no host has seen, and with each variant's change."""
    folder = VERSIONS / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PROJECT, folder)
    for variant in variants:
        shutil.copytree(VARIANTS / variant, folder, dirs_exist_ok=True)
    with (folder / "static" / "site" / "site.css").open("a", encoding="utf-8") as file:
        file.write(f"/* {name}, {time.time_ns()} */\n")
    return folder
