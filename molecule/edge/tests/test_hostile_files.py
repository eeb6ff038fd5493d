# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ways out of the folders that Nginx hands out, and files of users that would run in the site's origin."""

from __future__ import annotations

import json
import re
import secrets
from typing import TYPE_CHECKING

import pytest
import wire
from clients import Answer, ask
from conftest import DOMAIN, STACK_DIR, Host
from mirrored import Site, word

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("mirror")

# What every way out begins with: a folder up, in each form that somebody may take for one.
UPS = (
    "../",
    "./../",
    "..%2f",
    "%2e%2e/",
    "%2e%2e%2f",
    ".%2e/",
    "%252e%252e%252f",
    "%25252e%25252e%25252f",
    "..%252f",
    "..\\",
    "..%5c",
    "..%255c",
    "%c0%ae%c0%ae/",
    "%c0%ae%c0%ae%c0%af",
    "%e0%80%ae%e0%80%ae/",
    "%uff0e%uff0e/",
    "..%00/",
    "..;/",
    "....//",
    "..//",
    "..%2f%2e%2e/",
    "%2e%2e%00%2f",
    "..%0a/",
    "..%20/",
)
BEGINNINGS = (
    "/static/",
    "/media/",
    "/.well-known/acme-challenge/",
    "/static",
    "/media",
    "/mirror/",
    "/",
)
TARGETS = (
    "etc/passwd",
    "etc/nginx/tls/self_signed/privkey.pem",
    "stack_static/current/admin/css/base.css",
)
# What each of these holds, and what some others do.
INSIDE = ("root:x:0", "PRIVATE KEY", "Ansible managed", "PATH=/", ":root {", "DJANGO Admin styles")
SINGLE = (
    "/media//etc/passwd",
    "/media/%2fetc/passwd",
    "/media/%2fetc%2fpasswd",
    "//etc/passwd",
    "/media/file:///etc/passwd",
    "/media/%00/etc/passwd",
    "/static/admin/css/base.css%00.png",
    "/media/.git/config",
    "/static//////etc/passwd",
    "/stack_static/current/admin/css/base.css",
    "/stack_unavailable.html",
    "/nobody",
    "/media../stack_static/current/admin/css/base.css",
    "/static../media/",
    "/media/",
    "/static/",
    "/static/admin/",
    "/static/admin/css",
)
FINE = (301, 400, 403, 404)


def test_no_way_leads_out_of_the_folders(mirror: Site) -> None:
    paths = [
        f"{beginning}{up * depth}{target}"
        for beginning in BEGINNINGS
        for up in UPS
        for depth, target in zip((2, 2, 1), TARGETS, strict=True)
    ]
    found = {}
    for begin in range(0, len(paths), 40):
        # Many on one connection, since each of them is answered and closes none, but for those that are no requests at all.
        for path, answer in zip(paths[begin:], asked(paths[begin : begin + 40]), strict=False):
            if answer.status not in FINE or [text for text in INSIDE if text in answer.body]:
                found[path] = (answer.status, answer.body[:80])
    assert found == {}
    # All of them were answered, and the site goes on.
    assert ask("/health/live/", ca=mirror.ca).status == 200


def asked(paths: list[str]) -> list[Answer]:
    """Ask for paths as they are, one after the other; where one closes the connection, the next one opens another."""
    found: list[Answer] = []
    while len(found) < len(paths):
        rest = paths[len(found) :]
        requests = b"".join(f"GET {path} HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode("latin-1") for path in rest[:-1])
        answers = wire.send(requests + wire.get(rest[-1]), quiet=10)
        assert answers, f"{rest[0]} gets no answer"
        found += answers
    return found


@pytest.mark.parametrize("path", SINGLE)
def test_no_path_says_more_than_the_site_does(path: str) -> None:
    (answer,) = wire.send(wire.get(path))
    assert answer.status in FINE
    assert [text for text in INSIDE if text in answer.body] == []


def test_a_path_means_the_same_to_both_servers(mirror: Site) -> None:
    """Nginx resolves folders up before it looks for the rules of a path, and passes on the path as it came."""
    words = [word() for _ in range(6)]
    paths = (
        f"/admin/auth/user/../../../{words[0]}/change/",
        f"/admin/auth/user/..%2f..%2f../{words[1]}/change/",
        f"/admin/auth/user/%2e%2E/.%2e/../{words[2]}/change/",
        f"/api/../{words[3]}/",
        f"/admin/./{words[4]}/",
        f"/api/..?{words[5]}",
    )
    assert [wire.statuses(wire.get(path)) for path in paths] == [[400]] * len(paths)
    assert mirror.reached(words) == set()
    # Two dots are not always a folder.
    for path in ("/mirror/?next=/../admin/", "/mirror/?../", "/missing/a..b/", "/missing/...", "/missing/..a/"):
        assert wire.statuses(wire.get(path)) == [200 if path.startswith("/mirror/") else 404]


@pytest.fixture
def media(edge: Host) -> Iterator[str]:
    """Return a folder among the files of users that goes at the end, and with it what it holds."""
    name = f"hostile-{secrets.token_hex(4)}"
    edge.run(f"mkdir -p {STACK_DIR}/media/{name} && chmod 755 {STACK_DIR}/media/{name}")
    yield name
    edge.run(f"rm -rf {STACK_DIR}/media/{name}")


def test_a_link_among_files_of_users_is_not_followed(edge: Host, mirror: Site, media: str) -> None:
    folder = f"{STACK_DIR}/media/{media}"
    edge.run(
        f"echo fine > {folder}/file.txt; ln -s /etc/passwd {folder}/passwd; ln -s ../../stack_static {folder}/up;"
        f" ln -s /etc/nginx {folder}/nginx; ln -s file.txt {folder}/link.txt; ln -s / {folder}/root"
    )
    assert ask(f"/media/{media}/file.txt", ca=mirror.ca).body == "fine\n"
    for path in (
        "passwd",
        "link.txt",
        "nginx/stack/site.conf",
        "nginx/tls/self_signed/privkey.pem",
        "root/etc/passwd",
        "up/current/admin/css/base.css",
    ):
        answer = ask(f"/media/{media}/{path}", ca=mirror.ca)
        assert answer.status in (403, 404), path
        assert [text for text in INSIDE if text in answer.body] == []


def test_a_link_where_an_authority_asks_is_not_followed(edge: Host) -> None:
    folder = f"{STACK_DIR}/acme/.well-known/acme-challenge"
    edge.run(
        f"mkdir -p {folder}; chmod -R a+rX {STACK_DIR}/acme; ln -s /etc/passwd {folder}/passwd; echo fine > {folder}/fine"
    )
    try:
        (fine,) = wire.send(wire.get("/.well-known/acme-challenge/fine"), tls=False)
        assert fine.body == "fine\n"
        assert wire.statuses(wire.get("/.well-known/acme-challenge/passwd"), tls=False) in ([403], [404])
    finally:
        edge.run(f"rm {folder}/passwd {folder}/fine")


# What a browser would run, if it took it for what it is, or for what it may be as well.
UPLOADS = {
    "page.html": "<script>alert(document.domain)</script>",
    "page.HTML": "<script>alert(1)</script>",
    "page.xhtml": '<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "drawing.svg": '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(document.domain)"/>',
    "feed.xml": '<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>',
    "picture.gif": "GIF89a/*<script>alert(1)</script>*/=0;alert(1);",
    "picture.jpg": "\xff\xd8\xff\xe0<html><script>alert(1)</script>",
    "paper.pdf": "%PDF-1.7\n<script>alert(1)</script>",
    "program.js": "alert(document.domain)",
    "nothing": "<!doctype html><script>alert(1)</script>",
    "page.html.unknown": "<!doctype html><script>alert(1)</script>",
}


@pytest.fixture(scope="module")
def uploaded(edge: Host, mirror: Site) -> Iterator[dict[str, str]]:
    """Upload all of it through the API, as a user may, and return where the site says that it lies."""
    # Basic authentication, and a job for each file, made by the application itself.
    code = f"""
import base64, json
from django.contrib.auth import get_user_model
from optimization.models import Job
user = get_user_model().objects.create_user("hostile", password="{(password := secrets.token_urlsafe(20))}")
print("jobs", json.dumps([Job.objects.create(owner=user, capacity=1, items=[], status="done").pk for _ in range({len(UPLOADS)})]))
"""
    shell = f"docker exec -i {edge.container('web')} python manage.py shell"
    jobs = json.loads(edge.run(shell, given=code).rpartition("jobs ")[2])
    found = {}
    for (name, text), job in zip(UPLOADS.items(), jobs, strict=True):
        found[name] = upload(mirror, f"/api/jobs/{job}/attachment/", name, text, password)
    yield found
    code = 'from django.contrib.auth import get_user_model as m; m().objects.get(username="hostile").delete()'
    edge.run(shell, given=code + "\n")


def upload(mirror: Site, path: str, name: str, text: str, password: str) -> str:
    """Upload one file, and return its path."""
    from base64 import b64encode  # noqa: PLC0415 - for this alone

    mark = f"b{secrets.token_hex(8)}"
    body = (
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: text/html\r\n\r\n{text}\r\n--{mark}--\r\n"
    )
    answer = ask(
        path,
        ca=mirror.ca,
        method="PUT",
        body=body,
        Content_Type=f"multipart/form-data; boundary={mark}",
        Authorization="Basic " + b64encode(f"hostile:{password}".encode()).decode(),
    )
    assert answer.status == 200, answer.body
    address = str(json.loads(answer.body)["attachment"])
    assert address.startswith(f"https://{DOMAIN}/media/")
    return address.removeprefix(f"https://{DOMAIN}")


@pytest.mark.parametrize("name", UPLOADS)
def test_an_upload_does_not_run_in_the_origin(mirror: Site, uploaded: dict[str, str], name: str) -> None:
    for path in (uploaded[name], f"{uploaded[name]}?x=.html", uploaded[name].replace("/media/", "//media/")):
        answer = ask(path, ca=mirror.ca)
        assert answer.status == 200
        assert answer.headers.get_all("Content-Disposition") == ["attachment"]
        assert answer.headers.get_all("Content-Security-Policy") == ["sandbox; default-src 'none'"]
        assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
        # Nobody keeps for others what was meant for one.
        assert re.match(r"private, max-age=\d+$", answer.headers["Cache-Control"])


def test_a_part_of_an_upload_is_as_harmless(mirror: Site, uploaded: dict[str, str]) -> None:
    part = ask(uploaded["page.html"], ca=mirror.ca, Range="bytes=0-10")
    assert (part.status, part.headers["Content-Disposition"]) == (206, "attachment")
    assert part.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    wrong = ask(uploaded["page.html"], ca=mirror.ca, Range="bytes=9000-")
    assert (wrong.status, wrong.headers["Content-Disposition"]) == (416, "attachment")
