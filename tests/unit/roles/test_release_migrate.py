# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `release` does about migrations: the real tasks and modules, with an engine that answers from recordings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.modules import FIXTURES

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- name: Migrate
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Prepare the release
      ansible.builtin.include_role:
        name: barehost.django.release
        tasks_from: apply
        public: true
      vars:
        release__parts: [prepare]

    - name: Migrate
      ansible.builtin.include_role:
        name: barehost.django.release
        tasks_from: migrate
        public: true
      when: not release__prepared.plan_known or release__prepared.plan | length > 0

    - name: Say what is left for the others
      ansible.builtin.debug:
        msg: "applied={{ (release__migrated | default({})).applied | default([]) | length }} \
          heads={{ release__prepared.heads | length }} plan={{ release__prepared.plan | length }} \
          changed={{ release__migrated is defined and release__migrated is changed }}"
"""
# Stands in for docker: notes what it was asked, and answers as a real run did.
DOCKER = """#!{python}
import json, re, sys
from pathlib import Path

here, words = Path(__file__).parent, sys.argv[1:]
told = re.search(r'main\\(json\\.loads\\((.*)\\)\\)', sys.stdin.read()) if "run" in words else None
parameters = json.loads(json.loads(told.group(1))) if told else {{}}
with (here / "calls").open("a") as file:
    file.write(json.dumps([words, parameters]) + "\\n")
if "ps" in words:
    print("0a1b2c")
elif "mysql" in words:
    print("{tables}\\t4096")
elif "mysqldump" in words:
    print("CREATE TABLE a;\\n-- Dump completed on 2026-11-24")
elif told:
    answer = json.loads((here / ("apply" if parameters["apply"] else "plan")).read_text())
    sys.stdout.write(answer["out"].replace(answer["mark"], parameters["mark"]))
    sys.exit(answer["code"])
"""


class Run:
    """One run of the role's tasks."""

    def __init__(self, folder: Path, plan: str, applied: str = "apply", *, tables: int = 3, **variables: Any) -> None:
        """Run them, with what Django says to the plan and to the rest."""
        stack, tools = folder / "stack", folder / "bin"
        stack.mkdir(exist_ok=True)
        tools.mkdir()
        (tools / "docker").write_text(DOCKER.format(python=sys.executable, tables=tables))
        (tools / "docker").chmod(0o755)
        for purpose, name in (("plan", plan), ("apply", applied)):
            shutil.copy(FIXTURES / f"oneshot_migrate_{name}.json", tools / purpose)
        (folder / "play.yml").write_text(PLAYBOOK)
        values = {
            "ansible_python_interpreter": sys.executable,
            "release_stack_dir": str(stack),
            "release_id": "abc",
            "release_services": {"mysql": {}},
            "release_database": {"name": "shop"},
            "release_static_enabled": False,
            **variables,
        }
        env = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_FORCE_COLOR": "0",
        }
        argv = ["ansible-playbook", "-i", "localhost,", str(folder / "play.yml"), "-e", json.dumps(values)]
        argv[0] = shutil.which(argv[0]) or argv[0]
        done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        self.code = done.returncode
        self.output = " ".join((done.stdout + done.stderr).split())
        (tools / "calls").touch()
        calls = [json.loads(line) for line in (tools / "calls").read_text().splitlines()]
        # Who is at work has been asked, too.
        self.calls = [call for call in calls if call[0][0] != "ps"]
        record = stack / "releases" / "abc.json"
        self.record: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}
        self.dumps = sorted(stack.glob("backups/*"))

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What Django was asked."""
        return [parameters for _words, parameters in self.calls if parameters]


def test_nothing_pending_asks_the_host_once(tmp_path: Path) -> None:
    run = Run(tmp_path, "nothing", release_serving_id="old")
    assert run.code == 0, run.output
    assert len(run.calls) == 1
    assert (run.asked[0]["apply"], run.asked[0]["refuse_destructive"]) == (False, True)
    assert "Dump the schema" not in run.output
    assert "Apply the migrations" not in run.output
    assert "applied=0 heads=5 plan=0 changed=False" in run.output
    assert run.record["migrations"] == []
    assert run.record["schema"][0]["unknown"] == []


def test_what_is_pending_is_dumped_and_applied(tmp_path: Path) -> None:
    run = Run(tmp_path, "plan", release_serving_id="old", release_migrate_lock_wait_seconds=7)
    assert run.code == 0, run.output
    assert [parameters["apply"] for parameters in run.asked] == [False, True]
    assert run.asked[1]["lock_wait_timeout"] == 7
    assert [path.name.partition("-")[2] for path in run.dumps] == ["before-abc.sql.gz"]
    order = ["mysqldump" in words for words, _parameters in run.calls]
    assert order.index(True) == len(order) - 2
    assert "applied=19 heads=5 plan=19 changed=True" in run.output
    assert {(entry["state"], entry["dump"]) for entry in run.record["migrations"]} == {("applied", str(run.dumps[0]))}
    assert len(run.record["migrations"]) == 19


@pytest.mark.parametrize("setting", [{"release_migrate_dump": False}, {"tables": 0}, {"release_services": {}}])
def test_no_dump_where_none_is_wanted_or_possible(tmp_path: Path, setting: dict[str, Any]) -> None:
    run = Run(tmp_path, "plan", **setting)
    assert run.code == 0, run.output
    assert run.dumps == []
    assert "applied=19" in run.output


def test_a_failure_names_the_dump(tmp_path: Path) -> None:
    run = Run(tmp_path, "plan", "broken", release_serving_id="old")
    assert run.code != 0
    assert f"Dump from before: {run.dumps[0]}" in run.output
    assert "migration optimization.0003_broken failed" in run.output
    states = {entry["migration"]: entry["state"] for entry in run.record["migrations"]}
    assert states == {"optimization.0002_note": "applied", "optimization.0003_broken": "half"}


def test_what_the_serving_release_cannot_bear_ends_before_the_dump(tmp_path: Path) -> None:
    run = Run(tmp_path, "refused", release_serving_id="old")
    assert run.code != 0
    assert len(run.calls) == 1
    assert "release_allow_destructive_migrations: true" in run.output


def test_what_is_allowed_is_applied(tmp_path: Path) -> None:
    run = Run(tmp_path, "plan", release_serving_id="old", release_allow_destructive_migrations=True)
    assert run.code == 0, run.output
    assert [parameters["refuse_destructive"] for parameters in run.asked] == [False, False]


def test_without_a_release_that_serves_nothing_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path, "plan", preflight_host={"stack": {"release": None}})
    assert [parameters["refuse_destructive"] for parameters in run.asked] == [False, False]


@pytest.mark.parametrize("allowed", [False, True])
def test_an_image_that_is_behind_a_destructive_schema_is_refused_unless_that_is_allowed(
    tmp_path: Path, *, allowed: bool
) -> None:
    migration = {
        "migration": "optimization.0002_note",
        "kinds": ["destructive"],
        "at": "2026-01-01",
        "state": "applied",
    }
    folder = tmp_path / "stack" / "releases"
    folder.mkdir(parents=True)
    (folder / "later.json").write_text(json.dumps({"id": "later", "migrations": [migration]}))
    run = Run(tmp_path, "unknown", release_allow_schema_mismatch=allowed)
    assert (run.code == 0) is allowed, run.output
    assert "optimization.0002_note (destructive)" in run.output
    assert ("release_allow_schema_mismatch: true" in run.output) is not allowed


@pytest.mark.parametrize(
    ("lost", "asked", "said"),
    [
        ("release__dumped", [False], "while the schema was dumped (timed out): nothing was applied"),
        (
            "release__migrated",
            [False, True],
            "while its schema was migrated (timed out): the release that serves was left",
        ),
    ],
)
def test_a_host_that_was_lost_goes_no_further(tmp_path: Path, lost: str, asked: list[bool], said: str) -> None:
    run = Run(tmp_path, "plan", **{lost: {"unreachable": True, "changed": False, "msg": "timed out"}})
    assert run.code != 0
    assert [parameters["apply"] for parameters in run.asked] == asked
    assert said in run.output
