# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Good releases, bad ones and a way back, all of them under load: nobody outside notices any of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from conftest import INVENTORY, PORTS, STACK_DIR, Host, ask, deploy, serving, start, version

from tests import playbooks, site
from tests.load.ledger import check_ledger, check_ticks
from tests.load.process import Load
from tests.load.report import failures, summary

if TYPE_CHECKING:
    from tests.playbooks import PlaybookRun


@dataclass
class Story:
    """What happened under load."""

    runs: dict[str, PlaybookRun] = field(default_factory=dict)
    serving: dict[str, str] = field(default_factory=dict)
    clean: dict[str, bool] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, run: PlaybookRun) -> None:
        """Note a run, and what the host looks like after it."""
        self.runs[name] = run
        self.serving[name] = serving()
        self.clean[name] = Host().is_clean()


@pytest.fixture(scope="module")
def story() -> Story:
    """Release under load, in every way there is."""
    found = Story()
    first_tick = len(ask("/ticks/"))
    with Load(site.address(PORTS["release"]), "localhost") as load:
        for name in ("one", "two"):
            found.add(name, deploy(version(name)))
        found.add("additive", deploy(version("three", "additive")))
        found.add(
            "unhealthy", deploy(version("four", "additive", "unhealthy"), "-e", "release_health_timeout_seconds=20")
        )
        found.add("half", deploy(version("five", "additive", "data", "half")))
        known = Host().steps()
        during = start(version("six", "additive", "data"))
        Host().wait_for_step(known, "image", "create", "start", "health", "static")
        found.runs["second"] = deploy(version("seven", "additive", "data"))
        output, errors = during.communicate(timeout=300)
        found.add("during", playbooks.read(during.returncode, output, errors, "release"))
        found.add(
            "rollback",
            playbooks.run(
                "rollback",
                "--limit",
                "release",
                "-e",
                "release_allow_schema_mismatch=true",
                inventory=INVENTORY,
                host="release",
            ),
        )
    found.report = {**load.report, "first_tick": first_tick}
    return found


def test_no_request_was_lost(story: Story) -> None:
    assert failures(story.report) == 0, summary(story.report)


def test_every_acknowledged_row_is_there_once(story: Story) -> None:
    verdict = check_ledger(story.report, ask("/ledger/")["rows"], "ledger")
    assert verdict.ok, verdict
    assert len(story.report["ledger"]["acknowledged"]) > 100


def test_every_task_was_run_once(story: Story) -> None:
    rows = ask("/tasks/")["rows"]
    verdict = check_ledger(story.report, [row["number"] for row in rows], "tasks")
    assert verdict.ok, verdict
    assert len({row["release"] for row in rows}) > 2


def test_there_were_never_two_beats_and_never_none_for_long(story: Story) -> None:
    rows = ask("/ticks/")["rows"][story.report["first_tick"] :]
    assert check_ticks(rows) == []
    assert len({row["beat"] for row in rows}) > 2


@pytest.mark.parametrize("name", ["one", "two", "additive", "during", "rollback"])
def test_a_good_release_serves_and_leaves_one_container_of_each_service(story: Story, name: str) -> None:
    run = story.runs[name]
    assert run.code == 0, run.message
    assert story.clean[name]
    switch = run.part("switch") if name != "rollback" else run.tasks["Run the application on that release"]
    assert story.serving[name] != switch["before"]
    assert {"queued", "in_flight"} <= set(switch["tasks_before"])
    assert {"queued", "in_flight"} <= set(switch["tasks_after"])


def test_a_release_that_never_gets_healthy_is_refused_with_its_own_words(story: Story) -> None:
    run = story.runs["unhealthy"]
    assert run.code != 0
    assert "was not ready within 20 s" in run.message
    assert "503" in run.message
    assert story.serving["unhealthy"] == story.serving["additive"]
    assert story.clean["unhealthy"]


def test_a_migration_that_fails_half_way_names_itself_and_the_dump(story: Story) -> None:
    run = story.runs["half"]
    assert run.code != 0
    assert "traffic.0005_half failed" in run.message
    assert "Add field half_done" in run.message
    assert f"{STACK_DIR}/backups/" in run.message
    assert story.serving["half"] == story.serving["additive"]
    assert story.clean["half"]
    (dump,) = [word for word in run.message.split() if word.startswith(f"{STACK_DIR}/backups/")][:1]
    text = Host().run(f"zcat {dump.rstrip('.,;:')}")
    assert "CREATE TABLE" in text
    assert "-- Dump completed" in text


def test_a_second_deploy_is_refused_by_name(story: Story) -> None:
    run = story.runs["second"]
    assert run.code != 0
    assert "another run is at work" in run.message
    assert "ansible-playbook" in run.message
    assert run.changed == []


def test_going_back_is_told_that_the_schema_is_ahead(story: Story) -> None:
    found = story.runs["rollback"].tasks["Find the release to go back to"]
    assert "traffic.0003_entry_agents" in " ".join(found["schema"]["migrations"])
    assert story.serving["rollback"] == story.serving["additive"]


def test_the_audit_log_has_a_line_for_each_run(story: Story) -> None:
    assert story.runs
    lines = [json.loads(line) for line in Host().run("cat /var/log/barehost/app.jsonl").splitlines()]
    # The second deploy is refused, and has written its line, before the first one ends.
    results = [line["result"] for line in lines][-8:]
    assert results == ["ok", "ok", "ok", "failed", "failed", "failed", "ok", "ok"]
    assert {"who", "command", "from", "to", "seconds", "steps"} <= set(lines[-1])
