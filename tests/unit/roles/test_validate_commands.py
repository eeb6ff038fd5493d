# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the roles have their services asked whether they accept their files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = ROOT / "roles"
PLAYBOOK = """
- name: Ask
  hosts: localhost
  connection: local
  gather_facts: false
  vars_files: [{vars}]
  tasks:
    - name: Compare
      ansible.builtin.assert:
        that: asked == [stack__compose_check]
"""


def read(path: str) -> Any:
    """Return what a YAML file of a role holds."""
    return yaml.safe_load((ROLES / path).read_text())


def test_redis_is_asked_without_a_word_to_the_pid_file_of_the_one_that_runs() -> None:
    command = read("redis/vars/main.yml")["redis_stack_services"]["redis"]["validate"]["command"]
    assert command[command.index("--pidfile") + 1] == ""


@pytest.mark.parametrize("found", ["2.40", ""])
def test_compose_is_asked_whether_it_was_found_or_not(tmp_path: Path, found: str) -> None:
    """Who cannot be asked is the module's to say."""
    playbook = tmp_path / "ask.yml"
    playbook.write_text(PLAYBOOK.replace("{vars}", str(ROLES / "stack/vars/main.yml")))
    asked = read("stack/tasks/configure.yml")[0]["barehost.django.config_tree"]["validate"]
    told = {"asked": asked, "stack_services": {}, "stack_host": {"engine": {"compose_version": found}}}
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(playbook)]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(
        [*argv, "-e", json.dumps(told)], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
