# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a dry run of `release` says of an engine that is stopped: only a run that starts it foresees what comes of that."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- name: Switch
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Bring up a part of the release
      ansible.builtin.include_role:
        name: barehost.django.release
        tasks_from: "{{ part }}"
        public: true
      vars:
        release__parts: [switch]
"""
SAID = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
DOCKER = f"#!/bin/sh\necho '{SAID}' >&2\nexit 1\n"
EDGE = {"services": ["nginx"], "reload": [], "remove_orphans": False}


@pytest.mark.parametrize("part", ["apply", "edge"])
@pytest.mark.parametrize("first", [True, False])
def test_the_roles_say_whether_the_engine_comes_first(tmp_path: Path, part: str, *, first: bool) -> None:
    stack, tools = tmp_path / "stack", tmp_path / "bin"
    stack.mkdir()
    (stack / "compose.yaml").touch()
    tools.mkdir()
    (tools / "docker").write_text(DOCKER)
    (tools / "docker").chmod(0o755)
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    values = {
        "ansible_python_interpreter": sys.executable,
        "part": part,
        "docker_engine_in_deploy": first,
        "release_stack_dir": str(stack),
        "release_stack_name": "nobodys",
        "release_id": "abc",
        "release_image": "nobodys/app:abc",
        "release_services": {"web": {"tier": "app", "networks": []}},
        "release_definitions": {"web": "d1", "nginx": "d2"},
        "release_data": {"ahead": EDGE, "images": {"nginx": "nginx:1"}},
    }
    env = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": "0",
    }
    program = shutil.which("ansible-playbook") or "ansible-playbook"
    argv = [program, "-i", "localhost,", str(tmp_path / "play.yml"), "-e", json.dumps(values), "--check"]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    output = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode == 0) is first, output
    assert ("what it will find once it does was read from its files" in output) is first
    assert (SAID in output) is not first
