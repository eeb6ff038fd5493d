# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules in a kernel, in network namespaces that end with the test: who reaches what, on both families."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _firewall

PROGRAM = Path(__file__).with_name("firewall_net.py")
APART = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
PART = _firewall.part({"firewall_allowed_tcp_ports": [80, 443], "firewall_ssh_ports": [22]})


def possible() -> bool:
    """Whether this machine has nft and lets us have namespaces."""
    if not all(shutil.which(name) for name in ("nft", "unshare", "ip")):
        return False
    return subprocess.run([*APART, "nft", "list", "ruleset"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not possible(), reason="needs nft, and network namespaces of its own")
def test_exactly_what_is_let_in_is_reached() -> None:
    text = _firewall.render({"app": PART})
    argv = [*APART, sys.executable, str(PROGRAM)]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    before, under, listing = json.loads(done.stdout.splitlines()[-1])
    # Without rules everything answers, so that what does not answer under them is their doing.
    assert [target for found in before.values() for target, answers in found.items() if not answers] == []
    for name in ("outside", "lan"):
        let_in = {target for target, answers in under[name].items() if answers}
        wanted = {target for target in under[name] if target.split()[1] in ("22", "80", "443")}
        assert let_in == wanted, name
    assert _firewall.loaded(listing) == _firewall.loaded(text) != ""
    # What containers do is as it was.
    assert under["two"] == before["two"]
