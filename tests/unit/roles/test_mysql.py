# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `mysql` refuses before anything is touched, and which accounts follow from its variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAY = [
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [
            {"ansible.builtin.import_role": {"name": "barehost.django.mysql"}},
            {
                "ansible.builtin.debug": {
                    "msg": {"problems": "{{ mysql_stack_problems }}", "wish": "{{ mysql_stack_accounts }}"}
                }
            },
        ],
    }
]


def described(folder: Path, variables: dict[str, Any]) -> dict[str, Any]:
    """Return what the role says with these variables."""
    (folder / "play.json").write_text(json.dumps(PLAY))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    argv = [program, "-i", "localhost,", str(folder / "play.json"), "-e", json.dumps(variables)]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    document = json.loads(done.stdout[done.stdout.find("{\n") :])
    found: dict[str, Any] = document["plays"][0]["tasks"][-1]["hosts"]["localhost"]["msg"]
    return found


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"mysql_user": "root"}, "is no name for an account of the stack (root)"),
        ({"mysql_user": "mysql.sys"}, "is no name for an account of the stack (mysql.sys, "),
        ({"mysql_migration_user": "m" * 33}, "give 1 to 32 characters"),
        ({"mysql_backup_user": "app"}, "mysql_backup_user is app, which is another account already"),
        (
            {"mysql_config": {"innodb-buffer-pool-size": "4G", "loose_max_connections": 9, "sort_buffer_size": "1M"}},
            "mysql_config has innodb-buffer-pool-size and loose_max_connections: say it as",
        ),
        ({"mysql_recorded": {"name": "other"}}, "the stack was set up with other, where its data is"),
    ],
)
def test_what_cannot_be_had_is_refused(variables: dict[str, Any], said: str, tmp_path: Path) -> None:
    (problem,) = described(tmp_path, variables)["problems"]
    assert said in problem


def test_each_purpose_has_its_account_and_one_may_have_two(tmp_path: Path) -> None:
    long = "a" * 32
    found = described(tmp_path, {"mysql_user": long})
    assert found["problems"] == []
    names = {account["kind"]: account["name"] for account in found["wish"]["accounts"]}
    assert names == {
        "root": "root",
        "runtime": long,
        "migration": f"{long[:24]}_migrate",
        "backup": f"{long[:25]}_backup",
    }
    runtime = next(account for account in found["wish"]["accounts"] if account["kind"] == "runtime")
    assert {"CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"} & set(runtime["privileges"]) == set()
    both = described(tmp_path, {"mysql_migration_user": "app"})["wish"]["accounts"]
    assert {account["kind"] for account in both} == {"root", "runtime", "backup"}
    assert next(account for account in both if account["kind"] == "runtime")["privileges"] == ["ALL"]
