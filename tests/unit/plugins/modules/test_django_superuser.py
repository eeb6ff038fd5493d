# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""django_superuser against what real runs printed."""

from __future__ import annotations

import json

import pytest
from ansible_collections.barehost.django.plugins.modules import django_superuser
from support.modules import Engine, recorded, run, stack_runs

PASSWORD = "hunter2'\"\\$ñ"
ARGS = {"project_dir": "/opt/shop", "username": "admin", "email": "admin@example.org", "password": PASSWORD}
EXEC = ("exec", "-T")


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


def test_check_writes_nothing() -> None:
    engine = stack_runs(Engine()).on(*EXEC, reply=recorded("superuser_changed"))
    result = run(django_superuser.main, ARGS, engine, check=True)
    assert result["msg"] == "superuser admin: would set email, password"
    assert '\\"apply\\": false' in (engine.calls[-1].data or "")
    assert result["diff"]["after"] == "superuser admin\nemail: as it should be\npassword: as it should be\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("not_running", 'service "web" is not running'),
        ("no_database", "the database does not answer yet"),
        ("superuser_no_table", "the users' table is not there yet"),
    ],
)
def test_check_on_a_host_that_is_being_built(name: str, reason: str) -> None:
    engine = stack_runs(Engine()).on(*EXEC, reply=recorded(name))
    result = run(django_superuser.main, ARGS, engine, check=True)
    assert "failed" not in result
    assert (result["changed"], result["created"]) == (True, True)
    assert result["msg"] == f"superuser admin cannot be looked up yet: {reason}"


def test_check_without_docker() -> None:
    result = run(django_superuser.main, ARGS, Engine(missing=("docker",)), check=True)
    assert result["msg"] == "superuser admin cannot be looked up yet: Docker is not installed yet"


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
