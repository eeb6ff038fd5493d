# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The site from outside, through the published port."""

from __future__ import annotations

import http.client
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import STACK_DIR, request

HEADERS = ("X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy")


def stylesheet() -> str:
    """Return the path of a style sheet with a hashed name, as the admin page links it."""
    page = request("/admin/login/").body.decode()
    return re.findall(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', page)[0]


def test_health_speaks_for_all_three_and_names_the_release(root: Any) -> None:
    answer = json.loads(request("/health/").body)
    assert answer["checks"] == {"database": "ok", "redis": "ok", "celery": "ok"}
    assert answer["release"] == json.loads(root.file(f"{STACK_DIR}/releases/current").content_string)["id"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin/login/", 200),
        ("/admin/", 302),
        ("/static/missing.css", 404),
        ("/media/missing.png", 404),
        ("/missing/", 404),
        ("/api/jobs/", 401),
    ],
)
def test_every_answer_carries_each_security_header_once(path: str, status: int) -> None:
    answer = request(path)
    assert answer.status == status
    for name in HEADERS:
        assert len(answer.headers.get_all(name) or []) == 1, name


def test_a_body_that_is_too_large_gets_413_with_the_headers() -> None:
    answer = request("/api/jobs/", method="POST", headers={"Content-Length": str(26 * 1024 * 1024)})
    assert answer.status == 413
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_hashed_static_files_are_kept_for_a_year_and_errors_are_not() -> None:
    answer = request(stylesheet())
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/css")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    missing = request("/static/admin/css/base.000000000000.css")
    assert missing.status == 404
    assert missing.headers["Cache-Control"] is None


def test_styles_are_compressed() -> None:
    assert request(stylesheet(), headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("name", ["example.org", "app"])
def test_a_name_that_is_not_ours_gets_no_answer(name: str) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        request("/health/", headers={"Host": name})


def test_a_request_without_a_name_does_not_reach_the_application() -> None:
    answer = request("/health/", headers={"Host": ""})
    assert (answer.status, answer.headers["Server"]) == (400, "nginx")


def test_the_api_is_limited_and_nothing_else() -> None:
    with ThreadPoolExecutor(20) as pool:
        api = [answer.status for answer in pool.map(lambda _: request("/api/jobs/"), range(60))]
        sheet = stylesheet()
        static = [answer.status for answer in pool.map(lambda _: request(sheet), range(60))]
    assert 429 in api
    assert set(api) == {401, 429}
    assert set(static) == {200}


def test_what_a_client_claims_of_itself_is_overwritten(root: Any) -> None:
    config = root.check_output("docker exec app-nginx-1 nginx -T -c /etc/nginx/stack/nginx.conf")
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in config
    assert "$proxy_add_x_forwarded_for" not in config


def test_an_uploaded_page_does_not_run_in_the_origin(root: Any) -> None:
    root.check_output(f"sh -c 'echo \"<script>alert(1)</script>\" > {STACK_DIR}/media/page.html'")
    root.check_output(f"ln -sf /etc/hostname {STACK_DIR}/media/link")
    answer = request("/media/page.html")
    assert (answer.status, answer.headers["Content-Disposition"]) == (200, "attachment")
    assert answer.headers.get_all("Content-Security-Policy") == ["sandbox; default-src 'none'"]
    assert request("/media/link").status == 403
    root.check_output(f"rm {STACK_DIR}/media/page.html {STACK_DIR}/media/link")


@pytest.mark.parametrize("port", [3306, 6379, 8000])
def test_the_host_does_not_answer_on_a_database_port(root: Any, port: int) -> None:
    address = root.check_output("hostname -i").split()[0]
    with socket.socket() as client:
        client.settimeout(3)
        assert client.connect_ex((address, port)) != 0


def test_the_published_port_is_the_site() -> None:
    assert request("/health/live/").status == 200
