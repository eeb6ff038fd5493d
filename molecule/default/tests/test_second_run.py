# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run costs in which nothing is to do: few calls to the host, whoever makes them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import ansible_mitogen
from conftest import HOST, INVENTORY, ROOT, run_playbook

from tests import playbooks

# Every call over SSH takes half a second and more before it does anything: the lock, which also looks at the host and reads
# its secrets; the configuration; the release, from its image to the switch; the lock again. Another one has to be worth it.
BUDGET = ["deploy_lock", "config_tree", "release_apply", "deploy_lock"]
MITOGEN = Path(ansible_mitogen.__file__).parent / "plugins" / "strategy"


def test_a_second_run_keeps_to_its_budget_of_calls() -> None:
    assert run_playbook("site").code == 0
    argv, env = playbooks.command("site", "-vvv", inventory=INVENTORY)
    env["ANSIBLE_STDOUT_CALLBACK"] = "ansible.builtin.default"
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(rf"{HOST} +: ok=\d+ +changed=0 ", done.stdout)
    assert re.findall(r"Using module file \S+/plugins/modules/(\w+)\.py", done.stdout) == BUDGET
    assert len(re.findall("SSH: EXEC", done.stdout)) == len(BUDGET)


def test_mitogen_can_be_used_and_need_not_be() -> None:
    options = {"ANSIBLE_STRATEGY_PLUGINS": str(MITOGEN), "ANSIBLE_STRATEGY": "mitogen_linear"}
    argv, env = playbooks.command("site", inventory=INVENTORY)
    done = subprocess.run(argv, cwd=ROOT, env={**env, **options}, capture_output=True, text=True, check=False)
    run = playbooks.read(done.returncode, done.stdout, done.stderr, HOST)
    assert run.code == 0, run.message
    assert run.stats["changed"] == 0
