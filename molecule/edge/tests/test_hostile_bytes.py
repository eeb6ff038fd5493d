# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests whose end two servers could see in two places, and requests that are too large: never a second one in a first."""

from __future__ import annotations

import pytest
import wire
from clients import ask
from conftest import DOMAIN
from mirrored import Site, word

# Where what stands between a head and its body is up to the reader: one sees a body, another one a second request.
CHUNKED, LENGTH = "Transfer-Encoding: chunked", "Content-Length: {size}"
AMBIGUOUS = {
    "a length and chunks": ([LENGTH, CHUNKED], 400),
    "chunks and a length": ([CHUNKED, LENGTH], 400),
    "chunks twice": ([CHUNKED, CHUNKED], 400),
    "two lengths": (["Content-Length: 0", LENGTH], 400),
    "the same length twice": ([LENGTH, LENGTH], 400),
    "two lengths in a line": (["Content-Length: 0, {size}"], 400),
    "a length with a sign": (["Content-Length: +{size}"], 400),
    "a length below nought": (["Content-Length: -1"], 400),
    "a length in hex": (["Content-Length: 0x{size}"], 400),
    "a length with a blank before the colon": (["Content-Length : {size}"], 400),
    "a length that is folded": (["Content-Length:", " {size}"], 400),
    "a length that is longer than any": (["Content-Length: 99999999999999999999"], 400),
    "chunks with a blank before the colon": (["Transfer-Encoding : chunked"], 400),
    "chunks after a tab": (["Transfer-Encoding:\tchunked"], 501),
    "chunks after a vertical tab": (["Transfer-Encoding: \x0bchunked"], 501),
    "chunks that are folded": (["Transfer-Encoding:", " chunked"], 400),
    "chunks in quotes": (['Transfer-Encoding: "chunked"'], 501),
    "almost chunks": (["Transfer-Encoding: xchunked"], 501),
    "chunks, and as they are": (["Transfer-Encoding: chunked, identity"], 501),
    "as they are, and chunks": (["Transfer-Encoding: identity", CHUNKED], 400),
    "packed chunks": (["Transfer-Encoding: gzip, chunked"], 501),
    "chunks of HTTP/1.0": ([CHUNKED], 400),
}
BROKEN_CHUNKS = {
    "no size": "\r\n",
    "a size in words": "zero\r\n\r\n",
    "a size with a sign": "-1\r\n\r\n",
    "a size that begins as hex is written": "0x5\r\nhello\r\n0\r\n\r\n",
    "a size beyond any": "fffffffffffffffff\r\n\r\n",
    "a chunk longer than its size": "3\r\nhello\r\n0\r\n\r\n",
}


def hidden(page: str) -> bytes:
    """Write a request that may be seen after the body of another one."""
    return wire.get(page)


def test_no_request_hides_behind_another_one(mirror: Site) -> None:
    words = {name: word() for name in AMBIGUOUS}
    found = {}
    for name, (lines, _) in AMBIGUOUS.items():
        # Whoever goes by chunks is at its end before the second request; whoever goes by the length is not.
        body = b"0\r\n\r\n" + hidden(f"/mirror/?{words[name]}")
        version = "1.0" if "HTTP/1.0" in name else "1.1"
        head = [f"POST /mirror/?{words[name]} HTTP/{version}", f"Host: {DOMAIN}", *lines, "", ""]
        found[name] = wire.statuses("\r\n".join(head).format(size=len(body)).encode("latin-1") + body)
    assert found == {name: [status] for name, (_, status) in AMBIGUOUS.items()}
    assert mirror.reached(list(words.values())) == set()


def test_broken_chunks_are_refused_and_nothing_after_them_is_read(mirror: Site) -> None:
    words = {name: word() for name in BROKEN_CHUNKS}
    head = f"POST /mirror/?{{word}} HTTP/1.1\r\nHost: {DOMAIN}\r\n{CHUNKED}\r\n\r\n"
    found = {
        name: wire.statuses((head.format(word=words[name]) + chunks).encode() + hidden(f"/mirror/?{words[name]}"))
        for name, chunks in BROKEN_CHUNKS.items()
    }
    assert found == {name: [400] for name in BROKEN_CHUNKS}
    assert mirror.reached(list(words.values())) == set()


@pytest.mark.parametrize("lines", [[LENGTH], [CHUNKED]], ids=["length", "chunks"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_what_a_body_looks_like_is_no_request(mirror: Site, method: str, lines: list[str]) -> None:
    """The counterpart: a body that has one end is a body, whatever is in it, and the request after it is the next one."""
    mark = word()
    body = hidden(f"/mirror/?{mark}")
    if lines == [CHUNKED]:
        body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    head = "\r\n".join([f"{method} /mirror/ HTTP/1.1", f"Host: {DOMAIN}", *lines, "", ""])
    after = wire.get("/health/live/")
    found = wire.send(head.format(size=len(body)).encode() + body + after)
    assert [answer.status for answer in found] == [200, 200]
    assert f'"length": {len(hidden(f"/mirror/?{mark}"))},' in found[0].body
    assert mirror.reached([mark]) == set()


def test_http_2_hides_no_request_in_what_becomes_of_it(mirror: Site) -> None:
    words = [word() for _ in range(6)]
    outer = f"/mirror/?{word()}"
    page = [f"/mirror/?{item}" for item in words]
    inner = f"x\r\n\r\nGET {{page}} HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"
    body = b"0\r\n\r\n" + hidden(page[0])
    tried = {
        # There are none in HTTP/2: it is a body as any other one.
        "chunks": wire.send_h2([*wire.head_h2(outer, method="POST"), ("transfer-encoding", "chunked")], body),
        "a length that is too short": wire.send_h2(
            [*wire.head_h2(page[1], method="POST"), ("content-length", "0")], body
        ),
        "a line in a value": wire.send_h2([*wire.head_h2(page[2]), ("x-value", inner.format(page=page[2]))]),
        "a line in a name": wire.send_h2([*wire.head_h2(page[3]), (inner.format(page=page[3]), "x")]),
        "a line in the path": wire.send_h2(wire.head_h2(f"{page[4]} HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n")),
        "a line in the method": wire.send_h2(wire.head_h2(page[5], method=f"GET {page[5]} HTTP/1.1\r\nx:")),
    }
    found = {name: frames.status for name, frames in tried.items()}
    assert {name: status for name, status in found.items() if status not in (0, 400) and name != "chunks"} == {}
    assert mirror.reached(words) == set()


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("an address of 9 kB", wire.get("/mirror/?" + "a" * 9000), [414]),
        ("an address of 2 MB", wire.get("/mirror/?" + "a" * 2_000_000), [414]),
        ("a header of 9 kB", wire.get("/mirror/", "X-Long: " + "a" * 9000), [400]),
        ("a header of 2 MB", wire.get("/mirror/", "X-Long: " + "a" * 2_000_000), [400]),
        ("cookies of 40 kB", wire.get("/mirror/", *[f"Cookie: c{n}=" + "a" * 4000 for n in range(10)]), [400]),
        ("10,000 headers", wire.get("/mirror/", *[f"X-{n}: a" for n in range(10_000)]), [400]),
        ("a header of 9 kB for its name", wire.get("/mirror/", "X" * 9000 + ": a"), [400]),
        ("a header without a name", wire.get("/mirror/", ": a"), [400]),
        ("a header with a nought", wire.get("/mirror/", "X-Nought: a\x00b"), [400]),
    ],
)
def test_what_is_too_large_is_refused_and_the_server_goes_on(
    mirror: Site, kind: str, data: bytes, expected: list[int]
) -> None:
    # Of an answer that comes before all is sent, the rest of what is sent may be in the way.
    assert wire.statuses(data) in (expected, []), kind
    assert ask("/mirror/", ca=mirror.ca).status == 200


def test_300_headers_are_refused_by_one_of_the_two(mirror: Site) -> None:
    mark = word()
    (answer,) = wire.send(wire.get(f"/mirror/?{mark}", *[f"X-{n}: a" for n in range(300)]))
    assert answer.status in (400, 431)
    assert '"word"' not in answer.body
    assert ask("/mirror/", ca=mirror.ca).status == 200
