# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the role `firewall` asks the host for something: a second run must not, and nor must one that wants no firewall."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _firewall

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- name: Decide
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Have the firewall
      ansible.builtin.import_role: { name: barehost.django.firewall, tasks_from: beforehand, rolespec_validate: false }
    - name: Have it served
      ansible.builtin.debug: { msg: It serves }
    - name: Close
      ansible.builtin.import_role: { name: barehost.django.firewall, tasks_from: afterwards, rolespec_validate: false }
"""
INSTALL, TRY, SHUT = "Would install nftables", "Try the rules", "does not let in TCP 443, and deploy leaves it"
SERVES = "It serves"


def opened(*ports: int) -> dict[str, Any]:
    """Return what the look says of a host that lets these in for the stack."""
    part = _firewall.part({"firewall_allowed_tcp_ports": ports, "firewall_ssh_ports": [22]})
    digest = _firewall.loaded(_firewall.render({"app": part}))
    return {"installed": True, "parts": {"app": part}, "file": digest, "loaded": digest, "unit": True, "others": []}


def published(seen: dict[str, Any], *ports: int) -> dict[str, Any]:
    """Return the same of a host on which the stack publishes these."""
    return {**seen, "published": {"tcp": list(ports)}}


SETTLED = opened(8080, 443)
OTHER = {"wiki": _firewall.part({"firewall_allowed_tcp_ports": [8080], "firewall_ssh_ports": [22]})}


@pytest.mark.parametrize(
    ("seen", "enabled", "site", "asked"),
    [
        ({}, False, True, [SERVES]),
        (SETTLED, True, True, [SERVES]),
        # What the stack publishes is closed once the release serves without it; what is to be opened comes before it.
        (published(opened(8080, 443, 9000), 9000), True, True, [SERVES, TRY]),
        (published(opened(8080, 9000), 9000), True, True, [TRY]),
        # What nobody serves by is closed at once, unless nobody knows.
        (published(opened(8080, 443, 9000), 443), True, True, [TRY]),
        (opened(8080, 443, 9000), True, True, [SERVES, TRY]),
        (opened(8080, 443, 9000), True, False, [SERVES]),
        (opened(8080, 443, 9000), False, True, [TRY]),
        ({}, True, False, [SERVES]),
        ({}, True, True, [INSTALL, TRY]),
        ({**SETTLED, "loaded": ""}, True, True, [TRY]),
        (SETTLED, False, True, [TRY]),
        # Where another stack has a firewall, a deploy alone would end with a site that nobody reaches.
        ({**SETTLED, "parts": OTHER}, True, False, [SHUT]),
        ({**SETTLED, "parts": OTHER}, False, False, [SERVES]),
    ],
)
def test_the_host_is_asked_only_where_something_is_to_be_done(
    tmp_path: Path, *, seen: dict[str, Any], enabled: bool, site: bool, asked: list[str]
) -> None:
    file = tmp_path / "play.yml"
    file.write_text(PLAYBOOK)
    values = {
        "preflight_host": {"firewall": seen},
        "ansible_python_interpreter": sys.executable,
        "firewall_enabled": enabled,
        "docker_engine_in_deploy": site,
        "nginx_http_port": 8080,
        "tls_mode": "self_signed",
    }
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    program = shutil.which("ansible-playbook") or "ansible-playbook"
    # In a dry run, which changes nothing even on a machine that has a firewall of ours.
    argv = [program, "-i", "localhost,", "--check", str(file), "-e", json.dumps(values)]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    tasks = re.split(r"^TASK ", done.stdout, flags=re.MULTILINE)
    found = [
        word for task in tasks for word in (INSTALL, TRY, SHUT, SERVES) if word in task and "skipping:" not in task
    ]
    assert found == asked, done.stdout + done.stderr
    assert "Keep the rules" not in done.stdout
