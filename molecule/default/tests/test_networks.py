# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stack whose services change networks: what serves keeps its database, whether the deploy comes to a good end or not."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from conftest import STACK_DIR, container_of, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEALTH = "/health/"
# As every stack had them before there was the network `data`.
BEFORE = {
    **{name: {"networks": ["backend"]} for name in ("mysql", "redis", "worker", "beat")},
    "web": {"networks": ["frontend", "backend"]},
}
# No release has this page.
NO_HEALTH = {"django_health_path": "/nowhere/", "release_health_timeout_seconds": 20}


def networks_of(root: Any, service: str) -> set[str]:
    """Return the networks that a service's container is in."""
    name = container_of(root, service)
    text = root.check_output(f"docker inspect --format '{{{{json .NetworkSettings.Networks}}}}' {name}")
    return {network.removeprefix("app_") for network in json.loads(text)}


def started(root: Any, service: str) -> float:
    """Return when a service's container was made."""
    text = root.check_output(f"docker inspect --format '{{{{.Created}}}}' {container_of(root, service)}")
    return datetime.fromisoformat(text[:19] + "+00:00").timestamp()


@contextmanager
def failures() -> Iterator[list[float]]:
    """Ask for the health page, which asks the database, five times a second; collect when it was not well."""
    found: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.2):
            try:
                well = request(HEALTH).status == HTTPStatus.OK
            except OSError:
                well = False
            if not well:
                found.append(time.time())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


@pytest.fixture
def stack_of_before(root: Any, playbook: Callable[..., Any]) -> Iterator[None]:
    """Have the networks as they were, and at the end as they are."""
    assert playbook("deploy", "-e", json.dumps({"stack_service_overrides": BEFORE})).code == 0
    assert networks_of(root, "mysql") == {"backend"}
    yield
    assert playbook("deploy").code == 0


@pytest.mark.usefixtures("stack_of_before")
def test_what_serves_has_its_database_again_before_its_successor_is_there(
    root: Any, playbook: Callable[..., Any]
) -> None:
    dry = playbook("deploy", "--check")
    assert dry.code == 0, dry.message
    assert {("mysql", "recreate"), ("redis", "recreate")} <= {
        (step["service"], step["action"]) for step in dry.part("image")["beside"]["steps"]
    }
    with failures() as found:
        done = playbook("deploy")
    assert done.code == 0, done.message
    assert networks_of(root, "mysql") == networks_of(root, "redis") == {"data"}
    # MySQL itself is away for as long as it takes to come up; not until the switch.
    assert not [moment for moment in found if moment > started(root, "web") + 2]
    again = playbook("deploy")
    assert (again.code, again.stats["changed"]) == (0, 0)


@pytest.mark.usefixtures("stack_of_before")
def test_a_deploy_that_fails_leaves_what_serves_with_its_database(root: Any, playbook: Callable[..., Any]) -> None:
    before = container_of(root, "web")
    assert playbook("deploy", "-e", json.dumps(NO_HEALTH)).code != 0
    assert container_of(root, "web") == before
    assert request(HEALTH).status == HTTPStatus.OK


@pytest.mark.usefixtures("stack_of_before")
def test_an_earlier_release_that_takes_its_place_back_finds_its_database(
    root: Any, playbook: Callable[..., Any]
) -> None:
    """With its own settings, which know nothing of the network that MySQL is in by then."""
    never = [{"name": "never", "path": "/nowhere/", "contains": "x"}]
    assert playbook("deploy", "-e", json.dumps({"verify_checks": never, "verify_timeout_seconds": 5})).code != 0
    assert request(HEALTH).status == HTTPStatus.OK
    assert networks_of(root, "web") >= {"frontend", "backend"}


def test_the_way_out_can_be_taken_away_and_given_back(root: Any, playbook: Callable[..., Any]) -> None:
    for outbound, networks in ((False, {"inner", "data"}), (True, {"frontend", "backend", "data"})):
        with failures() as found:
            done = playbook("deploy", "-e", json.dumps({"stack_outbound": outbound}))
        assert done.code == 0, done.message
        assert networks_of(root, "web") == networks
        # Nginx is made anew for it at the end, once: from then on everybody is answered.
        assert not [moment for moment in found if moment > started(root, "nginx") + 2]
        assert request(HEALTH).status == HTTPStatus.OK
    # It got to the application, and to nothing else.
    assert networks_of(root, "nginx") == {"frontend"}
    assert root.file(f"{STACK_DIR}/compose.yaml").exists
