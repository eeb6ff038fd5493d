"""What a host says of itself in its own files."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _host, _look

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:8A2C 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
"""


# WireGuard's, and a client's that is connected.
UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 3359: 00000000:CA6C 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0
 1770: 0200000A:8437 0100000A:0035 01 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 0
"""


def test_only_listening_sockets_count() -> None:
    assert _host.parse_listening(TCP) == {80: "4711"}
    assert _host.parse_listening(UDP, "udp") == {51820: "4711"}


def test_os_release_is_shell_quoted() -> None:
    text = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n# x=y\nID=debian\nVERSION_ID="13"\nEMPTY=\n'
    assert _host.parse_os_release(text) == {
        "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)",
        "ID": "debian",
        "VERSION_ID": "13",
        "EMPTY": "",
    }


def test_memory_is_in_mebibytes() -> None:
    assert _host.parse_meminfo("MemTotal:        2097152 kB\nMemFree: 1 kB\n") == 2048
    assert _host.parse_meminfo("") == 0


@pytest.mark.parametrize(("text", "speaks"), [("0\n", True), ("1\n", False), (None, False)])
def test_a_host_speaks_ipv6_where_its_new_interfaces_do(tmp_path: Path, *, text: str | None, speaks: bool) -> None:
    if text is not None:
        file = tmp_path / "sys/net/ipv6/conf/default/disable_ipv6"
        file.parent.mkdir(parents=True)
        file.write_text(text)
    assert _host.speaks_ipv6(tmp_path) is speaks


def test_the_process_behind_a_real_port_is_named() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        name = Path("/proc/self/comm").read_text().strip()
        (found,) = _host.listening_ports([port, 1])
    assert found["port"] == port
    assert found["process"].startswith(f"{name} (pid ")


@pytest.mark.parametrize(
    ("family", "address", "port"),
    [
        (socket.AF_INET, "127.0.0.1", False),
        (socket.AF_INET, "127.0.0.53", False),
        (socket.AF_INET6, "::1", False),
        (socket.AF_INET6, "::ffff:127.0.0.1", False),
        (socket.AF_INET, "", True),
        (socket.AF_INET6, "::", True),
    ],
)
def test_what_listens_for_the_host_alone_is_not_outside(family: int, address: str, port: bool) -> None:  # noqa: FBT001 - expected
    both = family == socket.AF_INET6
    with socket.create_server((address, 0), family=socket.AddressFamily(family), dualstack_ipv6=both) as server:
        assert (server.getsockname()[1] in _host.listening_outside()["tcp"]) is port
    with socket.socket(socket.AddressFamily(family), socket.SOCK_DGRAM) as server:
        server.bind((address, 0))
        found = _host.listening_outside()["udp"]
        assert (server.getsockname()[1] in found) is port
        assert not port or "(pid " in found[server.getsockname()[1]]


def test_a_socket_that_no_process_holds_is_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_host, "socket_owners", lambda inodes: dict.fromkeys(list(inodes)[:0], ""))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("", 0))
        assert _host.listening_outside()["udp"][server.getsockname()[1]] == "the kernel itself"


def test_a_published_port_belongs_to_its_container() -> None:
    items = [{"Name": "/web", "NetworkSettings": {"Ports": {"80/tcp": [{"HostPort": "8080"}], "443/tcp": None}}}]
    assert _host.published_by(8080, items) == "web"
    assert _host.published_by(443, items) == ""


def test_what_a_stack_publishes_is_said_by_protocol_whether_it_runs_or_not() -> None:
    ports = {"80/tcp": [{"HostPort": "8080"}, {"HostPort": "8080"}], "443/udp": [{"HostPort": "443"}], "22/tcp": None}
    items = [
        {"HostConfig": {"PortBindings": ports}},
        {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}},
    ]
    assert _host.published(items) == {"tcp": [80, 8080], "udp": [443]}
    ranged = {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8000-8002"}]}}}
    assert _host.published([ranged]) == {"tcp": [8000, 8001, 8002]}
    assert _host.published([{"HostConfig": {}}, {"HostConfig": {"PortBindings": {"1/tcp": [{"HostPort": ""}]}}}]) == {}


def test_free_space_of_a_path_that_is_not_there_yet(tmp_path: Path) -> None:
    assert _host.free_mb(str(tmp_path / "a" / "b")) == _host.free_mb(str(tmp_path)) > 0


def seen(**more: Any) -> dict[str, Any]:
    """Return what was seen of a host on which nothing is wrong."""
    system = {"id": "debian", "version_id": "13", "pretty_name": "Debian GNU/Linux 13 (trixie)"}
    return {
        "host": {"os": system, "memory_mb": 2000},
        "engine": {"root_free_mb": 9000, "root_dir": "/var/lib/docker"},
        "stack": {"free_mb": 8000},
        "ports": [{"port": 80, "ours": True, "container": "app-nginx-1", "process": ""}],
        **more,
    }


TAKEN = [
    {"port": 80, "ours": False, "container": "", "process": "apache2"},
    {"port": 443, "ours": False, "container": "proxy", "process": "docker-proxy"},
]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, []),
        (
            {"host": {"os": {"id": "alpine", "version_id": "3", "pretty_name": ""}, "memory_mb": 2000}},
            ["runs alpine 3: "],
        ),
        ({"host": {**seen()["host"], "memory_mb": 899}}, ["has 899 MiB of memory: the stack needs 900"]),
        ({"stack": {"free_mb": 10}}, ["has 10 MiB free in /var/lib/docker or /opt/app: a deploy needs 4096"]),
        ({"ports": TAKEN}, ["port 80 by apache2, 443 by proxy. Nothing was stopped"]),
        ({"stack": {"free_mb": 10}, "ports": TAKEN}, ["has 10 MiB free", "port 80 by apache2"]),
    ],
)
def test_everything_that_is_wrong_with_a_host_is_said(more: dict[str, Any], expected: list[str]) -> None:
    found = _host.problems(seen(**more), ["debian 12", "debian 13"], 900, 4096, "/opt/app")
    assert len(found) == len(expected)
    assert [part for part, sentence in zip(expected, found, strict=True) if part not in sentence] == []


@pytest.mark.parametrize(
    ("answer", "version"),
    [("Docker version 26.1.5+dfsg1, build 411e817\n", "26.1.5+dfsg1"), ("", ""), ("podman 5\n", "")],
)
def test_the_version_of_an_engine_that_is_stopped_is_that_of_its_program(answer: str, version: str) -> None:
    assert _look.stopped_version(answer) == version


class StoppedEngine:
    """A host with an engine that does not answer, whose program is in some folder or in none."""

    def __init__(self, *, daemon: str | None) -> None:
        """Say where the program is."""
        self.daemon = daemon

    def get_bin_path(self, name: str) -> str | None:
        """Find a program."""
        return self.daemon if name == "dockerd" else f"/usr/bin/{name}"

    def run_command(self, argv: list[str]) -> tuple[int, str, str]:
        """Run one that is there; AnsibleModule ends with any other."""
        if argv[0] == "dockerd":
            raise SystemExit(1)
        return (0, "Docker version 28.1.0, build 1", "") if argv[0] == self.daemon else (1, "", "")


@pytest.mark.parametrize(("daemon", "version"), [("/usr/sbin/dockerd", "28.1.0"), (None, "")])
def test_an_engine_is_asked_for_its_version_only_where_it_is(daemon: str | None, version: str) -> None:
    module = StoppedEngine(daemon=daemon)
    info = _look.engine_info(module)  # type: ignore[arg-type]
    assert (info["present"], info["version"]) == (False, version)
