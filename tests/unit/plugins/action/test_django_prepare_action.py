# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""django_prepare on the controller: a source is sent along in a dry run, and only there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.barehost.django.plugins.action import django_prepare
from ansible_collections.barehost.django.plugins.module_utils import _serving
from support.project import add_migration, write_app

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[4]
RELEASE = {"project_dir": "/opt/shop", "release_id": "abc"}


class Action(django_prepare.ActionModule):
    """The plugin, with a folder in place of the host."""

    def __init__(self, host: Path, args: dict[str, Any], *, check: bool) -> None:
        """Take the arguments of a task."""
        shell = mock.Mock(tmpdir=None, join_path=lambda *parts: "/".join(parts))
        task = mock.Mock(args=args, check_mode=check, async_val=0)
        super().__init__(task, mock.Mock(_shell=shell), mock.Mock(), None, None)
        self.host = host
        self.members: list[str] = []
        self.size = 0
        self.passed: list[dict[str, Any]] = []
        self.removed: list[str] = []
        self.fails = False

    def _make_tmp_path(self, _user: str | None = None) -> str:
        self._connection._shell.tmpdir = str(self.host)
        return str(self.host)

    def _transfer_file(self, local: str, remote: str) -> str:
        Path(remote).write_bytes(Path(local).read_bytes())
        return remote

    def _execute_module(self, **options: Any) -> dict[str, Any]:
        assert options["module_name"] == "barehost.django.django_prepare"
        self.passed.append(options["module_args"])
        for path in self.host.iterdir():
            self.size = path.stat().st_size
            with tarfile.open(path) as tar:
                self.members += tar.getnames()
        if self.fails:
            raise ConnectionError
        return {"changed": False, "msg": "m"}

    def _remove_tmp_path(self, tmp_path: str, *, force: bool = False) -> None:
        assert not force
        for path in Path(tmp_path).iterdir():
            path.unlink()
        self.removed.append(tmp_path)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    folder = tmp_path / "host"
    folder.mkdir()
    return folder


@pytest.fixture
def source(tmp_path: Path) -> str:
    folder = tmp_path / "shop"
    folder.mkdir()
    for name in ("Dockerfile", "Other", ".dockerignore", "left-out", "in"):
        (folder / name).write_text("left-out\n")
    # So much that the archive ends with short writes, which a buffer would keep.
    (folder / "in").write_text("x" * 5632)
    return str(folder)


def test_a_dry_run_sends_the_source_along(host: Path, source: str) -> None:
    action = Action(host, {**RELEASE, "source": source, "context": "/etc/passwd"}, check=True)
    assert action.run(task_vars={}) == {"changed": False, "msg": "m"}
    [passed] = action.passed
    context = Path(passed.pop("context"))
    assert passed == RELEASE
    assert context.parent == host
    assert sorted(action.members) == [".dockerignore", "Dockerfile", "Other", "in"]
    # To the last of its zeros.
    assert action.size % tarfile.RECORDSIZE == 0
    assert (action.removed, list(host.iterdir())) == ([str(host)], [])


def test_a_dry_run_packs_with_the_ignore_file_of_its_dockerfile(host: Path, source: str) -> None:
    (Path(source) / "Other.dockerignore").write_text("in\n")
    action = Action(host, {**RELEASE, "source": source, "dockerfile": "Other"}, check=True)
    action.run(task_vars={})
    assert action.passed[0]["dockerfile"] == "Other"
    assert sorted(action.members) == [".dockerignore", "Dockerfile", "Other", "Other.dockerignore", "left-out"]


@pytest.mark.parametrize(
    ("check", "extra"), [(False, {"source": "/nowhere"}), (True, {}), (True, {"source": ""}), (False, {})]
)
def test_whatever_else_sends_nothing(host: Path, extra: dict[str, str], *, check: bool) -> None:
    action = Action(host, {**RELEASE, "dockerfile": "D", "context": "/etc/passwd", **extra}, check=check)
    action.run(task_vars={})
    assert action.passed == [{**RELEASE, "dockerfile": "D"}]
    # Nor is a folder made on the host, which is one more way there and back in every deploy.
    assert action._connection._shell.tmpdir is None


def test_a_source_that_is_too_large_stays_here(host: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 10 * 1024 * 1024
    monkeypatch.setattr(_serving, "LARGEST_SOURCE", size)
    with (Path(source) / "in").open("wb") as file:
        file.truncate(size)
    action = Action(host, {**RELEASE, "source": source}, check=True)
    action.run(task_vars={})
    assert action.passed == [{**RELEASE, "context": None}]
    assert action.members == []


@pytest.mark.parametrize(
    ("path", "message"), [("nowhere", "does not exist on the controller"), ("host", "there is no file 'Dockerfile'")]
)
def test_a_source_that_is_not_there_is_a_failure(host: Path, path: str, message: str) -> None:
    action = Action(host, {**RELEASE, "source": str(host.parent / path)}, check=True)
    with pytest.raises(AnsibleActionFail, match=message):
        action.run(task_vars={})
    assert action.passed == []


def test_the_source_is_removed_where_the_module_fails(host: Path, source: str) -> None:
    action = Action(host, {**RELEASE, "source": source}, check=True)
    action.fails = True
    with pytest.raises(ConnectionError):
        action.run(task_vars={})
    assert list(host.iterdir()) == []


# The container that serves is a folder here.
DOCKER = """#!/bin/sh
echo "$@" >>{log}
case "$1 $*" in
  "ps "*oneshot*) ;;
  "ps "*) echo "0a1b2c shop/app:serving" ;;
  "exec "*) cd {app} && exec {python} - ;;
  *) exit 1 ;;
esac
"""


def files(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


def test_a_dry_run_asks_a_source_in_the_container_that_serves(migrated: Path, tmp_path_factory: Any) -> None:
    here = tmp_path_factory.mktemp("controller")
    source = write_app(here / "project" / "src").parent
    add_migration(source / "src", "0002_gone", "0001_initial", "migrations.RemoveField('item', 'name')")
    for path, text in (("Dockerfile", ""), ("src/shop/static/shop/a.css", "b"), ("src/shop/static/new.css", "")):
        (source / path).write_text(text)
    settings = source / "src" / "site_settings.py"
    settings.write_text(settings.read_text().replace('"db.sqlite3"', repr(str(migrated / "db.sqlite3"))))
    (here / "bin").mkdir()
    docker = here / "bin" / "docker"
    docker.write_text(DOCKER.format(log=here / "log", app=migrated, python=sys.executable))
    docker.chmod(0o755)
    (here / "stack").mkdir()
    args = {"project_dir": str(here / "stack"), "release_id": "abc", "settings_module": "site_settings"}
    task = {"barehost.django.django_prepare": {**args, "source": str(source)}, "register": "found"}
    written = {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(here / "found.json")}}
    tasks = [task, {**written, "check_mode": False}]
    (here / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    env |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "HOME": str(here)}
    env |= {"PATH": f"{here / 'bin'}:{env['PATH']}", "ANSIBLE_REMOTE_TMP": str(here / "tmp")}
    before = files(migrated)
    playbook = str(Path(sys.executable).with_name("ansible-playbook"))
    argv = [playbook, "-i", "web1,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", "play.yml"]
    done = subprocess.run([*argv, "--check", "--diff"], cwd=here, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((here / "found.json").read_text())
    assert [step["migration"] for step in found["plan"]] == ["shop.0002_gone"]
    assert (found["plan_known"], found["kinds"]["destructive"]) == (True, 1)
    assert found["diff"]["after"] == "+ new.css\n~ shop/a.css\n"
    assert {line.partition(" ")[0] for line in (here / "log").read_text().splitlines()} == {"ps", "exec"}
    assert (files(migrated), list((here / "stack").iterdir())) == (before, [])
    assert not list((here / "tmp").glob("*/barehost-context-*"))
