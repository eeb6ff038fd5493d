# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ports that a release has no longer: they are closed once it serves without them, and not where it fails."""

from __future__ import annotations

import json

from conftest import DECLARED, EXACTLY, INVENTORY, Host, answers, run_playbook, serves

from tests import playbooks
from tests.hosts import wait_until

# Without TLS, and so without 443, which the run itself tries from outside.
OFF = {"tls_mode": "off", "verify_url": "http://localhost:8220", "verify_open_ports": [22, 80]}
NEVER = [{"name": "never", "path": "/nowhere/", "contains": "x"}]


def test_a_release_that_fails_leaves_open_what_serves_again(inside: Host, outside: Host) -> None:
    run = run_playbook("site", **{**OFF, "verify_checks": NEVER, "verify_timeout_seconds": 5})
    assert run.code != 0
    assert answers(outside, inside, DECLARED) == EXACTLY
    wait_until(lambda: serves(inside), "the site serves as before")


def test_where_another_host_of_the_run_fails_what_serves_again_is_open(inside: Host, outside: Host) -> None:
    """By then it has served without the port, and nothing was wrong with it."""
    small = {"preflight_min_memory_mb": "{{ 100000000 if inventory_hostname == 'outside' else 900 }}"}
    options = [f"--extra-vars=@{INVENTORY}/group_vars/barehost.yml", "-e", json.dumps({**OFF, **small})]
    run = playbooks.run("site", "--limit", "firewall,outside", *options, inventory=INVENTORY, host="firewall")
    assert run.code != 0
    assert "back on release" in run.message
    assert answers(outside, inside, DECLARED) == EXACTLY
    wait_until(lambda: serves(inside), "the site serves as before")


def test_a_port_that_is_gone_is_closed_once_the_release_serves_and_comes_back_before_it(
    inside: Host, outside: Host
) -> None:
    dry = run_playbook("site", "--check", **OFF)
    run = run_playbook("site", **OFF)
    assert run.code == 0, run.message
    assert "Try the rules, which go back by themselves" in set(dry.changed) & set(run.changed)
    assert answers(outside, inside, DECLARED) == {"v4": [22, 80], "v6": [22, 80]}
    again = run_playbook("site", **OFF)
    assert (again.code, again.changed) == (0, [])
    back = run_playbook("site")
    assert back.code == 0, back.message
    assert answers(outside, inside, DECLARED) == EXACTLY
    wait_until(lambda: serves(inside), "the site serves")
