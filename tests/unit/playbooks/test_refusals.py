# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The real playbooks refuse before they change anything: on this machine, with a stack directory that is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SECRET = "hush-hush-hush-hush"


def play(verb: str, *arguments: str, **variables: Any) -> tuple[int, str]:
    """Run a playbook by its full name; return exit code and output."""
    local = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    argv = [program, "-i", "web1,", f"barehost.django.{verb}", "-e", json.dumps({**local, **variables}), *arguments]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("verb", ["superuser", "verify", "rollback"])
def test_without_a_stack_the_playbook_that_makes_one_is_named(verb: str, tmp_path: Path) -> None:
    account = {"superuser_username": "ops", "superuser_password": SECRET}
    code, output = play(verb, stack_dir=str(tmp_path / "nowhere"), **account)
    assert code == 2, output
    assert f"There is no stack in {tmp_path}/nowhere: run barehost.django.site first." in output
    assert SECRET not in output


def test_an_account_of_the_run_does_not_get_the_inventorys_password(tmp_path: Path) -> None:
    inventory = {"django_superuser_username": "admin", "django_superuser_password": SECRET, "stack_dir": str(tmp_path)}
    code, output = play("superuser", superuser_username="ops", **inventory)
    assert code == 2, output
    assert "superuser_username is ops, and superuser_password is not given" in output
    assert SECRET not in output
    _code, output = play("superuser", superuser_username="admin", **inventory)
    assert "There is no stack in" in output


def test_a_misspelt_variable_of_a_playbook_is_refused_with_the_nearest() -> None:
    code, output = play("uninstall", uninstall_delete_dta="app")
    assert code == 2, output
    assert "uninstall_delete_dta is not read by any playbook: did you mean uninstall_delete_data?" in output


def test_an_uninstall_of_nothing_says_that_nothing_is_there(tmp_path: Path) -> None:
    code, output = play(
        "uninstall", "--check", stack_dir=str(tmp_path / "nowhere"), stack_name="fix-nothing-of-that-name"
    )
    assert code == 0, output
    assert "No container of the stack is there" in output
