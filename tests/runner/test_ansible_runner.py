# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Another program runs the collection: results come from ansible-runner's artifacts, and no secret is in them.

The demo host must be there (`make demo`, or the Molecule scenario that boots it).
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ansible_runner
import pytest

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "demo"
CREDENTIALS = ROOT / ".demo" / "credentials.json"
HOST = "demo"
# Shorter values (a port, "app") occur in any output without being a secret.
SECRET_LENGTH = 8
ENVIRONMENT = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


class Run:
    """One run and what it left behind."""

    def __init__(self, folder: Path, playbook: str, *options: str) -> None:
        """Run a playbook as another program would."""
        self.folder = folder
        self.runner = ansible_runner.run(
            private_data_dir=str(folder),
            project_dir=str(ROOT),
            inventory=str(INVENTORY),
            playbook=playbook,
            cmdline=" ".join(options) or None,
            envvars=ENVIRONMENT,
            quiet=True,
        )

    @property
    def output(self) -> str:
        """Return what a terminal would have shown."""
        return str(self.runner.stdout.read())

    @property
    def custom_stats(self) -> dict[str, Any]:
        """Return what the playbook left for its caller (`set_stats`)."""
        (event,) = (event for event in self.runner.events if event["event"] == "playbook_on_stats")
        return dict(event["event_data"]["artifact_data"])


@pytest.fixture(scope="module", autouse=True)
def demo_host() -> None:
    if not CREDENTIALS.is_file():
        pytest.fail("there is no demo host: `make demo` boots it and writes .demo/credentials.json")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Run:
    # The highest verbosity that a program is likely to ask for, and diffs: that is where secrets leak.
    return Run(tmp_path_factory.mktemp("site"), "playbooks/site.yml", "-vvv", "--diff")


def host_files(*patterns: str) -> dict[str, bytes]:
    """Read files on the host that only root can read, through Ansible and the demo inventory."""
    listing = "for f in {}; do test -f $f && printf '%s %s\\n' $f $(base64 -w0 $f); done; true".format(
        " ".join(patterns)
    )
    argv = [str(Path(sys.executable).with_name("ansible")), HOST, "-i", str(INVENTORY), "--become"]
    argv += ["-m", "ansible.builtin.shell", "-a", listing]
    env = {
        **os.environ,
        **ENVIRONMENT,
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"][HOST]
    rows = (line.split(" ", 1) for line in result["stdout_lines"])
    return {name: base64.b64decode(content) for name, content in rows}


def secrets() -> dict[str, str]:
    """Return every secret of the demo with where it comes from."""
    found = {"credentials.json": json.loads(CREDENTIALS.read_text())["password"]}
    files = host_files("/opt/*/secrets/*", "/opt/*/mysql/secrets/*")
    assert files, "the host has no secrets: the stack is not deployed"
    for name, content in files.items():
        if name.startswith("/opt/") and "/mysql/" not in name:
            found[name] = content.decode().strip()
    return {name: value for name, value in found.items() if len(value) >= SECRET_LENGTH}


def test_the_run_succeeds_on_every_host(site: Run) -> None:
    assert site.runner.status == "successful", site.output[-4000:]
    assert site.runner.rc == 0
    assert site.runner.stats["ok"][HOST] > 0
    assert site.runner.stats["failures"] == {}
    assert site.runner.stats["dark"] == {}


def test_results_are_there_for_each_host(site: Run) -> None:
    assert site.runner.status == "successful"
    events = list(site.runner.host_events(HOST))
    tasks = {event["event_data"]["task"] for event in events if event["event"] == "runner_on_ok"}
    assert tasks
    assert [event["event_data"].get("task") for event in events if event["event"] == "runner_on_failed"] == []


def test_the_caller_learns_what_was_released(site: Run) -> None:
    assert site.runner.status == "successful"
    report = site.custom_stats["barehost"][HOST]
    assert len(report["release_id"]) >= 12
    assert report["url"].startswith("http")
    assert isinstance(report["changed"], list)


def test_a_second_run_says_that_nothing_changed(site: Run, tmp_path: Path) -> None:
    assert site.runner.status == "successful"
    again = Run(tmp_path, "playbooks/site.yml")
    assert again.runner.status == "successful", again.output[-4000:]
    assert again.runner.stats["changed"] == {}
    report = again.custom_stats["barehost"][HOST]
    assert report["changed"] == []
    assert report["release_id"] == site.custom_stats["barehost"][HOST]["release_id"]


def test_status_is_a_document_in_the_custom_stats(tmp_path: Path) -> None:
    run = Run(tmp_path, "playbooks/status.yml", "-e", "status_format=json")
    assert run.runner.status == "successful", run.output[-4000:]
    state = run.custom_stats["status"]["hosts"][HOST]
    assert state["verdict"] == "ok", state["problems"]
    lines = [line for line in run.output.splitlines() if line.startswith("{")]
    assert [json.loads(line) for line in lines] == [run.custom_stats["status"]]


def test_the_lines_in_the_documentation_do_what_they_say(site: Run) -> None:
    assert site.runner.status == "successful"
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert "inventories/production" in lines
    argv = [sys.executable, "-c", lines.replace("inventories/production", "inventories/demo")]
    # The lines themselves must find the programs of the virtual environment.
    env = {**os.environ, "PATH": os.defpath}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("successful 0 {")
    report = site.custom_stats["barehost"][HOST]
    assert last == f"{HOST} {report['release_id']} {report['url']} []"


def test_no_secret_is_in_any_artifact(site: Run) -> None:
    assert site.runner.status == "successful"
    forms = {}
    for name, value in secrets().items():
        encoded = base64.b64encode(value.encode()).decode()
        forms[name] = {value, quote(value, safe=""), json.dumps(value)[1:-1], encoded}
    leaks = []
    for path in sorted(site.folder.rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            leaks += [
                f"{path.name}: {name}" for name, shapes in forms.items() if any(shape in text for shape in shapes)
            ]
    assert leaks == []
