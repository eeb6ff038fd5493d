# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""django_superuser against what real runs printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _release
from ansible_collections.barehost.django.plugins.modules import django_superuser
from support.modules import CONTAINER, Engine, recorded, run, sent, stack_runs

if TYPE_CHECKING:
    from pathlib import Path

    from support.modules import Reply

PASSWORD = "hunter2'\"\\$ñ"
ARGS = {"project_dir": "/opt/shop", "username": "admin", "email": "admin@example.org", "password": PASSWORD}
EXEC = ("exec", "-T")
# How a dry run asks.
DRY = ("exec", "--interactive")
GONE = (1, "", "Error response from daemon: container 0a1b2c is not running\n")


@pytest.mark.parametrize(
    ("name", "changed", "created", "changes", "message"),
    [
        ("superuser_created", True, True, [], "superuser admin was created"),
        ("superuser_same", False, False, [], "superuser admin is as it should be"),
        ("superuser_changed", True, False, ["email", "password"], "superuser admin: set email, password"),
    ],
)
def test_real_answers(name: str, changed: bool, created: bool, changes: list[str], message: str) -> None:  # noqa: FBT001
    result = run(django_superuser.main, ARGS, Engine().on(*EXEC, reply=recorded(name)))
    assert (result["changed"], result["created"], result["changes"]) == (changed, created, changes)
    assert result["msg"] == message
    assert ("diff" in result) is changed
    assert "hunter2" not in json.dumps(result)


def test_the_password_travels_on_standard_input_only() -> None:
    engine = Engine().on(*EXEC, reply=recorded("superuser_same"))
    run(django_superuser.main, ARGS, engine)
    [call] = engine.calls
    assert call.argv == [
        "/usr/bin/timeout", "--kill-after=10", "60",
        "docker", "compose", "--project-directory", "/opt/shop", "exec", "-T", "web", "python", "-",
    ]  # fmt: skip
    assert "hunter2" in (call.data or "")


def test_in_a_container_of_its_own() -> None:
    engine = Engine().on("run", "--rm", reply=recorded("superuser_same"))
    run(django_superuser.main, {**ARGS, "container": "oneshot"}, engine)
    assert "--name" in engine.calls[0].argv


@pytest.mark.parametrize("container", ["running", "oneshot"])
def test_check_writes_nothing(container: str) -> None:
    engine = stack_runs(Engine()).on(*DRY, reply=recorded("superuser_changed"))
    result = run(django_superuser.main, {**ARGS, "container": container}, engine, check=True)
    assert result["msg"] == "superuser admin: would set email, password"
    assert result["diff"]["after"] == "superuser admin\nemail: as it should be\npassword: as it should be\n"
    [call] = engine.work
    assert call.argv[3:] == ["docker", "exec", "--interactive", CONTAINER, "python", "-"]
    assert (sent(call)["apply"], "source" in sent(call)) == (False, False)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (GONE, "Error response from daemon: container 0a1b2c is not running"),
        (recorded("no_database"), "the database does not answer yet"),
        (recorded("superuser_no_table"), "the users' table is not there yet"),
    ],
)
def test_check_on_a_host_that_is_being_built(reply: Reply, reason: str) -> None:
    result = run(django_superuser.main, ARGS, stack_runs(Engine()).on(*DRY, reply=reply), check=True)
    assert "failed" not in result
    assert (result["changed"], result["created"]) == (True, True)
    assert result["msg"] == f"superuser admin cannot be looked up yet: {reason}"


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (Engine(missing=("docker",)), "Docker is not installed yet"),
        (Engine().on("ps", reply=(0, "", "")), "no container of the service web runs"),
    ],
)
def test_check_on_a_host_that_cannot_be_asked(engine: Engine, reason: str) -> None:
    result = run(django_superuser.main, ARGS, engine, check=True)
    assert result["msg"] == f"superuser admin cannot be looked up yet: {reason}"


@pytest.mark.parametrize(
    ("known", "changed"),
    [
        ({"username": "admin", "email": "admin@example.org"}, False),
        ({"username": "admin", "email": "other@example.com"}, True),
        ({"username": "other", "email": "admin@example.org"}, True),
        # What a release before this one has written.
        ("admin", True),
        (None, True),
    ],
)
def test_one_that_the_last_deploy_has_found_is_not_announced(
    tmp_path: Path, known: dict[str, str] | str | None, *, changed: bool
) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "rel1.json").write_text(json.dumps({"id": "rel1", "superuser": known}))
    (tmp_path / "releases" / "current").symlink_to("rel1.json")
    engine = Engine().on("ps", reply=(0, "", ""))
    result = run(django_superuser.main, {**ARGS, "project_dir": str(tmp_path)}, engine, check=True)
    assert (result["changed"], result["created"], "username" in result) == (changed, changed, True)
    assert ("its password was not compared" in result["msg"]) is not changed


def test_what_the_record_does_not_say_is_not_taken_for_granted(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    known = {"username": "admin", "email": "admin@example.org"}
    (tmp_path / "releases" / "rel1.json").write_text(json.dumps({"id": "rel1", "superuser": known}))
    (tmp_path / "releases" / "current").symlink_to("rel1.json")
    asked = {**ARGS, "project_dir": str(tmp_path), "fields": {"phone": "1"}}
    assert run(django_superuser.main, asked, Engine().on("ps", reply=(0, "", "")), check=True)["changed"] is True


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("not_running", 'setting up superuser admin could not be started (exit 1): service "web" is not running'),
        (
            "superuser_no_table",
            "setting up superuser admin failed: ProgrammingError: (1146, \"Table 'app.auth_user' doesn't exist\")",
        ),
    ],
)
def test_failures(name: str, message: str) -> None:
    result = run(django_superuser.main, ARGS, Engine().on(*EXEC, reply=recorded(name)))
    assert (result["failed"], result["msg"]) == (True, message)
    assert "hunter2" not in json.dumps(result)


@pytest.mark.parametrize("name", ["username", "password"])
def test_empty(name: str) -> None:
    result = run(django_superuser.main, {**ARGS, name: ""})
    assert result["msg"] == f"{name} is empty: give the superuser one"


@pytest.mark.parametrize("check", [True, False])
def test_where_nothing_was_to_bring_the_app_up_one_that_does_not_run_is_a_failure(*, check: bool) -> None:
    engine = Engine().on("ps", reply=(1, "", "Cannot connect to the Docker daemon"))
    result = run(django_superuser.main, {**ARGS, "foreseen": False}, engine, check=check)
    assert result["failed"] is True
    assert result["msg"] == "setting up superuser admin: no container of the service web runs"


def test_where_nothing_was_to_bring_the_database_up_one_that_does_not_answer_is_a_failure() -> None:
    engine = stack_runs(Engine()).on(*DRY, reply=recorded("no_database"))
    result = run(django_superuser.main, {**ARGS, "foreseen": False}, engine, check=True)
    assert result["failed"] is True
    assert "the database does not let the app in" in result["msg"]


def test_a_container_of_its_own_needs_no_app_that_runs() -> None:
    engine = Engine().on("ps", reply=(0, "", "")).on("run", "--rm", reply=recorded("superuser_same"))
    result = run(django_superuser.main, {**ARGS, "container": "oneshot", "foreseen": False}, engine)
    assert "failed" not in result


def test_the_superuser_of_one_run_takes_no_compose() -> None:
    engine = stack_runs(Engine()).on(*DRY, reply=recorded("superuser_created"))
    result = run(django_superuser.main, {**ARGS, "foreseen": False}, engine)
    assert result["msg"] == "superuser admin was created"
    [call] = engine.work
    assert call.argv[3:] == ["docker", "exec", "--interactive", CONTAINER, "python", "-"]
    assert sent(call)["apply"] is True


@pytest.mark.parametrize(
    ("foreseen", "noted"), [(True, {"username": "admin", "email": "admin@example.org"}), (False, None)]
)
def test_the_superuser_of_every_deploy_is_noted(
    tmp_path: Path, noted: dict[str, str] | None, *, foreseen: bool
) -> None:
    path = _release.record_path(str(tmp_path), "a10")
    _release.update_record(path, "a10", "shop/app:a10", {"step": "done"})
    _release.name_current(str(tmp_path), "a10", "{}")
    args = {**ARGS, "project_dir": str(tmp_path), "foreseen": foreseen}
    answer = recorded("superuser_created")
    assert "failed" not in run(
        django_superuser.main, args, stack_runs(Engine()).on(*EXEC, reply=answer).on(*DRY, reply=answer)
    )
    record = _release.read_record(path) or {}
    assert (record.get("superuser"), record["step"]) == (noted, "done")
