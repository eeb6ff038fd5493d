# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which containers of a service stay, come and go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _compose, _rollover

GENERATION = _rollover.generation("r2", "d1", "sha256:1")
WANTED = {"definition": "d1", "image_id": "sha256:1", "image": "shop/app:r2", "generation": GENERATION}
WEB = _rollover.Service("web", beside=True, routed=True)


def container(name: str, **more: Any) -> dict[str, Any]:
    """Return an element of `docker container inspect`: of the wanted generation, running and healthy."""
    state = {"Status": "running", "Health": {"Status": "healthy"}}
    state.update(more.get("state", {}))
    return {
        "Id": name,
        "Name": f"/{name}",
        "Image": more.get("image_id", "sha256:1"),
        "State": state,
        "Config": {
            "Labels": {
                _compose.LABEL_SERVICE: more.get("service", "web"),
                _compose.LABEL_DEFINITION: more.get("definition", "d1"),
                _rollover.LABEL_GENERATION: more.get("generation", GENERATION),
            },
        },
    }


def plan(*containers: dict[str, Any], replicas: int = 1) -> _rollover.Work:
    """Plan the web service."""
    service = _rollover.Service("web", beside=True, routed=True, replicas=replicas)
    return _rollover.plan(service, _compose.parse_containers(json.dumps(containers)), WANTED)


@pytest.mark.parametrize(
    ("found", "action", "numbers"),
    [
        ([], "create", {"create": 1}),
        ([container("a")], "none", {"keep": 1}),
        ([container("a", state={"Health": {"Status": "starting"}})], "none", {"keep": 1}),
        ([container("a", state={"Health": {"Status": "unhealthy"}})], "restart", {"restart": 1}),
        ([container("a", state={"Status": "exited"})], "start", {"start": 1}),
        ([container("a", state={"Status": "created"})], "start", {"start": 1}),
        ([container("a", state={"Status": "paused"})], "unpause", {"keep": 1, "paused": 1}),
        ([container("a", state={"Status": "dead"})], "recreate", {"create": 1, "old": 1}),
        ([container("a", definition="d0")], "recreate", {"create": 1, "old": 1}),
        ([container("a", image_id="sha256:0")], "recreate", {"create": 1, "old": 1}),
        ([container("a", generation="")], "recreate", {"create": 1, "old": 1}),
        ([container("a", generation="x"), container("b")], "recreate", {"keep": 1, "old": 1}),
        ([container("a"), container("b")], "remove", {"keep": 1, "surplus": 1}),
    ],
)
def test_the_work_follows_from_what_is_there(found: list[dict[str, Any]], action: str, numbers: dict[str, int]) -> None:
    work = plan(*found)
    assert work.action == action
    assert work.create == numbers.get("create", 0)
    for key in ("keep", "start", "restart", "paused", "old", "surplus"):
        assert len(getattr(work, key)) == numbers.get(key, 0), key


def test_what_is_too_much_is_never_what_is_healthy() -> None:
    work = plan(container("a", state={"Health": {"Status": "starting"}}), container("b"))
    assert (work.keep, work.surplus) == (("b",), ("a",))


def test_replicas_that_are_missing_are_created() -> None:
    assert plan(container("a"), replicas=3).create == 2


def test_an_old_container_that_is_paused_goes_on_so_that_it_can_be_stopped() -> None:
    work = plan(container("a", generation="x", state={"Status": "paused"}))
    assert (work.action, work.paused, work.old_running) == ("recreate", ("a",), ("a",))


def test_only_old_containers_that_run_have_to_be_stopped() -> None:
    work = plan(container("a", generation="x"), container("b", generation="y", state={"Status": "exited"}))
    assert (work.old, work.old_running) == (("a", "b"), ("a",))


def test_containers_of_other_services_are_not_looked_at() -> None:
    assert plan(container("a", service="worker")).action == "create"


@pytest.mark.parametrize("other", [("r3", "d1", "sha256:1"), ("r2", "d2", "sha256:1"), ("r2", "d1", "sha256:2")])
def test_another_release_definition_or_image_is_another_generation(other: tuple[str, str, str]) -> None:
    assert _rollover.generation(*other) != GENERATION


def test_a_network_name_is_one_label_whatever_the_release_is_called() -> None:
    name = _rollover.alias("web", _rollover.generation("v1.0_" + "x" * 58, "d1", "sha256:1"))
    assert len(name) < 64
    assert name.replace("-", "").isalnum()


@pytest.mark.parametrize(
    ("committed", "serving", "replaces"),
    [
        ({"web": "old"}, ("a",), True),
        # It has been switched to already: what is there of others is in the way, and not to be started again.
        ({"web": GENERATION}, (), False),
        # A service that is new in the stack, or a first release.
        ({}, (), True),
        # Nobody knows any more: every other container may have served.
        (None, ("a", "b"), True),
    ],
)
def test_what_serves_is_what_was_committed(
    committed: dict[str, str] | None, serving: tuple[str, ...], replaces: object
) -> None:
    found = [container("a", generation="old"), container("b", generation="older"), container("c")]
    containers = _compose.parse_containers(json.dumps(found))
    work = _rollover.plan(WEB, containers, WANTED, committed)
    assert (work.serving, work.replaces, work.keep, work.old) == (serving, replaces, ("c",), ("a", "b"))


def test_without_anything_else_there_is_nothing_to_replace_that_nobody_knows_of() -> None:
    assert not plan(container("a")).replaces
