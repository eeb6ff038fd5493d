# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who joins a network when what it talks to comes back in another one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _compose, _peers, _up

TIERS = {"mysql": "data", "redis": "data", "nginx": "edge"}


def one(name: str, *networks: str, state: str = "running") -> _compose.Container:
    """Return a container whose service is the first part of its name."""
    service = name.partition("-")[0]
    labels = {_compose.LABEL_SERVICE: service, _peers.TIER_LABEL: TIERS.get(service, "app")}
    item: dict[str, Any] = {
        "Id": name,
        "Name": f"/{name}",
        "Image": "sha256:1",
        "State": {"Status": state},
        "Config": {"Labels": labels},
        "NetworkSettings": {"Networks": {network: {"IPAddress": ""} for network in networks}},
    }
    return _compose.parse_container(item)


OLD = [
    one("mysql-1", "backend"),
    one("redis-1", "backend"),
    one("web-1", "frontend", "backend"),
    one("worker-1", "backend"),
    one("search-1", "backend", state="exited"),
    one("nginx-1", "frontend"),
]


def said(joins: list[_peers.Join]) -> list[str]:
    return [f"{join.container} {join.network}" for join in joins]


def test_an_application_that_serves_follows_its_database_into_a_new_network() -> None:
    new = [one("mysql-2", "data"), one("redis-2", "data")]
    joins = _peers.joins(OLD, new)
    assert said(joins) == ["web-1 data", "worker-1 data"]
    # Others look for it by its service's name.
    assert joins[0].cmd() == ["docker", "network", "connect", "--alias", "web", "data", "web-1"]


def test_nobody_has_to_where_they_still_see_each_other() -> None:
    assert _peers.joins(OLD, [one("mysql-2", "backend", "data")]) == []
    there = [*OLD[:2], one("web-1", "frontend", "backend", "data")]
    assert _peers.joins(there, [one("mysql-2", "data")]) == []


def test_nginx_follows_the_application_but_never_to_the_data() -> None:
    there = [one("mysql-2", "data"), one("web-1", "frontend", "data"), one("nginx-1", "frontend")]
    assert said(_peers.joins(there, [one("web-2", "data", "inner")])) == ["nginx-1 inner"]
    assert _peers.joins(there, [one("web-2", "data")]) == []


def test_a_release_that_comes_back_with_its_own_networks_joins_its_database() -> None:
    """And the database does not get a way out for it."""
    there = [
        one("mysql-2", "data"),
        one("redis-2", "data"),
        one("web-2", "frontend", "backend", "data"),
        one("nginx-1", "frontend"),
    ]
    assert said(_peers.joins(there, [one("web-3", "frontend", "backend")])) == ["web-3 data"]


def test_data_and_what_is_in_front_never_meet() -> None:
    """However they once did."""
    there = [one("mysql-1", "frontend"), one("nginx-1", "frontend")]
    assert _peers.joins(there, [one("mysql-2", "data")]) == []
    assert _peers.joins(there, [one("nginx-2", "edge")]) == []


def test_what_is_replaced_itself_joins_nothing() -> None:
    assert _peers.joins(OLD[:2], [one("mysql-2", "data"), one("redis-2", "data")]) == []


class Docker:
    """An engine whose `compose up` replaces the first container."""

    def __init__(self) -> None:
        """Begin with what was there."""
        self.items = OLD
        self.calls: list[list[str]] = []

    def __call__(self, argv: list[str]) -> tuple[int, str, str]:
        """Carry out a command."""
        self.calls.append(argv)
        if "up" in argv:
            self.items = [one("mysql-2", "data"), *OLD[1:]]
        return 0, "", ""


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Docker:
    fake = Docker()
    monkeypatch.setattr(_up.Engine, "containers", lambda _self, only=None: list(fake.items))  # noqa: ARG005 - as the engine
    return fake


def test_it_happens_once_the_new_one_is_there(docker: Docker) -> None:
    engine = _up.Engine(docker, "/opt/shop", ["compose.yaml"], "shop")
    engine.carry_out([_up.Step("mysql", "recreate"), _up.Step("redis", "none")])
    assert ["docker", "network", "connect", "--alias", "web", "data", "web-1"] in docker.calls
    assert [argv[-1] for argv in docker.calls if "connect" in argv] == ["web-1", "worker-1"]
    assert docker.calls.index(next(argv for argv in docker.calls if "up" in argv)) == 0


def test_what_is_only_started_moves_nobody(docker: Docker) -> None:
    _up.Engine(docker, "/opt/shop", ["compose.yaml"], "shop").carry_out([_up.Step("mysql", "start")])
    assert not [argv for argv in docker.calls if "connect" in argv]


def test_json_of_a_container_that_never_ran_still_names_its_networks() -> None:
    """A switch asks before it starts what it has created."""
    text = json.dumps(
        [
            {
                "Id": "x",
                "Name": "/x",
                "Image": "i",
                "State": {"Status": "created"},
                "Config": {},
                "NetworkSettings": {"Networks": {"data": {"IPAddress": ""}}},
            }
        ]
    )
    assert list(_compose.parse_containers(text)[0].addresses) == ["data"]
