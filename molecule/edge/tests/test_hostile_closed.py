# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A site that is closed for everybody but some, and an administration that is closed for everybody but some."""

from __future__ import annotations

import wire
from clients import ask
from conftest import DOMAIN, Host
from mirrored import Site, told, word

FORMS = 60
# More than `nginx_api_burst` lets through at once.
CALLS = 60


def status(outside: Host, path: str, *options: str) -> int:
    """Return the status that the other host gets."""
    return int(outside.run(f"curl -sk -o /dev/null -w '%{{http_code}}' {' '.join(options)} 'https://{DOMAIN}{path}'"))


def called(outside: Host, addresses: list[str]) -> set[str]:
    """Return the statuses that the API has for these addresses, all of them at once."""
    lines = (f'url = "https://{DOMAIN}/api/"', "insecure", 'output = "/dev/null"', r'write-out = "%{http_code}\n"')
    asked = ["\n".join((*lines, f'header = "X-Forwarded-For: {address}"')) for address in addresses]
    outside.run("cat > /tmp/called", given="\nnext\n".join(asked))
    return set(outside.run(f"curl -sS -Z --parallel-max {CALLS} -K /tmp/called").split())


def test_attempts_to_log_in_are_counted_and_whoever_only_reads_is_not(outside: Host, mirror: Site) -> None:
    """By address: what one of them may no longer do, another one may."""
    get = (
        f"curl -sk -Z --parallel-max 10 -o /dev/null -w '%{{http_code}}\\n' 'https://{DOMAIN}/admin/login/?[1-{FORMS}]'"
    )
    assert set(outside.run(get).split()) == {"200"}
    tried = outside.run(f"{get} -d username=admin -d password=guess").split()
    assert len(tried) == FORMS
    assert set(tried) == {"403", "429"}
    # Those of the burst, and what comes free meanwhile.
    assert tried.count("403") < FORMS // 2
    for path in ("/admin/login", "//admin/login/", "/x/../admin/login/", "/%61dmin/login/"):
        assert status(outside, path, "--path-as-is", "-d username=admin") in (400, 429)
    assert set(outside.run(get).split()) == {"200"}
    assert ask("/admin/login/", ca=mirror.ca, method="POST", body="username=admin").status == 403


def test_a_site_under_maintenance_says_so_and_lets_some_in(outside: Host, mirror: Site) -> None:
    try:
        # Of which the controller, that is none of them, would find nothing.
        mirror.deploy(nginx_maintenance=True, nginx_maintenance_networks=[f"{outside.address}/32"], verify_checks=[])
        for path in ("/", "/mirror/", "/admin/", "/api/", "/missing/"):
            answer = ask(path, ca=mirror.ca)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "120")
            assert "The site is not available at the moment" in answer.body
            assert len(answer.headers.get_all("Content-Security-Policy") or []) == 1
            assert "Cache-Control" not in answer.headers
        # Whoever watches it is told the truth, and a page that was loaded before keeps its styles.
        assert ask("/health/", ca=mirror.ca).status == 200
        assert ask("/static/admin/css/base.css", ca=mirror.ca).status == 200
        assert status(outside, "/mirror/", "-H 'X-Forwarded-For: 203.0.113.9'") == 200
    finally:
        mirror.deploy()
    assert ask("/mirror/", ca=mirror.ca).headers["Retry-After"] is None


def test_the_administration_is_there_for_some_networks_alone(outside: Host, mirror: Site) -> None:
    """The other host is one of them, and one that is believed for whom it asks as well."""
    try:
        mirror.deploy(
            nginx_admin_networks=[f"{outside.address}/32", "192.0.2.0/24"],
            nginx_trusted_proxies=[outside.address],
            verify_checks=[],
        )
        words = [word() for _ in range(8)]
        tried = (
            f"/admin/login/?{words[0]}",
            f"//admin/login/?{words[1]}",
            f"/%61dmin/login/?{words[2]}",
            f"/admin%2flogin/?{words[3]}",
            f"/missing/../admin/login/?{words[4]}",
            f"/missing/%2e%2e/admin/login/?{words[5]}",
            f"/admin/auth/user/../../../{words[6]}/change/",
            f"/./admin/login/?{words[7]}",
        )
        forged = ("X-Forwarded-For: 192.0.2.1", f"X-Real-IP: {outside.address}", "X-Original-URL: /admin/login/")
        found = [wire.statuses(wire.get(path, *forged)) for path in tried]
        assert [statuses for statuses in found if statuses not in ([403], [400])] == []
        assert mirror.reached(words) == set()
        assert ask("/mirror/", ca=mirror.ca).status == 200
        # Believed of the one that is trusted: somebody of the network, and somebody else, behind whatever they say of themselves.
        assert status(outside, "/admin/login/") == 200
        assert status(outside, "/admin/login/", "-H 'X-Forwarded-For: 192.0.2.7'") == 200
        assert status(outside, "/admin/login/", "-H 'X-Forwarded-For: 192.0.2.7, 203.0.113.9'") == 403
        # Whoever has one address of IPv6 has as many as he wants of its network, and is one client.
        assert called(outside, [f"2001:db8:0:{number:x}::1" for number in range(CALLS)]) == {"200"}
        assert called(outside, [f"2001:db8:1:2:{number:x}::1" for number in range(CALLS)]) == {"200", "429"}
        # As proxies write addresses of IPv4 that listen for both families on one socket.
        assert called(outside, [f"::ffff:203.0.113.{number}" for number in range(CALLS)]) == {"200"}
        seen = told(ask("/mirror/", ca=mirror.ca, X_Forwarded_For="192.0.2.7"))["told"]
        assert "192.0.2.7" not in seen.values()
    finally:
        mirror.deploy()
    assert ask("/admin/login/", ca=mirror.ca).status == 200
