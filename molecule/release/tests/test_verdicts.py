# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a broken version, a hook and a second host do to a deploy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from conftest import STACK_DIR, VERSIONS, Host, deploy, serving, version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests import playbooks

# The order of the hosts is that of the batches.
BROKEN_TWIN = {"all": {"hosts": {"release": {}, "twin": {"django_command": ["gunicorn", "no.such:application"]}}}}


@pytest.fixture(scope="module")
def twins(base: Path) -> Path:
    """Return a version that both hosts serve."""
    run = deploy(base, hosts="release,twin")
    assert run.code == 0, run.message
    return base


@pytest.fixture(scope="module")
def broken_twin() -> str:
    """Return an inventory in which the second host cannot start any release."""
    file = VERSIONS / "broken_twin.json"
    file.write_text(json.dumps(BROKEN_TWIN))
    return str(file)


def verdicts(run: playbooks.PlaybookRun) -> dict[str, str]:
    """Map each host to the verdict that the run gave to whoever called it."""
    document = json.loads(run.output[run.output.find("{\n") : run.output.rfind("}") + 1])
    stats = document["global_custom_stats"]["barehost"]
    return {name: result["verdict"] for name, result in stats.items()}


def test_all_hosts_or_none(twins: Path, broken_twin: str) -> None:
    assert twins.exists()
    before = (serving(), serving("twin"))
    run = deploy(version("all-or-none", "additive", "data"), "-i", broken_twin, hosts="release,twin")
    assert run.code != 0
    assert (serving(), serving("twin")) == before
    assert verdicts(run) == {"release": "returned", "twin": "failed"}
    assert Host().is_clean()
    assert Host("twin").is_clean()


def test_earlier_batches_come_back(twins: Path, broken_twin: str) -> None:
    assert twins.exists()
    before = (serving(), serving("twin"))
    source = version("batches", "additive", "data")
    run = deploy(source, "-i", broken_twin, "-e", "release_serial=1", hosts="release,twin")
    assert run.code != 0
    assert verdicts(run) == {"release": "returned", "twin": "failed"}
    assert (serving(), serving("twin")) == before


def test_batches_whose_turn_has_not_come_are_left_alone(twins: Path) -> None:
    assert twins.exists()
    first = VERSIONS / "broken_first.json"
    broken = {"django_command": ["gunicorn", "no.such:application"]}
    first.write_text(json.dumps({"all": {"hosts": {"twin": broken, "release": {}}}}))
    before = Host().containers()
    source = version("later", "additive", "data")
    run = deploy(source, "-i", str(first), "-e", "release_serial=1", hosts="release,twin")
    assert run.code != 0
    assert verdicts(run) == {"release": "skipped", "twin": "failed"}
    assert Host().containers() == before


def test_each_host_by_itself_where_that_is_asked_for(twins: Path, broken_twin: str) -> None:
    assert twins.exists()
    before = (serving(), serving("twin"))
    source = version("by-itself", "additive", "data")
    run = deploy(source, "-i", broken_twin, "-e", "release_on_failure=per_host", hosts="release,twin")
    assert run.code != 0
    assert verdicts(run) == {"release": "deployed", "twin": "failed"}
    assert serving() != before[0]
    assert serving("twin") == before[1]


@pytest.mark.parametrize(
    ("variant", "said"), [("crash", "service web failed"), ("bad_worker", "service worker failed")]
)
def test_a_version_that_cannot_run_is_refused(base: Path, machine: Host, variant: str, said: str) -> None:
    assert base.exists()
    before = serving()
    run = deploy(version(variant, "additive", "data", variant))
    assert run.code != 0
    assert said in run.message
    assert f"release {before} serves on" in run.message
    assert serving() == before
    assert machine.is_clean(), machine.containers()


def test_a_release_that_is_not_proven_from_outside_goes_back(base: Path, machine: Host) -> None:
    assert base.exists()
    before = serving()
    checks = {"verify_checks": [{"name": "what is not there", "path": "/nowhere/"}]}
    run = deploy(version("unproven", "additive", "data"), "-e", json.dumps(checks))
    assert run.code != 0
    assert verdicts(run) == {"release": "returned"}
    assert "what is not there" in run.output
    assert serving() == before
    assert machine.is_clean(), machine.containers()


def test_a_destructive_migration_is_refused_until_it_is_allowed(base: Path, machine: Host) -> None:
    assert base.exists()
    before = serving()
    source = version("destructive", "additive", "data", "destructive")
    for options in (["--check"], []):
        # The dry run knows it from the source alone.
        run = deploy(source, *options)
        assert run.code != 0
        assert "traffic.0004_remove_entry_agent" in run.message
        assert "release_allow_destructive_migrations: true" in run.message
    assert serving() == before
    assert machine.is_clean()


def test_hooks_run_where_they_should(base: Path, machine: Host) -> None:
    assert base.exists()
    hook = VERSIONS / "hook.yml"
    hook.write_text(
        "- name: Leave a trace\n"
        '  ansible.builtin.command: sh -c "echo {{ release_verdict.state }} >> /root/hooks"\n'
        "  changed_when: true\n"
    )
    hooks = {f"release_hooks_{name}": [str(hook)] for name in ("before_migrate", "after_switch", "on_failure")}
    machine.run("rm -f /root/hooks")
    assert deploy(version("hooks", "additive", "data"), "-e", json.dumps(hooks)).code == 0
    assert machine.run("cat /root/hooks").split() == ["running", "running"]
    machine.run("rm -f /root/hooks")
    assert deploy(version("hooks-failed", "additive", "data", "crash"), "-e", json.dumps(hooks)).code != 0
    assert machine.run("cat /root/hooks").split() == ["running", "failed"]


def test_a_release_whose_image_is_gone_is_not_gone_back_to(
    base: Path, machine: Host, runner: Callable[..., Any]
) -> None:
    # Two releases that have served, one after the other: nothing but the image stands in the way to the first one.
    assert deploy(version("gone", "additive", "data")).code == 0
    gone = serving()
    assert deploy(base).code == 0
    before = serving()
    assert before != gone
    assert "activated" in machine.record(gone)
    machine.run(f"docker image rm app/app:{gone}")
    run = runner("rollback", "-e", f"release_id={gone}", "-e", "release_allow_schema_mismatch=true")
    assert run.code != 0
    assert f"app/app:{gone} is not on the host any more" in run.message
    assert run.changed == []
    assert serving() == before
    assert machine.is_clean(), machine.containers()


def test_no_more_releases_are_kept_than_asked_for(base: Path, machine: Host) -> None:
    assert base.exists()
    assert deploy(version("kept", "additive", "data"), "-e", "release_keep=2").code == 0
    images = machine.run('docker image ls --format "{{.Tag}}" app/app').split()
    assert len(images) == 2
    static = [name for name in machine.run(f"ls {STACK_DIR}/static").split() if len(name) == 12]
    assert sorted(static) == sorted(images)


def test_a_lock_that_somebody_left_is_named_and_can_be_broken(
    base: Path, machine: Host, runner: Callable[..., Any]
) -> None:
    # Soon and not now, so that it does not expire meanwhile; further ahead it would be one of a clock that was set back.
    sign = datetime.now(tz=UTC) + timedelta(seconds=1200)
    lock = json.dumps(
        {
            "token": "t" * 32,
            "owner": "alice@elsewhere",
            "command": "ansible-playbook deploy.yml",
            "controller": {"hostname": "elsewhere"},
            "step": "image",
            "steps": [],
            "started": "2026-01-01T00:00:00.000+00:00",
            "heartbeat": sign.isoformat(timespec="milliseconds"),
            "expiry_seconds": 1800,
        }
    )
    machine.run(f"cat > {STACK_DIR}/lock/deploy.json <<'EOF'\n{lock}\nEOF")
    refused = deploy(base)
    assert refused.code != 0
    assert "alice@elsewhere" in refused.message
    broken = runner("unlock")
    assert broken.code == 0, broken.message
    assert "alice@elsewhere" in broken.output
    assert deploy(base).code == 0


@pytest.mark.parametrize("serial", [[], ["-e", "release_serial=1"]])
def test_a_host_that_does_not_answer_takes_the_others_back(twins: Path, serial: list[str]) -> None:
    assert twins.exists()
    before = serving()
    unreachable = VERSIONS / "unreachable.json"
    unreachable.write_text(json.dumps({"all": {"hosts": {"release": {}, "twin": {"ansible_port": 9}}}}))
    source = version("unreachable", "additive", "data")
    run = deploy(source, "-i", str(unreachable), *serial, hosts="release,twin")
    assert run.code != 0
    assert verdicts(run) == {"release": "returned", "twin": "failed"}
    assert serving() == before
    assert not Host().run(f"ls {STACK_DIR}/lock/deploy.json || true")
