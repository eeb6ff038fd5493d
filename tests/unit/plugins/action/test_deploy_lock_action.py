# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""deploy_lock in real runs of ansible-playbook, here on the controller itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[4]
SECRET = "hush-hush-hush-hush"
HELD = {
    "name": "hold",
    "barehost.django.deploy_lock": {"project_dir": "{{ here }}/shop", "audit_log": "{{ here }}/log"},
}


class Controller:
    """A folder from which playbooks are run."""

    def __init__(self, folder: Path) -> None:
        """Lay it out."""
        self.folder = folder
        (folder / "inventory").write_text(
            f"web1 ansible_connection=local ansible_python_interpreter={sys.executable} here={folder}\n"
        )

    def start(self, tasks: list[dict[str, Any]], *args: str) -> subprocess.Popen[str]:
        """Begin a run."""
        (self.folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
        env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        env |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "HOME": str(self.folder)}
        # Into a pipe Python keeps back what it prints, and a test has to see that somebody waits.
        env["PYTHONUNBUFFERED"] = "1"
        argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory", "play.yml", *args]
        return subprocess.Popen(
            argv, cwd=self.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, tasks: list[dict[str, Any]], *args: str) -> tuple[int, str]:
        """Run to the end; give the exit code and the output without its line breaks."""
        run = self.start(tasks, *args)
        output, _nothing = run.communicate(timeout=120)
        return run.returncode, " ".join(output.split())

    @property
    def lock(self) -> dict[str, Any] | None:
        """Return the lock that lies on the host."""
        path = self.folder / "shop" / "lock" / "deploy.json"
        return dict(json.loads(path.read_text())) if path.exists() else None


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    return Controller(tmp_path)


@pytest.fixture
def deploying(controller: Controller) -> Iterator[subprocess.Popen[str]]:
    """Let a deploy be going on that holds the lock."""
    run = controller.start([HELD, {"ansible.builtin.pause": {"seconds": 120}}], "-e", f"word={SECRET}", "--diff")
    deadline = time.monotonic() + 60
    while controller.lock is None and time.monotonic() < deadline:
        time.sleep(0.1)
    yield run
    run.kill()
    run.wait()


def test_a_deploy_that_lives_is_named_and_one_that_was_killed_is_followed_at_once(
    controller: Controller, deploying: subprocess.Popen[str]
) -> None:
    lock = controller.lock
    assert lock
    assert lock["command"] == "ansible-playbook -i inventory play.yml --diff -e ***"
    # The run itself and not the child that does the task: that one is gone a moment later.
    assert lock["controller"]["pid"] == str(deploying.pid)
    for mode in ((), ("--check",)):
        code, output = controller.run([HELD], *mode)
        assert code == 2, output
        assert "another run is at work: " in output
        assert "`ansible-playbook -i inventory play.yml --diff -e ***`, started " in output
        assert SECRET not in output
        assert lock["token"] not in output
    deploying.send_signal(signal.SIGKILL)
    code, output = controller.run([HELD], "--check")
    assert code == 0, output
    assert "its ansible-playbook has ended without giving the lock back" in output
    assert controller.lock == lock
    code, output = controller.run([HELD])
    assert code == 0, output
    assert "[WARNING]: " in output
    assert "its ansible-playbook has ended without giving the lock back" in output
    assert controller.lock["token"] != lock["token"]
    # The dry run that was refused has left none.
    refused, line = (controller.folder / "log").read_text().splitlines()
    assert json.loads(refused)["message"].startswith("another run is at work: ")
    assert json.loads(line)["message"].startswith("the run ended without a result; ")


def test_waiting_until_the_other_one_is_killed(controller: Controller, deploying: subprocess.Popen[str]) -> None:
    waiting = {**HELD["barehost.django.deploy_lock"], "wait_seconds": 60}
    run = controller.start([{"barehost.django.deploy_lock": waiting}])
    assert run.stdout
    # However slow the machine is: it waits once it says so.
    giving_up = threading.Timer(120, run.kill)
    giving_up.start()
    try:
        said = next((line for line in run.stdout if "web1: waiting: another run is at work: " in line), "")
        assert said, "it ended, or was ended, without a word of waiting"
        deploying.send_signal(signal.SIGKILL)
        # The one that waits looks on the controller between its calls.
        output, _nothing = run.communicate()
        assert run.returncode == 0, output
    finally:
        giving_up.cancel()


def test_the_ordinary_case_is_one_call_to_take_and_one_to_give_back(controller: Controller) -> None:
    free = {
        "project_dir": "{{ here }}/shop", "audit_log": "{{ here }}/log", "state": "free", "token": "{{ had.token }}",
        "result": {"result": "ok", "from": "", "to": "b2", "message": "{{ had.waited_seconds }}"},
    }  # fmt: skip
    code, output = controller.run([{**HELD, "register": "had"}, {"barehost.django.deploy_lock": free}], "-vvv")
    assert code == 0, output
    assert output.count("EXEC /bin/sh -c 'rm -f") == 2, "one removal of a module's files for each call"
    assert controller.lock is None
    assert json.loads((controller.folder / "log").read_text())["to"] == "b2"


def test_no_playbook_says_who_calls_or_who_is_dead(controller: Controller, deploying: subprocess.Popen[str]) -> None:
    lock = controller.lock
    assert lock
    assert deploying.poll() is None
    forged = {"caller": {"owner": "root@else"}, "dead": lock["token"]}
    tasks = [{"barehost.django.deploy_lock": {**HELD["barehost.django.deploy_lock"], **forged}}]
    code, output = controller.run(tasks)
    assert code == 2, output
    assert controller.lock == lock
    (controller.folder / "shop" / "lock" / "deploy.json").unlink()
    assert controller.run(tasks)[0] == 0
    found = controller.lock
    assert found
    assert found["owner"] == lock["owner"]


def test_the_tasks_of_the_role_and_the_playbook(controller: Controller) -> None:
    def role(tasks_from: str, **variables: Any) -> dict[str, Any]:
        include = {"name": "barehost.django.release", "tasks_from": tasks_from}
        return {"ansible.builtin.include_role": include, "vars": variables}

    outcome = {"result": "returned", "from": "a1", "to": "b2", "message": ""}
    variables = ["-e", f"stack_dir={controller.folder}/shop", "-e", f"release_audit_log={controller.folder}/log"]
    shown = {"ansible.builtin.debug": {"msg": "token={{ release_lock }}."}}
    code, output = controller.run([role("lock"), role("free", release_outcome=outcome), shown], *variables)
    assert code == 0, output
    assert "token=." in output
    assert "changed=0" in output
    assert controller.lock is None
    code, output = controller.run([role("lock")], *variables)
    assert (code, controller.lock is None) == (0, False)
    argv = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        "inventory",
        str(ROOT / "playbooks/unlock.yml"),
    ]
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_BECOME_EXE": "sudo"}
    argv += [*variables, "-e", "ansible_become=false"]
    done = subprocess.run(argv, cwd=controller.folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the lock was broken: " in done.stdout
    assert controller.lock is None
    results = [json.loads(line)["result"] for line in (controller.folder / "log").read_text().splitlines()]
    assert results == ["returned", "failed"]


def test_secrets_that_are_read_with_the_lock_stand_in_no_output(controller: Controller) -> None:
    folder = controller.folder / "shop" / "secrets"
    folder.mkdir(mode=0o700, parents=True)
    file = folder / "password"
    file.touch(0o600)
    file.write_text(SECRET)
    task = {"barehost.django.deploy_lock": {**HELD["barehost.django.deploy_lock"], "secrets": str(folder)}}
    known = {"ansible.builtin.assert": {"that": [f"held.secrets.password == '{SECRET[:4]}' ~ '{SECRET[4:]}'"]}}
    code, output = controller.run([{**HELD, **task, "register": "held"}, known], "-vvv")
    assert code == 0, output
    assert SECRET not in output
    # Who takes it over is told from whom, although the rest of the result is hidden.
    code, output = controller.run([{**HELD, **task}])
    assert code == 0, output
    assert "its ansible-playbook has ended without giving the lock back" in output
    assert SECRET not in output


def test_why_a_host_does_not_answer_is_said_though_what_it_answers_is_hidden(controller: Controller) -> None:
    task = {"barehost.django.deploy_lock": {**HELD["barehost.django.deploy_lock"], "secrets": "/nowhere"}}
    where = ["ansible_connection=ssh", "ansible_host=127.0.0.1", "ansible_port=1"]
    code, output = controller.run([task], *(word for item in where for word in ("-e", item)))
    assert code != 0
    assert "Connection refused" in output
    assert "censored" not in output
