# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Too much of something, from one address: it gets its answer or holds its connections, and everybody else is served meanwhile."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import wire
from clients import Crowd, ask
from conftest import DOMAIN, STACK_DIR, Host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirrored import Site

pytestmark = pytest.mark.usefixtures("mirror")

MIB = 1 << 20
LARGE = 200
# What `nginx_client_max_body_mb` says by its default, and what may be on its way beside it.
LIMIT, BESIDE = 25, 15
IDLE, SLOW = 1000, 100
ASSETS = 60
# So many times longer than in quiet a request may take; a handshake in between costs the server some of it.
RATIO = 8
# Seconds that no server of ours waits for somebody who says nothing to the purpose, and bytes: one is sent in each.
PATIENCE = 55


@pytest.fixture(scope="module")
def known(outside: Host, mirror: Site) -> None:
    """Let the other host know whom to trust, and give it something large to send."""
    outside.run("cat > /tmp/ca.pem", given=mirror.ca)
    outside.run(f"truncate -s {LARGE}M /tmp/large")


def written(edge: Host) -> int:
    """Return how many bytes Nginx has written to the disk since it began, whatever has become of the files."""
    text = edge.run("for one in $(pgrep -x nginx); do grep '^write_bytes' /proc/$one/io; done")
    return sum(int(line.split()[1]) for line in text.splitlines())


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("size", ["said", "not said"])
def test_an_upload_that_is_too_large_ends_early_and_is_not_kept(
    edge: Host, outside: Host, mirror: Site, version: str, size: str
) -> None:
    given = {"said": "-T /tmp/large", "not said": "-T - < /tmp/large"}[size]
    before = written(edge)
    with Crowd(mirror.ca, path="/mirror/", staying=2, coming=1) as crowd:
        said = outside.run(
            f"curl -s {version} --cacert /tmp/ca.pem -X POST -H Expect: -o /dev/null"
            f" -w '%{{http_code}} %{{size_upload}}' https://{DOMAIN}/mirror/ {given}",
            check=False,
        )
        time.sleep(1)
    status, sent = (int(number) for number in said.split())
    assert status == 413
    # What a size says is refused at its head, the other one where it grows too large; the rest was on its way.
    assert sent < (BESIDE if size == "said" else LIMIT + BESIDE) * MIB
    assert written(edge) - before < (1 if size == "said" else LIMIT + BESIDE) * MIB
    assert crowd.bad == []
    assert crowd.good > 3
    assert edge.run(f"find {STACK_DIR}/scratch/nginx -type f -size +64k") == ""


@pytest.mark.usefixtures("known")
def test_whoever_asks_first_whether_to_send_it_sends_nothing(outside: Host) -> None:
    said = outside.run(
        f"curl -s --http1.1 --expect100-timeout 60 --cacert /tmp/ca.pem -X POST -H 'Expect: 100-continue' -T /tmp/large"
        f" -o /dev/null -w '%{{http_code}} %{{size_upload}}' https://{DOMAIN}/mirror/",
        check=False,
    )
    assert said.split() == ["413", "0"]


@contextlib.contextmanager
def flooded(outside: Host, idle: int, slow: int) -> Iterator[dict[str, int]]:
    """Hold connections from the other host, and fill in at the end what has become of them."""
    outside.run("cat > /tmp/flood.py", given=Path(__file__).with_name("flood.py").read_text())
    argv = ["docker", "exec", "-i", "barehost-attacker", "python3", "-u", "/tmp/flood.py", DOMAIN]  # noqa: S108 - there
    counts: dict[str, int] = {}
    with subprocess.Popen(
        [*argv, str(idle), str(slow), str(slow), "240"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield counts
        process.stdin.close()
        counts.update(json.loads(process.stdout.read()))


def pace(ca: str, path: str, number: int = 40) -> float:
    """Return how long a request takes in the middle, each with a handshake of its own; none may fail."""
    found = []
    for _ in range(number):
        began = time.monotonic()
        answer = ask(path, ca=ca)
        found.append(time.monotonic() - began)
        assert answer.status == 200
    return statistics.median(found)


def held(edge: Host) -> int:
    """Return how many connections Nginx has with others."""
    pid = edge.run("pgrep -x -o nginx")
    return int(edge.run(f"nsenter -t {pid} -n ss -Htn state established '( sport = :443 )' | wc -l"))


@pytest.mark.parametrize(("idle", "slow"), [(IDLE, 0), (0, SLOW), (IDLE, SLOW)], ids=["idle", "slow", "both"])
def test_others_are_served_while_one_holds_connections(
    edge: Host, outside: Host, mirror: Site, idle: int, slow: int
) -> None:
    paths = ("/mirror/", "/static/admin/css/base.css")
    quiet = {path: pace(mirror.ca, path) for path in paths}
    with flooded(outside, idle, slow) as counts:
        assert held(edge) > 0.9 * (idle + 2 * slow)
        busy = {path: pace(mirror.ca, path) for path in paths}
    assert {path: busy[path] / quiet[path] for path in paths if busy[path] > RATIO * quiet[path]} == {}
    assert counts.get("idle opened", 0) >= idle
    # A body that is not whole is not passed on, and so holds nothing of the application.
    assert counts.get("body opened", 0) >= slow
    assert ask("/health/", ca=mirror.ca).status == 200


def dripped(begin: bytes, often: int) -> int:
    """Send a byte a second, and return how many the server has waited for; at most as many as it would need to be patient."""
    with wire.connect() as end:
        end.sendall(begin)
        end.settimeout(1)
        for number in range(PATIENCE):
            try:
                if not end.recv(1000):
                    return number
            except TimeoutError:
                if number < often:
                    end.sendall(b"x")
            except OSError:
                return number
    return PATIENCE


@pytest.mark.parametrize("kind", ["a head that does not end", "nothing", "a body that stops"])
def test_whoever_is_slow_comes_to_an_end(kind: str) -> None:
    """A head by the time alone, and not by whether something is still said; a body that stops, too."""
    head = f"POST /mirror/ HTTP/1.1\r\nHost: {DOMAIN}\r\n"
    begin, often = {
        "a head that does not end": (f"{head}X-Slow: ", PATIENCE),
        "nothing": ("", 0),
        "a body that stops": (f"{head}Content-Length: 100\r\n\r\nx", 5),
    }[kind]
    assert 1 < dripped(begin.encode(), often) < PATIENCE


def parallel(outside: Host, version: str, paths: list[str]) -> subprocess.Popen[str]:
    """Ask for all of them at once from the other host; what comes is a status and a version for each."""
    config = "".join(f'url = "https://{DOMAIN}{path}"\noutput = "/dev/null"\n' for path in paths)
    name = f"/tmp/urls-{abs(hash((version, *paths)))}"  # noqa: S108 - there
    outside.run(f"cat > {name}", given=config)
    command = (
        f"curl -sS -Z --parallel-max {len(paths)} {version} --cacert /tmp/ca.pem -K {name}"
        " -w '%{http_code} %{http_version} %{num_connects}\\n'"
    )
    return subprocess.Popen(
        ["docker", "exec", "barehost-attacker", "sh", "-c", command], stdout=subprocess.PIPE, text=True
    )


def came(process: subprocess.Popen[str]) -> list[tuple[str, str, int]]:
    """Return what has come: status, version, and whether it took a connection of its own."""
    text, _ = process.communicate(timeout=120)
    return [(line.split()[0], line.split()[1], int(line.split()[2])) for line in text.splitlines()]


@pytest.fixture(scope="module")
def assets(edge: Host) -> list[str]:
    """Return the paths of as many files as a large page has."""
    found = edge.run(f"cd {STACK_DIR}/static/current/ && find . -type f -size +0 | sort | head -{ASSETS}").split()
    assert len(found) == ASSETS
    return [f"/static/{name.removeprefix('./')}" for name in found]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(("version", "spoken"), [("--http2", "2"), ("--http1.1 --parallel-immediate", "1.1")])
def test_a_page_of_sixty_files_gets_all_of_them_while_the_api_is_limited(
    outside: Host, mirror: Site, assets: list[str], version: str, spoken: str
) -> None:
    # What a burst before has left over is used up by then.
    time.sleep(3)
    burst = parallel(outside, version, [f"/api/?{number}" for number in range(ASSETS * 2)])
    page = parallel(outside, version, assets)
    others = [ask(path, ca=mirror.ca).status for path in ("/mirror/", "/health/live/", "/admin/login/", "/api/")]
    limited, files = came(burst), came(page)
    assert {(status, kind) for status, kind, _ in files} == {("200", spoken)}
    assert len(files) == ASSETS
    if spoken == "2":
        # All on one connection.
        assert sum(connects for _, _, connects in files) == 1
    assert {status for status, _, _ in limited} == {"200", "429"}
    # Another address has its own measure.
    assert others == [200, 200, 200, 200]
