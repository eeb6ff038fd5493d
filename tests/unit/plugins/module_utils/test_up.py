"""What it takes to bring services to what the files say, with a fake engine that records calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _compose, _up

if TYPE_CHECKING:
    from pathlib import Path


def container(service: str = "web", **more: Any) -> dict[str, Any]:
    """Return an element of `docker container inspect`, as the engine gives it."""
    state = {"Status": "running", "ExitCode": 0, "OOMKilled": False, "StartedAt": "2026-01-01T00:00:00Z"}
    state.update(more.pop("state", {}))
    return {
        "Id": more.pop("id", f"{service}-1"),
        "Name": f"/shop-{service}-1",
        "Image": more.pop("image_id", "sha256:1"),
        "RestartCount": more.pop("restarts", 0),
        "State": state,
        "Config": {
            "Image": "shop/app:1",
            "Labels": {
                _compose.LABEL_SERVICE: service,
                _compose.LABEL_DEFINITION: more.pop("definition", "d1"),
                _compose.LABEL_ONEOFF: more.pop("oneoff", "False"),
            },
        },
        "NetworkSettings": {"Networks": {"shop_backend": {"IPAddress": "192.0.2.7"}}},
    }


def snapshot(*containers: dict[str, Any], image_ids: dict[str, str] | None = None) -> _up.Snapshot:
    """Return a snapshot of one service, web."""
    return _up.Snapshot(
        {"web": _compose.Wanted("shop/app:1", "d1")},
        {"shop/app:1": "sha256:1"} if image_ids is None else image_ids,
        _compose.parse_containers(json.dumps(containers)),
    )


@pytest.mark.parametrize(
    ("found", "action"),
    [
        ((), "create"),
        ((container(),), "none"),
        ((container(definition="d0"),), "recreate"),
        ((container(image_id="sha256:0"),), "recreate"),
        ((container(state={"Status": "exited"}),), "start"),
        ((container(state={"Status": "created"}),), "start"),
        ((container(state={"Status": "paused"}),), "unpause"),
        ((container(state={"Status": "paused"}, definition="d0"),), "recreate"),
        ((container(state={"Status": "dead"}),), "recreate"),
        ((container(oneoff="True"),), "create"),
    ],
)
def test_the_step_follows_from_what_is_there(found: tuple[dict[str, Any], ...], action: str) -> None:
    (step,) = _up.plan(["web"], snapshot(*found))
    assert step.action == action


@pytest.mark.parametrize(("status", "action"), [("running", "restart"), ("exited", "start")])
def test_only_what_runs_is_restarted_for_its_health(status: str, action: str) -> None:
    state = {"Status": status, "Health": {"Status": "unhealthy", "Log": []}}
    found = container(state=state)
    found["Config"]["Labels"][_up.TIER_LABEL] = "app"
    (step,) = _up.plan(["web"], snapshot(found))
    assert step.action == action
    assert ("unhealthy" in step.reason) is (status == "running")


@pytest.mark.parametrize(("streak", "health"), [(0, "starting"), (3, "unhealthy")])
def test_unhealthy_is_what_has_failed_and_not_what_the_engine_stopped_to_ask(streak: int, health: str) -> None:
    """Docker 26.1 says so of what is paused, and of everything that it finds running when it is started itself."""
    state = {"Status": "running", "Health": {"Status": "unhealthy", "FailingStreak": streak, "Log": []}}
    (found,) = _compose.parse_containers(json.dumps([container(state=state)]))
    assert found.health == health


def test_what_is_paused_goes_on_before_anything_else_is_done_to_it() -> None:
    fake = FakeEngine(
        [
            container(id="web-1", state={"Status": "paused"}),
            container(id="web-2", state={"Status": "exited"}),
            container("redis", id="redis-1", state={"Status": "paused"}),
            container("mysql", id="mysql-1", state={"Status": "paused"}),
            container("worker", id="worker-1", state={"Status": "dead"}),
        ]
    )
    steps = [("web", "unpause"), ("redis", "recreate"), ("worker", "recreate"), ("mysql", "none")]
    touched = engine(fake).carry_out([_up.Step(*step) for step in steps])
    assert touched == ["web", "redis", "worker"]
    assert [argv for argv in fake.calls if argv[1] not in ("ps", "container", "compose")] == [
        ["docker", "unpause", "web-1", "redis-1"],
        ["docker", "rm", "--force", "worker-1"],
        ["docker", "start", "web-2"],
    ]
    (started,) = [argv for argv in fake.calls if argv[1] == "compose"]
    assert started[-2:] == ["redis", "worker"]


def test_a_paused_container_of_no_service_hears_that_it_is_to_stop() -> None:
    fake = FakeEngine([])
    engine(fake).remove(_compose.parse_containers(json.dumps([container(state={"Status": "paused"})])))
    assert [argv[1] for argv in fake.calls] == ["unpause", "stop", "rm"]


def test_an_image_that_is_gone_means_recreate() -> None:
    (step,) = _up.plan(["web"], snapshot(container(), image_ids={}))
    assert step.action == "recreate"


def test_a_service_that_the_files_do_not_name_is_refused() -> None:
    with pytest.raises(_up.UpError, match="no service wev in the Compose files; known: web"):
        _up.plan(["wev"], snapshot())


def test_orphans_are_the_containers_of_services_that_are_gone() -> None:
    found = _up.orphans(snapshot(container(), container("consumer")))
    assert [item.service for item in found] == ["consumer"]


class FakeEngine:
    """Answers from a script and records every command line."""

    def __init__(self, *moments: list[dict[str, Any]]) -> None:
        """Take the containers as they are at each look; the last moment stays."""
        self.moments = list(moments)
        self.calls: list[list[str]] = []

    def __call__(self, argv: list[str]) -> tuple[int, str, str]:
        """Answer one command."""
        self.calls.append(argv)
        if argv[:2] == ["docker", "ps"]:
            return 0, "web-1\n", ""
        if argv[:3] == ["docker", "container", "inspect"]:
            moment = self.moments.pop(0) if len(self.moments) > 1 else self.moments[0]
            return 0, json.dumps(moment), ""
        if argv[:2] == ["docker", "logs"]:
            return 0, "", "ModuleNotFoundError: No module named 'shop'\n"
        return 0, "", ""


def engine(fake: FakeEngine) -> _up.Engine:
    """Return an engine that talks to the fake."""
    return _up.Engine(fake, "/opt/shop", ["/opt/shop/compose.yaml"], "shop")


def test_the_log_is_searched_for_the_cause() -> None:
    cause = "Traceback (most recent call last):\n  File\nKeyError: 'PAYMENT_KEY'\n"
    calls = []

    def run(argv: list[str]) -> tuple[int, str, str]:
        calls.append(argv)
        return 0, "", cause + "later\n" * 60

    (item,) = _compose.parse_containers(json.dumps([container()]))
    assert "KeyError: 'PAYMENT_KEY'" in _up.Engine(run, "/opt/shop", [], "shop").report(item, "failed")
    assert calls[0] == ["docker", "logs", "--tail", "200", "web-1"]


def test_up_names_its_services_and_never_their_dependencies() -> None:
    fake = FakeEngine([])
    engine(fake).up(["web", "worker"])
    assert fake.calls == [
        [
            "docker", "compose", "--project-directory", "/opt/shop", "-f", "/opt/shop/compose.yaml",
            "up", "--detach", "--no-deps", "--quiet-pull", "web", "worker",
        ],
    ]  # fmt: skip
    engine(fake).up([])
    assert len(fake.calls) == 1


def test_a_command_that_fails_is_named_with_what_it_said() -> None:
    with pytest.raises(_up.UpError, match=r"`docker compose … web` ended with 17: no such image"):
        _up.Engine(lambda _: (17, "", "no such image"), "/opt/shop", [], "shop").up(["web"])


def test_in_a_dry_run_what_was_rendered_counts_and_not_the_old_files() -> None:
    fake = FakeEngine([container(definition="d1")])
    answer = '{"services": {"web": {"image": "shop/app:1", "labels": {"barehost.django.definition": "d1"}}}}'
    engine_ = _up.Engine(
        lambda argv: (0, answer, "") if "config" in argv else fake(argv),
        "/opt/shop",
        [],
        "shop",
        {"web": "d2", "new": "d1"},
    )
    steps = _up.plan(["web", "new"], engine_.snapshot())
    assert [(step.service, step.action) for step in steps] == [("web", "recreate"), ("new", "create")]


def test_where_definitions_and_images_are_known_compose_is_not_asked() -> None:
    fake = FakeEngine([container(definition="d1")])
    known = _up.Engine(fake, "/opt/shop", [], "shop", {"web": "d1", "worker": "d2"}).snapshot({"web": "shop/app:1"})
    assert known.services["web"] == _compose.Wanted("shop/app:1", "d1")
    assert sorted(known.services) == ["web", "worker"]
    assert [call for call in fake.calls if "config" in call] == []


def test_an_image_named_by_digest_or_with_its_registry_is_found() -> None:
    reference = "docker.io/library/mysql:9.7"
    calls = []

    def run(argv: list[str]) -> tuple[int, str, str]:
        calls.append(argv)
        return 0, json.dumps([{"Id": "sha256:9", "RepoTags": ["mysql:9.7"], "RepoDigests": []}]), ""

    assert _up.Engine(run, "/opt/shop", [], "shop").image_ids([reference])[reference] == "sha256:9"
    assert len(calls) == 2


def test_a_reload_tests_the_files_first_and_waits_until_they_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_up, "RELOAD_POLL_SECONDS", 0.0)
    (item,) = _compose.parse_containers(json.dumps([container()]))
    fake, answers = FakeEngine([]), [False, True]
    engine(fake).reload(item, ["test"], ["load"], lambda: answers.pop(0))
    assert fake.calls == [["docker", "exec", "web-1", word] for word in ("test", "load")]
    assert answers == []


def test_files_that_are_never_loaded_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_up, "RELOAD_SECONDS", 0.0)
    (item,) = _compose.parse_containers(json.dumps([container()]))
    with pytest.raises(_up.UpError, match="service web did not load its new configuration"):
        engine(FakeEngine([])).reload(item, ["test"], ["load"], lambda: False)


@pytest.mark.parametrize(
    ("content", "names"), [(b'{"services": {}}', 2), (b"", 1), (bytes([0xDF, 0x00]), 1), (None, 1)]
)
def test_an_override_that_is_damaged_or_missing_is_left_out(tmp_path: Path, content: bytes | None, names: int) -> None:
    if content is not None:
        (tmp_path / "compose.override.yaml").write_bytes(content)
    assert len(_up.compose_files(str(tmp_path))) == names


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "0 [ERROR] [MY-000067] [Server] unknown variable 'a=1'.\n" + "0 [Warning] [MY-1] [InnoDB] no NUMA\n" * 40,
            ": it says: unknown variable 'a=1'; its last log lines:\n0 [Warning]",
        ),
        ("listening\n", "); its last log lines:\nlistening"),
    ],
)
def test_what_a_server_says_against_its_configuration_is_not_lost_among_its_last_lines(log: str, said: str) -> None:
    engine = _up.Engine(lambda _argv: (0, "", log), "/opt/shop", [], "shop")
    (found,) = _compose.parse_containers(json.dumps([container("mysql", state={"Status": "restarting"})]))
    assert said in engine.report(found, "failed")


OLD, NEW = ("0 [ERROR] [MY-000067] [Server] unknown variable 'a=1'.\n", "0 [ERROR] [MY-1] [Server] no space left.\n")


@pytest.mark.parametrize(
    ("started", "restarts", "log", "said"),
    [
        ("2026-11-26T13:07:29.412085Z", 0, OLD, ""),
        ("2026-11-26T13:07:29.412085Z", 0, OLD + NEW, "no space left"),
        ("2026-11-26T13:07:29.412085Z", 3, OLD + NEW, "no space left"),
        # It has just been started again, and fails in a moment for the same reason.
        ("2026-11-26T13:07:29.412085Z", 3, OLD, "unknown variable 'a=1'"),
        ("0001-01-01T00:00:00Z", 0, OLD, "unknown variable 'a=1'"),
    ],
    ids=["put right", "another", "again", "not yet", "never started"],
)
def test_what_a_server_said_before_its_last_start_is_not_its_complaint(
    started: str, restarts: int, log: str, said: str
) -> None:
    def run(argv: list[str]) -> tuple[int, str, str]:
        since = [word for word in argv if word.startswith("--since=")]
        # A moment earlier: some are done before the engine has noted that they were started.
        assert since in ([], ["--since=2026-11-26T13:07:28Z"])
        return 0, "", log.removeprefix(OLD) if since else log

    state = {"Status": "restarting", "StartedAt": started}
    (found,) = _compose.parse_containers(json.dumps([container("mysql", state=state, restarts=restarts)]))
    report = _up.Engine(run, "/opt/shop", [], "shop").report(found, "failed")
    assert (f": it says: {said};" in report) is bool(said)
    assert ("it says" in report) is bool(said)
    assert report.endswith(log.strip())


@pytest.mark.parametrize(
    ("created", "said"),
    [
        # The first start of several says it in full, and the last one may have been seen from its middle only.
        ("2026-11-26T13:07:20.1Z", "unknown variable 'a=1'"),
        ("2026-11-20T08:00:00.1Z", "no space left"),
    ],
)
def test_a_new_container_has_said_nothing_that_was_put_right_since(created: str, said: str) -> None:
    def run(argv: list[str]) -> tuple[int, str, str]:
        since = any(word.startswith("--since=") for word in argv)
        return 0, "", NEW if since else OLD + NEW

    state = {"Status": "restarting", "StartedAt": "2026-11-26T13:07:29.4Z"}
    item = {**container("mysql", state=state, restarts=2), "Created": created}
    (found,) = _compose.parse_containers(json.dumps([item]))
    assert f": it says: {said};" in _up.Engine(run, "/opt/shop", [], "shop").report(found, "failed")


def test_a_password_is_masked_among_the_last_lines_as_well() -> None:
    log = ">>> 'user bob on >sesame ~* bogus'\nError in user declaration '>sesame': Syntax error\n"
    (found,) = _compose.parse_containers(json.dumps([container("redis")]))
    report = _up.Engine(lambda _argv: (0, log, ""), "/opt/shop", [], "shop").report(found, "failed")
    assert report.count("Error in user declaration '********': Syntax error") == 2
    assert "sesame" not in report
