# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nobody who works on the host is locked out, whatever the variables, the administrator's own rules and a dead run say."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from conftest import BACK, DECLARED, DIGEST, EXACTLY, INVENTORY, ROOT, Host, answers, run_playbook

from tests import playbooks
from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = "/etc/barehost/firewall.d/own.nft"
RULES = "/etc/barehost/firewall.nft"
SHUT = "insert rule inet barehost input tcp dport 22 ct state new drop\n"
SECOND = "/etc/ssh/sshd_config.d/second.conf"


def settled(inside: Host) -> tuple[str, str]:
    """Return what is loaded and what is on the disk."""
    return inside.run(DIGEST), inside.run(f"sha256sum {RULES} /etc/barehost/firewall.d/*.json")


@pytest.fixture(scope="module", autouse=True)
def as_declared(inside: Host) -> Iterator[None]:
    """Begin and end with what the inventory says."""
    assert run_playbook("bootstrap").code == 0
    yield
    inside.run(f"rm -f {OWN} {SECOND}; systemctl restart ssh")
    assert run_playbook("bootstrap").code == 0


@pytest.fixture
def second_port(inside: Host) -> Iterator[tuple[str, ...]]:
    """Have SSH spoken on another port as well, and return how a run comes by it."""
    inside.run(f"printf 'Port 22\\nPort 2222\\n' > {SECOND} && systemctl restart ssh")
    come = {
        "ansible_host": inside.addresses[0],
        "ansible_port": "2222",
        "ansible_ssh_extra_args": "-oHostKeyAlias=[127.0.0.1]:2362",
    }
    yield tuple(word for name, value in come.items() for word in ("-e", f"{name}={value}"))
    inside.run(f"rm {SECOND} && systemctl restart ssh")


def test_the_port_that_a_run_comes_by_stays_open_and_is_warned_of(
    inside: Host, outside: Host, second_port: tuple[str, ...]
) -> None:
    assert answers(outside, inside) == EXACTLY
    # Declared is 22 alone, and the rules in force keep the other one out: it has to be let in for once.
    inside.run("nft insert rule inet barehost ssh tcp dport 2222 accept")
    run = run_playbook("bootstrap", *second_port)
    assert run.code == 0, run.message
    assert "SSH is spoken on port 2222, which firewall_ssh_ports does not name: it stays open" in run.output
    assert answers(outside, inside)["v4"] == sorted([*DECLARED, 2222])
    again = run_playbook("bootstrap", *second_port)
    assert (again.code, again.changed) == (0, []), again.message
    # Who comes by a declared one wants what is declared.
    assert run_playbook("bootstrap").code == 0
    assert answers(outside, inside) == EXACTLY


def test_sources_that_leave_the_run_out_do_not_lock_it_out(inside: Host, outside: Host) -> None:
    run = run_playbook("bootstrap", firewall_ssh_sources=["192.0.2.0/24"])
    assert run.code == 0, run.message
    assert "which firewall_ssh_sources does not hold: it stays let in" in run.output
    found = answers(outside, inside)
    assert found == {family: [80, 443] for family in ("v4", "v6")}
    assert run_playbook("bootstrap").code == 0
    assert answers(outside, inside) == EXACTLY


def test_rules_that_no_connection_comes_through_go_back(inside: Host) -> None:
    before = settled(inside)
    inside.run(f"cat > {OWN}", given=SHUT)
    began = time.monotonic()
    run = run_playbook("site", firewall_confirm_seconds=15)
    took = time.monotonic() - began
    assert run.code != 0
    message = (
        "No new connection came through the new rules of the firewall, so they have gone back by themselves after 15"
    )
    assert message in run.message
    assert OWN.rsplit("/", 1)[0] in run.message
    assert len(run.message.splitlines()) == 1
    # Otherwise they had not been in force.
    assert took > 15
    assert settled(inside) == before
    # What is loaded when the host starts is what somebody has come through.
    assert "dport 22 ct state new drop" not in inside.run(f"cat {RULES}")
    inside.run(f"rm {OWN}")
    # The lock has been given back.
    again = run_playbook("site")
    assert (again.code, again.changed) == (0, []), again.message


# A connection that is dropped is tried again, and may come through once they have gone back.
@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "have gone back by themselves: no new connection came in time"), (20, "after 20 seconds")]
)
def test_bootstrap_says_so_too(inside: Host, seconds: int, said: str) -> None:
    before = settled(inside)
    inside.run(f"cat > {OWN}", given=SHUT)
    run = run_playbook("bootstrap", firewall_confirm_seconds=seconds)
    assert run.code != 0
    assert said in run.message
    assert settled(inside) == before
    inside.run(f"rm {OWN}")


def test_rules_that_nftables_does_not_take_are_refused(inside: Host) -> None:
    before = settled(inside)
    inside.run(f"cat > {OWN}", given="add rule inet barehost nowhere accept\n")
    for options in ((), ("--check",)):
        run = run_playbook("bootstrap", *options)
        assert run.code != 0
        assert f"nftables does not accept the rules ({OWN} among them), and nothing was changed" in run.message
    assert settled(inside) == before
    inside.run(f"rm {OWN}")


def test_the_administrators_own_rules_are_taken_up(inside: Host, outside: Host) -> None:
    inside.run(f"cat > {OWN}", given="add rule inet barehost open tcp dport 5555 accept\n")
    dry = run_playbook("bootstrap", "--check", "--diff")
    assert (dry.code, dry.changed) == (0, ["Try the rules, which go back by themselves"])
    run = run_playbook("bootstrap")
    assert run.code == 0, run.message
    assert answers(outside, inside) == {family: sorted([*DECLARED, 5555]) for family in ("v4", "v6")}
    assert run_playbook("bootstrap").changed == []
    inside.run(f"rm {OWN}")
    assert run_playbook("bootstrap").code == 0
    assert answers(outside, inside) == EXACTLY


def test_a_run_that_is_killed_in_between_leaves_what_was(inside: Host, outside: Host) -> None:
    before = settled(inside)
    # It lets SSH in no more, so that the run waits for a connection that does not come.
    inside.run(f"cat > {OWN}", given=SHUT)
    argv, env = playbooks.command(
        "bootstrap", "--limit", "firewall", "-e", "firewall_confirm_seconds=20", inventory=INVENTORY
    )
    run = subprocess.Popen(
        argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_until(lambda: inside.run(DIGEST) != before[0], "the rules are tried", 120)
        assert inside.run(f"systemctl is-active {BACK}") == "active"
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert answers(outside, inside, [22]) == {"v4": [], "v6": []}
    wait_until(lambda: settled(inside) == before, "the rules go back", 40)
    assert answers(outside, inside) == EXACTLY
    inside.run(f"rm {OWN}")
    again = run_playbook("bootstrap")
    assert (again.code, again.changed) == (0, []), again.message
