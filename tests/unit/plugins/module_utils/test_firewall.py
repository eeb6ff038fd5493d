# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall as data: what variables are made into, what is refused, and what keeps everybody from being locked out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _firewall, _input_rules

SHOP = {"firewall_allowed_tcp_ports": [443, 80], "firewall_ssh_ports": [22]}


def part(**changes: Any) -> dict[str, Any]:
    return _firewall.part({**SHOP, **{f"firewall_{name}": value for name, value in changes.items()}})


def chain(text: str, name: str) -> list[str]:
    found = re.search(rf"^  chain {name} {{\n(.*?)^  }}", text, re.MULTILINE | re.DOTALL)
    assert found
    return [line.strip() for line in found[1].splitlines()]


def opened(*ports: int) -> list[str]:
    return [f"meta l4proto tcp ct original proto-dst {port} accept" for port in ports]


def test_the_same_wish_is_the_same_data() -> None:
    one = part(allowed_tcp_ports=[80, 443, 80], allowed_sources=["192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32"])
    two = part(allowed_tcp_ports=[443, 80], allowed_sources=["2001:DB8::/32", "192.0.2.0/24"])
    assert one == two
    assert one["open"][0] == {"protocol": "tcp", "port": 80, "sources": ["192.0.2.0/24", "2001:db8::/32"]}


def test_ports_are_open_to_everybody_where_no_source_is_named() -> None:
    text = _firewall.render({"shop": part()})
    assert chain(text, "open") == opened(80, 443)
    assert chain(text, "ssh") == ["tcp dport { 22 } accept"]


def test_ports_are_open_to_their_sources_of_either_family() -> None:
    rules = [
        {"port": 9100, "sources": ["192.0.2.7", "2001:db8::/32"]},
        {"port": 53, "protocol": "udp", "sources": ["10.0.0.0/8"]},
    ]
    text = _firewall.render({"shop": part(allowed_tcp_ports=[], restricted_ports=rules)})
    assert chain(text, "open") == [
        "ip saddr { 192.0.2.7/32 } meta l4proto tcp ct original proto-dst 9100 accept",
        "ip6 saddr { 2001:db8::/32 } meta l4proto tcp ct original proto-dst 9100 accept",
        "ip saddr { 10.0.0.0/8 } meta l4proto udp ct original proto-dst 53 accept",
    ]


def test_the_ports_of_two_stacks_add_up() -> None:
    shop, wiki = part(ssh_sources=["192.0.2.7"]), part(allowed_tcp_ports=[8443], ssh_sources=["192.0.2.8"])
    text = _firewall.render({"shop": shop, "wiki": wiki})
    assert chain(text, "open") == opened(80, 443, 8443)
    assert len(chain(text, "ssh")) == 2
    assert text == _firewall.render({"wiki": wiki, "shop": shop})


def test_what_serves_stays_open_until_the_release_does() -> None:
    before = part(allowed_tcp_ports=[80, 443, 9000], allowed_udp_ports=[443, 53])
    wish = part(allowed_tcp_ports=[80, 8443])
    site = {"tcp": [80, 443], "udp": [443]}
    wider = _firewall.wider(wish, before, site)
    assert [(entry["protocol"], entry["port"]) for entry in wider["open"]] == [
        ("tcp", 80),
        ("tcp", 443),
        ("tcp", 8443),
        ("udp", 443),
    ]
    assert {**wider, "open": wish["open"]} == wish
    # Nothing is to be closed.
    assert _firewall.wider(before, wish | {"open": before["open"][:1]}, site) == before
    assert _firewall.wider(wish, {}, site) == wish
    # Nothing of the stack is there that would serve, or nobody knows.
    assert _firewall.wider(wish, before, {}) == wish
    assert len(_firewall.wider(wish, before, None)["open"]) == 6


def test_a_port_that_is_to_be_there_for_fewer_is_so_at_once() -> None:
    """Whoever shuts somebody out does not wait for a release."""
    before = part(allowed_tcp_ports=[80, 443, 9100])
    fewer = [{"port": 9100, "sources": ["192.0.2.7"]}]
    wish = part(allowed_tcp_ports=[80, 443], allowed_sources=["192.0.2.0/24"], restricted_ports=fewer)
    assert _firewall.wider(wish, before, {"tcp": [80, 443, 9100]}) == wish


def test_what_comes_in_is_dropped_at_the_end_and_no_sooner() -> None:
    text = _firewall.render({"shop": part()})
    coming, passing = chain(text, "input"), chain(text, "forward")
    assert [line for line in coming if "drop" in line] == coming[-1:]
    assert coming.index("jump ssh") < coming.index("ct state established,related accept")
    assert passing[-3:-1] == ["ct status dnat jump open", "ct status dnat counter drop"]
    assert passing[-1] == "oifname @inside oifname != @outside counter drop"
    for found in (coming, passing):
        assert [line for line in found if line.startswith("iifname")] == ["iifname @inside iifname != @outside accept"]
    for kind in ("nd-neighbor-solicit", "nd-router-advert", "packet-too-big", "mld-listener-query", "udp dport 546"):
        assert kind in "\n".join(coming)


def inside(**changes: Any) -> list[str]:
    found = re.search(r"elements = { (.*?) }", _firewall.render({"shop": part(**changes)}))
    assert found
    return [name.strip('"') for name in found[1].split(", ")]


def test_a_bridge_of_the_administrator_counts_as_outside() -> None:
    patterns = inside()
    for name, ours in (
        ("br-0f3a5c7e9b12", True),
        ("docker0", True),
        ("br-lan", False),
        ("br-ext", False),
        ("eth0", False),
    ):
        matched = [p for p in patterns if (name.startswith(p[:-1]) if p.endswith("*") else name == p)]
        assert bool(matched) == ours, name


def test_what_only_looks_like_a_bridge_of_docker_is_told_apart() -> None:
    like = ["br-backup", "br-cafe", "br-da", "br-data", "br-0f3a5c7e9b1"]
    other = ["br-0f3a5c7e9b12", "br-lan", "br-d", "br-DATA", "docker0", "eth0", "xbr-data", 'br-da" }', "br-da*"]
    assert _firewall.lookalikes([*other, *like]) == sorted(like)


@pytest.mark.parametrize(
    ("inside_interfaces", "outside"),
    [
        ([], '{ "br-backup", "br-data" }'),
        (["br-data", "wg0"], '{ "br-backup" }'),
        (["br-ba*"], '{ "br-data" }'),
        (["br-*"], ""),
    ],
)
def test_what_looks_like_a_bridge_of_docker_is_outside_unless_a_stack_says_otherwise(
    inside_interfaces: list[str], outside: str
) -> None:
    parts = {"shop": part(inside_interfaces=inside_interfaces)}
    own = _firewall.with_outside("# own\n", parts, ["br-backup", "br-data"])
    assert own == "# own\n" + (f"\nadd element inet barehost outside {outside}\n" if outside else "")
    assert _firewall.with_outside("# own\n", parts, []) == "# own\n"


def test_names_that_cover_each_other_are_not_given_to_nftables() -> None:
    assert inside(inside_interfaces=["br-*", "wg0", "wg*"]) == ["br-*", "docker0", "docker_gwbridge", "wg*"]


def test_the_kernel_can_be_asked_which_text_it_has() -> None:
    text = _firewall.render({"shop": part()})
    said = _firewall.loaded(text.replace("counter drop", "counter packets 3 bytes 180 drop"))
    assert said
    assert _firewall.in_file(text) == said
    assert said != _firewall.loaded(_firewall.render({"shop": part(allowed_tcp_ports=[80])}))
    assert _firewall.in_file(text.replace("proto-dst 443 ", "proto-dst 3306 ")) == ""
    assert _firewall.loaded("table inet other { }") == ""


def test_sets_of_the_administrators_may_be_filled_and_ours_may_not() -> None:
    listing = """table inet barehost {
\tset inside {
\t\ttype ifname
\t\telements = { "br-0*",
\t\t\t     "docker0" }
\t}

\tset outside {
\t\ttype ifname
\t\telements = { "br-data" }
\t}

\tset knocked {
\t\ttype ipv4_addr
\t\tflags dynamic,timeout
\t\telements = { 192.0.2.7,
\t\t\t     192.0.2.8 }
\t}

\tchain open {
\t\tip saddr { 192.0.2.7 } accept
\t}
}
"""
    shape = _firewall.shape(listing)
    assert shape == _firewall.shape(listing.replace("192.0.2.8 }", "192.0.2.9 }"))
    assert "flags dynamic,timeout\n\t}" in shape
    for text in ('"docker0" }', '"br-data" }', "dynamic,timeout", "{ 192.0.2.7 } accept"):
        assert shape != _firewall.shape(listing.replace(text, text.replace("d", "x").replace("2.7", "2.9")))


@pytest.mark.parametrize(
    ("changes", "connection", "ports", "sources", "sentences"),
    [
        ({}, {"address": "198.51.100.9", "port": 22}, [22], [], 0),
        ({}, {"address": "198.51.100.9", "port": 2222}, [22, 2222], [], 1),
        ({"ssh_ports": []}, {"address": "", "port": 22}, [22], [], 1),
        ({"ssh_sources": ["192.0.2.0/24"]}, {"address": "192.0.2.9", "port": 22}, [22], ["192.0.2.0/24"], 0),
        (
            {"ssh_sources": ["192.0.2.0/24"]},
            {"address": "2001:db8::9", "port": 22},
            [22],
            ["192.0.2.0/24", "2001:db8::9/128"],
            1,
        ),
        ({"ssh_sources": ["192.0.2.0/24"]}, {}, [22], ["192.0.2.0/24"], 0),
    ],
)
def test_the_connection_that_is_used_now_is_let_in(
    changes: dict[str, Any], connection: dict[str, Any], ports: list[int], sources: list[str], sentences: int
) -> None:
    kept, said = _firewall.guarded(part(**changes), connection)
    assert (kept["ssh_ports"], kept["ssh_sources"], len(said)) == (ports, sources, sentences)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("allowed_tcp_ports", [0], "firewall_allowed_tcp_ports: '0' is no port"),
        ("allowed_udp_ports", [65536], "firewall_allowed_udp_ports: '65536' is no port"),
        ("ssh_ports", ["22; accept"], "firewall_ssh_ports: '22; accept' is no port"),
        ("ssh_ports", [True], "firewall_ssh_ports: 'True' is no port"),
        ("allowed_sources", ["192.0.2.1/24"], "'192.0.2.1/24' has host bits set"),
        ("allowed_sources", ["example.com"], "'example.com' is no address"),
        ("ssh_sources", [7], "'7' is no address"),
        ("ssh_sources", ["0.0.0.0/0"], "leave the list empty"),
        ("restricted_ports", [{"port": 0, "sources": ["192.0.2.1"]}], "'0' is no port"),
        ("restricted_ports", [{"port": 80, "sources": []}], "port 80 names no sources"),
        ("restricted_ports", [{"port": 80, "protocol": "sctp", "sources": ["192.0.2.1"]}], "'sctp' is no protocol"),
        ("inside_interfaces", ['x" }'], "is no name of an interface"),
        ("inside_interfaces", ["*"], "is no name of an interface"),
        ("inside_interfaces", ["a234567890123456"], "is no name of an interface"),
    ],
)
def test_what_cannot_be_made_into_rules_is_refused(name: str, value: list[Any], sentence: str) -> None:
    found = _input_rules.rule_problems({f"firewall_{name}": value})
    assert len(found) == 1
    assert sentence in found[0]


def test_what_fits_is_not_refused() -> None:
    fit = {
        "firewall_inside_interfaces": ["wg0", "tailscale*"],
        "firewall_allowed_sources": ["192.0.2.7", "2001:db8::/32"],
    }
    assert _firewall.problems({**SHOP, **fit, "firewall_restricted_ports": "not judged here"}) == []
