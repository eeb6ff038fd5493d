# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Compose file that the roles make, for a host of some size, without a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- name: Render
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Describe the services
      ansible.builtin.include_role:
        name: "barehost.django.{{ item }}"
        public: true
        rolespec_validate: false
      loop: [mysql, redis, django, celery, nginx]

    - name: Describe the stack
      ansible.builtin.include_role: { name: barehost.django.stack, tasks_from: preflight, public: true, rolespec_validate: false }
      vars:
        stack_host: { engine: { present: true, installed: true, version: "26.1", compose_version: "2.26" } }

    - name: Write it down
      ansible.builtin.copy:
        dest: "{{ dest }}"
        content: >-
          {{ {'compose': stack_services | barehost.django.compose_mapping(name=stack_name, networks=stack_networks),
              'trees': stack_services | barehost.django.config_trees,
              'questions': stack_services | barehost.django.config_validators} | to_json }}
        mode: "0600"
"""


def render(folder: Path, *, memory_mb: int = 2048, cpus: int = 2, **variables: Any) -> dict[str, Any]:
    """Return what the roles make of some variables, on a host of this size: compose, trees and questions."""
    playbook, dest = folder / "render.yml", folder / "rendered.json"
    playbook.write_text(PLAYBOOK)
    host = {"host": {"memory_mb": memory_mb, "cpus": cpus}, "stack": {"release": None}}
    told = json.dumps(
        {
            "preflight_host": host,
            "dest": str(dest),
            "stack_name": "shop",
            "ansible_python_interpreter": sys.executable,
            **variables,
        }
    )
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    argv = [program, "-i", "localhost,", str(playbook), "-e", told]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stdout + done.stderr)
    found: dict[str, Any] = json.loads(dest.read_text())
    return found
