# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a dry run asks, and whom: the container that serves."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _migrate, _oneshot, _program_migrate, _serving
from support.modules import CONTAINER, SERVING, Engine, assert_only_asked, recorded, run, sent, stack_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.modules import Reply

OTHER = "9d8c7b6a5f4e"
ARGS = {"project_dir": "/opt/shop", "settings_module": "shop.settings", "python": "python3"}
SPEC = {**_oneshot.ARGUMENTS, **_serving.ARGUMENTS, **_migrate.ARGUMENTS}


def within(
    what: Callable[[AnsibleModule], dict[str, Any]], engine: Engine, args: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Do something within a dry run of a module."""

    def main() -> None:
        module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
        try:
            result = what(module)
        except _serving.UnknownYetError as error:
            result = {"unknown": str(error)}
        module.exit_json(**result)

    found = run(main, {**ARGS, **(args or {})}, engine, check=True)
    assert_only_asked(engine)
    return found


def look(module: AnsibleModule) -> dict[str, Any]:
    found = _serving.serving(module, _oneshot.Project.from_params(module.params))
    return {"container": found.container, "release_id": found.release_id}


def lists(out: str, code: int = 0) -> Engine:
    return Engine().on("docker", "ps", reply=(code, out, ""))


def answers(reply: Reply) -> Engine:
    return stack_runs(Engine()).on("docker", "exec", reply=reply)


def says(**failed: str) -> Reply:
    """Return the answer of a program that fails."""
    event = {"event": "failed", "error": "E", "message": "m", "trace": "", **failed}
    return 1, f"\nbarehost-recorded:{json.dumps(event)}\n", ""


def question(release_id: str, *, now: bool = False) -> Callable[[AnsibleModule], dict[str, Any]]:
    def ask(module: AnsibleModule) -> dict[str, Any]:
        asked = _serving.Question(module, release_id)
        answer = asked.ask(_program_migrate, 77, now=now, database="default")
        return {"release_id": asked.release_id, "events": answer.events, "code": answer.code}

    return ask


@pytest.fixture
def context(tmp_path: Path) -> str:
    file = tmp_path / "context.tar"
    file.write_bytes(b"the source")
    return str(file)


def test_the_container_that_serves_is_looked_for_by_its_labels() -> None:
    engine = lists(f"{CONTAINER} registry.example.com:5000/shop/app:{SERVING}\n")
    found = within(look, engine, {"service": "app"})
    assert (found["container"], found["release_id"]) == (CONTAINER, SERVING)
    [call] = engine.calls
    labels = [word for word in call.argv if word.startswith("label=")]
    assert labels == [
        "label=com.docker.compose.project.working_dir=/opt/shop",
        "label=com.docker.compose.service=app",
        "label=com.docker.compose.oneoff=False",
    ]


def test_a_container_that_is_restarted_over_and_over_cannot_be_asked() -> None:
    engine = lists("")
    within(look, engine)
    assert "status=running" in engine.calls[0].argv


def test_of_several_containers_the_first_one_is_asked() -> None:
    found = within(look, lists(f"{CONTAINER} shop/app:{SERVING}\n1b2c3d shop/app:{OTHER}\n"))
    assert (found["container"], found["release_id"]) == (CONTAINER, SERVING)


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (Engine(missing=("docker",)), "Docker is not installed yet"),
        (lists("Cannot connect to the Docker daemon\n", 1), "no container of the service web runs"),
        (lists(""), "no container of the service web runs"),
        (lists("\n"), "no container of the service web runs"),
    ],
)
def test_where_nothing_serves_it_says_why(engine: Engine, reason: str) -> None:
    assert within(look, engine)["unknown"] == reason
    assert within(question(OTHER), engine, {"context": "/nowhere"})["unknown"] == reason


@pytest.mark.parametrize("release_id", [SERVING, ""])
def test_the_release_that_serves_is_asked_as_it_runs(release_id: str) -> None:
    engine = answers(recorded("migrate_plan"))
    result = within(question(release_id), engine, {"context": "/nowhere"})
    assert result["release_id"] == SERVING
    assert [event["event"] for event in result["events"]] == ["plan", "done"]
    [call] = engine.work
    assert call.argv == [
        "/usr/bin/timeout", "--kill-after=10", "77", "docker", "exec", "--interactive", CONTAINER, "python3", "-",
    ]  # fmt: skip
    assert sent(call) == {"settings_module": "shop.settings", "database": "default", "mark": "barehost-recorded:"}


def test_another_release_is_asked_through_its_source(context: str) -> None:
    engine = answers(recorded("migrate_plan"))
    assert within(question(OTHER), engine, {"context": context})["release_id"] == OTHER
    parameters = sent(engine.work[0])
    assert gzip.decompress(base64.b64decode(parameters.pop("source"))) == b"the source"
    assert parameters == {"settings_module": "shop.settings", "database": "default", "mark": "barehost-recorded:"}


def test_a_question_about_now_takes_no_source_along(context: str) -> None:
    engine = answers(recorded("migrate_plan"))
    within(question(OTHER, now=True), engine, {"context": context})
    assert "source" not in sent(engine.work[0])


def test_another_release_without_a_source_cannot_be_asked() -> None:
    engine = answers(recorded("migrate_plan"))
    assert within(question(OTHER), engine)["unknown"] == (
        f"release {OTHER} does not serve, and its source is not on the controller or larger than 16 MiB"
    )
    assert engine.work == []


@pytest.mark.parametrize("stage", ["source", "setup"])
def test_a_source_that_does_not_start_here_says_nothing_of_the_release(context: str, stage: str) -> None:
    engine = answers(says(stage=stage, error="KeyError", message="'NEW_VARIABLE'"))
    assert within(question(OTHER), engine, {"context": context})["unknown"] == (
        f"release {OTHER} does not serve, and its source does not start with the packages of the release that serves: "
        "KeyError: 'NEW_VARIABLE'"
    )


@pytest.mark.parametrize("error", ["ImportError", "ModuleNotFoundError"])
def test_a_package_that_a_migration_is_the_first_to_need_says_nothing_either(context: str, error: str) -> None:
    engine = answers(says(stage="plan", error=error, message="No module named 'new'"))
    assert within(question(OTHER), engine, {"context": context})["unknown"].endswith(f"{error}: No module named 'new'")


@pytest.mark.parametrize("stage", ["connect", "plan"])
def test_any_other_failure_of_a_source_is_its_answer(context: str, stage: str) -> None:
    result = within(question(OTHER), answers(says(stage=stage)), {"context": context})
    assert (result["code"], result["events"][0]["stage"]) == (1, stage)


@pytest.mark.parametrize("stage", ["source", "setup", "plan"])
def test_a_failure_of_the_release_that_serves_is_its_answer(context: str, stage: str) -> None:
    failure = says(stage=stage, error="ImportError")
    for release_id, now in ((SERVING, False), (OTHER, True)):
        result = within(question(release_id, now=now), answers(failure), {"context": context})
        assert (result["code"], result["events"][0]["stage"]) == (1, stage)
