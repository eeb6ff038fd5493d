# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a deploy and a rollback come to: the real playbooks, with answers in place of the modules that need an engine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.barehost.django.plugins.module_utils import _lock_state

ROOT = Path(__file__).resolve().parents[3]
COLLECTION = ROOT / "collections" / "ansible_collections" / "barehost" / "django"
SECRET = "hush-hush-hush-hush"
SWITCH = {"services": [], "edge": {}, "tasks": {}, "static_root": ""}
# From release new, which serves, to release old, and back.
TARGET = {"release_id": "old", "before": "new", "record": {"image": "app/app:old", "switch": SWITCH}}
GONE = {"changed": True, "before": "new", "switch_before": SWITCH, "steps": [{"service": "web"}]}
BACK = {**GONE, "before": "old"}
REFUSED = {"failed": True, "msg": "not accepted", "before": "new", "serving": "new", "committed": False}
COMMITTED = {**GONE, "failed": True, "msg": "not cleaned up", "serving": "old", "committed": True}
del COMMITTED["steps"]
# Answers what lies beside the stack, by the release that it is asked for, and notes that it was asked.
STAND_IN = """#!/usr/bin/python
# WANT_JSON
import json, sys
from pathlib import Path

args = json.loads(Path(sys.argv[1]).read_text())
folder, asked = Path(args.get("project_dir") or args["url"]), args.get("release_id") or "default"
if not (folder / "answers").exists():
    print(json.dumps({{"failed": True, "msg": "There is no stack in " + str(folder)}}))
    sys.exit(1)
with (folder / "asked").open("a") as file:
    file.write("{name} " + asked + "\\n")
answers = json.loads((folder / "answers").read_text()).get("{name}", {{}})
print(json.dumps({{"changed": False, **answers.get(asked, answers.get("default", {{}}))}}))
"""


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return collections in which our own has stand-ins for what needs an engine."""
    folder = tmp_path_factory.mktemp("collections")
    ours = folder / "ansible_collections" / "barehost" / "django"
    ours.mkdir(parents=True)
    for name in ("galaxy.yml", "meta", "playbooks", "roles"):
        (ours / name).symlink_to((COLLECTION / name).resolve())
    shutil.copytree(COLLECTION / "plugins", ours / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    (ours / "plugins" / "action" / "http_probe.py").unlink()
    for name in ("release_switch", "release_rollback", "http_probe"):
        (ours / "plugins" / "modules" / f"{name}.py").write_text(STAND_IN.format(name=name))
    return folder


class Hosts:
    """Stacks on this machine, one folder for each host."""

    def __init__(self, folder: Path, collections: Path) -> None:
        """Begin without any."""
        self.folder, self.collections = folder, collections
        self.hosts: dict[str, dict[str, Any]] = {}
        self.output = ""

    def add(self, host: str, *, stack: bool = True, **answers: Any) -> None:
        """Add a host with a stack on which release new serves."""
        root = self.folder / host
        local = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
        self.hosts[host] = {
            **local,
            "stack_dir": str(root),
            "verify_url": str(root),
            "release_audit_log": f"{root}.log",
        }
        if not stack:
            return
        (root / "releases").mkdir(parents=True)
        (root / "compose.yaml").write_text("services: {}\n")
        (root / "releases" / "new.json").write_text(json.dumps({"id": "new", "image": "app/app:new"}))
        (root / "releases" / "current").symlink_to("new.json")
        usual = {
            "release_rollback": {"default": TARGET, "new": {**TARGET, "release_id": "new"}},
            "release_switch": {"old": GONE, "new": BACK},
        }
        (root / "answers").write_text(json.dumps({**usual, **answers}))

    def run(self, what: str | list[dict[str, Any]], *options: str, **variables: Any) -> int:
        """Run a playbook of ours by its name, or plays."""
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": self.hosts}}))
        if not isinstance(what, str):
            (self.folder / "play.yml").write_text(yaml.safe_dump(what))
        playbook = f"barehost.django.{what}" if isinstance(what, str) else str(self.folder / "play.yml")
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        argv = [program, "-i", str(inventory), playbook, "-e", json.dumps(variables), *options]
        env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        env |= {"ANSIBLE_COLLECTIONS_PATH": str(self.collections), "ANSIBLE_SHOW_CUSTOM_STATS": "1"}
        env |= {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_FORCE_COLOR": "0"}
        done = subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        self.output = done.stdout + done.stderr
        start, end = done.stdout.find("{\n"), done.stdout.rfind("}") + 1
        self.document = json.loads(done.stdout[start:end])
        return done.returncode

    @property
    def results(self) -> dict[str, tuple[str, str]]:
        """Map each host to its verdict and the release that serves there."""
        stats = self.document["global_custom_stats"]["barehost"]
        return {host: (result["verdict"], result["release_id"]) for host, result in stats.items()}

    def reason(self, host: str) -> str:
        """Return why."""
        return str(self.document["global_custom_stats"]["barehost"][host]["reason"])

    def asked(self, host: str) -> list[str]:
        """Return which releases the switch was asked for."""
        file = self.folder / host / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split()[1] for line in lines if line.startswith("release_switch ")]

    def lines(self, host: str) -> list[dict[str, Any]]:
        """Return the audit log."""
        file = self.folder / f"{host}.log"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def locked(self, host: str) -> bool:
        """Say whether the lock is still there."""
        return (self.folder / host / "lock" / "deploy.json").exists()


@pytest.fixture
def hosts(tmp_path: Path, collections: Path) -> Hosts:
    return Hosts(tmp_path, collections)


@pytest.fixture(scope="module")
def each(tmp_path_factory: pytest.TempPathFactory, collections: Path) -> Hosts:
    """Return hosts whose rollback has ended in every way there is, each judged by itself."""
    hosts = Hosts(tmp_path_factory.mktemp("each"), collections)
    stuck = {"failed": True, "msg": "worker died", "before": "old", "serving": "old", "committed": False}
    hosts.add("good")
    hosts.add("unproven", http_probe={"default": {"failed": True, "msg": "no answer"}})
    hosts.add("refused", release_switch={"old": REFUSED})
    hosts.add("impossible", release_rollback={"default": {"failed": True, "msg": "the image is gone"}})
    hosts.add("committed", release_switch={"old": COMMITTED, "new": BACK})
    hosts.add("stuck", release_switch={"old": COMMITTED, "new": stuck})
    hosts.add("lost", release_switch={"old": COMMITTED, "new": {"unreachable": True, "msg": "timed out"}})
    assert hosts.run("rollback", release_on_failure="per_host") != 0, hosts.output
    assert [host for host in hosts.hosts if hosts.locked(host)] == []
    return hosts


@pytest.mark.parametrize(
    ("host", "result", "asked"),
    [
        ("good", ("deployed", "old"), ["old"]),
        ("unproven", ("returned", "new"), ["old", "new"]),
        ("refused", ("failed", "new"), ["old"]),
        ("impossible", ("failed", "new"), []),
        ("committed", ("returned", "new"), ["old", "new"]),
        ("stuck", ("failed", "old"), ["old", "new"]),
        ("lost", ("failed", "old"), ["old", "new"]),
    ],
)
def test_a_rollback_ends_with_the_release_that_serves(
    each: Hosts, host: str, result: tuple[str, str], asked: list[str]
) -> None:
    assert (each.results[host], each.asked(host)) == (result, asked), each.output
    (line,) = each.lines(host)
    assert line["result"] == {"deployed": "ok"}.get(result[0], result[0])
    assert (line["from"], line["to"]) == ("new", "" if host == "impossible" else "old")
    assert line["message"] == each.reason(host)


def test_a_rollback_says_why(each: Hosts) -> None:
    assert each.reason("impossible") == "Find the release to go back to: the image is gone"
    assert "no answer" in each.reason("unproven")
    said = "not cleaned up; going back to release new failed with worker died; release old serves"
    assert said in each.reason("stuck")
    assert "timed out" in each.reason("lost")


def test_a_rollback_happens_on_all_hosts_or_none(hosts: Hosts) -> None:
    hosts.add("a")
    hosts.add("b", release_switch={"old": REFUSED})
    assert hosts.run("rollback") == 2, hosts.output
    assert hosts.results == {"a": ("returned", "new"), "b": ("failed", "new")}
    assert (hosts.asked("a"), hosts.asked("b")) == (["old", "new"], ["old"])


def test_without_a_stack_there_is_a_verdict_and_no_trace(hosts: Hosts) -> None:
    hosts.add("a", stack=False)
    hosts.add("b")
    assert hosts.run("rollback", release_serial=1) == 2, hosts.output
    assert hosts.results == {"a": ("failed", ""), "b": ("skipped", "")}
    assert "There is no stack in" in hosts.reason("a")
    assert not (hosts.folder / "a").exists()
    assert hosts.lines("a") == []
    assert hosts.asked("b") == []


def deploy_variables(folder: Path) -> dict[str, Any]:
    """Return what a deploy needs, for a host that is too small for it."""
    (folder / "app").mkdir(exist_ok=True)
    (folder / "app" / "Dockerfile").write_text("FROM scratch\n")
    app = {"django_source_path": str(folder / "app"), "celery_enabled": False}
    return {**app, "preflight_min_memory_mb": 99999999, "preflight_supported_os": os_here()}


def os_here() -> list[str]:
    """Return the operating system of this machine, as preflight names it."""
    pairs = [line.partition("=") for line in Path("/etc/os-release").read_text().splitlines()]
    values = {name: value.strip('"') for name, _, value in pairs}
    return [f"{values['ID']} {values.get('VERSION_ID', '')}"]


def lock_of_somebody(hosts: Hosts, host: str) -> None:
    """Leave the lock of a run whose controller nobody here can ask."""
    lock = _lock_state.begin(_lock_state.new("t" * 32, {"owner": "alice@elsewhere"}, 1800), _lock_state.now())
    folder = hosts.folder / host / "lock"
    folder.mkdir()
    (folder / "deploy.json").write_text(_lock_state.render(lock))


def test_the_host_is_looked_at_under_the_lock_and_the_input_before_it(hosts: Hosts) -> None:
    hosts.add("bare", stack=False)
    hosts.add("small")
    hosts.add("locked")
    hosts.add("misspelt")
    hosts.hosts["misspelt"]["nginx_htp_port"] = 80
    hosts.add("silent", stack=False)
    hosts.hosts["silent"] |= {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 9}
    for host in ("locked", "misspelt"):
        lock_of_somebody(hosts, host)
    variables = {"release_on_failure": "per_host", **deploy_variables(hosts.folder)}
    assert hosts.run("deploy", **variables) != 0, hosts.output
    serving = {"bare": "", "small": "new", "locked": "new", "misspelt": "", "silent": ""}
    assert hosts.results == {host: ("failed", release) for host, release in serving.items()}
    said = [
        "MiB of memory",
        "MiB of memory",
        "another run is at work: alice@elsewhere",
        "nginx_htp_port",
        "Refuse a host that does not answer: Task failed: Failed to connect",
    ]
    assert [part for host, part in zip(hosts.hosts, said, strict=True) if part not in hosts.reason(host)] == []
    # A bare host stays bare; whoever was refused by the lock leaves it alone, and one line.
    assert not (hosts.folder / "bare").exists()
    assert [host for host in hosts.hosts if hosts.locked(host)] == ["locked", "misspelt"]
    assert {host: len(hosts.lines(host)) for host in hosts.hosts} == {
        "bare": 0,
        "small": 1,
        "locked": 1,
        "misspelt": 0,
        "silent": 0,
    }
    for host in ("small", "locked"):
        (line,) = hosts.lines(host)
        assert (line["from"], line["result"]) == ("new", "failed")
        assert hosts.reason(host).endswith(line["message"])


def failing(**task: Any) -> list[dict[str, Any]]:
    """Return plays in which a task fails as it would in a deploy."""
    role = {"name": "barehost.django.release"}

    def part(name: str) -> dict[str, Any]:
        return {"name": name, "ansible.builtin.include_role": {**role, "tasks_from": name}}

    tasks = [{"name": "Deploy", "block": [part("begin"), task], "rescue": [part("refused")]}]
    play = {"hosts": "all", "gather_facts": False, "serial": "{{ batch | default('100%') }}", "tasks": tasks}
    return [play, {"hosts": "all", "gather_facts": False, "tasks": [part("settle"), part("conclude")]}]


def test_a_port_that_cannot_be_closed_ends_a_deploy_with_an_error_and_takes_nothing_back(hosts: Hosts) -> None:
    hosts.add("a")
    role = "barehost.django.release"
    steps = ("begin", "settle", "unclosed", "conclude")
    begin, settle, unclosed, conclude = (
        {"name": step, "ansible.builtin.include_role": {"name": role, "tasks_from": step}} for step in steps
    )
    serves = {"release_verdict": {"state": "deployed", "serving": "new"}}
    close = {"name": "Try the rules", "ansible.builtin.fail": {"msg": "nft is gone"}}
    tasks = [
        begin,
        {"name": "Serve", "ansible.builtin.set_fact": serves},
        settle,
        {"name": "Close", "block": [close], "rescue": [unclosed]},
        conclude,
    ]
    assert hosts.run([{"hosts": "all", "gather_facts": False, "tasks": tasks}]) == 2, hosts.output
    assert hosts.results == {"a": ("deployed", "new")}
    assert "Try the rules: nft is gone" in hosts.reason("a")
    assert [(line["result"], line["message"]) for line in hosts.lines("a")] == [("ok", hosts.reason("a"))]
    assert not hosts.locked("a")


def test_a_secret_does_not_get_into_the_reason(hosts: Hosts) -> None:
    for host in ("kept", "open"):
        hosts.add(host)
        hosts.hosts[host]["hidden"] = host == "kept"
    hook = hosts.folder / "hook.yml"
    hook.write_text(yaml.safe_dump([{"name": "Tell", "ansible.builtin.fail": {"msg": SECRET}, "no_log": True}]))
    words = "{{ 'hush-hush' ~ '-hush-hush' if hidden else 'no secret' }} is wrong"
    task = {"name": "Use it", "ansible.builtin.fail": {"msg": words}, "no_log": "{{ hidden }}"}
    assert hosts.run(failing(**task), release_hooks_on_failure=[str(hook)]) == 2, hosts.output
    reasons = {"kept": "Use it", "open": "Use it: no secret is wrong"}
    assert {host: hosts.reason(host) for host in hosts.hosts} == reasons
    assert {host: line["message"] for host in hosts.hosts for line in hosts.lines(host)} == reasons
    # Nor does that of a hook, which ends with its failure, and with nothing else.
    assert "A hook for a failure failed itself: Tell" in hosts.output
    assert SECRET not in hosts.output
    assert not hosts.locked("kept")


def test_a_hook_for_a_failure_runs_where_the_deploy_has_failed_and_nowhere_else(hosts: Hosts) -> None:
    hosts.add("a")
    hosts.add("b")
    hook = hosts.folder / "hook.yml"
    copy = {"content": "{{ release_verdict.state }}", "dest": "{{ stack_dir }}/hooked", "mode": "0644"}
    hook.write_text(yaml.safe_dump([{"name": "Leave a trace", "ansible.builtin.copy": copy}]))
    plays = failing(name="Fail", **{"ansible.builtin.fail": {"msg": "why"}})
    assert hosts.run(plays, batch=1, release_hooks_on_failure=[str(hook)]) == 2, hosts.output
    assert hosts.results == {"a": ("failed", "new"), "b": ("skipped", "")}
    assert (hosts.folder / "a" / "hooked").read_text() == "failed"
    assert not (hosts.folder / "b" / "hooked").exists()
