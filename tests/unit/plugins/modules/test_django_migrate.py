# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""django_migrate against what real runs printed (MySQL 9.7, Django 5.2, Compose 2.26)."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from ansible.module_utils import basic
from ansible_collections.barehost.django.plugins.module_utils import _data_lock, _oneshot, _restore_journal, _serving
from ansible_collections.barehost.django.plugins.modules import django_migrate
from support.modules import CONTAINER, SERVING, Engine, recorded, run, sent, stack_runs

if TYPE_CHECKING:
    from pathlib import Path

ARGS = {"project_dir": "/opt/shop", "settings_module": "shop.settings", "python": "python3"}
RUN = ("run", "--rm")
# How a dry run asks.
EXEC = ("docker", "exec")
HELD = _data_lock.held
PLAN = [{"migration": "a.1", "operations": []}]


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no /opt/shop here to be at work in."""
    monkeypatch.setattr(_data_lock, "held", lambda *_args: nullcontext(0.0))


def test_nothing_is_applied_beside_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_data_lock, "held", HELD)
    engine = Engine().on(*RUN, reply=recorded("migrate_apply"))
    with HELD(tmp_path, "backup"):
        result = run(django_migrate.main, {**ARGS, "project_dir": str(tmp_path), "timeout": 0}, engine)
    assert result["msg"].startswith("nothing was applied: backup (process ")
    assert engine.work == []
    result = run(django_migrate.main, {**ARGS, "project_dir": str(tmp_path), "timeout": 0}, engine)
    assert result["msg"] == "19 migrations applied"


HALF_DONE = (
    "nothing was applied: the restore 20261126T030000Z was killed in the middle: run barehost.django.restore again"
)


def half_done(tmp_path: Path) -> dict[str, object]:
    _restore_journal.write(tmp_path, _restore_journal.Journal("20261126T030000Z", "shop"))
    return {**ARGS, "project_dir": str(tmp_path), "timeout": 1}


def test_nothing_is_applied_to_what_a_restore_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_data_lock, "held", HELD)
    engine = Engine().on(*RUN, reply=recorded("migrate_apply"))
    assert run(django_migrate.main, half_done(tmp_path), engine)["msg"].startswith(HALF_DONE)
    assert engine.work == []


def test_a_dry_run_says_the_same_where_there_is_something_to_apply(tmp_path: Path) -> None:
    args = half_done(tmp_path)
    asked = [stack_runs(Engine()).on(*EXEC, reply=recorded(f"migrate_{name}")) for name in ("plan", "nothing")]
    there, nothing = (run(django_migrate.main, args, engine, check=True) for engine in asked)
    assert there["msg"].startswith(HALF_DONE)
    assert nothing["msg"] == "the schema is up to date"
    given = run(django_migrate.main, {**args, "plan": PLAN}, Engine(), check=True)
    assert given["msg"].startswith(HALF_DONE)


def test_applies(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    engine = Engine().on(*RUN, reply=recorded("migrate_apply"))
    result = run(django_migrate.main, {**ARGS, "compose_files": [str(file)], "timeout": 77}, engine)
    assert result["changed"] is True
    assert result["msg"] == "19 migrations applied"
    assert result["applied"] == [step["migration"] for step in result["plan"]]
    assert result["applied"][0] == "contenttypes.0001_initial"
    assert result["failed_migration"] is None
    assert result["heads"]["auth"] == "0012_alter_user_first_name_max_length"
    assert result["unknown"] == []
    assert result["kinds"] == {"additive": 23, "destructive": 0, "data": 1, "irreversible": 0}
    assert "optimization.0001_initial\n  - Create model Job (additive)\n" in result["diff"]["after"]
    call = engine.work[0]
    assert call.argv[:3] == ["/usr/bin/timeout", "--kill-after=10", "77"]
    name = call.argv[call.argv.index("--name") + 1]
    assert call.argv[3:] == [
        "docker", "compose", "--project-directory", "/opt/shop", "-f", str(file), "run", "--name", name,
        "--label", "barehost.django.oneshot=/opt/shop", "--rm", "--no-deps", "-T", "web", "python3", "-",
    ]  # fmt: skip
    assert sent(call)["settings_module"] == "shop.settings"
    assert sent(call)["apply"] is True
    assert sent(call)["lock_wait_timeout"] == 15
    assert len(engine.work) == 1


def test_nothing_to_apply() -> None:
    result = run(django_migrate.main, ARGS, Engine().on(*RUN, reply=recorded("migrate_nothing")))
    assert (result["changed"], result["applied"], result["plan"]) == (False, [], [])
    assert result["msg"] == "the schema is up to date"
    assert "diff" not in result


def test_schema_ahead_of_the_image() -> None:
    result = run(django_migrate.main, ARGS, Engine().on(*RUN, reply=recorded("migrate_unknown")))
    assert result["changed"] is False
    assert result["unknown"] == ["optimization.0002_note"]


def test_check_shows_the_plan() -> None:
    engine = stack_runs(Engine()).on(*EXEC, reply=recorded("migrate_plan"))
    result = run(django_migrate.main, {**ARGS, "timeout": 77}, engine, check=True)
    assert (result["changed"], result["applied"], result["plan_known"]) == (True, [], True)
    assert result["msg"] == "19 migrations would be applied"
    assert result["diff"]["after"].startswith("contenttypes.0001_initial\n  - Create model ContentType (additive)\n")
    [call] = engine.work
    assert call.argv[:3] == ["/usr/bin/timeout", "--kill-after=10", "77"]
    assert call.argv[3:] == ["docker", "exec", "--interactive", CONTAINER, "python3", "-"]
    assert sent(call)["settings_module"] == "shop.settings"
    assert (sent(call)["apply"], "source" in sent(call)) == (False, False)


def test_check_says_nothing_is_missing() -> None:
    engine = stack_runs(Engine()).on(*EXEC, reply=recorded("migrate_nothing"))
    result = run(django_migrate.main, {**ARGS, "release_id": SERVING}, engine, check=True)
    assert (result["changed"], result["plan"], result["msg"]) == (False, [], "the schema is up to date")


def test_check_with_a_plan_asks_nobody() -> None:
    asked = run(django_migrate.main, ARGS, stack_runs(Engine()).on(*EXEC, reply=recorded("migrate_plan")), check=True)
    engine = Engine(missing=("docker",))
    told = run(django_migrate.main, {**ARGS, "release_id": "abc", "plan": asked["plan"]}, engine, check=True)
    assert engine.calls == []
    assert (told["applied"], told["failed_migration"], told["plan_known"]) == ([], None, True)
    same = ("changed", "msg", "plan", "kinds", "diff")
    assert {key: told[key] for key in same} == {key: asked[key] for key in same}


@pytest.mark.parametrize("check", [False, True])
def test_what_the_serving_release_cannot_bear_is_refused(*, check: bool) -> None:
    engine = stack_runs(Engine()).on(*(EXEC if check else RUN), reply=recorded("migrate_refused"))
    result = run(django_migrate.main, {**ARGS, "serving": True}, engine, check=check)
    assert result["failed"] is True
    assert result["msg"] == (
        "nothing was applied: the release that serves cannot live with optimization.0003_broken: Add field colour to job "
        "(NOT NULL without a database default: an INSERT of the serving code, which does not know the column, would fail; "
        "give it null=True or db_default, and make it NOT NULL in a later release). Split the change over two releases, or "
        "accept errors of the release that serves until the switch with release_allow_destructive_migrations: true"
    )
    assert result["kinds"] == {"additive": 2, "destructive": 1, "data": 1, "irreversible": 1}
    assert (result["applied"], result["failed_migration"]) == ([], None)
    assert sent(engine.calls[-1])["refuse_destructive"] is True


@pytest.mark.parametrize(("serving", "allow"), [(False, False), (False, True), (True, True)])
def test_what_is_refused_only_while_something_serves(*, serving: bool, allow: bool) -> None:
    engine = Engine().on(*RUN, reply=recorded("migrate_apply"))
    run(django_migrate.main, {**ARGS, "serving": serving, "allow_destructive": allow}, engine)
    assert sent(engine.calls[-1])["refuse_destructive"] is False


def test_a_migration_fails_half_way() -> None:
    args = {**ARGS, "dump": "/opt/shop/backups/a.sql.gz"}
    result = run(django_migrate.main, args, Engine().on(*RUN, reply=recorded("migrate_broken")))
    assert result["failed"] is True
    assert result["failed_migration"] == "optimization.0003_broken"
    assert result["applied"] == ["optimization.0002_note"]
    assert [step["migration"] for step in result["plan"]] == ["optimization.0002_note", "optimization.0003_broken"]
    assert result["error"] == "OperationalError"
    assert result["failed_operation"] == "Raw SQL operation"
    assert result["done_operations"] == ["Add field colour to job"]
    assert result["msg"] == (
        "migration optimization.0003_broken failed: OperationalError: (1060, \"Duplicate column name 'note'\"). "
        "It failed at: Raw SQL operation. Operations of it that were done: Add field colour to job. "
        "Applied before that: optimization.0002_note. Dump from before: /opt/shop/backups/a.sql.gz. "
        "This database does not undo the part of a migration that was done, and the foreign keys and indexes that Django "
        "adds at its end may be missing: look at the schema before the next try"
    )
    assert "Duplicate column name" in result["detail"]


def test_a_lock_that_is_not_given() -> None:
    result = run(django_migrate.main, ARGS, Engine().on(*RUN, reply=recorded("migrate_locked")))
    assert result["failed_operation"] == "Add field colour to job"
    assert "(1205, 'Lock wait timeout exceeded" in result["msg"]
    assert "A transaction holds the table: find it in performance_schema.metadata_locks" in result["msg"]
    assert "Operations of it that were done: none" in result["msg"]
    assert "No dump was made before" in result["msg"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_database", "migrating failed: the database does not let the app in: OperationalError: (2005, "),
        ("no_settings", "migrating failed: the app does not start with these settings: ModuleNotFoundError: "),
        ("no_image", "migrating could not be started (exit 18): Error response from daemon: "),
        ("no_file", "migrating could not be started (exit 14): open /opt/shop/releases/missing.yaml"),
    ],
)
def test_failures_are_one_line(name: str, message: str) -> None:
    result = run(django_migrate.main, ARGS, Engine().on(*RUN, reply=recorded(name)))
    assert result["failed"] is True
    assert result["msg"].startswith(message)
    assert "\n" not in result["msg"]
    assert (result["applied"], result["failed_migration"], result["plan_known"]) == ([], None, False)


def test_the_container_is_removed_when_time_is_up() -> None:
    _code, out, _err = recorded("migrate_broken")
    engine = (
        Engine().on(*RUN, reply=(124, out.partition("failed")[0], "canceled")).on("rm", "--force", reply=(0, "", ""))
    )
    result = run(django_migrate.main, ARGS, engine)
    assert result["msg"].startswith(
        "migration optimization.0003_broken took longer than 600 seconds and was stopped. Operations of it that were "
    )
    assert result["done_operations"] == ["Add field colour to job"]
    name = engine.work[0].argv[engine.work[0].argv.index("--name") + 1]
    assert engine.work[1].argv == ["docker", "rm", "--force", name]


def lists(code: int, out: str, err: str = "") -> Engine:
    return Engine().on("ps", _serving.FORMAT, reply=(code, out, err))


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (Engine(missing=("docker",)), "Docker is not installed yet"),
        (lists(1, "", "Cannot connect to the Docker daemon"), "no container of the service web runs"),
        (lists(0, ""), "no container of the service web runs"),
        (stack_runs(Engine()).on(*EXEC, reply=recorded("no_database")), "the database does not answer yet"),
    ],
)
def test_check_on_a_host_that_cannot_be_asked(engine: Engine, reason: str) -> None:
    result = run(django_migrate.main, ARGS, engine, check=True)
    assert "failed" not in result
    assert (result["changed"], result["applied"], result["plan_known"]) == (True, [], False)
    assert result["msg"] == f"the plan cannot be known yet: {reason}"
    assert reason in result["diff"]["after"]


def test_check_of_a_release_that_does_not_serve_yet() -> None:
    engine = stack_runs(Engine())
    result = run(django_migrate.main, {**ARGS, "release_id": "abc"}, engine, check=True)
    assert (result["changed"], result["plan_known"], engine.work) == (True, False, [])
    assert result["msg"].startswith("the plan cannot be known yet: release abc does not serve, and its source is not")


def test_the_reason_of_whoever_asked_before_is_the_one_that_is_told() -> None:
    told = "the database does not answer yet"
    args = {**ARGS, "release_id": "abc", "unknown_because": told}
    result = run(django_migrate.main, args, stack_runs(Engine()), check=True)
    assert result["msg"] == f"the plan cannot be known yet: {told}"
    assert result["diff"]["after"] == f"every migration that is missing; which these are is unknown ({told})\n"


def test_a_broken_app_is_an_error_in_check_mode_too() -> None:
    engine = stack_runs(Engine()).on(*EXEC, reply=recorded("no_settings"))
    result = run(django_migrate.main, ARGS, engine, check=True)
    assert result["failed"] is True
    assert result["msg"].startswith("migrating failed: the app does not start with these settings: ModuleNotFoundError")


def test_no_docker_in_a_real_run() -> None:
    result = run(django_migrate.main, ARGS, Engine(missing=("docker",)))
    assert result["msg"] == "docker is not installed on this host: run the bootstrap playbook first"


def test_a_container_that_still_migrates_is_waited_for() -> None:
    engine = Engine(left_behind=["barehost-migrate-1 (Up 5 minutes)\n"]).on(*RUN, reply=recorded("migrate_apply"))
    with mock.patch.object(_oneshot.time, "sleep") as sleep, mock.patch.object(basic.AnsibleModule, "warn") as warn:
        result = run(django_migrate.main, ARGS, engine)
    assert "failed" not in result
    assert sleep.called
    assert "barehost-migrate-1 (Up 5 minutes) of an earlier run" in warn.call_args.args[0]


def test_check_does_not_wait_for_a_container_that_still_migrates() -> None:
    engine = stack_runs(Engine(left_behind=["barehost-migrate-1 (Up 5 minutes)\n"])).on(
        *EXEC, reply=recorded("migrate_plan")
    )
    with mock.patch.object(_oneshot.time, "sleep") as sleep:
        result = run(django_migrate.main, ARGS, engine, check=True)
    assert ("failed" in result, sleep.called) == (False, False)


def test_nothing_is_applied_beside_a_container_that_does_not_end() -> None:
    engine = Engine(left_behind=["barehost-migrate-1 (Up 5 minutes)\n"])
    result = run(django_migrate.main, {**ARGS, "timeout": 0}, engine)
    assert result["msg"].startswith(
        "barehost-migrate-1 (Up 5 minutes) of an earlier run is still at work, and did not end "
    )
    assert engine.work == []


def test_a_record_without_a_plan_asks_for_one_first(tmp_path: Path) -> None:
    engine = Engine().on(*RUN, reply=recorded("migrate_broken"))
    run(django_migrate.main, {**ARGS, "project_dir": str(tmp_path), "release_id": "abc"}, engine)
    assert [sent(call)["apply"] for call in engine.work] == [False, True]
    record = json.loads((tmp_path / "releases" / "abc.json").read_text())
    assert [(entry["migration"], entry["state"]) for entry in record["migrations"]] == [
        ("optimization.0002_note", "applied"),
        ("optimization.0003_broken", "half"),
    ]


def test_a_dry_run_writes_no_record(tmp_path: Path) -> None:
    engine = stack_runs(Engine(), "abc").on(*EXEC, reply=recorded("migrate_plan"))
    result = run(django_migrate.main, {**ARGS, "project_dir": str(tmp_path), "release_id": "abc"}, engine, check=True)
    assert result["plan_known"] is True
    assert list(tmp_path.iterdir()) == []
