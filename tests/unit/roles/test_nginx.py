# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `nginx` refuses before it renders anything, and which paths the server refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- name: Refuse
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Describe Nginx
      ansible.builtin.import_role:
        name: barehost.django.nginx

    - name: Check what is described
      ansible.builtin.include_role:
        name: barehost.django.stack
        tasks_from: refuse
"""


@pytest.mark.parametrize("path", ["/static/", "static/", "/static", "/sta tic/", "/a{b/"])
def test_a_path_that_nginx_would_not_match_is_refused_with_its_value(path: str, tmp_path: Path) -> None:
    playbook = tmp_path / "refuse.yml"
    playbook.write_text(PLAYBOOK)
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    argv = [program, "-i", "localhost,", str(playbook), "-e", json.dumps({"nginx_static_url": path})]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (path == "/static/"), done.stdout
    if done.returncode:
        refusal = f"nginx_static_url is {path}: a path of the site must start and end with a slash"
        assert refusal in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("/", True),
        ("/admin/", True),
        ("/missing/a..b/..c/d../...", True),
        ("/.well-known/acme-challenge/x", True),
        ("/page/?next=/../admin/&to=/..", True),
        ("/%252e%252e/", True),
        ("/admin/auth/user/../../../x/change/", False),
        ("/admin/auth/user/..%2F..%2f%2e%2E/x/change/", False),
        ("/admin/./login/", False),
        ("/api/..", False),
        ("/api/.?x", False),
        ("/api/%2e.", False),
    ],
)
def test_a_path_has_to_mean_the_same_to_nginx_and_to_the_application(address: str, fits: bool) -> None:  # noqa: FBT001
    maps = (ROOT / "roles" / "nginx" / "templates" / "nginx" / "maps.conf.j2").read_text()
    found = re.search(r'map \$request_uri \$stack_path_fits \{\s+default 1;\s+"~\*(.+)" "";', maps)
    assert found
    assert (re.search(found[1], address, re.IGNORECASE) is None) is fits
