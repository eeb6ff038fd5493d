# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether exactly the declared TCP ports of a host answer, on every address that it has: a plan, a prober, a verdict.

For the controller, against hosts of the inventory, with a bounded list of ports. A port that refuses and one that is silent are
told apart: a refusal comes from the host itself, so what asks has come past the firewall.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

MAX_PROBES = 1024
MAX_ADDRESSES = 8
WORKERS = 32
SECONDS = 2.0
MIN_PATIENCE, MAX_PATIENCE = 0.2, 1.0
# What has been found open on hosts with containers: databases, queues, the engine's own API, panels, development servers.
SUSPECTS = (
    *(
        21,
        23,
        25,
        111,
        139,
        445,
        2375,
        2376,
        2377,
        3000,
        3306,
        4369,
        5000,
        5432,
        5555,
        5672,
        5900,
        6379,
        7946,
        8000,
        8001,
        8008,
    ),
    *(8080, 8081, 8443, 8888, 9000, 9090, 9100, 9200, 9300, 11211, 15672, 27017, 33060),
)
OPEN, REFUSED, SILENT, UNREACHABLE = "open", "refused", "silent", "unreachable"
Connect = Callable[[str, int, float], str]


class PlanError(Exception):
    """What cannot be probed, in one sentence."""


@dataclass(frozen=True)
class Probe:
    """One port on one address, and what is expected of it."""

    address: str
    port: int
    expected: str  # open | any | shut | silent


# ---- pure ----


def plan(addresses: Sequence[str], ports: Mapping[str, Sequence[int]], *, filtered: bool) -> list[Probe]:
    """Return what is tried: `answer` has to, `may` is let in though nothing may serve it, `other` must not.

    filtered says that a firewall drops what is not let in, so that not even a refusal comes back.
    """
    wanted = dict.fromkeys(ports.get("other") or (), SILENT if filtered else "shut")
    wanted.update(dict.fromkeys(ports.get("may") or (), "any"))
    wanted.update(dict.fromkeys(ports.get("answer") or (), OPEN))
    unfit = [port for port in wanted if not 1 <= port <= 65535]  # noqa: PLR2004 - the range of a port
    if unfit:
        raise PlanError(f"{unfit[0]} is no port: a number from 1 to 65535 is meant")
    found = [Probe(address, port, expected) for address in addresses for port, expected in sorted(wanted.items())]
    if len(found) > MAX_PROBES:
        raise PlanError(f"{len(found)} ports and addresses are too many to try: name at most {MAX_PROBES}")
    return [probe for probe in found if probe.expected != "any"]


def problem(probe: Probe, outcome: str) -> str:
    """Say what is wrong with the outcome of a probe; empty where nothing is."""
    where = f"[{probe.address}]:{probe.port}" if ":" in probe.address else f"{probe.address}:{probe.port}"
    if outcome == UNREACHABLE:
        return f"{where} cannot be reached from here, so nothing is known about it"
    if probe.expected == OPEN:
        return "" if outcome == OPEN else f"{where} does not answer ({outcome}), and has to"
    if outcome == OPEN:
        return f"{where} accepts connections from outside, and must not"
    if probe.expected == SILENT and outcome == REFUSED:
        return f"{where} refuses in place of being silent: the firewall lets in what asks for it"
    return ""


def failure(error: OSError) -> str:
    """Return what an error of a connection says of the port."""
    if isinstance(error, (TimeoutError, socket.timeout)) or error.errno == errno.ETIMEDOUT:
        return SILENT
    # Reset is what a proxy does that has accepted and finds nobody behind it: somebody is there.
    return {errno.ECONNREFUSED: REFUSED, errno.ECONNRESET: OPEN}.get(error.errno or 0, UNREACHABLE)


def patience(answered: Sequence[float]) -> float:
    """Return the seconds after which a port is silent, from those after which the site has answered requests.

    Whoever accepts connections does so in one round trip, without a program having to work, and a request takes more than two.
    """
    return min(MAX_PATIENCE, max(MIN_PATIENCE, 10 * min(answered, default=MAX_PATIENCE)))


# ---- the network ----


def addresses(host: str) -> list[str]:
    """Return the addresses of a host, of either family."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise PlanError(
            f"'{host}' cannot be looked up ({error.strerror}), so nothing is known about its ports"
        ) from None
    return list(dict.fromkeys(str(item[4][0]) for item in found))[:MAX_ADDRESSES]


def connect(address: str, port: int, seconds: float) -> str:
    """Ask one port and say what came of it; nothing is sent."""
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except OSError as error:
        return failure(error)
    return OPEN


def run(probes: Sequence[Probe], seconds: float = SECONDS, ask: Connect = connect) -> list[str]:
    """Try everything that is planned and return what is wrong, a sentence each."""
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        outcomes = list(pool.map(lambda probe: ask(probe.address, probe.port, seconds), probes))
    return [text for text in map(problem, probes, outcomes) if text]
