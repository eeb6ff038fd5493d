# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host with two Docker networks and its outside, made of network namespaces; says who reaches what before and under the rules.

Run by test_firewall_kernel in namespaces of its own, which end with it: `unshare --user --map-root-user --net --mount`. The host is
the namespace that it starts in. Read from standard input is a list of rules to be tried, printed is a list of what answered before,
what answered under each of them, and what was loaded last.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

NET1, NET2 = "br-0123456789ab", "br-fe23456789ab"
# A bridge that was given a name of its own in Docker.
NAMED = "shopnet"
# Of libvirt, with a virtual machine.
VIRTUAL = "virbr0"
# The administrator's, which begins as Docker's do.
LIKE = "br-data"
BRIDGES = (NET1, NET2, NAMED, VIRTUAL, LIKE)
# What Docker does with a published port: 80 and 8080 lead to port 8000 of a container, for everybody but its own network, and
# 8090 leads to one in the network with a name of its own. 443 is published on 127.0.0.1 alone, while the host serves it to everybody.
# The administrator forwards 8095 to the virtual machine.
DOCKER = f"""
table ip docker {{
  chain pre {{
    type nat hook prerouting priority dstnat
    iifname != "{NET1}" fib daddr type local tcp dport {{ 80, 8080 }} dnat to 172.30.1.2:8000
    iifname != "{NAMED}" fib daddr type local tcp dport 8090 dnat to 172.30.3.2:8500
    ip daddr 127.0.0.1 tcp dport 443 dnat to 172.30.1.2:9000
    ip daddr 10.77.0.1 tcp dport 8095 dnat to 192.168.122.2:7000
  }}
}}
table ip6 docker {{
  chain pre {{
    type nat hook prerouting priority dstnat
    iifname != "{NET1}" fib daddr type local tcp dport {{ 80, 8080 }} dnat to [fd30:1::2]:8000
  }}
}}
"""
# Namespace, interface of the host, addresses of the host and of the other end.
LINKS = (
    ("outside", "eth0", ("10.77.0.1/24", "fd77::1/64"), ("10.77.0.2/24", "fd77::2/64")),
    ("lan", "br-ext0", ("10.78.0.1/24",), ("10.78.0.2/24",)),
    ("data", LIKE, ("10.79.0.1/24",), ("10.79.0.2/24",)),
    ("one", NET1, ("172.30.1.1/24", "fd30:1::1/64"), ("172.30.1.2/24", "fd30:1::2/64")),
    ("two", NET2, ("172.30.2.1/24",), ("172.30.2.2/24",)),
    ("named", NAMED, ("172.30.3.1/24",), ("172.30.3.2/24",)),
    ("guest", VIRTUAL, ("192.168.122.1/24",), ("192.168.122.2/24",)),
)
SERVED = {
    "": (22, 443, 5555),
    "one": (8000, 9000),
    "named": (8500,),
    "guest": (7000,),
    "data": (7000,),
    "outside": (6000,),
}
ASKED = {
    "outside": [
        *((address, port) for address in ("10.77.0.1", "fd77::1") for port in (22, 80, 443, 5555, 8080)),
        *(("10.77.0.1", 8090), ("172.30.1.2", 8000), ("172.30.1.2", 9000), ("fd30:1::2", 8000), ("127.0.0.1", 443)),
        *(("10.77.0.1", 8095), ("192.168.122.2", 7000), ("10.79.0.2", 7000)),
    ],
    "lan": [("10.78.0.1", 22), ("10.78.0.1", 80), ("10.78.0.1", 5555), ("10.78.0.1", 8080), ("172.30.1.2", 8000)],
    "data": [("10.79.0.1", 22), ("10.79.0.1", 80), ("10.79.0.1", 5555), ("10.79.0.1", 8080), ("172.30.1.2", 8000)],
    # To a container of another network, out, to the host, and by a published port back to a container.
    "two": [("172.30.1.2", 9000), ("10.77.0.2", 6000), ("10.77.0.1", 5555), ("10.77.0.1", 8080)],
}


def command(line: str, text: str | None = None) -> None:
    """Run a command and end with its message where it fails."""
    subprocess.run(line.split(), input=text, text=True, check=True)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def build() -> None:
    """Make the networks."""
    command("mount -t tmpfs tmpfs /run")
    command("ip link set lo up")
    command("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    for name, link, host, other in LINKS:
        command(f"ip netns add {name}")
        port = f"to-{name}" if link in BRIDGES else link
        command(f"ip link add {port} type veth peer name eth0 netns {name}")
        if port != link:
            command(f"ip link add {link} type bridge")
            command(f"ip link set {port} master {link} up")
        command(f"ip link set {link} up")
        command(f"ip -n {name} link set eth0 up")
        for address in host:
            command(f"ip addr add {address} dev {link}" + (" nodad" if ":" in address else ""))
        for address in other:
            command(f"ip -n {name} addr add {address} dev eth0" + (" nodad" if ":" in address else ""))
        for address in host:
            command(f"ip -n {name} route add default via {address.partition('/')[0]}")
    # Whoever is in the network of the host can send it what is for its 127.0.0.1, and Docker has it take that.
    command("sysctl -qw net.ipv4.conf.eth0.route_localnet=1")
    command("ip netns exec outside sysctl -qw net.ipv4.conf.all.route_localnet=1")
    command("ip -n outside route add 127.0.0.1/32 via 10.77.0.1")
    command("nft -f -", DOCKER)


def serve(ports: list[str]) -> None:
    """Listen, and leave what comes in the queue."""
    servers = [socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True) for port in ports]
    say("there")
    time.sleep(60 * len(servers))


def ask(targets: str) -> None:
    """Say of each target whether it accepts a connection."""
    found = {}
    for address, port in json.loads(targets):
        try:
            socket.create_connection((address, port), timeout=0.4).close()
        except OSError:
            found[f"{address} {port}"] = False
        else:
            found[f"{address} {port}"] = True
    say(json.dumps(found))


def here(name: str, *words: str) -> list[str]:
    """Return the argv that runs this file in a namespace."""
    return [*(["ip", "netns", "exec", name] if name else []), sys.executable, __file__, *words]


def ask_all() -> dict[str, dict[str, bool]]:
    """Return who reaches what."""
    found = {}
    for name, targets in ASKED.items():
        done = subprocess.run(here(name, "ask", json.dumps(targets)), capture_output=True, text=True, check=True)
        found[name] = json.loads(done.stdout)
    return found


def main() -> None:
    """Build, ask, load rules, ask again."""
    build()
    servers = []
    for name, ports in SERVED.items():
        argv = here(name, "serve", *(str(port) for port in ports))
        servers.append(subprocess.Popen(argv, stdout=subprocess.PIPE))
    for server in servers:
        assert server.stdout
        server.stdout.readline()
    time.sleep(2)  # Bridges learn, and addresses of IPv6 come up.
    before = ask_all()
    under = []
    for rules in json.load(sys.stdin):
        command("nft -f -", rules)
        # Neighbours have to be found anew, through the rules.
        for name, *_ in LINKS:
            command(f"ip -n {name} neigh flush all")
        under.append(ask_all())
    argv = ["nft", "list", "table", "inet", "barehost"]
    listing = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    say(json.dumps([before, under, listing]))
    for server in servers:
        server.kill()


if __name__ == "__main__":
    {"serve": lambda: serve(sys.argv[2:]), "ask": lambda: ask(sys.argv[2])}.get("".join(sys.argv[1:2]), main)()
