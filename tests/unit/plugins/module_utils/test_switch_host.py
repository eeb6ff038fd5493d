# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host as the switch sees it: a scripted engine, real files, and real processes in the place of `docker stop`."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _compose,
    _edge,
    _mounts,
    _release,
    _switch_host,
    _up,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANSWER = r"queued 3\nin_flight 1\nnoise\nunacked none\n"
EDGE = _switch_host.Edge("nginx", "upstream", 8081, 80, ("nginx", "-t"), ("nginx", "-s", "reload"))
ROUTE = _edge.Route("web-1a2b", 8000, ("192.0.2.8",))


def container(name: str, service: str, status: str = "running", **addresses: str) -> dict[str, Any]:
    return {
        "Id": name,
        "Name": f"/shop-{name}",
        "Image": "sha256:1",
        "State": {"Status": status},
        "Config": {"Image": "shop/app:1", "Labels": {_compose.LABEL_SERVICE: service}},
        "NetworkSettings": {"Networks": {network: {"IPAddress": ip} for network, ip in addresses.items()}},
    }


class Docker:
    """Containers that commands change, and the commands."""

    def __init__(self, *containers: dict[str, Any]) -> None:
        """Begin with some containers."""
        self.containers = list(containers)
        self.calls: list[list[str]] = []
        self.answers: dict[str, tuple[int, str, str]] = {}
        self.on_create: Callable[[], None] = lambda: None
        self.on_start: Callable[[], None] = lambda: None
        self.on_unpause: Callable[[], None] = lambda: None

    def __call__(self, argv: list[str]) -> tuple[int, str, str]:
        """Answer a command."""
        for word, reply in self.answers.items():
            if word in argv:
                self.calls.append(argv)
                return reply
        if argv[:2] == ["docker", "ps"]:
            return 0, "\n".join(item["Id"] for item in self.containers), ""
        if argv[:3] == ["docker", "container", "inspect"]:
            return 0, json.dumps([item for item in self.containers if item["Id"] in argv[3:]]), ""
        self.calls.append(argv)
        if argv[:2] == ["docker", "rm"]:
            found = {item["Id"] for item in self.containers}
            self.containers = [item for item in self.containers if item["Id"] not in argv[2:]]
            return int(not set(argv[2:]) <= found), "", ""
        if "create" in argv:
            self.on_create()
        if argv[:2] == ["docker", "start"]:
            self.on_start()
        if argv[:2] == ["docker", "unpause"]:
            self.on_unpause()
        return 0, "", ""


@pytest.fixture
def docker() -> Docker:
    return Docker(
        container("web-1", "web", shop_frontend="192.0.2.7", shop_backend="198.51.100.7"),
        container("web-2", "web", "exited"),
        container("nginx-1", "nginx", shop_frontend="192.0.2.2"),
        container("redis-1", "redis"),
    )


def host(folder: Path, docker: Docker, **options: Any) -> _switch_host.SwitchHost:
    values: dict[str, Any] = {
        "engine": _up.Engine(docker, str(folder), ["compose.yaml"], "shop"),
        "root": folder,
        "release_id": "0123456789ab",
        "edge": EDGE,
        "probe_of": None,
        "tasks_of": ("redis", ["tasks"]),
    }
    callbacks = {"on_commit": lambda: None, "on_uncommit": lambda: None, "on_note": lambda _step: None}
    return _switch_host.SwitchHost(**{**values, **callbacks, **options})


def test_what_is_created_comes_on_top_of_what_is_there_and_is_told_by_service(tmp_path: Path, docker: Docker) -> None:
    docker.on_create = lambda: docker.containers.extend([container("web-3", "web"), container("worker-1", "worker")])
    new = host(tmp_path, docker).create({"web": 1, "worker": 1})
    assert new == {"web": ["web-3"], "worker": ["worker-1"]}
    assert docker.calls == [_compose.scale_cmd(str(tmp_path), ["compose.yaml"], {"web": 3, "worker": 1})]


def test_whom_a_new_container_does_not_see_it_is_brought_together_with_before_it_starts(
    tmp_path: Path, docker: Docker
) -> None:
    docker.on_create = lambda: docker.containers.append(container("web-3", "web", "created", shop_inner=""))
    host(tmp_path, docker).create({"web": 1})
    assert docker.calls[-1] == ["docker", "network", "connect", "--alias", "nginx", "shop_inner", "nginx-1"]
    assert not [argv for argv in docker.calls if argv[1] == "start"]


def test_only_what_is_there_is_removed(tmp_path: Path, docker: Docker) -> None:
    place = host(tmp_path, docker)
    place.remove(["web-2", "gone"])
    place.remove(["gone"])
    place.remove([])
    assert [item["Id"] for item in docker.containers] == ["web-1", "nginx-1", "redis-1"]


def test_what_cannot_be_removed_is_an_error(tmp_path: Path, docker: Docker) -> None:
    docker.answers["rm"] = (1, "", "container is running")
    with pytest.raises(_up.UpError, match="container is running"):
        host(tmp_path, docker).remove(["web-1"])


def test_nothing_to_start_is_no_command(tmp_path: Path, docker: Docker) -> None:
    place = host(tmp_path, docker)
    place.start([])
    place.restart([])
    place.start(["web-2"])
    assert docker.calls == [["docker", "start", "web-2"]]


# -- stopping ----------------------------------------------------------------------------------------------------


@pytest.fixture
def stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what says how `docker stop` behaves."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    for name in ("STOP_SECONDS", "STOP_MARGIN_SECONDS", "STOP_LIMIT_SECONDS"):
        monkeypatch.setattr(_switch_host, name, 0.3)

    def behave(script: str) -> None:
        (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "docker").chmod(0o755)

    return behave


def test_all_are_asked_to_stop_before_one_is_waited_for(
    tmp_path: Path, docker: Docker, stop: Callable[[str], None]
) -> None:
    # Each ends when the other one has been asked, too.
    stop(f'touch "{tmp_path}/$2"; until [ -e "{tmp_path}/web-1" ] && [ -e "{tmp_path}/web-2" ]; do sleep 0.02; done')
    docker.containers[0] = container("web-1", "web", "exited")
    docker.answers["--format"] = (0, "60\n", "")
    place = host(tmp_path, docker)
    place.stop(["web-1", "web-2"])
    place.stopped(["web-1", "web-2"])
    assert place.stopping == []


def test_what_runs_on_is_an_error(tmp_path: Path, docker: Docker, stop: Callable[[str], None]) -> None:
    stop("exit 1")
    docker.answers["--format"] = (0, "60\n", "")
    place = host(tmp_path, docker)
    place.stop(["web-1"])
    with pytest.raises(_up.UpError, match=r"^container shop-web-1 did not stop \(running\)$"):
        place.stopped(["web-1"])


@pytest.mark.parametrize("answer", [(0, "0\n", ""), (0, "-1\n", ""), (1, "", "no engine")])
def test_an_engine_that_does_not_come_back_is_waited_for_no_longer_than_the_grace(
    tmp_path: Path, docker: Docker, stop: Callable[[str], None], answer: tuple[int, str, str]
) -> None:
    stop("exec sleep 60")
    docker.answers["--format"] = answer
    place = host(tmp_path, docker)
    place.stop(["web-1", "web-2"])
    second = place.stopping[1][1]
    begun = place.now()
    with pytest.raises(
        _up.UpError, match=r"^container shop-web-1 did not stop within 0 s, its own grace included: look"
    ):
        place.stopped(["web-1", "web-2"])
    assert place.now() - begun < 20
    # The way back waits for the others all the same, and not for this one again.
    assert [name for name, _process in place.stopping] == ["web-2"]
    second.kill()
    place.stopped([])


def test_a_long_grace_is_waited_for(tmp_path: Path, docker: Docker, stop: Callable[[str], None]) -> None:
    stop("sleep 1")
    docker.answers["--format"] = (0, "600\n", "")
    place = host(tmp_path, docker)
    place.stop(["web-2"])
    place.stopped(["web-2"])
    assert docker.calls == [_compose.stop_timeout_cmd("web-2")]


# -- tasks -------------------------------------------------------------------------------------------------------


def test_the_broker_is_asked_while_the_switch_goes_on(
    tmp_path: Path, docker: Docker, stop: Callable[[str], None]
) -> None:
    # It answers once somebody has seen that it was asked.
    stop(f'echo "$@" > "{tmp_path}/asked"; until [ -e "{tmp_path}/seen" ]; do sleep 0.02; done; printf "{ANSWER}"')
    answer = host(tmp_path, docker).tasks()
    while not (tmp_path / "asked").exists() or not (tmp_path / "asked").read_text():
        time.sleep(0.02)
    (tmp_path / "seen").touch()
    assert answer() == {"queued": 3, "in_flight": 1}
    assert (tmp_path / "asked").read_text() == "exec redis-1 tasks\n"


def test_no_answer_is_no_figure(tmp_path: Path, docker: Docker, stop: Callable[[str], None]) -> None:
    stop("echo queued 0; exit 1")
    assert host(tmp_path, docker).tasks()() == {}


def test_a_broker_that_hangs_is_not_waited_for(
    tmp_path: Path, docker: Docker, stop: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_switch_host, "TASKS_SECONDS", 0.2)
    stop("echo queued 0; exec sleep 60")
    assert host(tmp_path, docker).tasks()() == {}


def test_a_broker_that_does_not_run_or_is_none_is_not_asked(tmp_path: Path, docker: Docker) -> None:
    assert host(tmp_path, docker, tasks_of=None).tasks()() == {}
    docker.containers[3] = container("redis-1", "redis", "exited")
    assert host(tmp_path, docker).tasks()() == {}
    assert docker.calls == []


# -- the edge ----------------------------------------------------------------------------------------------------


def test_a_route_is_written_then_tested_loaded_and_believed_when_the_edge_says_so(
    tmp_path: Path, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = host(tmp_path, docker)
    text = _edge.servers_text(ROUTE)
    loaded = iter([_edge.stamp("old"), _edge.stamp(text)])
    asked: list[tuple[str, int, str]] = []

    def ask(*where: Any) -> str:
        # Asked only when the files are there.
        assert (tmp_path / "upstream" / _edge.SERVERS_FILE).read_text() == text
        asked.append(where)
        return next(loaded)

    monkeypatch.setattr(_edge, "ask", ask)
    assert place.route() == _edge.Route()
    place.set_route(ROUTE)
    assert place.route() == ROUTE
    assert (tmp_path / "upstream" / _edge.STAMP_FILE).read_text() == _edge.stamp_text(text)
    assert docker.calls == [["docker", "exec", "nginx-1", *EDGE.test], ["docker", "exec", "nginx-1", *EDGE.reload]]
    assert asked == [("192.0.2.2", 8081, _edge.STAMP_PATH)] * 2


def test_a_route_that_the_edge_refuses_is_an_error_and_not_loaded(tmp_path: Path, docker: Docker) -> None:
    docker.answers["-t"] = (1, "", "host not found in upstream")
    with pytest.raises(_up.UpError, match="host not found in upstream"):
        host(tmp_path, docker).set_route(ROUTE)
    assert [call[3:] for call in docker.calls] == [list(EDGE.test)]


def test_an_edge_that_was_stopped_is_started_with_the_route(
    tmp_path: Path, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.containers[2] = container("nginx-1", "nginx", "exited")
    docker.on_start = lambda: docker.containers.__setitem__(2, container("nginx-1", "nginx", shop_frontend="192.0.2.2"))
    monkeypatch.setattr(_edge, "ask", lambda *_args: _edge.stamp(_edge.servers_text(ROUTE)))
    host(tmp_path, docker).set_route(ROUTE)
    assert docker.calls == [["docker", "start", "nginx-1"]]


def test_an_edge_that_would_not_see_the_route_is_made_anew(
    tmp_path: Path, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mounts, "detached", lambda *_args: "/opt/shop/upstream")
    monkeypatch.setattr(_edge, "ask", lambda *_args: _edge.stamp(_edge.servers_text(ROUTE)))
    docker.containers[2]["Config"]["Labels"][_up.TIER_LABEL] = "edge"
    host(tmp_path, docker).set_route(ROUTE)
    assert [argv[-2:] for argv in docker.calls] == [["--force-recreate", "nginx"]]


def test_an_edge_that_comes_up_with_the_engine_loads_what_is_there_by_then(tmp_path: Path, docker: Docker) -> None:
    docker.containers[2] = container("nginx-1", "nginx")
    assert host(tmp_path, docker).route_loaded()


def test_an_edge_that_was_paused_goes_on_before_anything_else(tmp_path: Path, docker: Docker) -> None:
    docker.containers[2] = container("nginx-1", "nginx", "paused")
    place = host(tmp_path, docker)
    place.planned = place.containers()
    place.wake_edge()
    assert docker.calls == [["docker", "unpause", "nginx-1"]]


def test_nothing_is_done_to_an_edge_that_runs(tmp_path: Path, docker: Docker) -> None:
    place = host(tmp_path, docker)
    place.planned = place.containers()
    place.wake_edge()
    assert docker.calls == []


def test_an_edge_that_ends_as_soon_as_it_is_started_is_an_error(
    tmp_path: Path, docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.containers[2] = container("nginx-1", "nginx", "exited")
    monkeypatch.setattr(_up, "RELOAD_SECONDS", 0.05)
    with pytest.raises(_up.UpError, match="nginx was started and does not say what it has loaded"):
        host(tmp_path, docker).set_route(ROUTE)


def test_a_route_is_only_written_where_there_is_no_edge_yet(tmp_path: Path, docker: Docker) -> None:
    del docker.containers[2]
    place = host(tmp_path, docker)
    place.set_route(ROUTE)
    assert (place.route(), docker.calls, place.route_loaded()) == (ROUTE, [], True)
    assert place.addresses(["web-1"]) == ()
    assert place.edge_workers() == frozenset()


def test_without_an_edge_there_is_no_route(tmp_path: Path, docker: Docker) -> None:
    place = host(tmp_path, docker, edge=None)
    place.set_route(ROUTE)
    assert (place.route(), place.route_loaded(), list(tmp_path.iterdir())) == (_edge.Route(), True, [])


def test_addresses_are_those_in_the_edges_own_network(tmp_path: Path, docker: Docker) -> None:
    docker.containers.append(container("other-1", "web", shop_backend="198.51.100.9"))
    place = host(tmp_path, docker)
    assert place.addresses(["web-1"]) == ("192.0.2.7",)
    # Better one that may not be reached than none: the probe through the edge tells.
    assert place.addresses(["other-1"]) == ("198.51.100.9",)


# -- static files ------------------------------------------------------------------------------------------------


def test_static_files_are_linked_in_their_order(tmp_path: Path, docker: Docker) -> None:
    place = host(tmp_path, docker)
    (tmp_path / "static").mkdir()
    assert place.static() == ()
    place.set_static(["c", "b", "a", "more than there are links"])
    assert place.static() == ("c", "b", "a")
    place.set_static(["b"])
    assert place.static() == ("b",)
    assert [path.name for path in (tmp_path / "static").iterdir()] == ["current"]


def test_the_first_choice_is_linked_last(tmp_path: Path, docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(_release, "point", lambda link, _target: order.append(link.name))
    host(tmp_path, docker).set_static(["c", "b", "a"])
    assert order == ["earlier", "previous", "current"]
