# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What another host reaches, on both IP versions, before and after whatever is restarted; and that the site goes on."""

from __future__ import annotations

import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from conftest import DECLARED, EXACTLY, LISTENING, OPEN, PUBLISHED, SILENT, Host, answers, run_playbook, serves, without

from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY = list(range(1, 65536))
# Of the host's own addresses one that no other host has: a route to it is more than the one to 127.0.0.0/8.
LOOPBACK, LOCAL = "127.0.0.9", 8081
OTHERS = [LISTENING, PUBLISHED]
# systemd counts how often, and would say no.
RESTART = "systemctl reset-failed docker.service; systemctl restart docker"
# A connection out, a name of a container, and a question over UDP whose answer is let back in.
OUT = """
import socket
socket.create_connection(("{address}", 6000), timeout=5).close()
print(socket.gethostbyname("mysql") != "")
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.settimeout(5)
asker.sendto(b"there?", ("{address}", 6001))
print(asker.recv(9).decode())
"""
LISTENER = """
import socket, threading
server = socket.create_server(("", 6000))
threading.Thread(target=lambda: [server.accept()[0].close() for _ in iter(int, 1)], daemon=True).start()
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
echo.bind(("", 6001))
while True:
    text, peer = echo.recvfrom(9)
    echo.sendto(text, peer)
"""


# Nginx answers nobody who does not name the site in the handshake.
VISIT = """
import http.client, socket, ssl
site = http.client.HTTPConnection("{address}")
site.sock = ssl._create_unverified_context().wrap_socket(
    socket.create_connection(("{address}", 443), timeout=10), server_hostname="firewall.test"
)
site.request("GET", "/admin/login/?{page}", headers={{"Host": "firewall.test"}})
print(site.getresponse().status)
"""


@pytest.fixture(scope="module", autouse=True)
def listener(outside: Host) -> None:
    """Have somebody outside to whom containers talk."""
    outside.run("cat > /root/listener.py", given=LISTENER)
    outside.run("systemctl stop listener 2>/dev/null; systemd-run --quiet --unit=listener python3 /root/listener.py")


def goes_on(inside: Host, outside: Host) -> None:
    """See that the site serves, and that its worker reaches who it has to."""
    wait_until(lambda: serves(inside), "the site serves")
    assert inside.within("worker", OUT.format(address=outside.addresses[0])) == "True\nthere?"


def test_exactly_the_declared_ports_answer(inside: Host, outside: Host) -> None:
    assert answers(outside, inside, EVERY) == EXACTLY
    goes_on(inside, outside)


def test_the_site_sees_who_comes_by_either_family(inside: Host, outside: Host) -> None:
    """Without an address of IPv6 for Nginx the engine passes such a connection on as its own."""
    for address, own in zip(inside.addresses, outside.addresses, strict=True):
        page = f"visit-of-{time.time_ns()}"
        assert outside.run("python3 -", given=VISIT.format(address=address, page=page)) == "200"
        log = inside.run(f"docker logs --tail 500 {inside.container('nginx')} 2>&1 | grep {page}")
        assert log.split()[0] == own


def test_without_the_rules_the_others_would_answer(inside: Host, outside: Host) -> None:
    with without(inside):
        assert answers(outside, inside) == {family: sorted([*DECLARED, *OTHERS]) for family in ("v4", "v6")}
    assert answers(outside, inside) == EXACTLY


def test_what_is_not_let_in_is_silent(inside: Host, outside: Host) -> None:
    found = outside.ask({address: [*OTHERS, 3306, 9100] for address in inside.addresses})
    assert {outcome for each in found.values() for outcome in each.values()} == {SILENT}


def test_addresses_of_containers_are_not_reached_by_a_route(inside: Host, outside: Host) -> None:
    """By their own ports, which Docker lets in from everywhere where they are published."""
    format_ = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}} {{end}}"
    found = {
        name: inside.run(f"docker inspect --format '{format_}' {name}").split()
        for name in (inside.container("nginx"), inside.container("mysql"), inside.container("web"), "other")
    }
    targets = {address: [80, 443, 3306, 8000] for each in found.values() for address in each}
    # The default network of the host's engine has the numbers of the one that both hosts are in.
    targets = {address: ports for address, ports in targets.items() if not address.startswith("172.17.")}
    for address in targets:
        outside.run(f"ip route replace {address} via {inside.addresses[1] if ':' in address else inside.gateway}")
    try:
        reached = {
            (address, port)
            for address, ports in outside.ask(targets).items()
            for port, outcome in ports.items()
            if outcome != SILENT
        }
        with without(inside):
            open_ = {
                (address, port)
                for address, ports in outside.ask(targets).items()
                for port, outcome in ports.items()
                if outcome == OPEN
            }
    finally:
        for address in targets:
            outside.run(f"ip route del {address}")
    assert reached == set()
    for six in (False, True):
        assert {port for address, port in open_ if (":" in address) is six} >= {80, 443}


@pytest.fixture
def local(inside: Host, outside: Host) -> Iterator[str]:
    """Have a container whose port is published on an address of the host's own, and what is for both sent to the host."""
    image = inside.run("docker inspect --format '{{.Config.Image}}' other")
    inside.run(
        "docker rm --force local > /dev/null 2>&1; docker network rm local > /dev/null 2>&1; "
        f"docker network create local && docker run --detach --name local --network local"
        f" --publish {LOOPBACK}:{LOCAL}:8000 --entrypoint python {image} -m http.server 8000"
    )
    address = inside.run("docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' local")
    routes = (f"{address}/32 via {inside.gateway}", f"{LOOPBACK}/32 via {inside.gateway} table local")
    for route in routes:
        outside.run(f"ip route replace {route}")
    # As engines have it that publish without their proxy; the other host takes an answer from such an address.
    for host in (inside, outside):
        host.run("sysctl -qw net.ipv4.conf.all.route_localnet=1")
    yield address
    for host in (inside, outside):
        host.run("sysctl -qw net.ipv4.conf.all.route_localnet=0")
    for route in routes:
        outside.run(f"ip route del {route}")
    inside.run("docker rm --force local && docker network rm local")


def test_what_is_published_for_the_host_alone_is_not_reached(inside: Host, outside: Host, local: str) -> None:
    """Who is in the network of the host can send it what is for its 127.0.0.1, and what is for its containers."""
    # Docker's proxy accepts before the container does.
    wait_until(lambda: inside.ask({local: [8000]})[local][8000] == OPEN, "the container serves")
    targets = {local: [8000], LOOPBACK: [LOCAL], **{address: [LOCAL] for address in inside.addresses}}

    def reached() -> set[str]:
        return {where for where, each in outside.ask(targets).items() if OPEN in each.values()}

    # The number is let in, as for another container that is published to everybody.
    inside.run(f"nft insert rule inet barehost open ct original proto-dst {LOCAL} accept")
    assert reached() == set()
    with without(inside):
        assert reached() == {local, LOOPBACK}


@pytest.mark.parametrize(
    "command",
    [
        RESTART,
        "systemctl start nftables && systemctl restart nftables",
        "systemctl reload nftables",
        "systemctl stop nftables",
        "systemctl reload barehost-firewall",
    ],
)
def test_a_restart_changes_nothing(inside: Host, outside: Host, command: str) -> None:
    inside.run(command)
    wait_until(lambda: answers(outside, inside, DECLARED) == EXACTLY, f"everything answers after {command}")
    assert answers(outside, inside) == EXACTLY
    if "nftables" in command:
        # It flushes the rules of Docker as well, which makes them when it starts.
        inside.run(RESTART)
        assert answers(outside, inside) == EXACTLY
    goes_on(inside, outside)


LOST = "Docker's own rules are gone"


def test_a_flush_by_hand_shows_and_is_mended(inside: Host, outside: Host) -> None:
    inside.run("nft flush ruleset")
    status = run_playbook("status", "-e", "status_format=json")
    assert "the firewall's rules are not in force" in status.output
    assert LOST in status.output
    run = run_playbook("site")
    assert run.code == 0, run.message
    assert answers(outside, inside) == EXACTLY
    goes_on(inside, outside)
    status = run_playbook("status", "-e", "status_format=json")
    assert "the firewall's rules are not in force" not in status.output
    assert LOST not in status.output


@pytest.mark.parametrize(
    "change", ["flush chain inet barehost forward", "add element inet barehost inside '{ eth0, eth1 }'"]
)
def test_a_change_by_hand_shows_and_is_mended(inside: Host, outside: Host, change: str) -> None:
    inside.run(f"nft {change}")
    assert PUBLISHED in answers(outside, inside)["v4"]
    status = run_playbook("status", "-e", "status_format=json")
    assert "the firewall's rules are not in force" in status.output
    run = run_playbook("site")
    assert run.code == 0, run.message
    assert answers(outside, inside) == EXACTLY
    status = run_playbook("status", "-e", "status_format=json")
    assert "the firewall's rules are not in force" not in status.output


def test_a_reboot_changes_nothing_and_lets_nobody_in_meanwhile(inside: Host, outside: Host) -> None:
    seen: list[str] = []
    rounds: list[float] = []
    end = threading.Event()

    def look() -> None:
        while not end.is_set():
            found = outside.ask(dict.fromkeys(inside.addresses, OTHERS), 0.5)
            seen.extend(f"{where} {port}" for where, each in found.items() for port, how in each.items() if how == OPEN)
            rounds.append(time.monotonic())

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    subprocess.run(["docker", "restart", "--time", "60", "barehost-firewall"], check=True, capture_output=True)
    boots = time.monotonic()
    wait_until(lambda: serves(inside), "the site serves after a reboot", 180)
    serving = time.monotonic()
    time.sleep(2)
    end.set()
    looker.join(30)
    assert seen == []
    # Somebody looked while it came up, and to the end.
    assert len([moment for moment in rounds if boots < moment < serving]) >= 3
    assert rounds[-1] > serving
    assert inside.run("systemctl is-active other") == "active"
    assert answers(outside, inside) == EXACTLY
    goes_on(inside, outside)
