# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall as part of a host: two stacks, another firewall beside it, dry runs, second runs, the proof, and its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from conftest import DECLARED, EXACTLY, PUBLISHED, Host, answers, run_playbook, serves, without

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLS = 4
WIKI = {"stack_name": "wiki", "tls_mode": "off", "nginx_http_port": 8090, "firewall_allowed_tcp_ports": [PUBLISHED]}
INSTALL = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends"
TRY = "Try the rules, which go back by themselves"


@pytest.fixture(scope="module", autouse=True)
def as_declared() -> None:
    """Begin with what the inventory says, whatever a test before has left."""
    assert run_playbook("bootstrap", **WIKI, firewall_enabled=False).code == 0
    assert run_playbook("bootstrap").code == 0


def both(*more: int) -> dict[str, list[int]]:
    """Return what answers on both families where further ports are let in."""
    return {family: sorted([*DECLARED, *more]) for family in ("v4", "v6")}


def test_a_second_run_does_nothing_in_four_calls(inside: Host) -> None:
    assert run_playbook("site").code == 0
    began = time.time()
    run = run_playbook("site")
    ended = time.time()
    assert (run.code, run.changed) == (0, []), run.message
    log = inside.run(f"journalctl --no-pager --output=cat _COMM=sudo --since=@{began:.3f} --until=@{ended:.3f}")
    assert log.count("BECOME-SUCCESS") == CALLS
    dry = run_playbook("site", "--check", "--diff")
    assert (dry.code, dry.changed) == (0, []), dry.message


def test_verify_fails_where_something_else_answers(inside: Host) -> None:
    run = run_playbook("verify")
    assert run.code == 0, run.message
    with without(inside):
        run = run_playbook("verify")
        assert run.code != 0
        for address in (inside.addresses[0], f"[{inside.addresses[1]}]"):
            assert f"{address}:{PUBLISHED} accepts connections from outside, and must not" in run.message
        # Nothing listens there, and what is let in is answered by the host itself.
        assert f"{inside.addresses[0]}:9100 refuses in place of being silent" in run.message


def test_verify_fails_where_a_declared_port_does_not_answer(inside: Host) -> None:
    inside.run("nft insert rule inet barehost open meta nfproto ipv6 ct original proto-dst 443 drop")
    try:
        run = run_playbook("verify")
    finally:
        inside.run("systemctl reload barehost-firewall")
    assert run.code != 0
    assert f"[{inside.addresses[1]}]:443 does not answer (silent), and has to" in run.message


def test_a_deploy_that_nobody_would_reach_is_refused(inside: Host) -> None:
    run = run_playbook("deploy", nginx_https_port=8443)
    assert run.code != 0
    assert (
        "The firewall of the host does not let in TCP 8443, and deploy leaves it as it is: run barehost.django.site."
        in (run.message)
    )
    assert serves(inside)


def test_two_stacks_add_up_and_one_takes_its_part_away(inside: Host, outside: Host) -> None:
    dry = run_playbook("bootstrap", "--check", "--diff", **WIKI)
    assert (dry.code, dry.changed) == (0, [TRY]), dry.message
    assert answers(outside, inside) == EXACTLY
    run = run_playbook("bootstrap", **WIKI)
    assert run.code == 0, run.message
    # Whoever looked at what listens is told, the first time, what is not reached.
    assert "what listens on TCP 5555 (python3" in run.output
    assert answers(outside, inside) == both(PUBLISHED)
    # What another stack lets in, this one does not expect.
    again = run_playbook("site", verify_allowed_ports=[80, 443, PUBLISHED])
    assert (again.code, again.changed) == (0, []), again.message
    gone = run_playbook("bootstrap", **WIKI, firewall_enabled=False)
    assert gone.code == 0, gone.message
    assert answers(outside, inside) == EXACTLY
    assert run_playbook("site").changed == []


@pytest.fixture
def ufw(inside: Host) -> Iterator[None]:
    """Have ufw, which lets in SSH alone."""
    inside.run(f"{INSTALL} ufw", seconds=600)
    inside.run("ufw default deny incoming && ufw allow 22/tcp && ufw --force enable")
    yield
    inside.run("ufw --force disable; apt-get purge -qq -y ufw; systemctl reset-failed docker; systemctl restart docker")


@pytest.mark.usefixtures("ufw")
def test_beside_ufw(inside: Host, outside: Host) -> None:
    # What Docker forwards goes around it.
    assert answers(outside, inside) == EXACTLY
    inside.run("ufw allow 5555/tcp")
    for command in ("true", "ufw reload", "systemctl reset-failed docker; systemctl restart docker"):
        inside.run(command)
        assert answers(outside, inside) == EXACTLY
    with without(inside):
        # A container without IPv6 is reached over it by Docker's proxy on the host, which ufw judges.
        assert answers(outside, inside) == {"v4": sorted([*DECLARED, 5555, PUBLISHED]), "v6": sorted([*DECLARED, 5555])}
    inside.run("rm /etc/barehost/firewall.nft")
    run = run_playbook("site")
    assert run.code == 0, run.message
    assert "ufw is at work on this host as well" in run.output
    assert answers(outside, inside) == EXACTLY
    assert run_playbook("site").changed == []


@pytest.fixture
def firewalld(inside: Host) -> Iterator[None]:
    """Have firewalld, which lets in SSH alone."""
    inside.run(f"{INSTALL} firewalld", seconds=600)
    inside.run("systemctl start firewalld && firewall-cmd --quiet --add-service=ssh")
    yield
    inside.run("systemctl stop firewalld; apt-get purge -qq -y firewalld")
    inside.run("systemctl reset-failed docker; systemctl restart docker")


@pytest.mark.usefixtures("firewalld")
def test_beside_firewalld(inside: Host, outside: Host) -> None:
    assert answers(outside, inside) == EXACTLY
    inside.run("firewall-cmd --quiet --permanent --add-port=5555/tcp")
    inside.run("firewall-cmd --quiet --permanent --add-service=ssh")
    restart = "systemctl reset-failed docker; systemctl restart docker"
    for command in ("firewall-cmd --quiet --reload", restart, "systemctl restart firewalld", restart):
        inside.run(command)
        assert answers(outside, inside) == EXACTLY
    inside.run("rm /etc/barehost/firewall.nft")
    run = run_playbook("site")
    assert run.code == 0, run.message
    assert "firewalld is at work on this host as well" in run.output
    assert answers(outside, inside) == EXACTLY


def test_it_goes_whole_and_comes_back(inside: Host, outside: Host) -> None:
    dry = run_playbook("bootstrap", "--check", "--diff", firewall_enabled=False)
    assert (dry.code, dry.changed) == (0, [TRY]), dry.message
    run = run_playbook("bootstrap", firewall_enabled=False)
    assert (run.code, run.changed) == (0, [TRY]), run.message
    places = "/etc/barehost /etc/systemd/system/nftables.service.d"
    assert inside.run(f"ls -d {places} /etc/systemd/system/*firewall* /etc/systemd/system/*/*firewall* || true") == ""
    assert "barehost" not in inside.run("nft list tables; systemctl list-units --all --plain barehost-firewall*")
    assert 5555 in answers(outside, inside)["v4"]
    assert run_playbook("bootstrap", firewall_enabled=False).changed == []
    dry = run_playbook("site", "--check", "--diff")
    run = run_playbook("site")
    assert (dry.code, run.code) == (0, 0), dry.message + run.message
    assert dry.changed == [TRY]
    assert run.changed == [TRY, "Keep the rules"]
    assert answers(outside, inside) == EXACTLY
