# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The web server in front: where it sends requests, and which of its processes still have some in hand.

`upstream/servers.conf` is included in Nginx's upstream block, `upstream/stamp.conf` lets the running server say which
of these it has loaded.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.request
from dataclasses import dataclass
from pathlib import Path

SERVERS_FILE = "servers.conf"
STAMP_FILE = "stamp.conf"
STAMP_PATH = "/upstream"
ASK_SECONDS = 3
_NAMED = re.compile(r"^server (?P<alias>[a-z0-9-]+):(?P<port>\d+) resolve max_fails=0;$", re.MULTILINE)
_LITERAL = re.compile(r"^server (?P<address>[0-9.]+):\d+ max_fails=0;$", re.MULTILINE)
OK = 200


@dataclass(frozen=True)
class Route:
    """Where requests go: the network name of the containers that get them, and their addresses while that is not known yet."""

    alias: str = ""
    port: int = 0
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Worker:
    """A process, told from a later one with the same number by when it started."""

    pid: int
    started: str


def servers_text(route: Route) -> str:
    """Return the servers of the upstream block.

    `resolve`: the name is looked up while Nginx runs, and so survives that containers get other addresses. Right after a
    reload a name that is new is not known yet, and requests of that moment would find no server at all (seen: 2 of 1,710);
    so the addresses stand beside it, until the next reload, which takes over what is known by then.
    `max_fails=0`: one failed request must not make the only server unavailable.
    """
    if not route.alias:
        return ""
    lines = ["# Written by barehost.django.release_switch: where requests go."]
    lines += [f"server {address}:{route.port} max_fails=0;" for address in route.addresses]
    lines.append(f"server {route.alias}:{route.port} resolve max_fails=0;")
    return "\n".join(lines) + "\n"


def parse_servers(text: str) -> Route:
    """Read what servers_text wrote; anything else is no route."""
    named = _NAMED.search(text)
    if named is None:
        return Route()
    return Route(named["alias"], int(named["port"]), tuple(_LITERAL.findall(text)))


def stamp(text: str) -> str:
    """Name one content of the servers file."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamp_text(text: str) -> str:
    """Return the location that answers with the stamp."""
    return f'location = {STAMP_PATH} {{\n    default_type text/plain;\n    return 200 "{stamp(text)}\\n";\n}}\n'


def ask(address: str, port: int, path: str = "/") -> str:
    """Ask a server itself which configuration it has loaded; an empty answer means that it did not say."""
    if not address:
        return ""
    try:
        # No proxy of the environment has any business between the host and its own container.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{address}:{port}{path}", timeout=ASK_SECONDS) as answer:
            return str(answer.read(200).decode("utf-8", "replace")).strip()
    except OSError:
        return ""


def probe(address: str, port: int, path: str, headers: dict[str, str]) -> tuple[str, str]:
    """Ask for the app's health through the edge.

    Return the release that answered, empty where the answer names none, and what is wrong, empty where nothing is.
    """
    connection = http.client.HTTPConnection(address, port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read(64 * 1024).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return "", f"no answer ({type(error).__name__}: {error})"
    finally:
        connection.close()
    if answer.status != OK:
        return "", f"status {answer.status}: {body[:300].strip()}"
    return named_release(body), ""


def named_release(body: str) -> str:
    """Return the field `release` of a health page, empty where it has none."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    return str(document.get("release") or "") if isinstance(document, dict) else ""


def read_process(pid: str, proc: Path = Path("/proc")) -> tuple[int, str] | None:
    """Return the parent of a process and when it started; None where it is gone."""
    try:
        # The name, in brackets, may hold anything; the fields begin after the last one.
        fields = (proc / pid / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    # Fields 4 and 22 of proc(5), counted from the third.
    return (int(fields[1]), fields[19]) if len(fields) > 19 and fields[0] != "Z" else None  # noqa: PLR2004 - as above


def descendants(root: int, proc: Path = Path("/proc")) -> frozenset[Worker]:
    """Return every process below one, which for Nginx's master are its workers."""
    found: dict[int, tuple[int, str]] = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            process = read_process(entry.name, proc)
            if process is not None:
                found[int(entry.name)] = process
    below = {root}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in found.items() if parent in below and pid not in below}
        grown = bool(more)
        below |= more
    return frozenset(Worker(pid, found[pid][1]) for pid in below - {root})


def alive(workers: frozenset[Worker], proc: Path = Path("/proc")) -> frozenset[Worker]:
    """Return those processes that are still there."""
    left = set()
    for worker in workers:
        process = read_process(str(worker.pid), proc)
        if process is not None and process[1] == worker.started:
            left.add(worker)
    return frozenset(left)
