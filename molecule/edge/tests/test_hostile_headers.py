# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every answer carries, whoever gives it and however it ends; and what no answer says."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import pytest
import wire
from clients import Answer, ask, ask_plain
from conftest import DOMAIN, STACK_DIR, Host
from grade import graded
from mirrored import HSTS, TIMEOUT, Site

from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What an answer says for the browser's safety, and of who gives it.
SET = (
    "Server",
    "Strict-Transport-Security",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Content-Security-Policy",
)
# Names of programs with a version, or of one that stands behind.
VERSION = re.compile(
    r"(nginx|openssl|gunicorn|python|django|debian|werkzeug|mysql|redis)[/ ]v?\d|gunicorn|traceback", re.IGNORECASE
)


def safety(answer: Answer) -> dict[str, list[str]]:
    """Return the set, with each value as often as it came."""
    return {name: answer.headers.get_all(name) or [] for name in SET}


def stylesheet(ca: str) -> str:
    """Return the path of a style sheet with a hashed name."""
    return re.findall(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', ask("/admin/login/", ca=ca).body)[0]


def too_often(_: str) -> Answer:
    """Ask the API until it is too often, on one connection."""
    asked = f"GET /api/ HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode() * 60
    return max(wire.send(asked + wire.get("/api/"), quiet=TIMEOUT), key=lambda answer: answer.status)


def not_changed(ca: str) -> Answer:
    """Ask for a file that was there before."""
    sheet = stylesheet(ca)
    return ask(sheet, ca=ca, If_None_Match=ask(sheet, ca=ca).headers["ETag"])


def one(data: bytes) -> Answer:
    """Send bytes that have one answer."""
    (answer,) = wire.send(data, quiet=TIMEOUT)
    return answer


STATUSES: dict[int, Callable[[str], Answer]] = {
    200: lambda ca: ask("/mirror/", ca=ca),
    204: lambda ca: ask("/favicon.ico", ca=ca),
    206: lambda ca: ask(stylesheet(ca), ca=ca, Range="bytes=0-9"),
    301: lambda ca: ask("/admin", ca=ca),
    302: lambda ca: ask("/admin/", ca=ca),
    304: not_changed,
    400: lambda _: one(wire.get("/mirror/", f"Host: {DOMAIN}")),
    401: lambda ca: ask("/api/jobs/", ca=ca),
    403: lambda ca: ask("/admin/login/", ca=ca, method="POST", body="a=b"),
    404: lambda ca: ask("/missing/", ca=ca),
    405: lambda ca: ask("/static/admin/css/base.css", ca=ca, method="POST", body="a=b"),
    413: lambda _: one(wire.get("/mirror/", f"Content-Length: {26 << 20}", method="POST")),
    414: lambda _: one(wire.get("/mirror/?" + "a" * 9000)),
    429: too_often,
    500: lambda ca: ask("/fail/", ca=ca),
    501: lambda _: one(wire.get("/mirror/", "Transfer-Encoding: x", method="POST")),
    502: lambda ca: ask("/die/", ca=ca),
    504: lambda ca: ask("/sleep/", ca=ca),
    505: lambda _: one(wire.get("/mirror/", version="2.0")),
}
OTHERS: dict[str, Callable[[str], Answer]] = {
    "the application says 400": lambda ca: ask("/api/jobs/", ca=ca, Authorization="Basic x"),
    "a static file": lambda ca: ask("/static/admin/css/base.css", ca=ca),
    "a static file with a hash": lambda ca: ask(stylesheet(ca), ca=ca),
    "no static file": lambda ca: ask("/static/missing.css", ca=ca),
    "health": lambda ca: ask("/health/", ca=ca),
    "the page for when it is not there": lambda ca: ask("/stack_unavailable.html", ca=ca),
    "a header that is too long": lambda _: one(wire.get("/mirror/", "X-Long: " + "a" * 9000)),
    "no path for both": lambda _: one(wire.get("/api/../mirror/")),
}


def test_a_path_without_its_slash_leads_to_where_it_was_asked_for(mirror: Site) -> None:
    """And not to the port that Nginx has in its container."""
    assert ask("/admin", ca=mirror.ca).headers["Location"] == "/admin/"


@pytest.fixture(scope="module")
def expected(mirror: Site) -> dict[str, list[str]]:
    """Return the set as the front page of the administration has it."""
    found = safety(ask("/admin/login/", ca=mirror.ca))
    assert {len(values) for values in found.values()} == {1}
    assert found["Server"] == ["nginx"]
    assert found["Strict-Transport-Security"] == [f"max-age={HSTS}"]
    policy = found["Content-Security-Policy"][0]
    assert "default-src 'self'" in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    assert "script-src" not in policy
    return found


@pytest.fixture(autouse=True)
def _well(mirror: Site) -> Iterator[None]:
    """Leave the site as well as it was: one of its processes may be on its way back."""
    yield
    wait_until(lambda: ask("/health/live/", ca=mirror.ca).status == 200, "the site answers")


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_carries_the_same(mirror: Site, expected: dict[str, list[str]], status: int) -> None:
    answer = STATUSES[status](mirror.ca)
    assert answer.status == status
    assert safety(answer) == expected
    assert_says_nothing(answer)
    if status >= 400:
        # An error is for now.
        assert "max-age=31536000" not in (answer.headers["Cache-Control"] or "")


@pytest.mark.parametrize("name", OTHERS)
def test_whoever_answers_carries_the_same(mirror: Site, expected: dict[str, list[str]], name: str) -> None:
    answer = OTHERS[name](mirror.ca)
    assert safety(answer) == expected
    assert_says_nothing(answer)


@pytest.mark.parametrize("status", [502, 504])
def test_a_page_of_ours_stands_for_what_did_not_answer(mirror: Site, status: int) -> None:
    answer = STATUSES[status](mirror.ca)
    assert (answer.status, "The site is not available at the moment" in answer.body) == (status, True)


def test_of_a_part_that_is_not_there_the_same_is_said_twice(mirror: Site, expected: dict[str, list[str]]) -> None:
    """Nginx itself does so: it finds out once it has written the head, and writes another one. Both say the same."""
    answer = ask(stylesheet(mirror.ca), ca=mirror.ca, Range="bytes=9999999-")
    assert answer.status == 416
    assert {name: set(values) for name, values in safety(answer).items()} == {
        name: set(values) for name, values in expected.items()
    }
    assert_says_nothing(answer)


def test_files_of_users_carry_the_same_but_for_what_they_may(
    edge: Host, mirror: Site, expected: dict[str, list[str]]
) -> None:
    name = f"{secrets.token_hex(4)}.txt"
    edge.run(f"echo fine > {STACK_DIR}/media/{name} && chmod 644 {STACK_DIR}/media/{name}")
    try:
        answers = [
            ask(f"/media/{name}", ca=mirror.ca),
            ask("/media/missing", ca=mirror.ca),
            ask("/media/", ca=mirror.ca),
        ]
    finally:
        edge.run(f"rm {STACK_DIR}/media/{name}")
    assert [answer.status for answer in answers] == [200, 404, 403]
    for answer in answers:
        assert safety(answer) == {**expected, "Content-Security-Policy": ["sandbox; default-src 'none'"]}
        assert_says_nothing(answer)


def test_testssl_grades_it_a_plus_with_a_long_hsts(outside: Host, mirror: Site) -> None:
    """By its name: of an address nobody remembers that it is for TLS alone."""
    assert graded(outside, mirror.ca) == "A+"


def test_the_plain_port_carries_the_same_but_for_hsts(expected: dict[str, list[str]]) -> None:
    for answer in (ask_plain("/admin/"), ask_plain("/.well-known/acme-challenge/none")):
        assert answer.status in (301, 404)
        assert safety(answer) == {**expected, "Strict-Transport-Security": []}
        assert_says_nothing(answer)


def assert_says_nothing(answer: Answer) -> None:
    """Nobody learns from it what runs here, or which version of it."""
    text = "".join(f"{name}: {value}\n" for name, value in answer.headers.items()) + answer.body
    assert VERSION.findall(text.replace("max-age", "")) == []
    assert [name for name in ("X-Powered-By", "Via", "X-Runtime", "X-Upstream") if name in answer.headers] == []
