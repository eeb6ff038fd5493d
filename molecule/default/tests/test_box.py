# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a container can do, tried from inside: whom it reaches, what it writes, which of root's powers it has, where it ends."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from conftest import STACK_DIR, container_of

SERVICES = ("mysql", "redis", "web", "worker", "beat", "nginx")
# CHOWN, SETGID and SETUID, as the kernel counts them.
POWERS = {"nginx": 1 << 0 | 1 << 6 | 1 << 7}
USERS = {"mysql": 999, "redis": 999, "web": 10001, "worker": 10001, "beat": 10001, "nginx": 0}
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
# At most so many, which only wait, and all of them are gone at its end.
MOST = 600
FORKS = f"""
import os, signal
children = []
for _ in range({MOST}):
    try:
        child = os.fork()
    except OSError as error:
        print("refused", error.errno)
        break
    if not child:
        signal.pause()
    children.append(child)
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print("made", len(children))
"""


@pytest.fixture(scope="module")
def names(root: Any) -> dict[str, str]:
    """Return the name of each service's container."""
    return {service: container_of(root, service) for service in SERVICES}


@pytest.fixture(scope="module")
def inspected(root: Any, names: dict[str, str]) -> dict[str, Any]:
    """Return what the engine says of each of them."""
    items = json.loads(root.check_output("docker inspect " + " ".join(names.values())))
    return dict(zip(names, items, strict=True))


@pytest.fixture(scope="module")
def outside(root: Any) -> tuple[str, int]:
    """Return an address outside of the host where something listens: what images are pulled from."""
    (mirror,) = json.loads(root.file("/etc/docker/daemon.json").content_string)["registry-mirrors"]
    found = re.fullmatch(r"https?://([^:/]+):(\d+)/?", mirror)
    assert found, mirror
    return found[1], int(found[2])


def address(inspected: dict[str, Any], service: str) -> str:
    """Return the address of a service's container."""
    (network,) = inspected[service]["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


@pytest.mark.parametrize(("service", "port"), [("mysql", 3306), ("redis", 6379)])
def test_nginx_reaches_no_data_by_its_name_or_by_its_address(
    root: Any, names: dict[str, str], inspected: dict[str, Any], service: str, port: int
) -> None:
    target = address(inspected, service)
    for host in (service, target):
        ask = f"curl --silent --show-error --max-time 5 --connect-timeout 3 telnet://{host}:{port}"
        done = root.run(f"docker exec {names['nginx']} {ask} < /dev/null")
        # No such name, refused, or never answered; and not one that was cut off while it spoke.
        assert done.rc in (6, 7, 28), (host, done.rc, done.stderr)
        assert "onnect" in done.stderr or "resolve" in done.stderr, done.stderr
    # The same from where it is meant to work.
    root.check_output(f"docker exec {names['web']} python -c '{CONNECT}' {target} {port}")


def test_the_application_has_a_way_out_and_data_has_none(
    root: Any, names: dict[str, str], outside: tuple[str, int]
) -> None:
    host, port = outside
    for service in ("web", "worker"):
        root.check_output(f"docker exec {names[service]} python -c '{CONNECT}' {host} {port}")
    script = f"exec 3<> /dev/tcp/{host}/{port}"
    for service in ("mysql", "redis"):
        done = root.run(f"docker exec {names[service]} timeout 5 bash -c '{script}'")
        assert done.rc != 0, service
        assert "unreachable" in done.stderr or done.rc == 124, done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_of_a_container_can_be_written_to(root: Any, names: dict[str, str], service: str) -> None:
    for path in ("/x", "/etc/x", "/usr/bin/x", "/var/lib/x"):
        done = root.run(f"docker exec {names[service]} sh -c 'echo x > {path}'")
        assert done.rc != 0, (service, path)
        assert "Read-only" in done.stderr or "ermission denied" in done.stderr, done.stderr
    # Whoever is root in it is stopped by the file system, and not by who owns the folder.
    assert "Read-only" in root.run(f"docker exec --user 0 {names[service]} sh -c 'echo x > /x'").stderr


def test_what_has_to_be_written_can_be_and_is_no_program(root: Any, names: dict[str, str]) -> None:
    for service in ("web", "worker", "beat"):
        script = "cp /bin/true /tmp/true && chmod +x /tmp/true && ! /tmp/true && rm /tmp/true"
        done = root.run(f"docker exec {names[service]} sh -c '{script}'")
        assert done.rc == 0, done.stderr
        assert "ermission denied" in done.stderr
    root.check_output(f"docker exec {names['mysql']} sh -c 'echo x > /tmp/x && rm /tmp/x'")
    assert root.file(f"{STACK_DIR}/scratch/mysql").is_directory


@pytest.mark.parametrize("service", SERVICES)
def test_each_has_exactly_the_powers_that_it_declares(root: Any, inspected: dict[str, Any], service: str) -> None:
    status = root.check_output(f"cat /proc/{inspected[service]['State']['Pid']}/status")
    found = dict(re.findall(r"^(\w+):\s+(\S+)", status, re.MULTILINE))
    powers = POWERS.get(service, 0)
    assert int(found["Uid"]) == USERS[service]
    assert found["NoNewPrivs"] == "1"
    # What it may ever have, and what it has; a user that is not root has none.
    assert int(found["CapBnd"], 16) == powers
    assert int(found["CapPrm"], 16) == int(found["CapEff"], 16) == powers
    assert int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0


def test_the_workers_of_nginx_are_nobody(root: Any, inspected: dict[str, Any]) -> None:
    workers = root.check_output(f"pgrep --parent {inspected['nginx']['State']['Pid']}").split()
    assert workers
    for worker in workers:
        status = root.check_output(f"cat /proc/{worker}/status")
        assert re.search(r"^Uid:\s+101\s", status, re.MULTILINE)
        assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)


@pytest.mark.parametrize("service", SERVICES)
def test_each_has_an_end(root: Any, inspected: dict[str, Any], service: str) -> None:
    config = inspected[service]["HostConfig"]
    processors = int(root.check_output("nproc"))
    assert config["Memory"] > 0
    assert 0 < config["NanoCpus"] <= processors * 10**9
    assert config["CpuShares"] > 0
    assert 0 < config["PidsLimit"] < 1024
    # As the kernel has it.
    text = root.check_output(
        f"cat $(find /sys/fs/cgroup -path '*{inspected[service]['Id']}*' -name pids.max | head -1)"
    )
    assert int(text) == config["PidsLimit"]


def test_a_fork_bomb_ends_at_the_limit(root: Any, inspected: dict[str, Any]) -> None:
    """In a container of its own, made as those that migrate are."""
    limit = inspected["web"]["HostConfig"]["PidsLimit"]
    assert limit < MOST
    done = root.run(f"cd {STACK_DIR} && docker compose run --rm --no-deps -T web python - <<'EOF'\n{FORKS}\nEOF")
    assert done.rc == 0, done.stderr
    assert "refused 11" in done.stdout
    made = int(done.stdout.split()[-1])
    # The program itself and what has started it.
    assert limit - 5 <= made < limit


def test_no_container_commands_the_engine(root: Any, inspected: dict[str, Any], names: dict[str, str]) -> None:
    for service, item in inspected.items():
        assert not [mount for mount in item["Mounts"] if "docker.sock" in mount["Source"]], service
        assert not item["HostConfig"]["Privileged"], service
        for path in ("/run/docker.sock", "/var/run/docker.sock"):
            assert root.run(f"docker exec {names[service]} test -e {path}").rc != 0, service


def test_the_engine_answers_root_alone(root: Any) -> None:
    assert "dockerd" not in root.check_output("ss --listening --tcp --numeric --processes")
    assert root.file("/run/docker.sock").mode & 0o007 == 0
    assert root.check_output("getent group docker | cut -d: -f4") == ""
    daemon = json.loads(root.file("/etc/docker/daemon.json").content_string)
    assert (daemon["icc"], daemon["no-new-privileges"]) == (False, True)
    assert "hosts" not in daemon
