# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The probe against a real server: what it passes, what it refuses, and what it says about it."""

from __future__ import annotations

import base64
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _http_probe as probe

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "hush-hush-hush"
PAGE = """<html><head><link rel="stylesheet" href="/static/a.css"><link rel="icon" href="/favicon.ico">
<script src="/static/a.js?v=1"></script><script src="https://elsewhere.invalid/x.js"></script><script>1</script></head>
<body><img src="../static/a.png"><img src="data:image/png;base64,AA=="></body></html>"""


class Handler(BaseHTTPRequestHandler):
    """A small site with an API that needs a few looks before a job is done."""

    looks: ClassVar[dict[str, int]] = {}
    routes: ClassVar[dict[str, tuple[int, str, str]]] = {
        "/health/": (
            200,
            "application/json",
            '{"status": "ok", "checks": {"database": "ok"}, "list": [1, {"a": true}]}',
        ),
        "/down/": (503, "application/json", '{"status": "error"}'),
        "/page/": (200, "text/html; charset=utf-8", PAGE),
        "/broken-page/": (200, "text/html", '<script src="/static/missing.js"></script>'),
        "/html-for-css/": (200, "text/html", '<link rel="stylesheet" href="/page/">'),
        "/bare-page/": (200, "text/html", "<p>no style</p>"),
        "/static/a.css": (200, "text/css", "a{}"),
        "/static/a.js?v=1": (200, "text/javascript", "1"),
        "/static/a.png": (200, "image/png", "x"),
        "/sub/health/": (200, "application/json", "{}"),
    }

    def do_GET(self) -> None:
        """Answer from the table; a job is done at the third look."""
        if self.path.startswith("/api/jobs/"):
            looks = self.looks[self.path] = self.looks.get(self.path, 0) + 1
            self.answer(200, "application/json", json.dumps({"status": "done" if looks > 2 else "queued"}))
        elif self.path == "/echo/":
            self.answer(200, "application/json", json.dumps({k.lower(): v for k, v in self.headers.items()}))
        elif self.path == "/moved/":
            self.answer(302, "text/html", "", {"Location": "/page/"})
        else:
            self.answer(*self.routes.get(self.path, (404, "text/html", "not <b>found</b>\n here")))

    def do_POST(self) -> None:
        """Take a job from the right user."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wanted = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            # As some frameworks do in their error pages.
            self.answer(401, "text/plain", f"bad credentials: {PASSWORD}")
            return
        self.answer(201, "application/json", json.dumps({"job": {"id": 41 + body["capacity"]}}))

    def answer(self, status: int, kind: str, text: str, headers: dict[str, str] | None = None) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(text.encode())), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_args: Any) -> None:
        """Keep the test output clean."""


@pytest.fixture
def site() -> Iterator[probe.Site]:
    Handler.looks.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield probe.Site(f"http://127.0.0.1:{server.server_port}", timeout=3)
    server.shutdown()
    server.server_close()


def run(site: probe.Site, **options: Any) -> dict[str, Any]:
    return probe.run_check(site, probe.parse_check({"name": "t", **options}), {})


@pytest.mark.parametrize(
    "options",
    [
        {"path": "/health/"},
        {"path": "/health/", "content_type": "application/json", "contains": "database"},
        {"path": "/health/", "json_subset": {"checks": {"database": "ok"}, "list": [1, {"a": True}]}},
        {"path": "/down/", "status": [200, 503]},
        {"path": "/moved/", "status": 302},
        {"path": "/page/", "assets": True},
    ],
)
def test_good_answers_pass(site: probe.Site, options: dict[str, Any]) -> None:
    result = run(site, **options)
    assert result["message"] == ""
    assert result["ok"]
    assert result["tries"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "/down/"}, 'status 503, expected 200; answer: \'{"status": "error"}\''),
        ({"path": "/no/", "status": [200, 302]}, "status 404, expected 200 or 302; answer: 'not <b>found</b> here'"),
        ({"path": "/moved/"}, "status 302 to /page/, expected 200; answer: ''"),
        (
            {"path": "/page/", "content_type": "application/json"},
            "content type 'text/html', expected 'application/json'",
        ),
        ({"path": "/bare-page/", "contains": "admin"}, "'admin' is not in the answer, which begins '<p>no style</p>'"),
        ({"path": "/health/", "json_subset": {"checks": {"database": "no"}}}, 'checks.database is "ok", expected "no"'),
        ({"path": "/health/", "json_subset": {"checks": {"redis": "ok"}}}, 'checks.redis is missing, expected "ok"'),
        ({"path": "/health/", "json_subset": {"list": [1, {"a": 1}]}}, "list.1.a is true, expected 1"),
        ({"path": "/bare-page/", "json_subset": {}}, "the answer is not JSON but text/html: '<p>no style</p>'"),
        ({"path": "/bare-page/", "assets": True}, "the page links to no style sheet, script or image of its own site"),
        ({"path": "/health/", "capture": {"id": "job.id"}}, "the answer has no 'job.id'"),
        (
            {"path": "/broken-page/", "assets": True},
            "script /static/missing.js: status 404, type 'text/html', expected 200 and text/javascript",
        ),
        (
            {"path": "/html-for-css/", "assets": True},
            "stylesheet /page/: status 200, type 'text/html', expected 200 and text/css",
        ),
    ],
)
def test_wrong_answers_say_what_was_seen(site: probe.Site, options: dict[str, Any], message: str) -> None:
    result = run(site, **options)
    assert not result["ok"]
    assert result["message"] == message
    assert result["status"] > 0


def test_a_job_is_posted_and_followed(site: probe.Site) -> None:
    auth = {"username": "admin", "password": PASSWORD}
    post = {"name": "post", "method": "post", "path": "/api/jobs/", "json": {"capacity": 1}, "basic_auth": auth}
    checks = [
        probe.parse_check({**post, "status": 201, "capture": {"job": "job.id"}}),
        probe.parse_check(
            {
                "name": "done",
                "path": "/api/jobs/{job}/",
                "json_subset": {"status": "done"},
                "until": True,
                "delay": 0.01,
            }
        ),
    ]
    results, captured = probe.run_all(site, checks)
    assert [r["ok"] for r in results] == [True, True]
    assert captured == {"job": "42"}
    assert results[1]["tries"] == 3
    assert results[1]["url"].endswith("/api/jobs/42/")


def test_a_failed_capture_stops_what_depends_on_it_and_shows_no_password(site: probe.Site) -> None:
    auth = {"username": "someone", "password": PASSWORD}
    post = {"name": "post", "method": "POST", "path": "/api/jobs/", "json": {"capacity": 1}, "basic_auth": auth}
    checks = [
        probe.parse_check({**post, "status": 201, "capture": {"job": "job.id"}}),
        probe.parse_check({"name": "done", "path": "/api/jobs/{job}/"}),
    ]
    results, _captured = probe.run_all(site, checks)
    line = probe.failure_line(results, [])
    assert line.startswith("2 of 2 checks failed: post: POST http://127.0.0.1:")
    assert "status 401, expected 201; answer: 'bad credentials: ********'" in line
    assert "not sent: it needs 'job' from a check that failed" in line
    assert PASSWORD not in json.dumps(results)


def test_waiting_ends_when_the_time_is_over(site: probe.Site) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    check = probe.parse_check({"name": "t", "path": "/down/", "until": True, "delay": 2, "timeout": 7})
    result = probe.run_check(site, check, {}, clock=lambda: now[0], sleep=sleep)
    assert not result["ok"]
    assert result["tries"] == 4
    assert "(after 4 tries in 6 s)" in probe.failure_line([result], [])


def test_waiting_ends_after_the_retries(site: probe.Site) -> None:
    assert run(site, path="/down/", until=True, delay=0, retries=2)["tries"] == 3


def test_headers_of_site_and_check_are_sent(site: probe.Site) -> None:
    named = probe.Site(site.url, headers={"Host": "www.example.org", "X-A": "1"})
    wanted = {"host": "www.example.org", "x-a": "1", "x-b": "2"}
    assert run(named, path="/echo/", headers={"X-B": 2}, json_subset=wanted)["message"] == ""


def test_a_path_prefix_and_credentials_in_the_url(site: probe.Site) -> None:
    url = site.url.replace("127.0.0.1", f"admin:{PASSWORD}@127.0.0.1")
    result = run(probe.Site(f"{url}/sub/"), path="/health/")
    assert result["ok"]
    assert result["url"].endswith("/sub/health/")
    assert PASSWORD not in result["url"]


def test_nobody_listening_is_an_answer_too() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        result = run(probe.Site(f"http://127.0.0.1:{reserved.getsockname()[1]}"))
    assert result["status"] == 0
    assert result["message"].startswith("no answer (ConnectionRefusedError")


@pytest.mark.parametrize("url", ["example.org", "ftp://example.org", "http://", "/path"])
def test_an_unusable_url_is_refused(url: str) -> None:
    with pytest.raises(probe.ProbeError, match="is not usable"):
        probe.Site(url)


def test_ports(site: probe.Site) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        closed_port = reserved.getsockname()[1]
        assert site.port is not None
        results = probe.closed_results("127.0.0.1", [closed_port, site.port])
    assert [r["ok"] for r in results] == [True, False]
    line = probe.failure_line([], results)
    assert line == (
        f"1 of 2 checks failed: port {site.port} closed: 127.0.0.1:{site.port}: it accepts connections from outside"
    )


def test_a_name_that_cannot_be_looked_up_proves_nothing() -> None:
    (result,) = probe.closed_results("nowhere.invalid", [80])
    assert not result["ok"]
    assert "cannot be looked up" in result["message"]


def test_braces_that_capture_nothing_stay() -> None:
    assert probe.substitute({"a": ["{x}", "{y}", 1]}, {"x": "1"}) == {"a": ["1", "{y}", 1]}
