# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs of our playbooks on a test host, and what Ansible's own JSON says of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# One task of a dry run speaks for all that it takes to make a certificate, which need a library that the run may yet install.
MAKE_CERTIFICATE = dict.fromkeys(
    [
        "Have a folder for root alone",
        "Have the two keys",
        "Have the certificate of the CA",
        "Renew the certificate of the CA",
        "Make the certificate of the server",
        "Put it in place",
    ],
    "Say what would be made",
)


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

    def part(self, name: str) -> dict[str, Any]:
        """Return what a part of the call that brings a release up has come to: its image, prepare or switch."""
        return next(
            result[name]
            for task, result in self.tasks.items()
            if task.startswith("Bring the release up")
            and isinstance(result.get(name), dict)
            and "changed" in result[name]
        )


def read_tasks(document: dict[str, Any], host: str) -> dict[str, dict[str, Any]]:
    """Map the name of each task, without its role's, to its result on the host."""
    found: dict[str, dict[str, Any]] = {}
    for play in document["plays"]:
        for task in play["tasks"]:
            if host in task["hosts"]:
                found[task["task"]["name"].rsplit(" : ", 1)[-1]] = task["hosts"][host]
    return found


def command(name: str, *options: str, inventory: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command line and the environment of a run that answers in JSON."""
    program = shutil.which("ansible-playbook") or "ansible-playbook"
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_SHOW_CUSTOM_STATS": "1",
    }
    return [program, "-i", str(inventory), f"barehost.django.{name}", *options], env


def read(code: int, output: str, errors: str, host: str) -> PlaybookRun:
    """Read what a run printed."""
    start = output.find("{\n")
    document = json.loads(output[start:]) if start >= 0 else {"plays": [], "stats": {}}
    return PlaybookRun(code, output + errors, read_tasks(document, host), document["stats"].get(host, {}))


def run(name: str, *options: str, inventory: Path, host: str) -> PlaybookRun:
    """Run one of our playbooks by its full name, and read what it did from Ansible's own JSON."""
    argv, env = command(name, *options, inventory=inventory)
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=900)
    return read(done.returncode, done.stdout, done.stderr, host)
