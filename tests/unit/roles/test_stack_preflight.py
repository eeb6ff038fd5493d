# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `stack` refuses of an engine: a dry run goes on only where the real one has brought what is missing by then."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- name: Decide
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Check the engine
      ansible.builtin.include_role:
        name: barehost.django.stack
        tasks_from: preflight
"""


def refused(tmp_path: Path, engine: dict[str, Any], *options: str, first: bool) -> bool:
    """Whether the role refuses an engine."""
    file = tmp_path / "play.yml"
    file.write_text(PLAYBOOK)
    program = shutil.which("ansible-playbook") or "ansible-playbook"
    values = json.dumps({"stack_host": {"engine": engine}, "docker_engine_in_deploy": first})
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    argv = [program, "-i", "localhost,", str(file), "-e", values, *options]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    output = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode != 0) is ("Docker with Compose 2.26 or later is needed" in output), output
    return done.returncode != 0


@pytest.mark.parametrize(
    ("present", "compose", "foreseen"),
    [
        # What is missing is installed by then, and what is stopped is started.
        (True, "", False),
        (False, "", False),
        (False, "2.26.1", False),
        # What is there and too old stays as it is.
        (True, "2.20.0", True),
        (False, "2.20.0", True),
    ],
)
def test_a_dry_run_refuses_what_the_real_run_refuses(
    tmp_path: Path, compose: str, *, present: bool, foreseen: bool
) -> None:
    engine = {"present": present, "version": "27.0.0", "compose_version": compose}
    assert refused(tmp_path, engine, "--check", first=True) is foreseen
    assert refused(tmp_path, engine, "--check", first=False)
    assert refused(tmp_path, engine, first=True)


def test_what_is_recent_is_not_refused(tmp_path: Path) -> None:
    engine = {"present": True, "version": "27.0.0", "compose_version": "2.26.0"}
    assert not refused(tmp_path, engine, first=False)
    assert not refused(tmp_path, engine, "--check", first=True)


def test_processors_that_the_host_does_not_have_are_refused_by_the_name_of_their_variable(tmp_path: Path) -> None:
    """Docker would refuse them in the middle of a run; each role says by which variables it names some."""
    file = tmp_path / "play.yml"
    file.write_text(PLAYBOOK.replace("tasks_from: preflight", "tasks_from: refuse"))
    program = shutil.which("ansible-playbook") or "ansible-playbook"
    engine = {"present": True, "version": "27.0.0", "compose_version": "2.26.0"}
    host = {"engine": engine, "host": {"cpus": 2}}
    values = {
        "stack_host": host,
        "one_stack_cpus": {"one_cpus": 900},
        "two_stack_cpus": {"two_cpus": 2},
        "stack_extra_services": {"mail": {"cpus": 3}},
    }
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    argv = [program, "-i", "localhost,", str(file), "-e", json.dumps(values), "--check"]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    output = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, output
    assert "one_cpus is 900, more than the processors of the host (2), and Docker gives no container more" in output
    assert "two_cpus is" not in output
    assert "stack_extra_services.mail.cpus is 3, more than" in output
