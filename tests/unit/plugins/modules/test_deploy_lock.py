# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""deploy_lock: taken, given back with a line in the log, broken."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _lock, _lock_state, _release
from ansible_collections.barehost.django.plugins.modules import deploy_lock
from support.modules import run

COLLECTIONS = Path(__file__).resolve().parents[4] / "collections"
CALLER = {"owner": "alice@ci-7", "command": "ansible-playbook deploy.yml", "controller": {"pid": "42"}}
OK = {"result": "ok", "from": "b20", "to": "a10"}


@dataclass
class Stack:
    """A stack without anything but its lock."""

    root: Path
    log: Path
    warnings: list[str]

    def call(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module."""
        args = {"project_dir": str(self.root), "audit_log": str(self.log), "caller": CALLER, **options}
        return run(deploy_lock.main, args, check=check)

    def lines(self) -> list[dict[str, Any]]:
        """Return what is in the audit log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @property
    def file(self) -> Path:
        """Return where the lock lies."""
        return self.root / "lock" / "deploy.json"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(_lock, "STEP_GRACE_SECONDS", 0.1)
    monkeypatch.setattr(_lock, "POLL_SECONDS", 0.05)
    warnings: list[str] = []
    # Where a warning ends up depends on what else the process has loaded.
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    return Stack(tmp_path / "shop", tmp_path / "log" / "shop.jsonl", warnings)


def test_a_deploy_from_start_to_end(stack: Stack) -> None:
    taken = stack.call()
    assert (taken["changed"], taken["taken_over"], taken["holder"]) == (False, "", {})
    assert 0 <= taken["waited_seconds"] < 10
    assert len(taken["token"]) == 32
    assert json.loads(stack.file.read_text())["token"] == taken["token"]
    with _lock.hold(str(stack.root), taken["token"], "image"):
        pass
    freed = stack.call(state="free", token=taken["token"], result={**OK, "message": "3 changes"})
    assert (freed["changed"], freed["lost"], freed["holder"]["owner"]) == (False, "", "alice@ci-7")
    assert not stack.file.exists()
    (line,) = stack.lines()
    assert (line["who"], line["from"], line["to"], line["result"]) == ("alice@ci-7", "b20", "a10", "ok")
    assert (line["command"], line["message"]) == ("ansible-playbook deploy.yml", "3 changes")
    assert [step["name"] for step in line["steps"]] == ["lock", "image"]


def test_a_second_deploy_is_refused(stack: Stack) -> None:
    stack.call()
    refused = stack.call(caller={"owner": "bob@ci-8"})
    assert refused["failed"] is True
    assert refused["in_the_way"] is True
    assert refused["msg"].startswith("another run is at work: alice@ci-7, `ansible-playbook deploy.yml`, started ")
    assert refused["holder"]["controller"] == {"pid": "42"}


def test_an_abandoned_deploy_gets_its_line_from_whoever_follows(stack: Stack) -> None:
    first = stack.call()["token"]
    _release.update_record(_release.record_path(str(stack.root), "a10"), "a10", "app/app:a10", {"step": "health"})
    second = stack.call(caller={"owner": "bob@ci-8"}, dead=first)
    assert second["changed"] is True
    assert "taken over from alice@ci-7" in second["taken_over"]
    (line,) = stack.lines()
    assert (line["who"], line["result"], line["to"]) == ("alice@ci-7", "failed", "a10")
    assert line["message"] == "the run ended without a result; bob@ci-8 took its lock over"
    late = stack.call(state="free", token=first, result={"result": "failed", "message": "it was slow"})
    assert "failed" not in late
    assert "this run has lost the lock of the stack: bob@ci-8 has it since" in late["lost"]
    assert stack.warnings == [late["lost"]]
    assert json.loads(stack.file.read_text())["token"] == second["token"]
    assert stack.lines()[1]["message"].startswith("it was slow this run has lost the lock")


def test_the_lock_says_when_it_expires(stack: Stack) -> None:
    token = stack.call(expiry_seconds=60)["token"]
    lock = _lock.read(stack.root / "lock")
    assert lock
    past = _lock_state.stamp(_lock_state.now() - timedelta(seconds=61))
    _lock.write(stack.root / "lock", _lock_state.replace(lock, heartbeat=past))
    assert "it expired, the last sign was 6" in stack.call(expiry_seconds=9999)["taken_over"]
    assert json.loads(stack.file.read_text())["token"] != token


def test_giving_back_needs_a_result_and_without_a_token_does_nothing(stack: Stack) -> None:
    assert "result" in stack.call(state="free", token="x")["msg"]
    done = stack.call(state="free", token="", result=OK)
    assert (done["changed"], done["holder"], stack.lines()) == (False, {}, [])
    assert not stack.root.exists()


def test_a_log_that_cannot_be_written_keeps_no_lock(stack: Stack) -> None:
    stack.log.mkdir(parents=True)
    token = stack.call()["token"]
    freed = stack.call(state="free", token=token, result=OK)
    assert "failed" not in freed
    assert stack.warnings == [f"the audit log {stack.log} was not written: Is a directory; everything else was done"]
    assert not stack.file.exists()


def test_breaking(stack: Stack) -> None:
    nobody = stack.call(state="broken")
    assert (nobody["changed"], nobody["msg"]) == (False, f"nobody holds the lock of {stack.root}")
    token = stack.call()["token"]
    with _lock.hold(str(stack.root), token, "migrate"):
        refused = stack.call(state="broken")
        assert refused["failed"] is True
        assert "step migrate" in refused["msg"]
        assert stack.call(state="broken", force=True)["changed"] is True
    stack.call()
    broken = stack.call(state="broken", caller={"owner": "bob@ci-8"})
    assert broken["changed"] is True
    assert broken["msg"].startswith("the lock was broken: alice@ci-7, `ansible-playbook deploy.yml`, started ")
    assert not stack.file.exists()
    assert stack.lines()[-1]["message"] == "the run ended without a result; bob@ci-8 broke its lock"


def release(stack: Stack, settings: str) -> None:
    """Let a release serve with these settings."""
    (stack.root / "releases").mkdir(parents=True, exist_ok=True)
    (stack.root / "releases" / "a10.json").write_text(json.dumps({"id": "a10"}))
    if not (stack.root / "releases" / "current").is_symlink():
        (stack.root / "releases" / "current").symlink_to("a10.json")
    (stack.root / ".env").write_text(settings)


@pytest.mark.parametrize("result", ["failed", "returned"])
def test_a_deploy_that_fails_leaves_the_settings_of_what_serves(stack: Stack, result: str) -> None:
    release(stack, "A=1\n")
    taken = stack.call()
    assert taken["serving"] == "a10"
    assert stack.call(state="free", token=taken["token"], result=OK)["restored"] == []
    token = stack.call()["token"]
    (stack.root / ".env").write_text("A=2\n")
    freed = stack.call(state="free", token=token, result={"result": result})
    assert (freed["changed"], freed["restored"]) == (True, [".env"])
    assert (stack.root / ".env").read_text() == "A=1\n"
    again = stack.call(state="free", token=stack.call()["token"], result={"result": result})
    assert (again["changed"], again["restored"]) == (False, [])


def test_settings_with_which_a_deploy_came_to_its_end_stay(stack: Stack) -> None:
    """One that changes only the settings of a service that is not the application's has nothing to switch."""
    for settings in ("A=1\n", "A=2\n"):
        release(stack, settings)
        stack.call(state="free", token=stack.call()["token"], result=OK)
    freed = stack.call(state="free", token=stack.call()["token"], result={"result": "failed"})
    assert (freed["restored"], (stack.root / ".env").read_text()) == ([], "A=2\n")


def test_settings_are_left_alone_by_who_has_lost_the_lock_and_under_a_step(stack: Stack) -> None:
    release(stack, "A=1\n")
    stack.call(state="free", token=stack.call()["token"], result=OK)
    token = stack.call()["token"]
    (stack.root / ".env").write_text("A=2\n")
    with _lock.hold(str(stack.root), token, "switch"):
        assert stack.call(state="free", token=token, result={"result": "failed"})["restored"] == []
    assert "were not put back: a module of an earlier run is still at work" in stack.warnings[0]
    assert stack.call(state="free", token=token, result={"result": "failed"})["restored"] == []
    assert (stack.root / ".env").read_text() == "A=2\n"


def test_a_bare_host_on_which_nothing_was_done_is_bare_again(stack: Stack) -> None:
    stack.call(state="free", token=stack.call()["token"], result={"result": "failed"})
    assert (stack.root.exists(), stack.lines()) == (False, [])
    token = stack.call()["token"]
    with _lock.hold(str(stack.root), token, "image"):
        pass
    stack.call(state="free", token=token, result={"result": "failed"})
    assert (stack.root.exists(), len(stack.lines())) == (True, 1)


def test_who_was_refused_gets_a_line(stack: Stack) -> None:
    release(stack, "")
    token = stack.call()["token"]
    assert stack.call(caller={"owner": "bob@ci-8"})["serving"] == "a10"
    refused = {"message": "another run is at work", "seconds": 7.5}
    for check in (True, False):
        stack.call(check=check, caller={"owner": "bob@ci-8"}, refused=refused)
    (line,) = stack.lines()
    assert (line["who"], line["result"], line["from"], line["to"]) == ("bob@ci-8", "failed", "a10", "")
    assert (line["message"], line["seconds"], line["steps"]) == (
        "another run is at work",
        7.5,
        [{"name": "lock", "seconds": 7.5}],
    )
    assert json.loads(stack.file.read_text())["token"] == token


def test_a_dry_run(stack: Stack) -> None:
    bare = stack.call(check=True)
    assert (bare["token"], bare["changed"]) == ("", False)
    assert not stack.root.exists()
    token = stack.call()["token"]
    assert stack.call(check=True)["failed"] is True
    assert stack.call(check=True, dead=token)["changed"] is True
    assert stack.call(check=True, state="broken")["changed"] is True
    stack.call(check=True, state="free", token=token, result=OK)
    assert json.loads(stack.file.read_text())["token"] == token
    assert stack.lines() == []


def test_a_folder_that_cannot_be_made_is_named(stack: Stack) -> None:
    stack.root.write_text("a file")
    result = stack.call()
    assert result["failed"] is True
    assert str(stack.root) in result["msg"]


class FailJsonError(Exception):
    """What fail_json does to a module."""


class Module:
    """As much of a module as a step needs."""

    def __init__(self, token: str, *, check: bool = False) -> None:
        """Take the parameters."""
        self.params, self.check_mode = {"lock": token}, check

    def fail_json(self, msg: str) -> None:
        """End with a message."""
        raise FailJsonError(msg)


def test_a_step_of_a_module(stack: Stack) -> None:
    token = stack.call()["token"]
    with _lock.step_of(Module(token), str(stack.root), "switch"):
        assert _lock.at_work(stack.root / "lock")
        with (
            pytest.raises(FailJsonError, match="step switch"),
            _lock.step_of(Module(token), str(stack.root), "migrate"),
        ):
            pass
    with (
        pytest.raises(FailJsonError, match="has lost the lock"),
        _lock.step_of(Module("x"), str(stack.root), "migrate"),
    ):
        pass
    # A module ends with SystemExit.
    with pytest.raises(SystemExit), _lock.step_of(Module(token), str(stack.root), "migrate"):
        raise SystemExit
    assert _lock.at_work(stack.root / "lock") is None
    with _lock.step_of(Module(token, check=True), str(stack.root), "dry"):
        assert "dry" not in stack.file.read_text()


def test_all_the_rest_of_a_module_is_one_step(stack: Stack) -> None:
    token = stack.call()["token"]
    code = (
        "import sys, types; sys.path.insert(0, sys.argv[3])\n"
        "from ansible_collections.barehost.django.plugins.module_utils import _lock\n"
        "module = types.SimpleNamespace(check_mode=False, params={'lock': sys.argv[2]}, do_cleanup_files=print)\n"
        "_lock.step_until_exit(module, sys.argv[1], 'image')\n"
        "print(flush=True); input(); sys.exit(3)\n"
    )
    argv = [sys.executable, "-c", code, str(stack.root), token, str(COLLECTIONS)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        work = _lock.at_work(stack.root / "lock")
        assert work
        assert (work.step, work.pid) == ("image", process.pid)
        before = json.loads(stack.file.read_text())["heartbeat"]
        process.stdin.write("\n")
        process.stdin.close()
        assert process.wait(20) == 3
    assert _lock.at_work(stack.root / "lock") is None
    assert json.loads(stack.file.read_text())["heartbeat"] > before


@pytest.mark.parametrize("result", [OK, {"result": "failed"}])
def test_settings_that_are_no_text_any_more_do_not_keep_the_lock(stack: Stack, result: dict[str, str]) -> None:
    release(stack, "A=1\n")
    stack.call(state="free", token=stack.call()["token"], result=OK)
    token = stack.call()["token"]
    (stack.root / ".env").write_bytes(bytes([0xFF, 0xFE]))
    freed = stack.call(state="free", token=token, result=result)
    assert "failed" not in freed
    assert not stack.file.exists()
    if result is OK:
        assert "the settings of the serving release were not kept" in stack.warnings[0]
    else:
        assert (freed["restored"], (stack.root / ".env").read_text()) == ([".env"], "A=1\n")


def test_a_step_ends_with_its_module_where_the_process_goes_on(stack: Stack) -> None:
    """Mitogen runs one module after the other in one process."""
    token = stack.call()["token"]
    module = types.SimpleNamespace(check_mode=False, params={"lock": token}, do_cleanup_files=lambda: None)
    _lock.step_until_exit(module, str(stack.root), "image")
    assert _lock.at_work(stack.root / "lock")
    # As exit_json and fail_json do.
    module.do_cleanup_files()
    assert _lock.at_work(stack.root / "lock") is None


def test_the_host_is_looked_at_under_the_lock(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(_module: Any, project_dir: str, wish: dict[str, Any]) -> dict[str, Any]:
        return {"held": stack.file.exists(), "dir": project_dir, "project": wish["project"], "ports": wish["ports"]}

    monkeypatch.setattr(deploy_lock._look, "look", look)
    seen = stack.call(look={"project": "shop", "ports": ["80"]})["seen"]
    assert seen == {"held": True, "dir": str(stack.root), "project": "shop", "ports": [80]}
    assert "seen" not in stack.call(state="broken")


def test_a_host_that_cannot_be_looked_at_keeps_no_lock(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_args: Any) -> dict[str, Any]:
        raise ValueError("no JSON")

    monkeypatch.setattr(deploy_lock._look, "look", look)
    result = stack.call(look={"project": "shop"})
    assert result["failed"]
    assert "cannot be looked at, and nothing was done: ValueError: no JSON" in result["msg"]
    assert not stack.file.exists()


@pytest.mark.parametrize("check", [False, True])
def test_a_look_that_ends_the_module_keeps_no_lock(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, *, check: bool
) -> None:
    def look(module: AnsibleModule, *_args: Any) -> None:
        # As run_command does with a program that is not there.
        module.fail_json(msg="Error executing command.")

    monkeypatch.setattr(deploy_lock._look, "look", look)
    result = stack.call(look={"project": "shop"}, check=check)
    assert (result["failed"], result["msg"]) == (True, "Error executing command.")
    assert not stack.file.exists()


def test_a_dry_run_that_cannot_look_says_why_and_touches_no_lock(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_args: Any) -> dict[str, Any]:
        raise AttributeError("'list' object has no attribute 'get'")

    stack.call(state="free", token=stack.call()["token"], result=OK)
    monkeypatch.setattr(deploy_lock._look, "look", look)
    result = stack.call(look={"project": "shop"}, check=True)
    assert "cannot be looked at, and nothing was done: AttributeError: 'list'" in result["msg"]


DAMAGED = pytest.mark.parametrize("record", [{"id": "abc", "before": "x"}, {"id": 5}, {"id": ["abc"]}, {"id": "/"}])


def damage(stack: Stack, record: dict[str, Any]) -> None:
    """Let a release serve whose record somebody has spoilt."""
    (stack.root / "releases").mkdir(exist_ok=True)
    (stack.root / "releases" / "abc.json").write_text(json.dumps(record))
    _release.point(stack.root / "releases" / "current", "abc.json")


@DAMAGED
def test_a_damaged_record_keeps_nobody_from_the_lock(stack: Stack, record: dict[str, Any]) -> None:
    token = stack.call()["token"]
    damage(stack, record)
    taken = stack.call(dead=token, caller={**CALLER, "owner": "bob@ci-8"})
    assert "failed" not in taken
    assert stack.call(state="broken")["changed"] is True
    assert [line["result"] for line in stack.lines()] == ["failed", "failed"]


@DAMAGED
@pytest.mark.parametrize("result", [OK, {"result": "failed"}])
def test_a_damaged_record_keeps_nobody_from_giving_the_lock_back(
    stack: Stack, record: dict[str, Any], result: dict[str, str]
) -> None:
    token = stack.call()["token"]
    damage(stack, record)
    assert "failed" not in stack.call(state="free", token=token, result={**result, "to": "abc"})
    assert not stack.file.exists()
