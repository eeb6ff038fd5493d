# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A container is believed by the surest proof that it has, and given up as soon as it cannot give it any more."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _compose, _up, _wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_wait, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(_wait, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(_up, "SETTLE_SECONDS", 0.05)


class Engine(_up.Engine):
    """An engine whose containers change from one look to the next."""

    def __init__(self, *looks: dict[str, Any] | None) -> None:
        """Take what is seen at each look; the last one stays."""
        super().__init__(lambda _argv: (0, "", "the last words"), "/opt/shop", [], "shop")
        self.looks = list(looks)

    def containers(self, only: Sequence[str] | None = None) -> list[_compose.Container]:
        """Look."""
        assert only is None or set(only) == {"c1"}
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return _compose.parse_containers(json.dumps([look] if look else []))


def container(status: str = "running", health: str = "", **more: Any) -> dict[str, Any]:
    """Return an element of `docker container inspect`."""
    state: dict[str, Any] = {"Status": status, "ExitCode": more.get("code", 0), "OOMKilled": more.get("oom", False)}
    if health:
        log = [{"Output": more.get("said", ""), "End": more.get("end", "")}]
        state["Health"] = {"Status": health, "Log": log}
    return {
        "Id": "c1",
        "Name": "/shop-web-2",
        "Image": "sha256:1",
        "RestartCount": more.get("restarts", 0),
        "State": state,
        "Config": {"Labels": {_compose.LABEL_SERVICE: "web"}},
        "NetworkSettings": {"Networks": {"front": {"IPAddress": more.get("address", "")}}},
    }


def wait(engine: Engine, timeout: float = 2, probe: _wait.Probe | None = None, **check: Any) -> None:
    """Wait for the one container."""
    _wait.Wait(engine, [_wait.Check("c1", **check)], probe).run(timeout)


def test_the_word_of_the_engine_is_waited_for() -> None:
    engine = Engine(container(health="starting"), container(health="starting"), container(health="healthy"))
    wait(engine, fresh=True)
    assert len(engine.looks) == 1


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (container("exited", code=3), "exit code 3"),
        (container("restarting", restarts=1), "1 restarts"),
        (container(restarts=2), "2 restarts"),
        (container("exited", code=137, oom=True), "killed for lack of memory"),
        (container(health="unhealthy", said="503 broken"), "its healthcheck said: 503 broken"),
        (None, "somebody else removed it"),
    ],
)
def test_what_cannot_become_ready_any_more_is_given_up_with_its_last_words(seen: dict[str, Any], said: str) -> None:
    with pytest.raises(_up.UpError, match=said) as error:
        wait(Engine(container(), seen), fresh=True, timeout=30)
    assert seen is None or "the last words" in str(error.value)


def test_restarts_of_long_ago_are_not_held_against_a_container() -> None:
    wait(Engine(container(restarts=3)), fresh=False)


def test_what_was_said_before_it_was_paused_is_no_answer() -> None:
    before, after = "2026-11-26T13:11:38Z", "2026-11-26T13:12:43Z"
    engine = Engine(container(health="unhealthy", end=before), container(health="healthy", end=after))
    wait(engine)
    assert len(engine.looks) == 1
    engine = Engine(container(health="unhealthy", end=before), container(health="unhealthy", end=after))
    with pytest.raises(_up.UpError, match=r"failed \(running, unhealthy"):
        wait(engine)
    # Of what this run has started every answer counts.
    with pytest.raises(_up.UpError, match=r"failed \(running, unhealthy"):
        wait(Engine(container(health="unhealthy", end=before)), begun=True)


def test_too_late_is_too_late() -> None:
    with pytest.raises(_up.UpError, match=r"was not ready within 0\.05 s"):
        wait(Engine(container(health="starting")), timeout=0.05)


def test_without_another_proof_a_new_container_must_survive_its_first_seconds() -> None:
    with pytest.raises(_up.UpError, match="exited"):
        wait(Engine(container(), container(), container("exited")), fresh=True)


def test_a_command_is_repeated_until_it_succeeds(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    # Succeeds at its third call.
    docker.write_text('#!/bin/sh\necho x >> "$0.calls"; [ "$(wc -l < "$0.calls")" -ge 3 ]\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    wait(Engine(container()), command=("ping",), fresh=True, timeout=10)
    assert (tmp_path / "docker.calls").read_text().split() == ["x"] * 3


def test_a_command_that_never_succeeds_is_named_with_what_it_said(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho nobody answers; exit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(_up.UpError, match="`ping` said nobody answers"):
        wait(Engine(container()), command=("ping",), timeout=0.5)


@pytest.fixture
def page() -> Iterator[int]:
    """Serve a health page; return its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.path == "/health/" and self.headers["Host"] == "shop.example"
            self.send_response(200 if good else 400)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def test_a_health_page_is_asked_sooner_than_the_engine_asks_it(page: int) -> None:
    engine = Engine(container(health="starting", address="127.0.0.1"))
    wait(engine, probe=_wait.Probe("/health/", page, {"Host": "shop.example"}), routed=True, fresh=True)


def test_what_answers_by_itself_is_believed_without_another_look_at_the_engine(
    page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_wait, "LOOK_SECONDS", 30)
    engine = Engine(container(health="starting", address="127.0.0.1"), container("exited"))
    wait(engine, probe=_wait.Probe("/health/", page, {"Host": "shop.example"}), routed=True, fresh=True)
    assert len(engine.looks) == 1


def test_a_health_page_that_refuses_is_no_proof(page: int) -> None:
    engine = Engine(container(health="starting", address="127.0.0.1"))
    with pytest.raises(_up.UpError, match="was not ready"):
        wait(engine, timeout=0.2, probe=_wait.Probe("/health/", page, {"Host": "other"}), routed=True, fresh=True)


def test_a_page_that_hangs_holds_up_nobody() -> None:
    hanging = threading.Event()

    class Hanging(_wait.Wait):
        """The page of an app that takes the request, and still loads."""

        def answers(self, _container: _compose.Container) -> bool:
            """Answer late."""
            return hanging.wait(60)

    def containers(_only: object) -> list[_compose.Container]:
        return _compose.parse_containers(
            json.dumps([{**container(health="starting"), "Id": name} for name in ("c1", "c2")])
        )

    engine = Engine(container())
    engine.containers = containers
    wait_ = Hanging(engine, [_wait.Check("c1", routed=True), _wait.Check("c2", routed=True)], None)
    with pytest.raises(_up.UpError, match="was not ready within"):
        wait_.run(0.1)
    hanging.set()
    wait_.run(5)


def test_every_container_of_the_services_is_waited_for() -> None:
    engine = Engine(container(health="starting"), container(health="starting"), container(health="healthy"))
    _wait.for_services(engine, ["web"], 2, fresh=["web"])
    assert len(engine.looks) == 1


def test_a_service_without_a_container_is_named() -> None:
    with pytest.raises(_up.UpError, match="there is no container of worker"):
        _wait.for_services(Engine(container()), ["web", "worker"], 2, fresh=[])


def test_of_what_this_run_has_started_no_restart_is_forgiven() -> None:
    crashed = container(restarts=2)
    with pytest.raises(_up.UpError, match="2 restarts"):
        wait(Engine(crashed), begun=True)
    # What was there before may have been restarted long ago.
    wait(Engine(crashed))
