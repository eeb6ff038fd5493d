# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clients of a site with TLS: one request, a browser that logs in, and many that count what goes wrong."""

from __future__ import annotations

import http.client
import http.cookies
import re
import socket
import ssl
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from conftest import DOMAIN, HTTP_PORT, HTTPS_PORT

if TYPE_CHECKING:
    from types import TracebackType

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """What a request brought."""

    status: int
    headers: http.client.HTTPMessage
    body: str


def context(ca: str = "") -> ssl.SSLContext:
    """Return how a client checks certificates: by one CA, or not at all."""
    found = ssl.create_default_context(cadata=ca) if ca else ssl.create_default_context()
    if not ca:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    return found


class Connection(http.client.HTTPSConnection):
    """A connection to the site's address that asks for its name."""

    def __init__(self, trust: ssl.SSLContext, name: str = DOMAIN, seconds: float = 30) -> None:
        """Remember whom to ask for."""
        super().__init__(ADDRESS, HTTPS_PORT, timeout=seconds)
        self.trust, self.name = trust, name

    def connect(self) -> None:
        """Connect, and shake hands under the name."""
        plain = socket.create_connection((self.host, self.port), self.timeout)
        # As http.client does: a small request would wait for an acknowledgement.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self.trust.wrap_socket(plain, server_hostname=self.name)


def ask(  # noqa: PLR0913 - what a request says
    path: str,
    *,
    ca: str = "",
    trust: ssl.SSLContext | None = None,
    name: str = DOMAIN,
    method: str = "GET",
    body: str | None = None,
    **headers: str,
) -> Answer:
    """Send one request with TLS."""
    connection = Connection(trust or context(ca), name)
    try:
        sent = {"Host": name, **{key.replace("_", "-"): value for key, value in headers.items()}}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
    finally:
        connection.close()


def ask_plain(path: str, name: str = DOMAIN) -> Answer:
    """Send one request without TLS."""
    connection = http.client.HTTPConnection(ADDRESS, HTTP_PORT, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": name})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
    finally:
        connection.close()


def served(name: str = DOMAIN) -> str:
    """Return the certificate that the site shows, in PEM."""
    plain = socket.create_connection((ADDRESS, HTTPS_PORT), 10)
    with plain, context().wrap_socket(plain, server_hostname=name) as wrapped:
        return ssl.DER_cert_to_PEM_cert(wrapped.getpeercert(binary_form=True) or b"")


class Browser:
    """Keeps cookies as a browser does: those that are Secure are not sent in clear, and this one sends nothing in clear."""

    def __init__(self, ca: str) -> None:
        """Begin without any."""
        self.ca, self.cookies = ca, http.cookies.SimpleCookie()

    def go(self, path: str, form: dict[str, str] | None = None) -> Answer:
        """Load a page, or send a form from it."""
        cookies = "; ".join(f"{item.key}={item.value}" for item in self.cookies.values())
        headers = {"Cookie": cookies, "Referer": f"https://{DOMAIN}{path}", "Origin": f"https://{DOMAIN}"}
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content_Type"] = "application/x-www-form-urlencoded"
        answer = ask(path, ca=self.ca, method="POST" if body else "GET", body=body, **headers)
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookies.load(line)
        return answer

    def log_in(self, user: str, password: str) -> Answer:
        """Log in to the admin."""
        page = self.go("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.body)
        assert token is not None
        return self.go("/admin/login/", {"csrfmiddlewaretoken": token[1], "username": user, "password": password})


@dataclass
class Crowd:
    """Clients that keep asking while something is done to the site: some stay connected, others come anew each time."""

    ca: str
    path: str = "/health/live/"
    staying: int = 6
    coming: int = 2
    good: int = 0
    bad: list[str] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _lock: Any = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin to ask."""
        for number in range(self.staying + self.coming):
            thread = threading.Thread(target=self._work, args=(number < self.staying,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop, and wait for the last answers."""
        self._end.set()
        for thread in self._threads:
            thread.join(30)

    def _work(self, stays: bool) -> None:  # noqa: FBT001 - the kind of the client
        trust = context(self.ca)
        connection = Connection(trust)
        while not self._end.is_set():
            try:
                connection.request(
                    "GET", self.path, headers={"Host": DOMAIN, **({} if stays else {"Connection": "close"})}
                )
                answer = connection.getresponse()
                answer.read()
                trouble = "" if answer.status == http.client.OK else f"status {answer.status}"
                # A server that says it closes is taken at its word.
                if answer.will_close:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                trouble = f"{type(error).__name__}: {error}"
                connection.close()
            with self._lock:
                self.good += not trouble
                self.bad += [trouble] if trouble else []
            time.sleep(0.02)
        connection.close()
