# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall of a host as data, and the file of nftables that it makes: pure, nothing here asks the host.

A table of our own, since a drop there is final whatever ufw, firewalld or Docker accept, and nobody else rewrites it. Docker's
DOCKER-USER chain would see the published ports too, but it is Docker's to make, has two families apart, and is empty after the
daemon has lost its rules.

The table is the host's and each stack has its own part of the data, so that the ports of two stacks add up.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

TABLE = "inet barehost"
# Sets of the administrator's, as `nft list` shows them; `inside` and `outside` are ours, and say what counts as which.
SETS = re.compile(r"^\t(?:set|map|meter) (?!(?:inside|outside) )[^\n]*\{\n.*?^\t\}$", re.MULTILINE | re.DOTALL)
ELEMENTS = re.compile(r"^\t\telements = \{.*?\}$\n", re.MULTILINE | re.DOTALL)
# What an administrator of the host adds: `add rule inet barehost open ip protocol vrrp accept`.
OWN = "/etc/barehost/firewall.d/*.nft"
MAX_PORT = 65535
MAX_INTERFACE = 15
INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]*\*?")
HEX = "0123456789abcdef"
# Bridges that Docker makes: by name, since they come and go without us, and since an interface of the host that nobody thought of
# has to count as outside. `br-` and twelve hexadecimal digits is what Docker calls one; nftables knows no more than a beginning,
# and `br-*` would take the administrator's br-lan or br-ext, with a network card in it, for one of Docker's. What the host has
# that still begins so, as br-data, is judged as outside by its whole name.
BRIDGE = re.compile(r"br-[0-9a-f]{12}")
LIKE_BRIDGE = re.compile(r"br-[0-9a-f]{2}[A-Za-z0-9_.@-]*")
DOCKER = ("docker0", "docker_gwbridge", *(f"br-{first}{second}*" for first in HEX for second in HEX))
PROTOCOLS = ("tcp", "udp")
EMPTY: dict[str, Any] = {"open": [], "ssh_ports": [], "ssh_sources": [], "inside": []}
DELETE = f"add table {TABLE}\ndelete table {TABLE}\n"

# ND, MLD and DHCPv6 are seen by no connection tracking. Echo requests are answered: a host that is not seen is not mended either.
HEAD = """\
# Made by barehost.django (role firewall) from /etc/barehost/firewall.d/*.json and *.nft: changes here are lost.
# Loaded as a whole or not at all, beside whatever ufw, firewalld and Docker have loaded.
{delete}
table {table} {{
  # Not outside: bridges that Docker makes, and what firewall_inside_interfaces names.
  set inside {{
    type ifname
    flags interval
    elements = {{ {inside} }}
  }}

  # Outside all the same: what is not Docker's, and begins as its bridges do.
  set outside {{
    type ifname
  }}

  # What the sender asked for, before Docker or anybody else has put another address and port in its place. A packet that
  # belongs to no connection has no such port, and is dropped.
  chain open {{
{open}
  }}

  # By the port alone, and no matter what connection tracking says: who works on the host stays.
  chain ssh {{
{ssh}
  }}

  # Fragments have been put together by connection tracking before they come here.
  chain input {{
    type filter hook input priority filter - 10; policy accept;
    iif "lo" accept
    jump ssh
    ct state established,related accept
    iifname @inside iifname != @outside accept
    icmp type {{ echo-request, destination-unreachable, time-exceeded, parameter-problem }} accept
    icmpv6 type {{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request, echo-reply }} accept
    icmpv6 type {{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }} ip6 hoplimit 255 accept
    icmpv6 type {{ mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report }} accept
    udp sport 67 udp dport 68 accept
    ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
    jump open
    counter drop comment "{digest}"
  }}

  # What leaves containers and what goes between them stays as Docker has it, also where a container asks for a published port.
  # A connection that came in by a published port has been given another destination (dnat); one that names the address of a
  # container has not, and has no business there. Nothing says who gave it, and a bridge of Docker's may have any name: so a port
  # of the host that is forwarded by somebody else, to a virtual machine or a cluster, is judged like one that Docker publishes.
  # What the host forwards to the address that the sender asked for, for virtual machines or a VPN, is not ours.
  chain forward {{
    type filter hook forward priority filter - 10; policy accept;
    ct state established,related accept
    iifname @inside iifname != @outside accept
    ct status dnat ct original ip daddr 127.0.0.0/8 counter drop
    ct status dnat jump open
    ct status dnat counter drop
    oifname @inside oifname != @outside counter drop
  }}
}}
{own}"""


def network(text: object) -> str:
    """Return a network as nftables and we write it; raises ValueError for what is none."""
    # As a text: a number is an address to Python.
    return str(ipaddress.ip_network(str(text).strip(), strict=True))


def sources(networks: Iterable[str]) -> list[str]:
    """Return networks once each, those that lie in another one left out, IPv4 first."""
    there = [ipaddress.ip_network(text) for text in networks]
    v4 = [item for item in there if isinstance(item, ipaddress.IPv4Network)]
    v6 = [item for item in there if isinstance(item, ipaddress.IPv6Network)]
    return [str(item) for item in [*ipaddress.collapse_addresses(v4), *ipaddress.collapse_addresses(v6)]]


def part(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of one stack as it is kept, from variables that have been judged: the same wish is the same data."""
    everywhere = sources(network(item) for item in values.get("firewall_allowed_sources") or [])
    opened: set[tuple[str, int, tuple[str, ...]]] = set()
    for protocol in PROTOCOLS:
        for port in values.get(f"firewall_allowed_{protocol}_ports") or []:
            opened.add((protocol, int(port), tuple(everywhere)))
    for entry in values.get("firewall_restricted_ports") or []:
        only = tuple(sources(network(item) for item in entry["sources"]))
        opened.add((str(entry.get("protocol") or "tcp"), int(entry["port"]), only))
    return {
        "open": [
            {"protocol": protocol, "port": port, "sources": list(only)} for protocol, port, only in sorted(opened)
        ],
        "ssh_ports": sorted({int(port) for port in values.get("firewall_ssh_ports") or []}),
        "ssh_sources": sources(network(item) for item in values.get("firewall_ssh_sources") or []),
        "inside": sorted({str(name) for name in values.get("firewall_inside_interfaces") or []}),
    }


def wider(
    wish: Mapping[str, Any], seen: Mapping[str, Any], published: Mapping[str, Iterable[int]] | None
) -> dict[str, Any]:
    """Return the part with the ports as well that the stack has open on the host and serves by: it may have to again.

    What nothing of it publishes is closed at once, and so is, for everybody else, a port that is still wanted and for fewer.
    Where nobody knows what is published, all of it may be.
    """

    def serves(entry: Mapping[str, Any]) -> bool:
        return published is None or entry["port"] in published.get(entry["protocol"], ())

    wanted = {(entry["protocol"], entry["port"]) for entry in wish["open"]}
    there = [entry for entry in seen.get("open") or [] if (entry["protocol"], entry["port"]) not in wanted]
    kept = [*wish["open"], *(entry for entry in there if serves(entry))]
    opened = sorted(kept, key=lambda entry: (entry["protocol"], entry["port"], entry["sources"]))
    return {**wish, "open": opened}


def guarded(wish: Mapping[str, Any], connection: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the part with the connection that is used now let in, and in a sentence each what it did not let in."""
    address, port = str(connection.get("address") or ""), int(connection.get("port") or 0)
    if not port:
        return dict(wish), []
    kept, said = dict(wish), []
    if port not in wish["ssh_ports"]:
        kept["ssh_ports"] = sorted([*wish["ssh_ports"], port])
        said.append(
            f"SSH is spoken on port {port}, which firewall_ssh_ports does not name: it stays open; name it there"
        )
    here = str(ipaddress.ip_network(address)) if address else ""
    if here and wish["ssh_sources"] and sources([*wish["ssh_sources"], here]) != sources(wish["ssh_sources"]):
        kept["ssh_sources"] = sources([*wish["ssh_sources"], here])
        said.append(
            f"this run comes from {address}, which firewall_ssh_sources does not hold: it stays let in; name it there"
        )
    return kept, said


def _rules(match: str, networks: Iterable[str]) -> list[str]:
    """Return the rules that let in what matches from these networks, or from everywhere where there are none."""
    there = list(networks)
    if not there:
        return [f"{match} accept"]
    families = (("ip", [item for item in there if ":" not in item]), ("ip6", [item for item in there if ":" in item]))
    return [f"{family} saddr {{ {', '.join(found)} }} {match} accept" for family, found in families if found]


def _ports(numbers: Iterable[int]) -> str:
    return f"{{ {', '.join(str(number) for number in sorted(set(numbers)))} }}"


def _open(parts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the rules for the ports of all stacks, those with the same sources together.

    One for each port: a set of them is listed by nft as `0x50 [invalid type]`, and nft does not load what it has listed so.
    """
    groups: dict[tuple[str, tuple[str, ...]], set[int]] = {}
    for item in parts.values():
        for entry in item["open"]:
            groups.setdefault((entry["protocol"], tuple(entry["sources"])), set()).add(entry["port"])
    found = []
    for (protocol, only), numbers in sorted(groups.items()):
        for number in sorted(numbers):
            found += _rules(f"meta l4proto {protocol} ct original proto-dst {number}", only)
    return found


def _ssh(parts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the rules for SSH: what one stack lets in, another does not keep out."""
    found: list[str] = []
    for item in parts.values():
        if item["ssh_ports"]:
            found += _rules(f"tcp dport {_ports(item['ssh_ports'])}", item["ssh_sources"])
    return sorted(set(found))


def _apart(names: Iterable[str]) -> list[str]:
    """Return the names that no other one covers: nftables refuses a set that holds both br-* and br-00*."""
    there = set(names)
    beginnings = tuple(name[:-1] for name in there if name.endswith("*"))
    return sorted(
        name for name in there if not any(name.startswith(start) and name != f"{start}*" for start in beginnings)
    )


def lookalikes(interfaces: Iterable[str]) -> list[str]:
    """Return which interfaces of a host begin as the bridges of Docker do, and are none."""
    return sorted(name for name in interfaces if LIKE_BRIDGE.fullmatch(name) and not BRIDGE.fullmatch(name))


def with_outside(own: str, parts: Mapping[str, Mapping[str, Any]], lookalike: Iterable[str]) -> str:
    """Return what stands beside the parts: the administrator's own rules, and what of the host only looks like a bridge of Docker's.

    No stack says that, and where it does, by naming one as inside, that goes first.
    """
    inside = [name for item in parts.values() for name in item["inside"]]
    found = [
        f'"{name}"'
        for name in lookalike
        if not any(name.startswith(item[:-1]) if item.endswith("*") else name == item for item in inside)
    ]
    return f"{own}\nadd element {TABLE} outside {{ {', '.join(found)} }}\n" if found else own


def render(parts: Mapping[str, Mapping[str, Any]], own: str = "") -> str:
    """Return the file of nftables for the parts of all stacks of the host, and the administrator's own rules.

    Their text, and no `include`: what is loaded when the host starts is then what somebody has come through, and nothing else.
    """
    names = _apart({*DOCKER, *(name for item in parts.values() for name in item["inside"])})

    def text(digest: str) -> str:
        return HEAD.format(
            table=TABLE,
            delete=DELETE,
            inside=", ".join(f'"{name}"' for name in names),
            open="\n".join(f"    {rule}" for rule in _open(parts)),
            ssh="\n".join(f"    {rule}" for rule in _ssh(parts)),
            digest=digest,
            own=own,
        )

    return text(digest_of(text("")))


def digest_of(text: str) -> str:
    """Return what stands in the last rule for all of the text, so that the kernel can be asked what it has loaded."""
    return f"barehost {hashlib.sha256(text.encode()).hexdigest()[:32]}"


def loaded(listing: str) -> str:
    """Return the digest in what `nft list` says of the table; empty for one that is not there."""
    match = re.search(r'drop comment "(barehost [0-9a-f]{32})"', listing)
    return match.group(1) if match else ""


def shape(listing: str) -> str:
    """Return what of a listing of the table changes only when somebody changes it: its own sets may be filled as packets come."""
    return SETS.sub(lambda found: ELEMENTS.sub("", found[0]), listing)


def in_file(text: str) -> str:
    """Return the digest that a file carries; empty where its text is not that of the digest."""
    said = loaded(text)
    return said if said and digest_of(text.replace(said, "", 1)) == said else ""


def _port_problem(value: object) -> bool:
    """Whether something is no port."""
    number = str(value)
    return isinstance(value, bool) or not number.isdecimal() or not 1 <= int(number) <= MAX_PORT


def _network_problem(item: object) -> str:
    try:
        wide = ipaddress.ip_network(network(item)).prefixlen == 0
    except ValueError as error:
        why = "has host bits set" if "host bits" in str(error) else "is no address and no network"
        return f"{why}: write it as 192.0.2.0/24, 192.0.2.7 or 2001:db8::/32"
    return "is every address of its family: leave the list empty to let everybody in" if wide else ""


def _network_problems(name: str, networks: Iterable[object]) -> list[str]:
    judged = [(item, _network_problem(item)) for item in networks]
    return [f"{name}: '{item}' {problem}" for item, problem in judged if problem]


def problems(values: Mapping[str, Any]) -> list[str]:
    """Say in a sentence each what keeps variables from being made into rules; what is not there is not judged."""
    found = []
    for name in ("firewall_allowed_tcp_ports", "firewall_allowed_udp_ports", "firewall_ssh_ports"):
        numbers = values.get(name)
        unfit = [number for number in numbers if _port_problem(number)] if isinstance(numbers, list) else []
        found += [f"{name}: '{number}' is no port: a number from 1 to {MAX_PORT} is meant" for number in unfit]
    for name in ("firewall_allowed_sources", "firewall_ssh_sources"):
        there = values.get(name)
        found += _network_problems(name, there if isinstance(there, list) else [])
    entries = values.get("firewall_restricted_ports")
    for entry in entries if isinstance(entries, list) else []:
        found += _restricted_problems(entry)
    interfaces = values.get("firewall_inside_interfaces")
    for item in interfaces if isinstance(interfaces, list) else []:
        name = str(item)
        if not INTERFACE.fullmatch(name) or len(name.rstrip("*")) > MAX_INTERFACE:
            found.append(
                f"firewall_inside_interfaces: '{name}' is no name of an interface: up to {MAX_INTERFACE} characters, as wg0, or "
                "as tailscale* for all that begin so"
            )
    return found


def _restricted_problems(entry: object) -> list[str]:
    name = "firewall_restricted_ports"
    if not isinstance(entry, Mapping) or "port" not in entry or not isinstance(entry.get("sources"), list):
        # Its shape is judged by the specs.
        return []
    found = []
    if _port_problem(entry["port"]):
        found.append(f"{name}: '{entry['port']}' is no port: a number from 1 to {MAX_PORT} is meant")
    if str(entry.get("protocol") or "tcp") not in PROTOCOLS:
        found.append(f"{name}: '{entry['protocol']}' is no protocol that has ports here: tcp or udp is meant")
    if not entry["sources"]:
        found.append(
            f"{name}: port {entry['port']} names no sources: give them, or name it in firewall_allowed_tcp_ports"
        )
    return found + _network_problems(name, entry["sources"])
