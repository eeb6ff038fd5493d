# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of docs/containers.md against what the roles render: what it calls met has to be so, and what deviates is named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from support.rendered import render

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "containers.md"
# Those of docker-bench-security at ff26d67f25be60fc2d82a01710ee14570b2cb9db.
IDS = [
    *(f"2.{number}" for number in range(1, 19)),
    *(f"4.{number}" for number in range(1, 13)),
    *(f"5.{number}" for number in range(1, 33)),
]
STATES = {"met", "deviation", "yours"}
SENSITIVE = ("/boot", "/dev", "/etc", "/lib", "/proc", "/sys", "/usr", "/var/run/docker.sock", "/run/docker.sock")
# A name in the column "Where" that is no service.
HOSTS = {"engine", "host"}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    id: str
    state: str
    where: frozenset[str]
    reason: str


def rows() -> list[Row]:
    """Read the table."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.read_text().splitlines()]
    found = [line for line in cells if re.fullmatch(r"\d\.\d+", line[0])]
    return [
        Row(id=line[0], state=line[2], where=frozenset(filter(None, re.split(r",\s*", line[3]))), reason=line[4])
        for line in found
    ]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the services as Compose is told of them."""
    found: dict[str, Any] = render(tmp_path_factory.mktemp("rendered"))["compose"]["services"]
    return found


def absent(key: str) -> Callable[[dict[str, Any]], bool]:
    """Return what finds a service that says nothing of a key."""
    return lambda service: not service.get(key)


def is_host(key: str) -> Callable[[dict[str, Any]], bool]:
    """Return what finds a service that shares a namespace of the host's."""
    return lambda service: service.get(key) == "host"


def binds(service: dict[str, Any]) -> list[str]:
    """Return what a service mounts of the host."""
    return [item["source"] for item in service.get("volumes", []) if item["type"] == "bind"]


def options(service: dict[str, Any]) -> list[str]:
    """Return the security options of a service."""
    return [str(text) for text in service.get("security_opt", [])]


# Whether docker-bench would warn of a service, by what Compose is told of it.
WARNS: dict[str, Callable[[dict[str, Any]], bool]] = {
    # An application's is its image's.
    "4.1": lambda service: not service.get("user") and not service["image"].startswith("shop/app"),
    "4.6": lambda service: not service["image"].startswith("shop/app"),
    "5.2": lambda service: any("apparmor" in text for text in options(service)),
    "5.3": lambda service: not options(service),
    "5.4": lambda service: (
        service.get("cap_drop") != ["ALL"] or not set(service.get("cap_add", [])) <= {"CHOWN", "SETGID", "SETUID"}
    ),
    "5.5": lambda service: bool(service.get("privileged")),
    "5.6": lambda service: any(not source.startswith("./") or source == "./" for source in binds(service)),
    "5.8": lambda service: any(int(port["published"]) < 1024 for port in service.get("ports", [])),
    "5.9": lambda service: bool(service.get("ports")),
    "5.10": is_host("network_mode"),
    "5.11": absent("mem_limit"),
    "5.12": lambda service: not service.get("cpu_shares") or not service.get("cpus"),
    "5.13": lambda service: service.get("read_only") is not True,
    "5.14": lambda service: any("host_ip" not in port for port in service.get("ports", [])),
    "5.15": lambda service: service["restart"] != "unless-stopped",
    "5.16": is_host("pid"),
    "5.17": is_host("ipc"),
    "5.18": lambda service: bool(service.get("devices")),
    "5.20": lambda service: any(
        "shared" in str(item.get("bind", {}).get("propagation")) for item in service.get("volumes", [])
    ),
    "5.21": is_host("uts"),
    "5.22": lambda service: any("seccomp" in text for text in options(service)),
    "5.25": lambda service: "cgroup_parent" in service,
    "5.26": lambda service: "no-new-privileges:true" not in options(service),
    "5.27": lambda service: "test" not in service.get("healthcheck", {}),
    "5.29": absent("pids_limit"),
    "5.30": absent("networks"),
    "5.31": is_host("userns_mode"),
    "5.32": lambda service: any("docker.sock" in source for source in binds(service)),
}


def test_every_id_of_docker_bench_has_its_line_and_every_deviation_its_reason() -> None:
    found = rows()
    assert [row.id for row in found] == IDS
    assert {row.state for row in found} <= STATES
    assert [row.id for row in found if row.state == "deviation" and len(row.reason) < 20] == []
    assert [row.id for row in found if (row.state == "deviation") != bool(row.where)] == []


def test_the_stack_is_what_the_table_says(services: dict[str, Any]) -> None:
    assert set(services) == {"mysql", "redis", "web", "worker", "beat", "nginx"}
    for row in rows():
        if row.id in WARNS:
            warned = {name for name, service in services.items() if WARNS[row.id](service)}
            assert warned == row.where - HOSTS, (
                f"{row.id} is {row.state} in the table, and docker-bench warns of {warned}"
            )


def test_nothing_that_can_be_seen_in_compose_is_only_promised() -> None:
    """What is not looked at here is the engine's or the code's own."""
    unseen = {row.id for row in rows() if row.id.startswith("5.") and row.state != "yours"} - set(WARNS)
    # Swarm, sshd in an image, and how `docker exec` is called.
    assert unseen == {"5.1", "5.7", "5.23", "5.24"}


def test_no_command_of_ours_runs_privileged_or_as_root_in_a_container() -> None:
    texts = [path.read_text() for path in (ROOT / "plugins").rglob("*.py")]
    assert not [text for text in texts if "--privileged" in text]
    assert not [text for text in texts if re.search(r'"(exec|run)",.*"(--user|-u)([=:](root|0)|", "(root|0))', text)]


def test_the_engine_is_what_the_table_says() -> None:
    daemon = yaml.safe_load((ROOT / "roles/docker_engine/vars/main.yml").read_text())
    hardened = daemon["docker_engine__hardened_daemon"]
    keys = {**hardened, **daemon["docker_engine__own_daemon"]}
    met = {row.id for row in rows() if row.state == "met"}
    assert ({"2.2", "2.14"} <= met) == (hardened == {"icc": False, "no-new-privileges": True})
    assert ("2.13" in met) == (keys["log-driver"] == "local")
    for row_id, key in (("2.9", "userns-remap"), ("2.12", "authorization-plugins"), ("2.16", "userland-proxy")):
        assert (row_id in met) == (key in keys)
    for row_id, key in (
        ("2.3", "log-level"),
        ("2.4", "iptables"),
        ("2.6", "storage-driver"),
        ("2.10", "cgroup-parent"),
    ):
        assert row_id in met
        assert key not in keys


def test_nobody_becomes_root_by_the_group_of_the_engine() -> None:
    """Its members may start any container, and so read and write every file of the host."""
    tasks = [path.read_text() for path in (ROOT / "roles").rglob("tasks/*.yml")]
    assert not [text for text in tasks if re.search(r"usermod|gpasswd|ansible\.builtin\.(user|group):", text)]
