# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A certificate by a real ACME server: how the site comes by it, renews it, and goes on where the server says no."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from authority import Authority
from clients import Crowd, ask, ask_plain, served
from conftest import DOMAIN, STACK_DIR, Host, as_foreseen, run_playbook

from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLS = 4
UNIT = "barehost-app-certificate"
# Where its old processes take a connection yet that came to all of them, they show what they have.
SHOWN = "the new certificate is shown to everybody"
# certbot's own word for when a certificate ends soon, so that one that was just made does.
DUE = (
    f"file=$(ls {STACK_DIR}/certbot/config/renewal/*.conf); "
    "sed -i '/renew_before_expiry/d' $file && sed -i '1i renew_before_expiry = 9999 days' $file"
)


@pytest.fixture(scope="module")
def ca(edge: Host, outside: Host) -> Iterator[Authority]:
    """Have an authority, on a site that serves by its own."""
    authority = Authority(outside, edge)
    authority.start()
    # It knows nobody, and nothing of what another one has given.
    edge.run(f"rm -rf {STACK_DIR}/tls/acme* {STACK_DIR}/certbot")
    run = run_playbook("deploy")
    assert run.code == 0, run.message
    yield authority
    authority.stop()


def problems() -> str:
    """Return what `status` says."""
    return run_playbook("status", "-e", "status_format=json").output


def test_what_no_authority_proves_is_refused(ca: Authority, tmp_path: Path) -> None:
    more = {"tls_acme_agree_tos": False, "tls_names": [DOMAIN, "*.edge.test", "192.0.2.7", "intranet"]}
    run = run_playbook("deploy", ca.values(tmp_path, **more))
    assert run.code != 0
    for said in (
        "tls_acme_agree_tos is not true",
        "*.edge.test is a wildcard",
        "192.0.2.7 is an address",
        "intranet is no name of the Internet",
    ):
        assert said in run.message
    # Without certbot on the host a plain deploy says what to do.
    if not ca.edge.run("command -v certbot || true"):
        run = run_playbook("deploy", ca.values(tmp_path))
        assert "the host has no certbot" in run.message


def test_a_site_goes_on_as_it_is_while_the_authority_says_no(ca: Authority, edge: Host, tmp_path: Path) -> None:
    before, files = served(), edge.run(f"find {STACK_DIR}/nginx {STACK_DIR}/*.yaml -printf '%p %T@\\n' | sort")
    # Where the names lead nobody answers.
    ca.finds_the_site("127.0.0.9")
    run = run_playbook("site", ca.values(tmp_path))
    ca.finds_the_site()
    assert run.code != 0
    # Which of the names it tries first is its own affair.
    assert re.search(rf"gave no certificate: (www\.)?{DOMAIN}: ", run.message)
    assert served() == before
    assert edge.run(f"find {STACK_DIR}/nginx {STACK_DIR}/*.yaml -printf '%p %T@\\n' | sort") == files


def test_a_site_that_serves_comes_by_one_without_a_dropped_request(ca: Authority, tmp_path: Path) -> None:
    dry = run_playbook("deploy", ca.values(tmp_path), "--check", "--diff")
    assert dry.code == 0, dry.message
    with Crowd("") as crowd:
        run = run_playbook("deploy", ca.values(tmp_path))
    assert run.code == 0, run.message
    assert crowd.bad == []
    assert crowd.good > 20
    assert "Say what would be asked for" in dry.changed
    assert set(dry.changed) == as_foreseen(run)
    assert ask("/health/live/", ca=ca.root).status == 200
    assert ask("/admin/login/", ca=ca.root, name=f"www.{DOMAIN}").status == 200


def test_a_second_run_does_nothing_in_four_calls(ca: Authority, edge: Host, tmp_path: Path) -> None:
    began = time.time()
    run = run_playbook("site", ca.values(tmp_path))
    ended = time.time()
    assert (run.code, run.changed) == (0, []), run.message
    log = edge.run(f"journalctl --no-pager --output=cat _COMM=sudo --since=@{began:.3f} --until=@{ended:.3f}")
    assert log.count("BECOME-SUCCESS") == CALLS
    dry = run_playbook("site", ca.values(tmp_path), "--check", "--diff")
    assert (dry.code, dry.changed) == (0, []), dry.message


def test_the_timer_renews_what_ends_soon_without_a_dropped_request(ca: Authority, edge: Host) -> None:
    assert edge.run(f"systemctl is-enabled {UNIT}.timer; systemctl is-active {UNIT}.timer") == "enabled\nactive"
    before = served()
    edge.run(f"systemctl start {UNIT}")
    assert served() == before
    edge.run(DUE)
    with Crowd(ca.root) as crowd:
        edge.run(f"systemctl start {UNIT}")
        time.sleep(2)
    wait_until(lambda: served() != before, SHOWN)
    assert crowd.bad == []
    assert crowd.good > 20
    # One is left, and is that which certbot has.
    assert len(edge.run(f"ls -d {STACK_DIR}/tls/acme.*").split()) == 1
    pairs = (f"{STACK_DIR}/tls/acme", f"{STACK_DIR}/certbot/config/live/app")
    for file in ("fullchain.pem", "privkey.pem"):
        edge.run(f"cmp {pairs[0]}/{file} {pairs[1]}/{file}")
    assert '"who": "timer", "command": "certificate"' in edge.run("tail -1 /var/log/barehost/app.jsonl")


def test_what_the_operator_has_certbot_do_is_not_done(ca: Authority, edge: Host) -> None:
    before = served()
    kinds = "".join(f"{kind}-hook = touch /tmp/hooked\n" for kind in ("pre", "post", "renew"))
    edge.run(
        "mkdir -p /etc/letsencrypt && cp -a /etc/letsencrypt/cli.ini /tmp/cli.ini.before 2>/dev/null; rm -f /tmp/hooked"
    )
    edge.run("cat >> /etc/letsencrypt/cli.ini", given=f"\n{kinds}email = nobody@example.org\n")
    try:
        edge.run(f"{STACK_DIR}/renewal/barehost-certificate renew --now")
    finally:
        edge.run("mv /tmp/cli.ini.before /etc/letsencrypt/cli.ini 2>/dev/null || rm -f /etc/letsencrypt/cli.ini")
    wait_until(lambda: served() != before, SHOWN)
    assert ask("/health/live/", ca=ca.root).status == 200
    assert edge.run("ls /tmp/hooked 2>/dev/null || true") == ""


def test_a_renewal_that_fails_keeps_the_old_one_and_shows(ca: Authority, edge: Host) -> None:
    before = served()
    edge.run(DUE)
    ca.finds_the_site("127.0.0.9")
    assert "failed" in edge.run(f"systemctl start {UNIT}; systemctl is-failed {UNIT}", check=False)
    assert (served(), ask("/health/live/", ca=ca.root).status) == (before, 200)
    said = problems()
    assert "the certificate could not be renewed at" in said
    assert '\\"verdict\\": \\"attention\\"' in said or '"verdict": "attention"' in said
    assert "could not be renewed" in edge.run(f"{STACK_DIR}/renewal/barehost-certificate check", check=False)
    ca.finds_the_site()
    edge.run(f"systemctl start {UNIT}")
    wait_until(lambda: served() != before, SHOWN)
    assert "could not be renewed" not in problems()


def test_a_certificate_that_nginx_does_not_take_is_not_left_in_place(ca: Authority, edge: Host) -> None:
    before = served()
    # Nginx says no to whatever it is asked for now.
    edge.run(f"echo 'no such directive;' >> {STACK_DIR}/nginx/stamp.conf")
    try:
        said = edge.run(f"{STACK_DIR}/renewal/barehost-certificate renew --now 2>&1", check=False)
        link = edge.run(f"readlink {STACK_DIR}/tls/acme; ls -d {STACK_DIR}/tls/acme.*")
    finally:
        edge.run(f"sed -i '$d' {STACK_DIR}/nginx/stamp.conf")
    assert "goes on with the old one" in said
    assert len(link.split()) == 2
    assert served() == before
    # Still there to be taken, without asking the authority again.
    edge.run(f"{STACK_DIR}/renewal/barehost-certificate renew")
    wait_until(lambda: served() != before, SHOWN)
    assert ask("/health/live/", ca=ca.root).status == 200


def test_a_deploy_mends_folders_that_somebody_has_deleted(ca: Authority, edge: Host, tmp_path: Path) -> None:
    """Nginx has the deleted ones mounted: neither a proof nor a certificate would be found there, whatever it is told to load."""
    edge.run(f"rm -rf {STACK_DIR}/tls {STACK_DIR}/acme")
    dry = run_playbook("deploy", ca.values(tmp_path), "--check", "--diff")
    assert dry.code == 0, dry.message
    run = run_playbook("deploy", ca.values(tmp_path))
    assert run.code == 0, run.message
    assert set(dry.changed) == as_foreseen(run)
    assert ask("/health/live/", ca=ca.root).status == 200
    again = run_playbook("deploy", ca.values(tmp_path))
    assert (again.code, again.changed) == (0, []), again.message
    # With nothing of certbot's in hand the authority has to find a proof.
    edge.run(f"rm -rf {STACK_DIR}/tls {STACK_DIR}/acme {STACK_DIR}/certbot")
    run = run_playbook("deploy", ca.values(tmp_path))
    assert run.code == 0, run.message
    assert ask("/health/live/", ca=ca.root).status == 200
    again = run_playbook("deploy", ca.values(tmp_path))
    assert (again.code, again.changed) == (0, []), again.message


def test_the_timer_mends_folders_that_somebody_has_deleted(ca: Authority, edge: Host) -> None:
    before, container = served(), edge.container("nginx")
    edge.run(f"rm -rf {STACK_DIR}/tls {STACK_DIR}/acme")
    edge.run(f"systemctl start {UNIT}")
    # Restarted, with what certbot has, and not made anew.
    assert (served(), edge.container("nginx")) == (before, container)
    assert ask("/health/live/", ca=ca.root).status == 200
    edge.run(f"{STACK_DIR}/renewal/barehost-certificate renew --now")
    wait_until(lambda: served() != before, SHOWN)


def test_another_name_is_proved_before_the_site_answers_to_it(ca: Authority, tmp_path: Path) -> None:
    hosts = [DOMAIN, f"www.{DOMAIN}", f"other.{DOMAIN}", "localhost"]
    run = run_playbook("deploy", ca.values(tmp_path, django_allowed_hosts=hosts))
    assert run.code == 0, run.message
    assert ask("/health/live/", ca=ca.root, name=f"other.{DOMAIN}").status == 200


def test_a_bare_host_whose_names_lead_elsewhere_is_left_to_the_next_run(
    ca: Authority, edge: Host, tmp_path: Path
) -> None:
    gone = run_playbook("uninstall", "-e", "uninstall_delete_data=app")
    assert gone.code == 0, gone.message
    assert edge.run(f"ls /etc/systemd/system/{UNIT}* {STACK_DIR} 2>/dev/null || true") == ""
    ca.finds_the_site("127.0.0.9")
    run = run_playbook("site", ca.values(tmp_path))
    ca.finds_the_site()
    assert run.code != 0
    assert "gave no certificate" in run.message
    # Somebody asks again, and whoever looks sees it.
    assert edge.run(f"systemctl is-active {UNIT}.timer") == "active"
    assert "there is no certificate, so the site cannot be reached over https" in problems()
    again = run_playbook("site", ca.values(tmp_path))
    assert again.code == 0, again.message
    assert ask("/health/live/", ca=ca.root).status == 200


def test_a_bare_host_comes_by_one_in_its_first_run(ca: Authority, edge: Host, tmp_path: Path) -> None:
    gone = run_playbook("uninstall", "-e", "uninstall_delete_data=app")
    assert gone.code == 0, gone.message
    dry = run_playbook("site", ca.values(tmp_path), "--check", "--diff")
    assert dry.code == 0, dry.message
    run = run_playbook("site", ca.values(tmp_path))
    assert run.code == 0, run.message
    assert ask("/health/live/", ca=ca.root).status == 200
    assert ask_plain("/.well-known/acme-challenge/none").status == 404
    again = run_playbook("site", ca.values(tmp_path))
    assert (again.code, again.changed) == (0, [])
    record = json.loads(edge.run(f"cat {STACK_DIR}/tls/acme/state.json"))
    assert record["names"] == [DOMAIN, f"www.{DOMAIN}"]
