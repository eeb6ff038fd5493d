# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A release has its name in the verdict and the audit log, also where the call that brings it up has failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- name: Tell the name
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Decide
      ansible.builtin.include_role:
        name: barehost.django.release
        tasks_from: decide
        public: true

    - name: Say it
      ansible.builtin.debug:
        msg: "wanted=<{{ release__run.wanted }}>"
"""
FAILED = {"failed": True, "msg": "not accepted", "image": {"release_id": "abc", "changed": True}}


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ({"release_id": "abc"}, "abc"),
        ({"release_id": "", "release__call": FAILED}, "abc"),
        ({"release_id": "", "release__call": {"failed": True, "msg": "no room"}}, ""),
        ({}, ""),
    ],
)
def test_the_name_that_is_known(known: dict[str, Any], wanted: str, tmp_path: Path) -> None:
    playbook = tmp_path / "tell.yml"
    playbook.write_text(PLAYBOOK)
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    argv = [program, "-i", "localhost,", str(playbook), "-e", json.dumps(known)]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"wanted=<{wanted}>" in done.stdout
