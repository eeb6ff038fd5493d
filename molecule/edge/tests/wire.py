# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Requests byte by byte, HTTP/2 frames included: a library refuses to send just what is to be tried."""

from __future__ import annotations

import http.client
import io
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from clients import ADDRESS, Answer, context
from conftest import DOMAIN, HTTP_PORT, HTTPS_PORT

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4
# The statuses that HTTP/2 has a number for, from 8 on.
NUMBERED = (200, 204, 206, 304, 400, 404, 500)
BY_NUMBER = 0x80


class _Wire(io.BytesIO):
    """What came, as the library reads it: one answer after the other."""

    def makefile(self, *_: Any) -> _Wire:
        """Be read as a socket is."""
        return self

    def close(self) -> None:
        """Stay open for the next answer."""


def answers(data: bytes) -> list[Answer]:
    """Read all answers; what has no head is one of status 0."""
    wire, found = _Wire(data), []
    while wire.tell() < len(data):
        answer, began = http.client.HTTPResponse(wire), wire.tell()  # type: ignore[arg-type]
        try:
            answer.begin()
            body = answer.read()
        except http.client.HTTPException:
            found.append(Answer(0, http.client.HTTPMessage(), data[began:].decode("latin-1")))
            break
        found.append(Answer(answer.status, answer.headers, body.decode("utf-8", "replace")))
    return found


def connect(*, tls: bool = True, name: str | None = DOMAIN, protocols: tuple[str, ...] = ()) -> socket.socket:
    """Connect to the site."""
    plain = socket.create_connection((ADDRESS, HTTPS_PORT if tls else HTTP_PORT), 10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not tls:
        return plain
    trust = context()
    if protocols:
        trust.set_alpn_protocols(list(protocols))
    return trust.wrap_socket(plain, server_hostname=name)


def drain(wire: socket.socket, quiet: float) -> bytes:
    """Read until the other end closes, or has said nothing more for a while."""
    found = b""
    try:
        while True:
            part = wire.recv(65536)
            if not part:
                return found
            found += part
            wire.settimeout(quiet)
    except OSError:
        return found


def send(data: bytes, *, tls: bool = True, name: str | None = DOMAIN, quiet: float = 1.5) -> list[Answer]:
    """Send bytes and return what is answered: nothing where the connection is closed."""
    try:
        with connect(tls=tls, name=name) as wire:
            wire.sendall(data)
            return answers(drain(wire, quiet))
    except OSError:
        return []


def statuses(data: bytes, *, tls: bool = True, name: str | None = DOMAIN) -> list[int]:
    """Return the statuses of what is answered."""
    return [answer.status for answer in send(data, tls=tls, name=name)]


def get(path: str, *lines: str, host: str = DOMAIN, method: str = "GET", version: str = "1.1") -> bytes:
    """Write a request that asks for the connection to be closed."""
    head = [f"{method} {path} HTTP/{version}", *([f"Host: {host}"] if host else []), *lines, "Connection: close"]
    return "".join(f"{line}\r\n" for line in [*head, ""]).encode("latin-1")


def _text(text: bytes) -> bytes:
    """Write a string of HPACK as it is."""
    size = len(text)
    if size < 127:
        return bytes([size]) + text
    size -= 127
    more = b"\x7f"
    while size >= 128:
        more += bytes([size % 128 + 128])
        size //= 128
    return more + bytes([size]) + text


def _frame(kind: int, flags: int, stream: int, load: bytes) -> bytes:
    return struct.pack(">I", len(load))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + load


@dataclass
class Frames:
    """What came over HTTP/2 for one request."""

    status: int = 0
    body: str = ""
    kinds: list[int] = field(default_factory=list)

    def read(self, data: bytes) -> Frames:
        """Take in all frames."""
        while len(data) >= 9:
            size, kind = int.from_bytes(data[:3]), data[3]
            load, data = data[9 : 9 + size], data[9 + size :]
            self.kinds.append(kind)
            if kind == DATA:
                self.body += load.decode("utf-8", "replace")
            if kind == HEADERS and not self.status:
                self.status = self._status(load.lstrip(b"\x20"))
        return self

    @staticmethod
    def _status(load: bytes) -> int:
        """Read the status, which comes first: as a number of the table, or in three digits."""
        if load[0] & BY_NUMBER:
            return NUMBERED[(load[0] & 0x7F) - 8]
        return int(load[2:5])


def send_h2(headers: list[tuple[str, str]], body: bytes = b"", *, quiet: float = 1.5) -> Frames:
    """Send one request of exactly these headers over HTTP/2."""
    block = b"".join(b"\x00" + _text(key.encode("latin-1")) + _text(value.encode("latin-1")) for key, value in headers)
    frames = _frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), 1, block)
    if body:
        frames += _frame(DATA, END_STREAM, 1, body)
    with connect(protocols=("h2",)) as wire:
        wire.sendall(PREFACE + _frame(SETTINGS, 0, 0, b"") + frames)
        return Frames().read(drain(wire, quiet))


def head_h2(path: str, *, method: str = "GET", name: str = DOMAIN) -> list[tuple[str, str]]:
    """Return the headers that every request has."""
    return [(":method", method), (":scheme", "https"), (":authority", name), (":path", path)]
