# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""config_tree: files that take effect without a restart, and files that are rendered once more with other values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible_collections.barehost.django.plugins.action import config_tree
from ansible_collections.barehost.django.plugins.module_utils import _tree

ROOT = Path(__file__).resolve().parents[4]
# The value of the one who migrates is made from the very variable that it takes the place of.
VARIABLES = {
    "user": "shop",
    "password": "not-for-production-1",
    "url": "mysql://{{ user }}:{{ password | urlencode }}@mysql",
    "migration_user": "{{ user }}_migrate",
    "migration_password": "{{ other_password }}",
    "other_password": "100 % {{ '{{' }} not-for-production-2",
}
TREE = {
    "name": "app",
    "secret": [".env", "migrate.env", "live/*"],
    "live": ["live/*"],
    "variants": [
        {"path": "migrate.env", "of": ".env", "variables": {"user": "migration_user", "password": "migration_password"}}
    ],
    "values": [
        {"path": "own/password", "variable": "migration_password", "owner": 10001},
        {
            "path": "own/other",
            "variable": "{'it': user}['it']",
            "owner": 10001,
            "variables": {"user": "migration_user"},
        },
    ],
}


@pytest.fixture
def role(tmp_path: Path) -> Path:
    """Return a role with templates."""
    templates = tmp_path / "role" / "templates"
    (templates / "live").mkdir(parents=True)
    (templates / ".env.j2").write_text("USER={{ user }}\nURL={{ url }}\n")
    (templates / "live" / "password.j2").write_text("{{ password }}")
    return tmp_path / "role"


def render(role: Path, *only: str, **variables: str) -> tuple[dict[str, Any], str]:
    """Render the tree in a dry run; return the result, and all that was printed."""
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {**VARIABLES, **variables},
        "tasks": [
            {
                "name": "Render",
                "barehost.django.config_tree": {
                    "dest": str(role.parent / "dest"),
                    "trees": [{**TREE, "role": str(role), "only": list(only)}],
                },
            }
        ],
    }
    file = role.parent / "play.json"
    file.write_text(json.dumps([play]))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_FORCE_COLOR": "0",
    }
    argv = [
        program,
        "-i",
        "localhost,",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "--check",
        "--diff",
        str(file),
    ]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    document = json.loads(done.stdout[done.stdout.find("{\n") :])
    result: dict[str, Any] = document["plays"][0]["tasks"][0]["hosts"]["localhost"]
    assert not result.get("failed"), result["msg"]
    return result, done.stdout + done.stderr


def test_a_variant_has_the_values_of_other_variables_and_none_is_shown(role: Path) -> None:
    result, output = render(role)
    expected = "USER=shop_migrate\nURL=mysql://shop_migrate:100%20%25%20%7B%7B%20not-for-production-2@mysql\n"
    assert result["file_digests"]["migrate.env"] == _tree.digest([("migrate.env", expected)])
    own = "USER=shop\nURL=mysql://shop:not-for-production-1@mysql\n"
    assert result["file_digests"][".env"] == _tree.digest([(".env", own)])
    assert "not-for-production" not in output.replace(json.dumps(VARIABLES), "")
    changes = {item["path"]: item["action"] for item in result["changes"]}
    assert changes == dict.fromkeys([".env", "live/password", "migrate.env", "own/other", "own/password"], "create")


def test_a_file_may_hold_a_value_and_nothing_else(role: Path) -> None:
    result, output = render(role)
    for path, value in (("own/password", "100 % {{ not-for-production-2"), ("own/other", "shop_migrate")):
        assert result["file_digests"][path] == _tree.digest([(path, value)])
    assert "not-for-production" not in output.replace(json.dumps(VARIABLES), "")
    other, _ = render(role, other_password="not-for-production-3")
    assert other["digests"] != result["digests"]


def test_a_file_with_a_value_belongs_to_one_user_alone() -> None:
    tree = {"name": "app", "owner": 0, "mode": "0644", "secret": [], "secret_mode": "0600", "executable": []}
    item = {"path": "own/x", "variable": "x", "owner": 10001, "variables": {}}
    action = config_tree.ActionModule.__new__(config_tree.ActionModule)
    with mock.patch.object(action, "_value", return_value=True):
        found = action._private(tree, item, {})
    assert found == {
        "path": "own/x",
        "content": "True",
        "service": "app",
        "owner": 10001,
        "group": 10001,
        "mode": "0400",
        "secret": True,
    }


def test_a_file_that_takes_effect_by_itself_is_no_part_of_the_digest(role: Path) -> None:
    (role / "templates" / ".env.j2").write_text("USER={{ user }}\n")
    first, _ = render(role)
    second, _ = render(role, password="not-for-production-3")
    assert first["file_digests"]["live/password"] != second["file_digests"]["live/password"]
    assert first["digests"] == second["digests"]
    third, _ = render(role, user="other")
    assert third["digests"] != first["digests"]


def test_of_a_role_with_several_trees_each_has_its_own_files(role: Path) -> None:
    every, _ = render(role)
    some, _ = render(role, ".env")
    assert {"live/password", ".env", "migrate.env"} <= {change["path"] for change in every["changes"]}
    assert "live/password" not in {change["path"] for change in some["changes"]}
    assert {".env", "migrate.env"} <= {change["path"] for change in some["changes"]}
