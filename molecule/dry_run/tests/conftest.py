# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the truth table is made with: the host from outside, what it looks like, and runs of the playbooks."""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from tests import hosts, playbooks  # noqa: E402 - below the root, which is not in the path before

NAME = "dry-run"
INVENTORY = ROOT / "molecule" / "dry_run" / "inventory"
SOURCE = ROOT / ".state" / "dry_run" / "source"
VARIABLES, TABLE = SOURCE.parent / "variables.json", SOURCE.parent / "table.txt"
# The folder that Ansible works in is its own, and what the running application writes is no deed of a run. What Docker and
# systemd keep for themselves is seen in their answers, and what Docker's client notes down is nobody's configuration.
OTHERS = "\\( -name .ansible -o -path /opt/app/beat -o -path /opt/app/media -o -path /root/.docker/buildx \\)"
TREES = "/opt /etc /usr/local /root /home /srv /var/log/barehost /var/backups"
FILES = (
    f"find {TREES} -xdev {OTHERS} -prune -o -type d -printf '%p %m %U %G\\n' -o -printf '%p %y %m %U %G %s %T@ %l\\n' "
    "2> /dev/null | sort; "
    f"find {TREES} -xdev {OTHERS} -prune -o -type f -print0 2> /dev/null | sort -z | xargs -0r sha256sum"
)
# Commands that answer the same as long as nobody touches anything.
ENGINE = {
    "containers": "docker ps --all --no-trunc --format '{{.ID}} {{.Names}} {{.State}}'",
    "images": "docker image ls --all --no-trunc --digests --format '{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}}'",
    "volumes": "docker volume ls --format '{{.Name}}'",
    "networks": "docker network ls --no-trunc --format '{{.ID}} {{.Name}}'",
    "build cache": "docker system df --format '{{.Type}} {{.TotalCount}} {{.Size}}' | grep Build",
}
PACKAGES = "dpkg-query --show; systemctl is-enabled docker 2> /dev/null; systemctl show docker --property MainPID"
DATABASE = (
    "docker exec app-mysql-1 sh -c 'MYSQL_PWD=$(cat /run/secrets/root_password) exec mysqldump --user=root "
    "--no-tablespaces --skip-dump-date --single-transaction app' | grep -v '^-- '"
)
ANSWER_SECONDS = 20


@dataclass(frozen=True)
class Host(hosts.Host):
    """The host of the truth table."""

    name: str = NAME

    @property
    def has_engine(self) -> bool:
        """Whether Docker answers."""
        # `docker info` prints its format whether one does or not.
        return bool(self.run("docker version --format '{{.Server.Version}}' 2> /dev/null", check=False))

    def now(self) -> str:
        """Return the time as the engine takes it."""
        return self.run("date +%s.%N")

    def events(self, since: str) -> list[str]:
        """Return what the engine did since then; questions to a container that runs are no deeds, and neither are its own."""
        if not self.has_engine:
            return []
        text = self.run(f"docker events --since {since} --until {self.now()} --format '{{{{json .}}}}'")
        found = [json.loads(line) for line in text.splitlines()]
        said = [(item["Type"], item["Action"].partition(":")[0]) for item in found]
        return [f"{kind} {action}" for kind, action in said if not action.startswith(("exec_", "health_status"))]

    def look(self) -> dict[str, str]:
        """Return all that a dry run must leave as it is."""
        found = {"files": self.run(FILES, check=False), "packages": self.run(PACKAGES, check=False)}
        if self.has_engine:
            found |= {name: self.run(command) for name, command in ENGINE.items()}
        if "app-mysql-1 running" in found.get("containers", ""):
            found["database"] = self.dump()
        return found

    def dump(self) -> str:
        """Return the data; a server that a run has just started is waited for, and one that never answers holds nothing."""
        for _ in range(ANSWER_SECONDS):
            if text := self.run(DATABASE, check=False):
                return text
            time.sleep(1)
        return ""


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Say what differs between two looks, line by line."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = (set(look.get(name, "").splitlines()) for look in (before, after))
        lines += [f"{name}: - {line}" for line in sorted(old - new)] + [
            f"{name}: + {line}" for line in sorted(new - old)
        ]
    return lines


@dataclass
class Inventory:
    """The variables that are added to the inventory, from one row to the next."""

    variables: dict[str, Any] = field(default_factory=dict)

    def play(self, playbook: str, *options: str) -> playbooks.PlaybookRun:
        """Run a playbook with them."""
        VARIABLES.write_text(json.dumps({"django_source_path": str(SOURCE), **self.variables}), encoding="utf-8")
        return playbooks.run(playbook, "-e", f"@{VARIABLES}", *options, inventory=INVENTORY, host=NAME)


@pytest.fixture(scope="session")
def machine() -> Host:
    """Return the host."""
    return Host()


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    """Return the inventory of the whole table, with a copy of the project beside it."""
    shutil.rmtree(SOURCE.parent, ignore_errors=True)
    shutil.copytree(ROOT / "app", SOURCE, ignore=shutil.ignore_patterns("__pycache__"))
    # So that no two tables share an image.
    (SOURCE / "settings" / "table.py").write_text(f'"""Made for the truth table at {time.time_ns()}."""\n')
    return Inventory()
