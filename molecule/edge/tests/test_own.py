# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A certificate by a CA of the stack's own: who gets in, by which versions and ciphers, and what the application makes of it."""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import ssl
import time
from typing import TYPE_CHECKING

import pytest
from clients import Browser, Crowd, ask, ask_plain, served
from conftest import DOMAIN, ROOT, STACK_DIR, Host, as_foreseen, run_playbook
from grade import graded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLS = 4
OPENSSL = "openssl s_client -connect {address}:443 {options} < /dev/null 2>&1"
# By the guideline: nothing else is taken.
CIPHERS = {
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
}
WEAK = ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384")


@pytest.fixture(scope="module", autouse=True)
def deployed() -> None:
    """Have the scenario's own settings, whatever a test before has left."""
    run = run_playbook("deploy")
    assert run.code == 0, run.message


@pytest.fixture(scope="module")
def ca(edge: Host) -> str:
    """Return the certificate that clients are given."""
    return edge.read("tls/self_signed/ca.pem")


def shaken(outside: Host, edge: Host, options: str) -> str:
    """Return what a handshake from the other host says; only what the server refuses is refused."""
    return outside.run(OPENSSL.format(address=edge.address, options=options), check=False)


def test_the_site_serves_with_a_certificate_of_the_ca(ca: str, edge: Host) -> None:
    health = ask("/health/", ca=ca)
    assert (health.status, json.loads(health.body)["status"]) == (200, "ok")
    assert "csrfmiddlewaretoken" in ask("/admin/login/", ca=ca, name=f"www.{DOMAIN}").body
    assert served() in edge.read("tls/self_signed/fullchain.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        ask("/health/", trust=ssl.create_default_context())


def test_plain_http_only_sends_elsewhere() -> None:
    answer = ask_plain("/admin/login/?next=/admin/")
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{DOMAIN}/admin/login/?next=/admin/")
    # Whoever listens in could have made it up.
    assert answer.headers["Strict-Transport-Security"] is None


def test_http_2_is_spoken_where_it_is_asked_for(outside: Host, edge: Host) -> None:
    outside.run("cat > /tmp/ca.pem", given=edge.read("tls/self_signed/ca.pem"))
    ask_with = f"curl -sS --cacert /tmp/ca.pem -o /dev/null -w '%{{http_version}} %{{http_code}}' https://{DOMAIN}/admin/login/"
    assert outside.run(f"{ask_with} --http2") == "2 200"
    assert outside.run(f"{ask_with} --http1.1") == "1.1 200"


@pytest.mark.parametrize(("version", "taken"), [("tls1", False), ("tls1_1", False), ("tls1_2", True), ("tls1_3", True)])
def test_only_versions_that_are_safe_are_taken(outside: Host, edge: Host, version: str, taken: bool) -> None:  # noqa: FBT001
    said = shaken(outside, edge, f"-servername {DOMAIN} -{version} -cipher ALL:@SECLEVEL=0")
    assert ("BEGIN CERTIFICATE" in said) is taken, said
    assert taken or "alert" in said


def test_only_ciphers_of_the_guideline_are_taken(outside: Host, edge: Host) -> None:
    taken = set()
    for cipher in sorted(CIPHERS) + list(WEAK):
        said = shaken(outside, edge, f"-servername {DOMAIN} -tls1_2 -cipher {cipher}:@SECLEVEL=0")
        if "BEGIN CERTIFICATE" in said:
            taken.add(cipher)
    assert taken == CIPHERS


@pytest.mark.parametrize(
    "options", ["-servername other.example", "-noservername", f"-servername {DOMAIN}.evil.example"]
)
def test_whoever_asks_for_another_name_gets_no_certificate(outside: Host, edge: Host, options: str) -> None:
    said = shaken(outside, edge, options)
    assert "unrecognized name" in said, said
    assert "BEGIN CERTIFICATE" not in said
    assert DOMAIN not in said.replace(f"{DOMAIN}.evil.example", "")


def test_another_name_behind_the_right_handshake_gets_nothing_of_the_site(ca: str) -> None:
    with pytest.raises(ssl.SSLError):
        ask("/health/", name="other.example")
    with pytest.raises(http.client.RemoteDisconnected):
        ask("/health/", ca=ca, Host="other.example")


@pytest.fixture(scope="module")
def account(edge: Host) -> Iterator[tuple[str, str]]:
    """Make somebody who may log in."""
    user, password = "edge-tester", secrets.token_urlsafe(20)
    web = edge.container("web")
    made = f"docker exec -i -e DJANGO_SUPERUSER_USERNAME={user} -e DJANGO_SUPERUSER_EMAIL=tester@{DOMAIN} {web} sh -c"
    edge.run(
        f"{made} 'read -r DJANGO_SUPERUSER_PASSWORD; export DJANGO_SUPERUSER_PASSWORD; python manage.py createsuperuser --noinput'",
        given=password + "\n",
    )
    yield user, password
    code = f'from django.contrib.auth import get_user_model as m; m().objects.filter(username="{user}").delete()'
    edge.run(f"docker exec -i {edge.container('web')} python manage.py shell", given=code + "\n")


def test_somebody_logs_in_and_the_cookies_stay_on_tls(ca: str, account: tuple[str, str]) -> None:
    browser = Browser(ca)
    answer = browser.log_in(*account)
    assert (answer.status, answer.headers["Location"]) == (302, "/accounts/profile/")
    assert browser.cookies["sessionid"]["secure"]
    assert browser.cookies["sessionid"]["httponly"]
    assert browser.cookies["csrftoken"]["secure"]
    page = browser.go("/admin/")
    assert page.status == 200
    assert account[0] in page.body
    # Django takes a form from a page of ours alone.
    form = {"csrfmiddlewaretoken": "a" * 64, "username": account[0], "password": account[1]}
    assert Browser(ca).go("/admin/login/", form).status == 403


@pytest.mark.parametrize("path", ["/health/live/", "/admin/login/", "/no-such-page", "/static/no-such-file"])
def test_every_answer_says_hsts_once(ca: str, path: str) -> None:
    assert ask(path, ca=ca).headers.get_all("Strict-Transport-Security") == ["max-age=86400"]


def holding(edge: Host, service: str, key: str) -> list[str]:
    """Return the files below what a container has mounted that hold a key."""
    name = edge.container(service)
    mounts = edge.run(f"docker inspect --format '{{{{range .Mounts}}}}{{{{.Destination}}}} {{{{end}}}}' {name}")
    # By its first line, which has most of what is secret, and on no command line.
    line = key.splitlines()[1] + "\n"
    look = f"docker exec -i -u 0 {name} grep -rlF -f - {mounts}"
    return edge.run(look, given=line, check=False).splitlines()


def test_nothing_outside_learns_the_keys(edge: Host) -> None:
    own, ca = edge.read("tls/self_signed/privkey.pem"), edge.read("ca/privkey.pem")
    # Whoever gets hold of Nginx has that of the site, and cannot sign for any other name.
    assert holding(edge, "nginx", own) == ["/etc/nginx/tls/self_signed/privkey.pem"]
    assert holding(edge, "nginx", ca) == []
    assert holding(edge, "web", own) == holding(edge, "web", ca) == []
    for service in ("nginx", "web"):
        sources = edge.run(
            f"docker inspect --format '{{{{range .Mounts}}}}{{{{.Source}}}} {{{{end}}}}' {edge.container(service)}"
        )
        assert [path for path in sources.split() if f"{STACK_DIR}/ca/".startswith(f"{path}/")] == []
    modes = edge.run(
        f"stat -c '%a %U' {STACK_DIR}/tls {STACK_DIR}/tls/self_signed/privkey.pem {STACK_DIR}/ca/privkey.pem"
    )
    assert modes.splitlines() == ["700 root", "600 root", "600 root"]


def test_a_second_run_does_nothing_in_four_calls(edge: Host) -> None:
    began = time.time()
    run = run_playbook("site")
    ended = time.time()
    assert (run.code, run.stats["changed"]) == (0, 0), run.message
    log = edge.run(f"journalctl --no-pager --output=cat _COMM=sudo --since=@{began:.3f} --until=@{ended:.3f}")
    assert log.count("BECOME-SUCCESS") == CALLS
    dry = run_playbook("site", "--check", "--diff")
    assert (dry.code, dry.changed) == (0, []), dry.message


def test_a_longer_hsts_and_another_name_come_without_a_dropped_request(ca: str, edge: Host, tmp_path: Path) -> None:
    values = tmp_path / "values.yml"
    # One that no certificate of before is for: that would go on, since it is for the others as well.
    other = f"n{secrets.token_hex(4)}.{DOMAIN}"
    hosts = [DOMAIN, f"www.{DOMAIN}", other, "localhost"]
    values.write_text(json.dumps({"django_hsts_seconds": 604800, "django_allowed_hosts": hosts}))
    before = served()
    dry = run_playbook("deploy", f"-e@{values}", "--check", "--diff")
    assert dry.code == 0, dry.message
    assert served() == before
    with Crowd(ca) as crowd:
        run = run_playbook("deploy", f"-e@{values}")
    assert run.code == 0, run.message
    # What a dry run foresees is what the run does, all of it and nothing else.
    assert "Say what would be made" in dry.changed
    assert set(dry.changed) == as_foreseen(run)
    assert served() != before
    answer = ask("/health/live/", ca=ca, name=other)
    assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, "max-age=604800")
    assert crowd.bad == []
    assert crowd.good > 100
    # The same key and CA as before: whoever trusts it goes on.
    assert edge.read("tls/self_signed/ca.pem") == ca
    assert run_playbook("deploy").code == 0


def test_neither_a_release_nor_the_way_back_drops_a_request(ca: str, tmp_path: Path) -> None:
    source = tmp_path / "app"
    shutil.copytree(ROOT / "app", source, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    with (source / "settings" / "urls.py").open("a") as file:
        file.write(f"\n# {secrets.token_hex(8)}\n")
    with Crowd(ca) as crowd:
        run = run_playbook("deploy", "-e", f"django_source_path={source}")
    assert run.code == 0, run.message
    assert run.part("switch")["changed"]
    assert crowd.bad == []
    assert crowd.good > 100
    with Crowd(ca) as crowd:
        back = run_playbook("rollback")
    assert back.code == 0, back.message
    assert crowd.bad == []
    assert crowd.good > 20


def test_testssl_grades_it_a(outside: Host, ca: str) -> None:
    # With a longer HSTS it is A+, see test_hostile_headers.
    assert graded(outside, ca) == "A"


def test_folders_that_somebody_has_deleted_are_made_anew_and_served_from(edge: Host) -> None:
    """Nginx has the deleted one mounted, and would find nothing there however often it is told to load."""
    edge.run(f"rm -rf {STACK_DIR}/tls {STACK_DIR}/ca {STACK_DIR}/upstream")
    said = run_playbook("status", "-e", "status_format=json").output
    assert "there is no certificate, so the site cannot be reached over https" in said
    run = run_playbook("deploy")
    assert run.code == 0, run.message
    assert served() in edge.read("tls/self_signed/fullchain.pem")
    assert ask("/health/live/", ca=edge.read("tls/self_signed/ca.pem")).status == 200
    again = run_playbook("deploy")
    assert (again.code, again.changed) == (0, []), again.message
