# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No canary is anywhere but where its secret belongs; and each look sees one that is left there on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from places import PLACES, events, grep, processes
from world import FOLDER, PLANTED, STACK_DIR

if TYPE_CHECKING:
    from world import World

# Who has secrets in a container's description: the processes of the application, with `django_env_delivery: env_file` alone.
APPLICATION = {"web", "worker", "beat"}
OTHERS = {"mysql", "redis", "nginx"}
# Where the secrets are on the host, below the stack's directory; root alone reads them, or the user of the one service.
HOMES = {
    ".env": "600",
    "migrate.env": "600",
    "app_secrets": "400",
    "backup/settings.json": "600",
    "mysql/init": "400",
    "mysql/secrets": "400",
    "redis": "400",
    "releases/settings": "600",
    "secrets": "600",
    "tls/provided/certificate_and_key.pem": "600",
}


def test_each_run_ended_as_it_should(world: World) -> None:
    wrong = [f"{run.name}: {run.code}: {run.output[-3000:]}" for run in world.runs if not run.as_it_should]
    assert wrong == []
    assert len(world.runs) > 50


@pytest.mark.parametrize("name", PLACES)
def test_nothing_is_in(name: str, world: World) -> None:
    assert PLACES[name].look(world) == []


def test_no_process_has_shown_one(world: World) -> None:
    assert processes(world) == []
    for lines in world.sampled.values():
        assert lines[-1]["rounds"] > 1000


def test_the_engine_was_not_told_one(world: World) -> None:
    assert events(world) == []


@pytest.mark.parametrize("place", ["controller", "host"])
def test_one_that_a_process_shows_is_seen(place: str, world: World) -> None:
    seen = [line for line in world.sampled[place] if "kind" in line]
    found = {
        line["kind"]
        for line in seen
        if any(leak.name == PLANTED for leak in world.canaries.find(line["text"].encode()))
    }
    assert found == {"cmdline", "environ"}


def test_one_that_the_engine_is_told_is_seen(world: World) -> None:
    everything = (FOLDER / "events").read_bytes()
    assert PLANTED in {leak.name for leak in world.canaries.find(everything)}
    assert b"exec_create" in everything


@pytest.mark.parametrize("delivery", ["env_file", "secret_file"])
def test_what_tells_of_containers_has_secrets_only_where_that_is_chosen(delivery: str, world: World) -> None:
    told = world.looks[delivery]
    assert {service for service, _ in told} == APPLICATION | OTHERS
    found = {key: {leak.name for leak in world.canaries.find(text.encode())} for key, text in told.items()}
    chosen = APPLICATION if delivery == "env_file" else set()
    assert {service for (service, who), names in found.items() if who == "engine" and names} == chosen
    # MySQL's image reads the file with root's password into a variable of its own at each start, and keeps that.
    own = found.pop(("mysql", "kernel"))
    assert {name.partition(",")[0] for name in own} == {"mysql_root_password"}
    assert {service for (service, who), names in found.items() if who == "kernel" and names} == chosen


def test_only_root_gets_at_what_the_engine_has_noted(world: World) -> None:
    mine = "find /run/containerd /var/lib/containerd /var/lib/docker -type f -readable -print0"
    assert grep(world, f"setpriv --reuid=65534 --regid=65534 --clear-groups {mine}") == []
    assert grep(world, mine) != []


def test_the_secrets_are_where_they_belong_and_root_alone_gets_at_them(world: World) -> None:
    paths = grep(world, f"find {STACK_DIR} -type f -print0")
    assert {home for home in HOMES for path in paths if path.startswith(f"{STACK_DIR}/{home}")} == set(HOMES)
    for path in paths:
        (home,) = [home for home in HOMES if path.removeprefix(f"{STACK_DIR}/").startswith(home)]
        assert world.host.run(f"stat -c %a {path}") == HOMES[home], path
    assert world.host.run(f"stat -c '%a %U' {STACK_DIR}") == "750 root"


@pytest.mark.parametrize("name", PLACES)
def test_one_that_is_left_there_on_purpose_is_seen(name: str, world: World) -> None:
    place = PLACES[name]
    # What an earlier one has left in the journal, which forgets nothing, proves nothing here.
    before = set(place.look(world))
    take_away = place.plant(world, world.canaries.make(f"{PLANTED} in {name}"))
    try:
        assert set(place.look(world)) - before
    finally:
        take_away()


def test_taking_the_stack_down_shows_none(world: World) -> None:
    run = world.run("uninstall", "uninstall", "-vvv", "--diff")
    assert run.code == 0, run.output
    assert world.canaries.find(run.output.encode()) == []
