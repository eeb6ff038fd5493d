# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A drill sees that a backup comes back, finds what was planted in one, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import backups
import pytest

from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Host

    from tests.playbooks import PlaybookRun

SERVERS = f"docker ps --quiet --filter label={backups.LABEL}"


@pytest.fixture
def backup(machine: Host) -> Iterator[str]:
    """Make a backup, and see that nothing is left of what was done with it."""
    with backups.settings(machine, offsite={}):
        name = backups.make(machine)
        yield name
        assert backups.left_by_drills(machine) == ""
        assert machine.serves()


def test_the_newest_backup_comes_back(machine: Host, backup: str, runner: Callable[..., PlaybookRun]) -> None:
    done = runner("restore_drill")
    assert done.code == 0, done.message
    assert done.changed == []
    found = done.tasks["See that a backup comes back"]["drill"]
    manifest = json.loads(machine.run(f"cat {backups.BACKUPS}/{backup}/manifest.json"))
    assert (found["id"], found["rows"], found["tables"]) == (backup, manifest["rows"], len(manifest["tables"]))
    assert sorted(found["seconds"]) == ["app", "compare", "load", "start", "verify"]
    assert found["app"].startswith("a row of each of ")
    noted = backups.state(machine)["drill"]
    assert (noted["success"]["id"], noted["failure"]) == (backup, None)
    line = backups.audit(machine)
    assert (line["command"], line["to"], line["result"], line["who"]) == ("drill", backup, "ok", "playbook")


def test_a_dry_run_says_what_would_be_done_and_starts_nothing(
    machine: Host, backup: str, runner: Callable[..., PlaybookRun]
) -> None:
    before = machine.run(f"cat {backups.BACKUPS}/state.json; wc -l {backups.AUDIT}")
    done = runner("restore_drill", "--check")
    assert done.code == 0, done.message
    assert f"would load backup {backup} (" in done.tasks["See that a backup comes back"]["msg"]
    assert machine.run(f"cat {backups.BACKUPS}/state.json; wc -l {backups.AUDIT}") == before


def test_a_row_that_is_missing_is_found_by_its_count(
    machine: Host, backup: str, runner: Callable[..., PlaybookRun]
) -> None:
    # The planter has made the checksums anew, and has changed the audit log, too.
    with backups.tampered(machine, backup, "row", log=True):
        code, said = backups.run(machine, "drill")
        assert code == 1
        assert "does not come back as it was: table " in said
        assert " rows and the manifest says " in said
        assert "does not come back" in backups.state(machine)["drill"]["failure"]["message"]
        assert backups.audit(machine)["result"] == "failed"
        report = runner("status").tasks["Show the status"]["report"]["hosts"]
        assert "the last drill failed at" in json.dumps(report)
    assert backups.run(machine, "drill")[0] == 0
    assert backups.state(machine)["drill"]["failure"] is None


def test_counts_that_were_made_anew_are_found_by_the_audit_log(machine: Host, backup: str) -> None:
    with backups.tampered(machine, backup, "row", counts=True):
        code, said = backups.run(machine, "drill")
    assert code == 1
    assert "manifest.json is not the one that was written" in said


@pytest.mark.parametrize(
    ("change", "log", "why"),
    [
        ("byte", False, "database.sql.zst has SHA-256"),
        ("end", True, "its end is missing, the line `-- Dump completed`"),
    ],
)
def test_what_is_damaged_is_found(machine: Host, backup: str, change: str, log: bool, why: str) -> None:  # noqa: FBT001
    with backups.tampered(machine, backup, change, log=log):
        code, said = backups.run(machine, "drill")
    assert code == 1
    assert why in said


def test_a_newest_backup_that_is_damaged_is_not_passed_over(machine: Host, backup: str) -> None:
    manifest = f"{backups.BACKUPS}/{backup}/manifest.json"
    machine.run(f"mv {manifest} {manifest}.kept && : > {manifest}")
    try:
        code, said = backups.run(machine, "drill")
    finally:
        machine.run(f"mv {manifest}.kept {manifest}")
    assert code == 1
    assert f"{manifest} is no JSON" in said


def start(machine: Host) -> None:
    """Begin a drill, and wait until its server is there."""
    machine.run(f"nohup {backups.PROGRAM} drill > /root/drill.out 2>&1 & echo $! > /root/drill.pid")
    wait_until(lambda: machine.run(SERVERS) != "", "the server of a drill", 60)


def ended(machine: Host) -> bool:
    """Whether that drill is over."""
    return machine.run("kill -0 $(cat /root/drill.pid) 2> /dev/null && echo alive || true") == ""


def test_its_server_has_no_network_and_limits(machine: Host, backup: str) -> None:
    start(machine)
    shown = "{{.HostConfig.NetworkMode}} {{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.AutoRemove}}"
    assert machine.run(f"docker inspect --format '{shown}' $({SERVERS})") == f"none {1 << 30} {5 * 10**8} true"
    # A second one at the same time.
    code, said = backups.run(machine, "drill")
    assert code == 1
    assert "another restore drill is at work" in said
    wait_until(lambda: ended(machine), "the end of the drill", 300)
    assert f"{backup}: " in machine.run("cat /root/drill.out")
    assert backups.state(machine)["drill"]["failure"] is None


def test_one_that_is_stopped_tidies_up_and_says_so(machine: Host, backup: str) -> None:
    start(machine)
    machine.run("kill $(cat /root/drill.pid)")
    wait_until(lambda: ended(machine), "the end of the drill", 60)
    assert backups.left_by_drills(machine) == ""
    assert "it was stopped by SIGTERM" in backups.state(machine)["drill"]["failure"]["message"]
    assert backup in backups.ids(machine)


def test_what_one_that_was_killed_has_left_is_removed_by_the_next(machine: Host, backup: str) -> None:
    start(machine)
    machine.run("kill -9 $(cat /root/drill.pid)")
    wait_until(lambda: ended(machine), "the end of the drill", 60)
    assert backups.left_by_drills(machine) != ""
    code, said = backups.run(machine, "drill")
    assert code == 0, said
    assert backup in said
