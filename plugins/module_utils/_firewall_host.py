# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The firewall on a host: what is there of it, and how it is changed without anybody being locked out.

New rules are loaded into the kernel alone, beside a timer that loads the old ones again. The files on the disk become the new
ones only when a second call has come, over a new connection, and has stopped the timer. So whatever happens in between, a lost
connection, a controller that dies or a reboot, ends with rules that somebody has come through before.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import _files, _firewall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOME = "/etc/barehost"
PARTS = f"{HOME}/firewall.d"
RULES = f"{HOME}/firewall.nft"
# What the kernel lists once they are loaded.
LISTED = f"{HOME}/firewall.listed"
UNITS = "/etc/systemd/system"
UNIT = "barehost-firewall.service"
WANTED_BY = f"{UNITS}/sysinit.target.wants/{UNIT}"
BESIDE = f"{UNITS}/nftables.service.d/barehost.conf"
BACK_RULES = "/run/barehost/firewall-back.nft"
TRIED = "/run/barehost/firewall-tried.json"
BACK = "barehost-firewall-back"
INTERFACES = "/sys/class/net"
NFT = "/usr/sbin/nft"
FIREWALLD = "/usr/lib/systemd/system/firewalld.service"
UFW = "/etc/ufw/ufw.conf"
# What the host asks for by itself, and the rules let in: an address by DHCP, on either family.
ADDRESS_PORTS: dict[str, set[int]] = {"tcp": set(), "udp": {68, 546}}
THROUGH = ", first of all the port of a VPN that SSH comes through: this run would not notice, since what is connected goes on"
UNIT_TEXT = f"""\
# Made by barehost.django (role firewall): changes here are lost.
[Unit]
Description=What is reachable of this host from outside, published container ports included
DefaultDependencies=no
RequiresMountsFor={HOME}
Wants=network-pre.target
Before=network-pre.target shutdown.target
# It flushes whatever is loaded.
After=nftables.service
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={NFT} -f {RULES}
ExecReload={NFT} -f {RULES}

[Install]
WantedBy=sysinit.target
"""
# PartOf= would pass on neither its first start nor its reload, and both flush the rules of everybody.
BESIDE_TEXT = f"""\
# Made by barehost.django (role firewall): nftables.service flushes all rules, ours included.
[Service]
ExecStartPost=-{NFT} -f {RULES}
ExecReload=-{NFT} -f {RULES}
ExecStopPost=-{NFT} -f {RULES}
"""
Runner = Callable[..., "tuple[int, str, str]"]


class FirewallError(Exception):
    """What is wrong and what to do, in one sentence."""


# ---- pure ----


def parse_connection(text: str) -> dict[str, Any]:
    """Return the client's address and the server's port of SSH_CONNECTION; nothing where it is none."""
    words = text.split()
    if len(words) != 4 or not words[3].isdecimal():  # noqa: PLR2004 - two addresses with a port each
        return {}
    try:
        address = ipaddress.ip_address(words[0].partition("%")[0])
    except ValueError:
        return {"address": "", "port": int(words[3])}
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return {"address": str(mapped or address), "port": int(words[3])}


def part_path(stack: str) -> str:
    """Return the file of a stack's part."""
    return f"{PARTS}/{stack}.json"


def wanted_parts(
    stack: str, part: Mapping[str, Any] | None, seen: Mapping[str, Any]
) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """Return the parts of all stacks as they should be, and what the variables of this one would have kept out."""
    others = {name: item for name, item in (seen.get("parts") or {}).items() if name != stack}
    if part is None:
        return others, []
    kept, said = _firewall.guarded(part, seen.get("connection") or {})
    return {**others, stack: kept}, said


def own_of(seen: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what the rules have beside the parts: what the administrator adds, and interfaces that are not what they look like."""
    return _firewall.with_outside(str(seen.get("own") or ""), parts, seen.get("lookalikes") or [])


def texts(parts: Mapping[str, Mapping[str, Any]], own: str) -> dict[str, str]:
    """Return the files of a host, path to text; none where no stack has a part."""
    if not parts:
        return {}
    found = {part_path(name): json.dumps(item, indent=2, sort_keys=True) + "\n" for name, item in sorted(parts.items())}
    return {**found, RULES: _firewall.render(parts, own), f"{UNITS}/{UNIT}": UNIT_TEXT, BESIDE: BESIDE_TEXT}


def steps(stack: str, part: Mapping[str, Any] | None, seen: Mapping[str, Any]) -> list[str]:
    """Return what is not as it should be, by its name; part is nothing where the stack is to have none."""
    there = seen.get("parts") or {}
    if part is None:
        return ["part"] if stack in there else []
    parts, _ = wanted_parts(stack, part, seen)
    digest = _firewall.loaded(_firewall.render(parts, own_of(seen, parts)))
    found = [] if there == parts else ["part"]
    found += [] if seen.get("file") == digest else ["file"]
    found += [] if seen.get("loaded") == digest else ["kernel"]
    return found + ([] if seen.get("unit") else ["unit"])


def beside(seen: Mapping[str, Any]) -> list[str]:
    """Say in a sentence each which other firewall is at work on the host, and what that means."""
    return [
        f"{name} is at work on this host as well: what the host itself serves is reachable only where both let it in, and what "
        f"Docker publishes goes around {name} and is judged by firewall_allowed_tcp_ports alone"
        for name in seen.get("others") or []
    ]


def kept_out(parts: Mapping[str, Mapping[str, Any]], listening: Mapping[str, Mapping[int, str]]) -> list[str]:
    """Say in a sentence for each protocol what listens and is let in by no stack: somebody may have it in use."""
    found = []
    for protocol, ports in sorted(listening.items()):
        let_in = {entry["port"] for item in parts.values() for entry in item["open"] if entry["protocol"] == protocol}
        let_in |= ADDRESS_PORTS[protocol]
        let_in |= {port for item in parts.values() for port in item["ssh_ports"] if protocol == "tcp"}
        shut = [f"{port} ({process})" for port, process in sorted(ports.items()) if port not in let_in]
        if shut:
            found.append(
                f"what listens on {protocol.upper()} {', '.join(shut)} is not reached from outside: name in "
                f"firewall_allowed_{protocol}_ports, or with its networks in firewall_restricted_ports, what has to be"
                + (THROUGH if protocol == "udp" else "")
            )
    return found


def list_cmd() -> list[str]:
    """Return the argv that shows what is loaded, without what counters have counted."""
    return [NFT, "--stateless", "list", "table", *_firewall.TABLE.split()]


def load_cmd(*, check: bool = False) -> list[str]:
    """Return the argv that loads rules from its input, or only says whether it could."""
    return [NFT, *(["--check"] if check else []), "-f", "-"]


def back_cmd(seconds: int) -> list[str]:
    """Return the argv of the timer that loads the old rules again."""
    timer = [f"--on-active={seconds}s", "--timer-property=AccuracySec=1s", "--collect", "--quiet"]
    return ["systemd-run", f"--unit={BACK}", *timer, NFT, "-f", BACK_RULES]


# ---- the host ----


def connection(proc: Path = Path("/proc"), pid: int = 0) -> dict[str, Any]:
    """Return the SSH connection that this process came by: sudo has taken it out of our environment, not out of its parents'."""
    pid = pid or os.getpid()
    with suppress(OSError, ValueError, IndexError):
        while pid > 1:
            for item in (proc / str(pid) / "environ").read_bytes().split(b"\0"):
                name, _, value = item.partition(b"=")
                if name == b"SSH_CONNECTION":
                    return parse_connection(value.decode("ascii", "replace"))
            pid = int(
                (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            )
    return {}


def read(path: str, root: str = "/") -> str:
    """Return the text of a file; empty where there is none."""
    file = Path(root) / path.lstrip("/")
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


def read_parts(root: str = "/") -> dict[str, Any]:
    """Return the parts of all stacks; one that cannot be read is left out, and so made anew by its own stack."""
    found = {}
    for file in sorted((Path(root) / PARTS.lstrip("/")).glob("*.json")):
        with suppress(ValueError):
            part = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(part, dict) and part.keys() == _firewall.EMPTY.keys():
                found[file.stem] = part
    return found


def read_own(root: str = "/") -> str:
    """Return the rules that the administrator adds, each file under its name."""
    found = sorted((Path(root) / PARTS.lstrip("/")).glob("*.nft"))
    texts = [(file.name, file.read_text(encoding="utf-8", errors="replace").strip()) for file in found]
    return "".join(f"\n# From {PARTS}/{name}.\n{text}\n" for name, text in texts)


def interfaces(root: str = "/") -> list[str]:
    """Return what the host calls its interfaces."""
    folder = Path(root) / INTERFACES.lstrip("/")
    return [item.name for item in folder.iterdir()] if folder.is_dir() else []


def listed(run: Runner) -> str:
    """Return what the kernel lists; empty where the table is not there."""
    code, out, _ = run(list_cmd())
    return out if code == 0 else ""


def loaded(run: Runner, root: str = "/") -> str:
    """Return the digest of what the kernel has loaded; empty where somebody has changed it there, in whichever chain."""
    listing = listed(run)
    return _firewall.loaded(listing) if _firewall.shape(listing) == read(LISTED, root) else ""


def others(run: Runner, root: str = "/") -> list[str]:
    """Return which other firewalls are at work."""
    found = ["ufw"] if "ENABLED=yes" in read(UFW, root).splitlines() else []
    if read(FIREWALLD, root) and run(["systemctl", "is-active", "firewalld.service"])[0] == 0:
        found.append("firewalld")
    return found


def look(
    run: Runner, *, wanted: bool, published: Mapping[str, Sequence[int]] | None = None, root: str = "/"
) -> dict[str, Any]:
    """Say what there is of the firewall; asks nobody where there is none and none is wanted.

    With it goes what the stack publishes, by protocol, or nothing where nobody knows.
    """
    parts = read_parts(root)
    if not wanted and not parts:
        return {}
    installed = (Path(root) / NFT.lstrip("/")).exists()
    unit = read(f"{UNITS}/{UNIT}", root) == UNIT_TEXT and read(BESIDE, root) == BESIDE_TEXT
    return {
        "installed": installed,
        "parts": parts,
        "own": read_own(root),
        "lookalikes": _firewall.lookalikes(interfaces(root)),
        "file": _firewall.in_file(read(RULES, root)),
        "loaded": loaded(run, root) if installed else "",
        "unit": unit and os.path.lexists(Path(root) / WANTED_BY.lstrip("/")),
        "connection": connection(),
        "published": published,
        "others": others(run, root),
    }


def must(run: Runner, argv: list[str], what: str, data: str | None = None) -> None:
    """Run a command, and end with what it said where it fails."""
    code, out, err = run(argv, data=data) if data is not None else run(argv)
    if code != 0:
        said = (err.strip() or out.strip() or f"it ended with {code} and said nothing").splitlines()[0]
        raise FirewallError(f"{what}: {said}")


def pending(run: Runner) -> bool:
    """Whether rules are loaded that nobody has come through yet."""
    return run(["systemctl", "is-active", f"{BACK}.timer"])[1].strip() == "active"


def wait(run: Runner, seconds: int, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until what another run has tried is kept or has gone back: its rules are the ground that ours stand on."""
    for _ in range(seconds + 5):
        if not pending(run):
            return
        sleep(1)
    raise FirewallError("another run has loaded rules that it has not confirmed: wait a minute, and run this again")


def judged(run: Runner, parts: Mapping[str, Mapping[str, Any]], own: str) -> str:
    """Return the rules, once nftables has said that it would load them."""
    text = _firewall.render(parts, own)
    files = re.findall("^# From (.*)[.]$", own, re.MULTILINE)
    whose = f" ({', '.join(files)} among them)" if files else ""
    must(run, load_cmd(check=True), f"nftables does not accept the rules{whose}, and nothing was changed", text)
    return text


def back(run: Runner, root: str = "/") -> str:
    """Return what takes the place of the rules that are tried: those on the disk, what is loaded, or nothing, as nftables has it.

    What it does not take, because the file is no longer what was written or an interface is gone, would take nothing back.
    """
    listing = listed(run)
    for text in (read(RULES, root), listing and _firewall.DELETE + listing):
        if text and run(load_cmd(check=True), data=text)[0] == 0:
            return text
    return _firewall.DELETE


def attempt(run: Runner, parts: Mapping[str, Mapping[str, Any]], own: str, seconds: int, root: str = "/") -> None:
    """Load the rules, with the old ones coming back after so many seconds unless they are kept."""
    text = judged(run, parts, own)
    file = Path(root) / BACK_RULES.lstrip("/")
    file.parent.mkdir(mode=0o755, exist_ok=True, parents=True)
    _files.replace(file, back(run, root), 0o600)
    # Kept is what was tried, even if the new connection comes from another address.
    _files.replace(file.with_name(Path(TRIED).name), json.dumps({"parts": parts, "own": own}), 0o600)
    # One that has gone off and failed would keep its name.
    run(["systemctl", "reset-failed", f"{BACK}.timer", f"{BACK}.service"])
    must(run, back_cmd(seconds), "the timer that takes the rules back cannot be started, and nothing was changed")
    try:
        must(run, load_cmd(), "nftables did not load the rules, and those before are in force", text)
    except FirewallError:
        run(["systemctl", "stop", f"{BACK}.timer"])
        raise


def keep(run: Runner, stack: str, root: str = "/") -> None:
    """Keep the rules that were tried, now that a new connection has come through them."""
    gone = "the new rules of the firewall have gone back by themselves: no new connection came in time, or another run was faster"
    if not pending(run):
        raise FirewallError(
            f"{gone}; look whether SSH is let in, raise firewall_confirm_seconds if it is slow, and run this again"
        )
    try:
        tried = json.loads(read(TRIED, root))
    except ValueError:
        raise FirewallError(
            f"{TRIED}, which says what rules of the firewall were tried, is gone or is no JSON: they go back by themselves within "
            "firewall_confirm_seconds; run this again then"
        ) from None
    must(run, ["systemctl", "stop", f"{BACK}.timer"], "the timer that takes the rules back cannot be stopped")
    listing = listed(run)
    if _firewall.loaded(listing) != _firewall.loaded(_firewall.render(tried["parts"], tried["own"])):
        raise FirewallError(f"{gone}; run this again")
    write(run, stack, tried["parts"], tried["own"], root)
    _files.replace(Path(root) / LISTED.lstrip("/"), _firewall.shape(listing), 0o644)


def write(run: Runner, stack: str, parts: Mapping[str, Mapping[str, Any]], own: str, root: str = "/") -> None:
    """Put the files in place, and have the rules loaded before the network comes up."""
    for path, text in texts(parts, own).items():
        file = Path(root) / path.lstrip("/")
        file.parent.mkdir(mode=0o755, exist_ok=True, parents=True)
        if read(path, root) != text:
            _files.replace(file, text, 0o644)
    if stack not in parts:
        (Path(root) / part_path(stack).lstrip("/")).unlink(missing_ok=True)
    must(run, ["systemctl", "daemon-reload"], "systemd does not read its units")
    must(run, ["systemctl", "enable", "--now", UNIT], f"{UNIT} cannot be enabled")


def remove(run: Runner, stack: str, root: str = "/") -> None:
    """Take the firewall away with its last stack; what it let in and what it kept out is then as the others have it."""
    run(["systemctl", "disable", "--now", UNIT])
    must(run, load_cmd(), "nftables did not remove the rules", _firewall.DELETE)
    for path in (part_path(stack), RULES, LISTED, f"{UNITS}/{UNIT}", BESIDE):
        (Path(root) / path.lstrip("/")).unlink(missing_ok=True)
    for path in (PARTS, HOME, str(Path(BESIDE).parent)):
        # What somebody else has put there stays.
        with suppress(OSError):
            (Path(root) / path.lstrip("/")).rmdir()
    must(run, ["systemctl", "daemon-reload"], "systemd does not read its units")
