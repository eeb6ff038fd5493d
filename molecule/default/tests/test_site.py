# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The site from outside, through the published port; who means it no good is in the scenario `edge`."""

from __future__ import annotations

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import STACK_DIR, request

HEADERS = (
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Content-Security-Policy",
)


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


def test_the_published_port_is_the_site() -> None:
    assert request("/health/live/").status == 200
