# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""django_migrate against what real runs printed (MySQL 9.7, Django 5.2, Compose 2.26)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.modules import django_migrate
from support.modules import Engine, recorded, run, stack_runs

if TYPE_CHECKING:
    from pathlib import Path

ARGS = {"project_dir": "/opt/shop", "settings_module": "shop.settings", "python": "python3"}
RUN = ("run", "--rm")


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
    assert "optimization.0001_initial\n  - Create model Job\n" in result["diff"]["after"]
    call = engine.calls[0]
    assert call.argv[:3] == ["/usr/bin/timeout", "--kill-after=10", "77"]
    name = call.argv[call.argv.index("--name") + 1]
    assert call.argv[3:] == [
        "docker", "compose", "--project-directory", "/opt/shop", "-f", str(file),
        "run", "--name", name, "--rm", "--no-deps", "-T", "web", "python3", "-",
    ]  # fmt: skip
    assert '\\"settings_module\\": \\"shop.settings\\"' in (call.data or "")
    assert len(engine.calls) == 1


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
    engine = stack_runs(Engine()).on(*RUN, reply=recorded("migrate_plan"))
    result = run(django_migrate.main, ARGS, engine, check=True)
    assert (result["changed"], result["applied"], result["plan_known"]) == (True, [], True)
    assert result["msg"] == "19 migrations would be applied"
    assert result["diff"]["after"].startswith("contenttypes.0001_initial\n  - Create model ContentType\n")
    assert '\\"apply\\": false' in (engine.calls[-1].data or "")


def test_a_migration_fails_half_way() -> None:
    result = run(django_migrate.main, ARGS, Engine().on(*RUN, reply=recorded("migrate_broken")))
    assert result["failed"] is True
    assert result["failed_migration"] == "optimization.0003_broken"
    assert result["applied"] == ["optimization.0002_note"]
    assert [step["migration"] for step in result["plan"]] == ["optimization.0002_note", "optimization.0003_broken"]
    assert result["error"] == "OperationalError"
    assert result["msg"] == (
        "migration optimization.0003_broken failed: OperationalError: (1060, \"Duplicate column name 'note'\"). "
        "Applied before that: optimization.0002_note. "
        "MySQL does not undo the part of a migration that was done: look at the schema before the next try"
    )
    assert "Duplicate column name" in result["detail"]


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
    engine = Engine().on(*RUN, reply=(124, out.partition("OK")[0], "canceled")).on("rm", "--force", reply=(0, "", ""))
    result = run(django_migrate.main, ARGS, engine)
    assert result["msg"].startswith("migrating took longer than 600 seconds and was stopped. Applied before that: opt")
    name = engine.calls[0].argv[engine.calls[0].argv.index("--name") + 1]
    assert engine.calls[1].argv == ["docker", "rm", "--force", name]


def unbuilt(*, ps: tuple[int, str, str] = (0, "0a\n", ""), config: str = "{}", image: int = 0) -> Engine:
    engine = Engine().on("ps", reply=ps).on("config", reply=(0, config, ""))
    return engine.on("image", "inspect", reply=(image, "", "No such image"))


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (Engine(missing=("docker",)), "Docker is not installed yet"),
        (unbuilt(ps=(1, "", "Cannot connect to the Docker daemon")), "no container of the stack runs yet"),
        (unbuilt(ps=(0, "", "")), "no container of the stack runs yet"),
        (unbuilt(config='{"services": {}}'), "the Compose files have no service web yet"),
        (
            unbuilt(config='{"services": {"web": {"image": "shop/app:2"}}}', image=1),
            "the image shop/app:2 is not built yet",
        ),
        (stack_runs(Engine()).on(*RUN, reply=recorded("no_database")), "the database does not answer yet"),
    ],
)
def test_check_on_a_host_that_cannot_be_asked(engine: Engine, reason: str) -> None:
    result = run(django_migrate.main, ARGS, engine, check=True)
    assert "failed" not in result
    assert (result["changed"], result["applied"], result["plan_known"]) == (True, [], False)
    assert result["msg"] == f"the plan cannot be known yet: {reason}"
    assert reason in result["diff"]["after"]


def test_check_before_the_files_are_written(tmp_path: Path) -> None:
    args = {**ARGS, "compose_files": [str(tmp_path / "compose.yaml")]}
    result = run(django_migrate.main, args, Engine(), check=True)
    assert result["msg"] == f"the plan cannot be known yet: {tmp_path}/compose.yaml is not written yet"


def test_a_broken_app_is_an_error_in_check_mode_too() -> None:
    engine = stack_runs(Engine()).on(*RUN, reply=recorded("no_settings"))
    assert run(django_migrate.main, ARGS, engine, check=True)["failed"] is True


def test_no_docker_in_a_real_run() -> None:
    result = run(django_migrate.main, ARGS, Engine(missing=("docker",)))
    assert result["msg"] == "docker is not installed on this host: run the bootstrap playbook first"
