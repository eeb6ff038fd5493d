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
SHOP = {"firewall_allowed_tcp_ports": [80, 443], "firewall_ssh_ports": [22]}
PART = _firewall.part(SHOP)
FORWARDED = _firewall.part({**SHOP, "firewall_allowed_tcp_ports": [80, 443, 8095]})
OWN = f'add rule {_firewall.TABLE} open oifname "virbr0" accept\n'


def possible() -> bool:
    """Whether this machine has nft and lets us have namespaces."""
    if not all(shutil.which(name) for name in ("nft", "unshare", "ip")):
        return False
    return subprocess.run([*APART, "nft", "list", "ruleset"], capture_output=True, check=False).returncode == 0


needs_kernel = pytest.mark.skipif(not possible(), reason="needs nft, and network namespaces of its own")


@needs_kernel
def test_exactly_what_is_let_in_is_reached() -> None:
    texts = [
        _firewall.render({"app": PART}),
        _firewall.render({"app": FORWARDED}),
        _firewall.render({"app": PART}, OWN),
    ]
    argv = [*APART, sys.executable, str(PROGRAM)]
    done = subprocess.run(argv, input=json.dumps(texts), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    before, under, listing = json.loads(done.stdout.splitlines()[-1])
    # Without rules everything answers, so that what does not answer under them is their doing.
    assert [target for found in before.values() for target, answers in found.items() if not answers] == []
    let_in = [
        {name: {target for target, answers in found[name].items() if answers} for name in ("outside", "lan")}
        for found in under
    ]
    for name, found in let_in[0].items():
        # What is routed to a virtual machine is not ours.
        wanted = {target for target in under[0][name] if target.split()[1] in ("22", "80", "443", "7000")}
        assert found == wanted - {"127.0.0.1 443"}, name
    # What somebody else forwards is judged as what Docker publishes: by its port, or by a rule of the administrator's own.
    more = {"outside": let_in[0]["outside"] | {"10.77.0.1 8095"}, "lan": let_in[0]["lan"]}
    assert let_in[1:] == [more, more]
    assert _firewall.loaded(listing) == _firewall.loaded(texts[-1]) != ""
    # What containers do is as it was.
    assert under[0]["two"] == before["two"]
