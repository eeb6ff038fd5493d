# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""compose_up: what it says of a later call, of which nothing is done now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _data_lock, _restore_journal
from ansible_collections.barehost.django.plugins.modules import compose_up
from support.modules import Engine, run

if TYPE_CHECKING:
    from pathlib import Path


def container(service: str, definition: str = "1", state: str = "running") -> dict[str, Any]:
    """Return what the engine says of a container."""
    labels = {"com.docker.compose.service": service, "barehost.django.definition": definition}
    return {
        "Id": f"{service}-id",
        "Name": f"/shop-{service}-1",
        "Image": "sha256:1",
        "Config": {"Labels": labels, "Image": service},
        "State": {"Status": state},
    }


def engine_of(*containers: dict[str, Any]) -> Engine:
    """Return an engine that has these, of a project with redis and nginx."""
    services = {
        name: {"image": f"{name}:1", "labels": {"barehost.django.definition": "1"}} for name in ("redis", "nginx")
    }
    images = [{"Id": "sha256:1", "RepoTags": ["redis:1", "nginx:1"]}]
    engine = Engine().on("config", reply=(0, json.dumps({"services": services}), ""))
    engine.on("image", "inspect", reply=(0, json.dumps(images), ""))
    engine.on("ps", reply=(0, " ".join(item["Id"] for item in containers), ""))
    engine.on("container", "inspect", reply=(0, json.dumps(containers), ""))
    return engine


def args(tmp_path: Path, *, orphans: bool = True) -> dict[str, Any]:
    (tmp_path / "compose.yaml").touch()
    ahead = {"services": ["nginx"], "remove_orphans": orphans}
    return {"project_dir": str(tmp_path), "project": "shop", "services": ["redis"], "ahead": ahead}


def test_nothing_is_ahead(tmp_path: Path) -> None:
    result = run(compose_up.main, args(tmp_path), engine_of(container("redis"), container("nginx")))
    assert (result["changed"], result["ahead"]) == (False, [])


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], [("nginx", "create")]),
        ([container("nginx", "0")], [("nginx", "recreate")]),
        ([container("nginx", state="exited")], [("nginx", "start")]),
        ([container("nginx"), container("mailer")], [("mailer", "remove")]),
    ],
)
def test_what_is_ahead_is_said_and_not_done(
    tmp_path: Path, others: list[dict[str, Any]], expected: list[tuple[str, str]]
) -> None:
    engine = engine_of(container("redis"), *others)
    result = run(compose_up.main, args(tmp_path), engine)
    assert [(step["service"], step["action"]) for step in result["ahead"]] == expected
    assert result["changed"] is False
    assert not [call.argv for call in engine.calls if {"up", "rm", "stop"} & set(call.argv)]


def test_orphans_may_stay(tmp_path: Path) -> None:
    engine = engine_of(container("redis"), container("nginx"), container("mailer"))
    assert run(compose_up.main, args(tmp_path, orphans=False), engine)["ahead"] == []


def test_a_dry_run_on_a_bare_host(tmp_path: Path) -> None:
    result = run(compose_up.main, args(tmp_path), Engine(missing=("docker",)), check=True)
    assert [(step["service"], step["action"]) for step in result["ahead"]] == [("nginx", "create")]


def test_without_ahead_nothing_is_said_of_it(tmp_path: Path) -> None:
    result = run(compose_up.main, {**args(tmp_path), "ahead": None}, engine_of(container("redis"), container("nginx")))
    assert "ahead" not in result


@pytest.mark.parametrize(
    ("state", "routed", "actions"),
    [
        ("exited", True, []),
        ("exited", False, ["start"]),
        ("exited", None, ["start"]),
        ("paused", True, []),
        # Any switch lets it go on.
        ("paused", False, []),
        ("paused", None, ["unpause"]),
    ],
)
def test_a_dry_run_knows_what_the_switch_before_it_does_to_the_edge(
    tmp_path: Path, state: str, actions: list[str], *, routed: bool | None
) -> None:
    switched = {} if routed is None else {"switched": {"service": "nginx", "routed": routed}}
    wish = {**args(tmp_path), "services": ["nginx"], **switched}
    result = run(compose_up.main, wish, engine_of(container("redis"), container("nginx", state=state)), check=True)
    assert [step["action"] for step in result["steps"]] == actions


@pytest.mark.parametrize("service", ["nginx", "mailer"])
def test_what_the_switch_does_not_do_is_left(tmp_path: Path, service: str) -> None:
    """An edge that is made anew is so after it, and another service is none of its business."""
    edge = container("nginx", "0") if service == "nginx" else container("nginx", state="exited")
    wish = {**args(tmp_path), "services": ["nginx"], "switched": {"service": service, "routed": True}}
    result = run(compose_up.main, wish, engine_of(container("redis"), edge), check=True)
    assert [step["action"] for step in result["steps"]] == ["recreate" if service == "nginx" else "start"]


def test_an_edge_that_the_switch_has_made_anew_is_so_once(tmp_path: Path) -> None:
    switched = {"service": "nginx", "routed": True, "remade": True}
    wish = {**args(tmp_path), "services": ["nginx", "redis"], "switched": switched}
    found = engine_of(container("redis", "0"), container("nginx", "0"))
    result = run(compose_up.main, wish, found, check=True)
    assert [(step["service"], step["action"]) for step in result["steps"]] == [("redis", "recreate")]


def test_no_server_ends_beside_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = _data_lock.held
    monkeypatch.setattr(_data_lock, "held", lambda root, who, **more: patient(root, who, 0, **more))
    old = container("redis", "0")
    old["Config"]["Labels"]["barehost.django.tier"] = "data"
    engine = engine_of(old, container("nginx"))
    with patient(tmp_path, "backup"):
        result = run(compose_up.main, args(tmp_path), engine)
    assert result["msg"].startswith("redis was left as it is: backup (process ")
    assert not [call.argv for call in engine.calls if {"up", "rm", "stop"} & set(call.argv)]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("state", ["running", "exited"])
def test_no_server_ends_under_a_restore_that_was_killed(tmp_path: Path, state: str, *, check: bool) -> None:
    _restore_journal.write(tmp_path, _restore_journal.Journal("20261126T030000Z", "shop"))
    old = container("redis", "0", state=state)
    old["Config"]["Labels"]["barehost.django.tier"] = "data"
    engine = engine_of(old, container("nginx"))
    engine.on("up", reply=(1, "", "no such image"))
    result = run(compose_up.main, {**args(tmp_path), "timeout": 0}, engine, check=check)
    refused = result.get("msg", "").startswith(
        "redis was left as it is: the restore 20261126T030000Z was killed in the middle"
    )
    # Without a server that runs nobody could restore.
    assert refused == (state == "running")
    assert bool([call.argv for call in engine.calls if "up" in call.argv]) == (state == "exited" and not check)
