# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run costs in which nothing is to do: few calls to the host, whoever makes them."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import ansible_mitogen
from conftest import HOST, INVENTORY, ROOT, run_playbook

from tests import playbooks

# Every call over SSH takes half a second and more before it does anything: the lock, which also looks at the host and reads
# its secrets; the configuration; the release, from its image to the switch; the lock again. Another one has to be worth it.
BUDGET = 4
MITOGEN = Path(ansible_mitogen.__file__).parent / "plugins" / "strategy"


def test_a_second_run_keeps_to_its_budget_of_calls(root: Any) -> None:
    assert run_playbook("site").code == 0
    began = time.time()
    run = run_playbook("site")
    ended = time.time()
    assert (run.code, run.stats["changed"]) == (0, 0), run.message
    # As the host has seen them: each begins with a sudo of the user who logs in.
    log = root.check_output(f"journalctl --no-pager --output=cat _COMM=sudo --since=@{began:.3f} --until=@{ended:.3f}")
    assert log.count("BECOME-SUCCESS") == BUDGET


def test_mitogen_can_be_used_and_need_not_be() -> None:
    options = {"ANSIBLE_STRATEGY_PLUGINS": str(MITOGEN), "ANSIBLE_STRATEGY": "mitogen_linear"}
    argv, env = playbooks.command("site", inventory=INVENTORY)
    done = subprocess.run(argv, cwd=ROOT, env={**env, **options}, capture_output=True, text=True, check=False)
    run = playbooks.read(done.returncode, done.stdout, done.stderr, HOST)
    assert run.code == 0, run.message
    assert run.stats["changed"] == 0
