# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests for a name that is not the site's, or for two at once: none of them comes to the application."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
import wire
from clients import ADDRESS
from conftest import DOMAIN, HTTP_PORT, HTTPS_PORT
from mirrored import Site, told, word

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("mirror")

NOBODY: list[int] = []
EVIL = "other.example"


def raw(*lines: str) -> bytes:
    """Write a head of exactly these lines."""
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


# What is sent with the handshake of the site's name, and what may come back.
BEHIND_TLS: dict[str, tuple[Callable[[str], bytes], list[int]]] = {
    "another Host": (lambda page: wire.get(page, host=EVIL), NOBODY),
    "another and ours": (lambda page: wire.get(page, f"Host: {DOMAIN}", host=EVIL), NOBODY),
    "ours and another": (lambda page: wire.get(page, f"Host: {EVIL}"), [400]),
    "ours twice": (lambda page: wire.get(page, f"Host: {DOMAIN}"), [400]),
    "another in the line": (lambda page: wire.get(f"https://{EVIL}{page}"), NOBODY),
    "ours in the line and another Host": (lambda page: wire.get(f"https://{DOMAIN}{page}", host=EVIL), [400]),
    "another of ours in the line": (lambda page: wire.get(f"https://www.{DOMAIN}{page}"), [400]),
    "ours as a user of another": (lambda page: wire.get(f"https://{DOMAIN}@{EVIL}{page}"), [400]),
    "a Host with a user": (lambda page: wire.get(page, host=f"{DOMAIN}@{EVIL}"), [400]),
    "a Host with a path": (lambda page: wire.get(page, host=f"{DOMAIN}/{EVIL}"), [400]),
    "a Host with a port that is none": (lambda page: wire.get(page, host=f"{DOMAIN}:x{EVIL}"), [400]),
    "a Host with two ports": (lambda page: wire.get(page, host=f"{DOMAIN}:443:80"), [400]),
    "a Host with a blank": (lambda page: wire.get(page, host=f"{DOMAIN} {EVIL}"), [400]),
    "a Host that ends in a dot": (lambda page: wire.get(page, host=f"{DOMAIN}."), [400]),
    "a Host that is longer": (lambda page: wire.get(page, host=f"{DOMAIN}.{EVIL}"), NOBODY),
    "an address": (lambda page: wire.get(page, host="127.0.0.1"), NOBODY),
    "an empty Host": (lambda page: raw(f"GET {page} HTTP/1.1", "Host:"), [400]),
    "no Host": (lambda page: wire.get(page, host=""), NOBODY),
    "a Host before a colon with a blank": (lambda page: raw(f"GET {page} HTTP/1.1", f"Host : {DOMAIN}"), [400]),
    "a Host that is folded": (lambda page: raw(f"GET {page} HTTP/1.1", "Host:", f" {DOMAIN}"), [400]),
    "HTTP/1.0 without Host": (lambda page: wire.get(page, host="", version="1.0"), NOBODY),
    "HTTP/1.0 with another": (lambda page: wire.get(page, host=EVIL, version="1.0"), NOBODY),
    "HTTP/0.9": (lambda page: f"GET {page}\r\n".encode(), NOBODY),
    "HTTP/2.0 in words": (lambda page: wire.get(page, version="2.0"), [505]),
    "HTTP/1.9": (lambda page: wire.get(page, host=EVIL, version="1.9"), NOBODY),
    "CONNECT": (lambda _: wire.get(f"{EVIL}:443", method="CONNECT"), NOBODY),
    "TRACE": (lambda page: wire.get(page, method="TRACE"), [405]),
    "a line that is none": (lambda page: f"{page}\r\n\r\n".encode(), [400]),
}
PLAIN: dict[str, tuple[Callable[[str], bytes], list[int]]] = {
    "another Host": (lambda page: wire.get(page, host=EVIL), NOBODY),
    "another and ours": (lambda page: wire.get(page, f"Host: {DOMAIN}", host=EVIL), NOBODY),
    "another in the line": (lambda page: wire.get(f"http://{EVIL}{page}"), NOBODY),
    "no Host": (lambda page: wire.get(page, host=""), NOBODY),
    "HTTP/1.0 without Host": (lambda page: wire.get(page, host="", version="1.0"), NOBODY),
    "HTTP/0.9": (lambda page: f"GET {page}\r\n".encode(), NOBODY),
    "noise": (lambda _: b"\x00\xff" * 40 + b"\r\n\r\n", NOBODY),
    "a handshake": (lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 512, NOBODY),
    "CONNECT": (lambda _: wire.get(f"{EVIL}:443", method="CONNECT", host=f"{EVIL}:443"), NOBODY),
    # Only sent elsewhere, and to us.
    "ours": (wire.get, [301]),
    "ours in the line and another Host": (lambda page: wire.get(f"http://{DOMAIN}{page}", host=EVIL), [301]),
}


@pytest.mark.parametrize(("tls", "cases"), [(True, BEHIND_TLS), (False, PLAIN)], ids=["TLS", "plain"])
def test_no_trick_with_a_name_comes_to_the_application(
    mirror: Site,
    tls: bool,  # noqa: FBT001 - which of the two ports
    cases: dict[str, tuple[Callable[[str], bytes], list[int]]],
) -> None:
    words = {name: word() for name in cases}
    found = {name: wire.statuses(made(f"/mirror/?{words[name]}"), tls=tls) for name, (made, _) in cases.items()}
    assert found == {name: expected for name, (_, expected) in cases.items()}
    assert mirror.reached(list(words.values())) == set()


def test_what_is_ours_comes_to_the_application_as_it_was_said() -> None:
    """The counterpart: the same bytes, but for the trick."""
    for data, host in (
        (wire.get("/mirror/"), DOMAIN),
        (wire.get("/mirror/", host=f"www.{DOMAIN}"), f"www.{DOMAIN}"),
        (wire.get("/mirror/", host=DOMAIN.upper()), DOMAIN.upper()),
        (wire.get("/mirror/", host=f"{DOMAIN}:8443"), f"{DOMAIN}:8443"),
        (wire.get(f"https://{DOMAIN}/mirror/"), DOMAIN),
    ):
        (answer,) = wire.send(data)
        assert told(answer)["told"]["HTTP_HOST"] == host


def test_what_sends_elsewhere_sends_to_us_alone() -> None:
    for path in ("/", "//other.example/", "/%0d%0aSet-Cookie:%20a=b", "/\\other.example", "/@other.example/"):
        (answer,) = wire.send(wire.get(path), tls=False)
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{DOMAIN}{path}")
        assert answer.headers["Set-Cookie"] is None
    (answer,) = wire.send(wire.get(f"http://{DOMAIN}/", host=EVIL), tls=False)
    assert answer.headers["Location"] == f"https://{DOMAIN}/"


def test_plain_http_on_the_port_of_tls_gets_nothing() -> None:
    for host, expected in ((EVIL, []), (DOMAIN, [400])):
        with socket.create_connection((ADDRESS, HTTPS_PORT), 10) as plain:
            plain.sendall(wire.get("/mirror/", host=host))
            assert [answer.status for answer in wire.answers(wire.drain(plain, 1.5))] == expected
    with socket.create_connection((ADDRESS, HTTP_PORT), 10) as plain:
        plain.sendall(wire.PREFACE)
        assert wire.drain(plain, 1.5) == b""


def test_http_2_has_one_name_as_well(mirror: Site) -> None:
    words = [word() for _ in range(5)]
    page = [f"/mirror/?{item}" for item in words]
    assert wire.send_h2(wire.head_h2("/mirror/")).status == 200
    tried = [
        wire.send_h2(wire.head_h2(page[0], name=EVIL)),
        wire.send_h2([*wire.head_h2(page[1]), ("host", EVIL)]),
        wire.send_h2([*wire.head_h2(page[2], name=EVIL), ("host", DOMAIN)]),
        wire.send_h2([(":method", "GET"), (":scheme", "https"), (":path", page[3]), ("host", EVIL)]),
        wire.send_h2([(":method", "GET"), (":scheme", "https"), (":path", page[4])]),
    ]
    # There a name that is not of this connection has a status of its own.
    assert [frames.status for frames in tried if frames.status not in (0, 400, 421)] == []
    assert mirror.reached(words) == set()
