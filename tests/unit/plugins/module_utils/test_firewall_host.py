# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall on a host: what is seen of it, and that rules nobody has come through do not stay."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _firewall, _firewall_host, _status, _uninstall

if TYPE_CHECKING:
    from pathlib import Path

PART = _firewall.part({"firewall_allowed_tcp_ports": [80, 443], "firewall_ssh_ports": [22]})
PARTS = {"shop": PART}
TEXT = _firewall.render(PARTS)


class Kernel:
    """What nft and systemd answer, and what they were asked."""

    def __init__(self) -> None:
        """Begin with nothing loaded."""
        self.text = ""
        self.asked: list[str] = []
        self.timer = False
        self.fails = ""
        self.refused = ""

    def run(self, argv: list[str], data: str | None = None) -> tuple[int, str, str]:
        """Answer a command."""
        line = " ".join(argv)
        self.asked.append(line)
        if (self.fails and self.fails in line) or (self.refused and self.refused == data):
            return 1, "", "it says no\nat length"
        if argv[0] == "systemd-run":
            self.timer = True
        elif line == f"systemctl stop {_firewall_host.BACK}.timer":
            self.timer = False
        elif line == f"systemctl is-active {_firewall_host.BACK}.timer":
            return (0, "active\n", "") if self.timer else (3, "inactive\n", "")
        elif line == f"{_firewall_host.NFT} -f -":
            self.text = "" if data == _firewall.DELETE else str(data)
        elif "list" in argv:
            return (0, self.text, "") if self.text else (1, "", "No such file or directory")
        return 0, "", ""

    def order(self, *words: str) -> list[str]:
        """Return in which order these words were asked."""
        return [word for line in self.asked for word in words if word in line]


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def file(tmp_path: Path, path: str) -> Path:
    return tmp_path / path.lstrip("/")


def test_nothing_is_on_the_disk_until_a_new_connection_has_come(kernel: Kernel, tmp_path: Path) -> None:
    _firewall_host.attempt(kernel.run, PARTS, "", 60, str(tmp_path))
    assert kernel.order("--check", "systemd-run", "-f -") == ["--check", "-f -", "systemd-run", "-f -"]
    assert not file(tmp_path, _firewall_host.LISTED).exists()
    assert kernel.text == TEXT
    assert not file(tmp_path, _firewall_host.RULES).exists()
    assert file(tmp_path, _firewall_host.BACK_RULES).read_text() == _firewall.DELETE
    _firewall_host.keep(kernel.run, "shop", str(tmp_path))
    assert not kernel.timer
    assert file(tmp_path, _firewall_host.RULES).read_text() == TEXT
    assert file(tmp_path, _firewall_host.LISTED).read_text() == TEXT
    assert _firewall_host.read_parts(str(tmp_path)) == PARTS
    assert kernel.asked[-1] == "systemctl enable --now barehost-firewall.service"


def test_what_was_in_force_is_what_comes_back(kernel: Kernel, tmp_path: Path) -> None:
    _firewall_host.write(kernel.run, "shop", PARTS, "", str(tmp_path))
    _firewall_host.attempt(kernel.run, {"shop": _firewall.EMPTY}, "", 60, str(tmp_path))
    assert file(tmp_path, _firewall_host.BACK_RULES).read_text() == TEXT


@pytest.mark.parametrize("loaded", [True, False])
def test_what_nftables_does_not_take_is_not_what_comes_back(kernel: Kernel, tmp_path: Path, *, loaded: bool) -> None:
    """A file that somebody has broken, or an interface that is gone: the timer would take nothing back."""
    _firewall_host.write(kernel.run, "shop", PARTS, "", str(tmp_path))
    kernel.text = "table inet barehost { }\n" if loaded else ""
    kernel.refused = TEXT
    _firewall_host.attempt(kernel.run, {"shop": _firewall.EMPTY}, "", 60, str(tmp_path))
    back = file(tmp_path, _firewall_host.BACK_RULES).read_text()
    assert back == _firewall.DELETE + ("table inet barehost { }\n" if loaded else "")


def test_what_is_loaded_is_not_what_comes_back_either_where_nftables_does_not_take_it(
    kernel: Kernel, tmp_path: Path
) -> None:
    kernel.text = "table inet barehost { }\n"
    kernel.refused = _firewall.DELETE + kernel.text
    _firewall_host.attempt(kernel.run, PARTS, "", 60, str(tmp_path))
    assert file(tmp_path, _firewall_host.BACK_RULES).read_text() == _firewall.DELETE


@pytest.mark.parametrize("text", [None, "{"])
def test_rules_of_which_nothing_says_what_they_are_go_back(kernel: Kernel, tmp_path: Path, text: str | None) -> None:
    _firewall_host.attempt(kernel.run, PARTS, "", 60, str(tmp_path))
    tried = file(tmp_path, _firewall_host.TRIED)
    tried.unlink()
    if text is not None:
        tried.write_text(text)
    with pytest.raises(
        _firewall_host.FirewallError, match=r"firewall-tried.json, which says .* they go back by themselves"
    ):
        _firewall_host.keep(kernel.run, "shop", str(tmp_path))
    assert kernel.timer


def test_rules_that_have_gone_back_are_not_kept(kernel: Kernel, tmp_path: Path) -> None:
    _firewall_host.attempt(kernel.run, PARTS, "", 60, str(tmp_path))
    kernel.timer = False
    with pytest.raises(_firewall_host.FirewallError, match="gone back by themselves"):
        _firewall_host.keep(kernel.run, "shop", str(tmp_path))
    assert not file(tmp_path, _firewall_host.RULES).exists()


def test_a_timer_that_went_off_while_it_was_stopped_is_seen(kernel: Kernel, tmp_path: Path) -> None:
    _firewall_host.attempt(kernel.run, PARTS, "", 60, str(tmp_path))
    kernel.text = ""
    with pytest.raises(_firewall_host.FirewallError, match="gone back by themselves"):
        _firewall_host.keep(kernel.run, "shop", str(tmp_path))
    assert not file(tmp_path, _firewall_host.RULES).exists()


@pytest.mark.parametrize(
    ("fails", "sentence"),
    [
        ("--check", "does not accept the rules, and nothing was changed: it says no"),
        ("systemd-run", "nothing was changed"),
    ],
)
def test_what_cannot_be_taken_back_is_not_loaded(kernel: Kernel, tmp_path: Path, fails: str, sentence: str) -> None:
    kernel.fails = fails
    with pytest.raises(_firewall_host.FirewallError, match=sentence):
        _firewall_host.attempt(kernel.run, PARTS, "", 60, str(tmp_path))
    assert kernel.text == ""


def test_the_rules_of_another_run_are_waited_for(kernel: Kernel) -> None:
    kernel.timer = True
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        kernel.timer = len(slept) < 3

    _firewall_host.wait(kernel.run, 10, sleep)
    assert len(slept) == 3
    kernel.timer = True
    with pytest.raises(_firewall_host.FirewallError, match="another run"):
        _firewall_host.wait(kernel.run, 1, lambda _seconds: None)


def test_the_last_stack_takes_the_firewall_away(kernel: Kernel, tmp_path: Path) -> None:
    _firewall_host.attempt(kernel.run, PARTS, "", 60, str(tmp_path))
    _firewall_host.keep(kernel.run, "shop", str(tmp_path))
    _firewall_host.remove(kernel.run, "shop", str(tmp_path))
    assert [path for path in (tmp_path / "etc").rglob("*") if path.is_file()] == []
    assert kernel.text == ""


def test_one_of_two_stacks_takes_its_part_away(kernel: Kernel, tmp_path: Path) -> None:
    _firewall_host.write(kernel.run, "wiki", {**PARTS, "wiki": _firewall.EMPTY}, "", str(tmp_path))
    _firewall_host.attempt(kernel.run, PARTS, "", 60, str(tmp_path))
    _firewall_host.keep(kernel.run, "wiki", str(tmp_path))
    assert _firewall_host.read_parts(str(tmp_path)) == PARTS


def seen(**changes: Any) -> dict[str, Any]:
    digest = _firewall.loaded(TEXT)
    there = {"parts": PARTS, "file": digest, "loaded": digest, "unit": True, "connection": {}}
    return {**there, **changes}


@pytest.mark.parametrize(
    ("part", "there", "steps"),
    [
        (PART, seen(), []),
        (PART, seen(connection={"address": "192.0.2.1", "port": 22}), []),
        (PART, seen(connection={"address": "192.0.2.1", "port": 2222}), ["part", "file", "kernel"]),
        (PART, seen(loaded=""), ["kernel"]),
        (PART, seen(file=""), ["file"]),
        (PART, seen(unit=False), ["unit"]),
        (PART, seen(parts={**PARTS, "wiki": _firewall.EMPTY}), []),
        (PART, {}, ["part", "file", "kernel", "unit"]),
        (None, seen(), ["part"]),
        (None, seen(parts={"wiki": PART}), []),
        (None, {}, []),
    ],
)
def test_what_is_not_as_it_should_be(part: dict[str, Any] | None, there: dict[str, Any], steps: list[str]) -> None:
    if "wiki" in there.get("parts", {}) and part:
        there = {**there, **dict.fromkeys(("file", "loaded"), _firewall.loaded(_firewall.render(there["parts"])))}
    assert _firewall_host.steps("shop", part, there) == steps


def test_what_a_run_has_left_is_what_the_next_one_wants(kernel: Kernel, tmp_path: Path) -> None:
    file(tmp_path, _firewall_host.NFT).parent.mkdir(parents=True)
    file(tmp_path, _firewall_host.NFT).touch()
    _firewall_host.attempt(kernel.run, PARTS, "", 60, str(tmp_path))
    _firewall_host.keep(kernel.run, "shop", str(tmp_path))
    there = _firewall_host.look(kernel.run, wanted=True, root=str(tmp_path))
    assert _firewall_host.steps("shop", PART, there) == ["unit"]  # which systemctl would have enabled
    link = file(tmp_path, _firewall_host.WANTED_BY)
    link.parent.mkdir()
    link.symlink_to("../barehost-firewall.service")
    assert _firewall_host.steps("shop", PART, _firewall_host.look(kernel.run, wanted=True, root=str(tmp_path))) == []
    # Whatever is changed by hand, the last rule says what was loaded.
    kernel.text = kernel.text.replace("oifname @inside oifname != @outside counter drop", "")
    there = _firewall_host.look(kernel.run, wanted=True, root=str(tmp_path))
    assert _firewall_host.steps("shop", PART, there) == ["kernel"]
    assert _status.firewall_problems(there)


def own_rules(tmp_path: Path, text: str) -> str:
    """Write the administrator's own rules, and return how they stand in the file of the host."""
    folder = file(tmp_path, _firewall_host.PARTS)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vpn.nft").write_text(text)
    return _firewall_host.read_own(str(tmp_path))


def test_own_rules_stand_in_the_file_only_once_a_connection_has_come_through_them(
    kernel: Kernel, tmp_path: Path
) -> None:
    _firewall_host.write(kernel.run, "shop", PARTS, "", str(tmp_path))
    own = own_rules(tmp_path, "add rule inet barehost open ip protocol vrrp accept\n")
    assert "ip protocol vrrp" in own
    there = _firewall_host.look(kernel.run, wanted=True, root=str(tmp_path))
    assert {"file", "kernel"} <= set(_firewall_host.steps("shop", PART, there))
    _firewall_host.attempt(kernel.run, PARTS, own, 60, str(tmp_path))
    assert kernel.text.endswith(own)
    # Neither what comes back nor what a boot loads has them.
    for path in (_firewall_host.BACK_RULES, _firewall_host.RULES):
        assert file(tmp_path, path).read_text() == TEXT
    _firewall_host.keep(kernel.run, "shop", str(tmp_path))
    assert file(tmp_path, _firewall_host.RULES).read_text() == _firewall.render(PARTS, own)
    there = _firewall_host.look(kernel.run, wanted=True, root=str(tmp_path))
    assert not {"file", "kernel"} & set(_firewall_host.steps("shop", PART, {**there, "loaded": there["file"]}))


def test_a_bridge_that_only_looks_like_one_of_docker_is_kept_apart_and_wanted_once(
    kernel: Kernel, tmp_path: Path
) -> None:
    for name in ("br-data", "br-0f3a5c7e9b12", "eth0"):
        file(tmp_path, f"{_firewall_host.INTERFACES}/{name}").mkdir(parents=True)
    file(tmp_path, _firewall_host.NFT).parent.mkdir(parents=True)
    file(tmp_path, _firewall_host.NFT).touch()
    _firewall_host.write(kernel.run, "shop", PARTS, "", str(tmp_path))
    there = _firewall_host.look(kernel.run, wanted=True, root=str(tmp_path))
    assert there["lookalikes"] == ["br-data"]
    assert {"file", "kernel"} <= set(_firewall_host.steps("shop", PART, there))
    own = _firewall_host.own_of(there, PARTS)
    _firewall_host.attempt(kernel.run, PARTS, own, 60, str(tmp_path))
    assert 'add element inet barehost outside { "br-data" }' in kernel.text
    _firewall_host.keep(kernel.run, "shop", str(tmp_path))
    there = _firewall_host.look(kernel.run, wanted=True, root=str(tmp_path))
    assert _firewall_host.steps("shop", PART, there) == ["unit"]
    # A stack that says that it is inside is heard, and has the rules made anew.
    named = {**PART, "inside": ["br-data"]}
    assert _firewall_host.own_of(there, {"shop": named}) == ""
    assert {"part", "file", "kernel"} <= set(_firewall_host.steps("shop", named, there))
    kernel.fails = "--check"
    with pytest.raises(_firewall_host.FirewallError, match="does not accept the rules, and"):
        _firewall_host.attempt(kernel.run, PARTS, own, 60, str(tmp_path))


def test_own_rules_that_nftables_does_not_take_are_named(kernel: Kernel, tmp_path: Path) -> None:
    kernel.fails = "--check"
    own = own_rules(tmp_path, "nonsense\n")
    with pytest.raises(_firewall_host.FirewallError, match=r"rules \(/etc/barehost/firewall.d/vpn.nft among them\)"):
        _firewall_host.attempt(kernel.run, PARTS, own, 60, str(tmp_path))


def test_own_rules_stay_when_the_firewall_goes(kernel: Kernel, tmp_path: Path) -> None:
    own_rules(tmp_path, "# none\n")
    _firewall_host.write(kernel.run, "shop", PARTS, "", str(tmp_path))
    _firewall_host.remove(kernel.run, "shop", str(tmp_path))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["vpn.nft"]


def test_what_listens_and_is_not_let_in_is_said() -> None:
    assert _firewall_host.kept_out(PARTS, {"tcp": {22: "sshd", 80: "docker-proxy"}, "udp": {}}) == []
    listening = {5432: "postgres (pid 7)", 80: "docker-proxy", 8080: "caddy (pid 9)"}
    (said,) = _firewall_host.kept_out(PARTS, {"tcp": listening, "udp": {}})
    assert "what listens on TCP 5432 (postgres (pid 7)), 8080 (caddy (pid 9)) is not reached from outside" in said
    assert "VPN" not in said


def test_a_vpn_that_is_not_let_in_is_said() -> None:
    """SSH that comes through it goes on for a while, and so does the call that keeps the rules."""
    listening = {68: "dhclient (pid 5)", 546: "dhclient (pid 6)", 443: "openvpn (pid 7)", 51820: "the kernel itself"}
    (said,) = _firewall_host.kept_out(PARTS, {"tcp": {}, "udp": listening})
    assert "what listens on UDP 443 (openvpn (pid 7)), 51820 (the kernel itself) is not reached from outside" in said
    assert "firewall_allowed_udp_ports" in said
    assert "a VPN that SSH comes through" in said
    vpn = _firewall.part({"firewall_allowed_udp_ports": [443, 51820], "firewall_ssh_ports": [22]})
    assert _firewall_host.kept_out({**PARTS, "vpn": vpn}, {"tcp": {}, "udp": listening}) == []


def test_where_none_is_wanted_nobody_is_asked(tmp_path: Path) -> None:
    assert _firewall_host.look(lambda *_: pytest.fail("asked"), wanted=False, root=str(tmp_path)) == {}


def test_a_part_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    folder = file(tmp_path, _firewall_host.PARTS)
    folder.mkdir(parents=True)
    (folder / "shop.json").write_text("{")
    (folder / "wiki.json").write_text(json.dumps(PART))
    assert _firewall_host.read_parts(str(tmp_path)) == {"wiki": PART}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.7 51000 10.0.0.1 22", {"address": "192.0.2.7", "port": 22}),
        ("fe80::1%eth0 51000 fe80::2%eth0 2222", {"address": "fe80::1", "port": 2222}),
        ("::ffff:192.0.2.7 51000 ::ffff:10.0.0.1 22", {"address": "192.0.2.7", "port": 22}),
        ("UNKNOWN 65535 UNKNOWN 22", {"address": "", "port": 22}),
        ("", {}),
    ],
)
def test_the_connection_is_read(text: str, found: dict[str, Any]) -> None:
    assert _firewall_host.parse_connection(text) == found


def test_the_connection_is_found_above_sudo(tmp_path: Path) -> None:
    for pid, parent, environ in (
        (30, 20, b"PATH=/bin\0"),
        (20, 10, b""),
        (10, 1, b"A=1\0SSH_CONNECTION=192.0.2.7 5 10.0.0.1 22\0"),
    ):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "environ").write_bytes(environ)
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a (b) c) S {parent} 0")
    assert _firewall_host.connection(tmp_path, 30) == {"address": "192.0.2.7", "port": 22}
    assert _firewall_host.connection(tmp_path, 99) == {}


def test_other_firewalls_are_named(kernel: Kernel, tmp_path: Path) -> None:
    for path, text in ((_firewall_host.UFW, "# x\nENABLED=yes\n"), (_firewall_host.FIREWALLD, "[Unit]\n")):
        file(tmp_path, path).parent.mkdir(parents=True)
        file(tmp_path, path).write_text(text)
    assert _firewall_host.others(kernel.run, str(tmp_path)) == ["ufw", "firewalld"]
    assert len(_firewall_host.beside({"others": ["ufw"]})) == 1


@pytest.mark.parametrize(("parts", "lines"), [(PARTS, 1), ({"wiki": PART}, 0), ({}, 0)])
def test_an_uninstall_says_that_the_firewall_stays(parts: dict[str, Any], lines: int) -> None:
    stack = {"name": "shop", "present": True, "dir": "/opt/shop", "dir_present": True, "firewall": parts}
    for delete in (True, False):
        report = _uninstall.report(stack, delete_data=delete, dry_run=False)
        assert len([line for line in report if "firewall" in line]) == lines
