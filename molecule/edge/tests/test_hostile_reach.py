# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What another host of the same network reaches beside the site, and what the data services say to whoever has no password."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Host

pytestmark = pytest.mark.usefixtures("mirror")

# What each of them listens on, and for Nginx what is meant for the inside alone.
PORTS = {"mysql": (3306, 33060), "redis": (6379,), "web": (8000,), "worker": (8000,), "nginx": (80, 443, 8081, 8082)}
# Up to Engine 27 these can be reached by whoever sends to a container's own address by way of its host, where that passes on what
# is not for itself: only the firewall closes them.
OPEN = {("nginx", 80), ("nginx", 443), ("nginx", 8081), ("nginx", 8082), ("web", 8000)}
CONNECT = """
import json, socket, sys
found = []
for address, port in json.load(sys.stdin):
    try:
        socket.create_connection((address, port), 2).close()
    except OSError:
        continue
    found.append([address, port])
print(json.dumps(found))
"""
REDIS = """
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
for user, word in ((None, None), (None, ""), (None, "guess"), ("default", "guess"), ("admin", "guess"), ("app", "guess")):
    for command in ("PING", "INFO", "CONFIG GET *", "KEYS *", "FLUSHALL", "ACL LIST", "EVAL 'return 1' 0", "DEBUG SLEEP 0"):
        try:
            client = redis.Redis(host="redis", username=user, password=word, protocol=2, retry=Retry(NoBackoff(), 0))
            print("answered", client.execute_command(command))
        except redis.RedisError as error:
            print(type(error).__name__, error)
"""
MYSQL = """
import MySQLdb
for user, password in (("root", ""), ("root", "guess"), ("app", ""), ("app", "guess"), ("", ""), ("mysql", ""), ("backup", "")):
    try:
        MySQLdb.connect(host="mysql", user=user, password=password)
    except MySQLdb.Error as error:
        print(error.args[0])
    else:
        print("let in", user)
"""


def reached(outside: Host, targets: list[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return which of them take a connection from the other host."""
    found = outside.run(f"python3 -c '{CONNECT}'", given=json.dumps(targets))
    return {(address, port) for address, port in json.loads(found)}


def addresses(edge: Host) -> dict[str, list[str]]:
    """Return the addresses of each service's container; over IPv6, which these hosts have not, `molecule/firewall` looks."""
    text = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    return {
        service: edge.run(f"docker inspect --format '{text}' {edge.container(service)}").split() for service in PORTS
    }


@pytest.fixture
def routed(edge: Host, outside: Host) -> Iterator[dict[str, list[str]]]:
    """Let the other host send what is for a container to the host that has it; who is in its network can do so."""
    found = addresses(edge)
    everything = {address for listed in found.values() for address in listed}
    for address in everything:
        outside.run(f"ip route replace {address}/32 via {edge.address}")
    yield found
    for address in everything:
        outside.run(f"ip route del {address}/32")


def test_no_port_of_the_host_leads_to_anything_but_the_site(edge: Host, outside: Host) -> None:
    ports = sorted({port for listed in PORTS.values() for port in listed} | {22, 2375, 2376, 5000, 8080, 9000, 9100})
    assert reached(outside, [(edge.address, port) for port in ports]) == {
        (edge.address, port) for port in (22, 80, 443)
    }


def containers_reached(outside: Host, routed: dict[str, list[str]]) -> set[tuple[str, int]]:
    """Return the services that answer by an address of their containers, and on which port."""
    names = {
        (address, port): (service, port)
        for service, listed in routed.items()
        for address in listed
        for port in PORTS[service]
    }
    return {names[target] for target in reached(outside, list(names))}


def has_firewall(edge: Host) -> bool:
    """Whether our table is loaded."""
    return "table inet barehost" in edge.run("nft list tables 2>/dev/null || true")


def test_no_container_answers_by_its_own_address(edge: Host, outside: Host, routed: dict[str, list[str]]) -> None:
    # It is on by default, and more is reached without it.
    assert has_firewall(edge)
    assert containers_reached(outside, routed) == set()


def test_data_is_out_of_reach_whether_there_is_a_firewall_or_not(
    edge: Host, outside: Host, routed: dict[str, list[str]]
) -> None:
    """By its network, which leads nowhere."""
    edge.run("nft delete table inet barehost")
    try:
        found = containers_reached(outside, routed)
    finally:
        edge.run("systemctl restart barehost-firewall")
    assert found <= OPEN
    assert not {"mysql", "redis", "worker"} & {service for service, _ in found}
    assert has_firewall(edge)


def test_redis_says_nothing_without_its_password(edge: Host) -> None:
    said = edge.run(f"docker exec -i {edge.container('web')} python -", given=REDIS).splitlines()
    assert len(said) == 48
    assert {line.split()[0] for line in said} == {"AuthenticationError"}
    assert [
        line
        for line in said
        if "uthentication required" not in line and "WRONGPASS" not in line and "invalid" not in line
    ] == []


def test_mysql_lets_nobody_in_without_a_password(edge: Host) -> None:
    said = edge.run(f"docker exec -i {edge.container('web')} python -", given=MYSQL).splitlines()
    # Access denied, or not from this host.
    assert set(said) <= {"1045", "1130", "1698"}
    assert len(said) == 7
