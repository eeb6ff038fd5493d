# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whom the containers see, and how much of which host they take, as the roles render it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.rendered import render

if TYPE_CHECKING:
    from pathlib import Path

DATA = {"mysql", "redis"}
APP = {"web", "worker", "beat"}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what is rendered where nobody says anything."""
    return render(tmp_path_factory.mktemp("rendered"))


def members(compose: dict[str, Any]) -> dict[str, set[str]]:
    """Return who is in each network that anybody is in."""
    found: dict[str, set[str]] = {}
    for name, service in compose["services"].items():
        for network in service["networks"]:
            found.setdefault(network, set()).add(name)
    return found


def ways_out(compose: dict[str, Any]) -> set[str]:
    """Return who reaches other hosts."""
    inside = {name for name, network in compose["networks"].items() if network.get("internal")}
    return {name for name, service in compose["services"].items() if set(service["networks"]) - inside}


def test_nginx_sees_no_data_and_data_sees_nobody_outside(rendered: dict[str, Any]) -> None:
    found = members(rendered["compose"])
    assert found == {"frontend": {"nginx", "web"}, "backend": APP, "data": DATA | APP}
    assert ways_out(rendered["compose"]) == {"nginx", *APP}


def test_a_network_of_an_earlier_stack_stays_what_it_was(rendered: dict[str, Any]) -> None:
    """Compose would leave it as it is, or stop everybody in it, by its version."""
    assert {name: rendered["compose"]["networks"][name] for name in ("frontend", "backend")} == {
        "frontend": {},
        "backend": {},
    }


def test_nginx_has_an_address_of_ipv6_where_the_host_has(tmp_path: Path) -> None:
    """In one network that publishes: the engine takes the first one, by its name, and not the one with IPv6."""
    compose = render(tmp_path, stack_ipv6=True)["compose"]
    assert members(compose) == {"frontend6": {"nginx", "web"}, "backend": APP, "data": DATA | APP}
    assert compose["networks"]["frontend6"]["enable_ipv6"] is True
    (pool,) = compose["networks"]["frontend6"]["ipam"]["config"]
    assert pool["subnet"].startswith("fd")


def test_without_a_way_out_nobody_but_nginx_has_one(tmp_path: Path) -> None:
    compose = render(tmp_path, stack_outbound=False)["compose"]
    assert members(compose) == {"frontend": {"nginx"}, "inner": {"nginx", "web"}, "data": DATA | APP}
    assert ways_out(compose) == {"nginx"}


def sizes(compose: dict[str, Any]) -> dict[str, tuple[int, float]]:
    """Return memory in MiB and processors of each service."""
    return {name: (int(s["mem_limit"].rstrip("m")), s["cpus"]) for name, s in compose["services"].items()}


def test_a_larger_host_gives_more_and_a_small_one_enough(rendered: dict[str, Any], tmp_path: Path) -> None:
    assert sizes(rendered["compose"]) == {
        "mysql": (1352, 2.0),
        "redis": (640, 2.0),
        "web": (1536, 2.0),
        "worker": (1536, 1.5),
        "beat": (1536, 1.5),
        "nginx": (256, 2.0),
    }
    large = sizes(render(tmp_path, memory_mb=16384, cpus=8)["compose"])
    assert large["mysql"] == (512 + 4096 * 5 // 4 + 2 * 100, 8.0)
    assert large["web"] == (12288, 8.0)
    assert large["worker"] == (12288, 6.0)
    small = sizes(render(tmp_path, memory_mb=900, cpus=1)["compose"])
    assert {name: processors for name, (_, processors) in small.items()} == dict.fromkeys(small, 1.0)
    assert min(memory for memory, _ in small.values()) >= 256


def test_beat_is_not_made_anew_for_more_processes_of_the_worker(rendered: dict[str, Any], tmp_path: Path) -> None:
    more = render(tmp_path, celery_worker_concurrency=7)["compose"]["services"]
    before = rendered["compose"]["services"]
    assert {name for name in before if before[name]["labels"] != more[name]["labels"]} == {"worker"}


def test_everything_can_be_said_otherwise(tmp_path: Path) -> None:
    overrides = {
        "web": {"read_only": False, "user": "12345", "cap_add": ["NET_BIND_SERVICE"], "tmpfs": {"/var/tmp": 8}},  # noqa: S108 - a text
        "mysql": {"memory_mb": 4096, "networks": ["data", "reports"]},
    }
    found = render(
        tmp_path, stack_service_overrides=overrides, django_tmp_mb=32, mysql_image="mysql@sha256:" + "a" * 64
    )
    web, mysql = (found["compose"]["services"][name] for name in ("web", "mysql"))
    assert (web["read_only"], web["user"], web["cap_add"]) == (False, "12345", ["NET_BIND_SERVICE"])
    assert [text.partition(":")[0] for text in web["tmpfs"]] == ["/tmp", "/var/tmp"]  # noqa: S108 - texts
    assert "size=32m" in web["tmpfs"][0]
    assert (mysql["mem_limit"], set(mysql["networks"])) == ("4096m", {"data", "reports"})
    assert mysql["image"] == "mysql@sha256:" + "a" * 64


def test_an_application_that_logs_into_a_file_can_write_it(tmp_path: Path) -> None:
    services = render(tmp_path, django_log_file="/app/logs/app.log")["compose"]["services"]
    assert {services[name]["read_only"] for name in APP} == {False}
    assert {services[name]["read_only"] for name in ("mysql", "redis", "nginx")} == {True}


def test_what_is_larger_than_memory_has_a_place_on_the_disk(rendered: dict[str, Any]) -> None:
    directories = {path: mode for tree in rendered["trees"] for path, mode in tree.get("directories", {}).items()}
    assert directories["scratch/mysql"] == "1777"
    assert directories["scratch/nginx"] == "0755"
    mounts = {
        item["source"]: item["target"]
        for service in ("mysql", "nginx")
        for item in rendered["compose"]["services"][service]["volumes"]
    }
    assert mounts["./scratch/mysql"] == "/tmp"  # noqa: S108 - a text
    assert mounts["./scratch/nginx"] == "/var/cache/nginx"


def test_whoever_is_asked_about_files_is_in_the_same_box(rendered: dict[str, Any]) -> None:
    for question in rendered["questions"]:
        assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true"} <= set(question["box"])
        # It starts as the service does, or not at all.
        added = [word.partition("=")[2] for word in question["box"] if word.startswith("--cap-add")]
        assert added == rendered["compose"]["services"][question["service"]].get("cap_add", [])
