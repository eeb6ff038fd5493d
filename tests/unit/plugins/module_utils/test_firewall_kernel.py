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
from ansible_collections.barehost.django.plugins.module_utils import _firewall, _firewall_host

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
    stacks = (({"app": PART}, ""), ({"app": FORWARDED}, ""), ({"app": PART}, OWN))
    texts = [_firewall.render(parts, _firewall.with_outside(own, parts, ["br-data"])) for parts, own in stacks]
    argv = [*APART, sys.executable, str(PROGRAM)]
    done = subprocess.run(argv, input=json.dumps(texts), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    before, under, listing = json.loads(done.stdout.splitlines()[-1])
    # Without rules everything answers, so that what does not answer under them is their doing.
    assert [target for found in before.values() for target, answers in found.items() if not answers] == []
    let_in = [
        {name: {target for target, answers in found[name].items() if answers} for name in ("outside", "lan", "data")}
        for found in under
    ]
    for name, found in let_in[0].items():
        # What is routed to a virtual machine is not ours.
        wanted = {target for target in under[0][name] if target.split()[1] in ("22", "80", "443", "7000")}
        assert found == wanted - {"127.0.0.1 443"}, name
    # What somebody else forwards is judged as what Docker publishes: by its port, or by a rule of the administrator's own.
    more = {**let_in[0], "outside": let_in[0]["outside"] | {"10.77.0.1 8095"}}
    assert let_in[1:] == [more, more]
    assert _firewall.loaded(listing) == _firewall.loaded(texts[-1]) != ""
    # What containers do is as it was.
    assert under[0]["two"] == before["two"]


# Sets of the administrator's are filled by whoever has been let in, or by somebody's timer.
FILLED = f"""
add set {_firewall.TABLE} knocked {{ type ipv4_addr; flags dynamic,timeout; timeout 1h; }}
add set {_firewall.TABLE} friends {{ type ipv4_addr; elements = {{ 192.0.2.7 }}; }}
add rule {_firewall.TABLE} open ip saddr @friends accept
"""
BY_HAND = (
    "flush chain inet barehost forward",
    "insert rule inet barehost open tcp dport 3306 accept",
    "add rule inet barehost ssh accept",
    "add element inet barehost inside { eth0 }",
    "add element inet barehost outside { br-cafe }",
    "delete table inet barehost",
)


@needs_kernel
def test_what_is_changed_by_hand_shows_and_what_packets_change_does_not(tmp_path: Path) -> None:
    text = _firewall.render({"app": PART}, FILLED)
    show = " ".join(_firewall_host.list_cmd())
    counted = text.replace("counter drop", "counter packets 3 bytes 180 drop")
    filled = "add element inet barehost knocked { 192.0.2.8 }\nadd element inet barehost friends { 192.0.2.9 }\n"
    steps = [text, text, counted, filled, *(word for line in BY_HAND for word in (text, line))]
    script = ""
    for number, step in enumerate(steps):
        (tmp_path / f"{number}.nft").write_text(step + "\n")
        script += f"nft -f {tmp_path}/{number}.nft && {{ {show} > {tmp_path}/{number}.txt 2> /dev/null || true; }}\n"
    # What was listed can be loaded, as what comes back has to be.
    (tmp_path / "delete.nft").write_text(_firewall.DELETE)
    script += f"cat {tmp_path}/delete.nft {tmp_path}/0.txt | nft -f - && {show} > {tmp_path}/{len(steps)}.txt"
    done = subprocess.run([*APART, "sh", "-ec", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    shapes = [_firewall.shape((tmp_path / f"{number}.txt").read_text()) for number in range(len(steps) + 1)]
    assert "set friends" in shapes[0]
    assert "br-0" in shapes[0]
    assert [number for number, found in enumerate(shapes) if found != shapes[0]] == [5, 7, 9, 11, 13, 15]
    assert (tmp_path / "3.txt").read_text() != (tmp_path / "2.txt").read_text()
