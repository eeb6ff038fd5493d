# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read what a host is from its own files, without Ansible's fact gathering."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What /proc/net says of a socket that waits for whoever comes; one of UDP that is connected has another state.
WAITING = {"tcp": "0A", "udp": "07"}
# Addresses for the host itself alone, as the kernel lists them: 127.0.0.0/8, ::1, and the former in IPv6.
LOOPBACK = re.compile(r"^ *\d+: (?:[0-9A-F]{6}7F|0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F):")


def parse_os_release(text: str) -> dict[str, str]:
    """Read /etc/os-release (shell-quoted NAME=value lines)."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            words = shlex.split(value)
            values[name.strip()] = words[0] if words else ""
    return values


def speaks_ipv6(proc: Path = Path("/proc")) -> bool:
    """Return whether the kernel has IPv6 and new interfaces get it: where not, no network of the engine can have it."""
    try:
        return (proc / "sys/net/ipv6/conf/default/disable_ipv6").read_text(encoding="ascii").strip() == "0"
    except OSError:
        return False


def parse_meminfo(text: str) -> int:
    """Return the memory of the host in MiB from /proc/meminfo."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(match.group(1)) // 1024 if match else 0


def parse_listening(text: str, protocol: str = "tcp") -> dict[int, str]:
    """Map each port that listens, in the text of /proc/net/tcp, tcp6, udp or udp6, to the inode of its socket."""
    ports: dict[int, str] = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == WAITING[protocol]:  # noqa: PLR2004 - the tenth column is the inode
            ports[int(fields[1].rsplit(":", 1)[1], 16)] = fields[9]
    return ports


def socket_owners(inodes: Iterable[str]) -> dict[str, str]:
    """Map socket inodes to "name (pid N)" of the process that holds them; needs root to see them all."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[str, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        # A process may end while it is looked at.
        with suppress(OSError):
            for handle in (process / "fd").iterdir():
                inode = wanted.get(os.readlink(handle))  # noqa: PTH115 - the text of the link is what is compared
                if inode:
                    name = (process / "comm").read_text(encoding="utf-8").strip()
                    owners[inode] = f"{name} (pid {process.name})"
    return owners


def listening_ports(wanted: Iterable[int]) -> list[dict[str, Any]]:
    """List which of the wanted TCP ports something listens on, and what."""
    found: dict[int, str] = {}
    for family in ("tcp", "tcp6"):
        path = Path("/proc/net") / family
        if path.exists():
            found.update(parse_listening(path.read_text(encoding="ascii")))
    taken = {port: found[port] for port in sorted(set(wanted)) if port in found}
    owners = socket_owners(taken.values())
    return [{"port": port, "process": owners.get(inode, "unknown")} for port, inode in taken.items()]


def listening_outside() -> dict[str, dict[int, str]]:
    """Return for each protocol which ports something listens on that is not for the host itself alone, and what."""
    found: dict[str, dict[int, str]] = {protocol: {} for protocol in WAITING}
    for protocol, ports in found.items():
        for family in (protocol, f"{protocol}6"):
            path = Path("/proc/net") / family
            if path.exists():
                lines = path.read_text(encoding="ascii").splitlines(keepends=True)
                ours = "".join(line for line in lines if not LOOPBACK.search(line))
                ports.update(parse_listening(ours, protocol))
    owners = socket_owners(inode for ports in found.values() for inode in ports.values())
    # WireGuard, NFS and VXLAN have sockets that no process holds.
    return {
        protocol: {port: owners.get(inode, "the kernel itself") for port, inode in ports.items()}
        for protocol, ports in found.items()
    }


def published(containers: Iterable[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Return the ports of the host that containers publish, by protocol, of those that do not run now as well."""
    found: dict[str, set[int]] = {}
    for item in containers:
        bindings = (item.get("HostConfig") or {}).get("PortBindings") or {}
        for name, entries in bindings.items():
            for entry in entries or []:
                # The engine takes one of these: 8000-8010.
                first, _, last = str(entry.get("HostPort") or 0).partition("-")
                numbers = set(range(int(first), int(last or first) + 1)) - {0}
                found.setdefault(name.partition("/")[2], set()).update(numbers)
    return {protocol: sorted(numbers) for protocol, numbers in sorted(found.items()) if numbers}


def published_by(port: int, containers: Iterable[Mapping[str, Any]]) -> str:
    """Return the name of the container that publishes a port, or an empty text."""
    for item in containers:
        bindings = (item.get("NetworkSettings") or {}).get("Ports") or {}
        for entries in bindings.values():
            if any(int(entry.get("HostPort") or 0) == port for entry in entries or []):
                return str(item["Name"]).lstrip("/")
    return ""


def free_mb(path: str) -> int:
    """Return the free space in MiB at the nearest ancestor of path that exists."""
    current = Path(path)
    while not current.exists() and current != current.parent:
        current = current.parent
    info = os.statvfs(current)
    return info.f_bavail * info.f_frsize // (1024 * 1024)


def problems(
    seen: Mapping[str, Any], supported_os: Sequence[str], min_memory_mb: int, min_disk_mb: int, stack_dir: str
) -> list[str]:
    """Say in a sentence each what keeps a host from being deployed to."""
    system, memory = seen["host"]["os"], int(seen["host"]["memory_mb"])
    found = []
    if f"{system['id']} {system['version_id']}" not in supported_os:
        name = system["pretty_name"] or f"{system['id']} {system['version_id']}"
        found.append(f"The host runs {name}: supported are {', '.join(supported_os)} (preflight_supported_os).")
    if memory < min_memory_mb:
        found.append(f"The host has {memory} MiB of memory: the stack needs {min_memory_mb} (preflight_min_memory_mb).")
    free = min(int(seen["engine"]["root_free_mb"]), int(seen["stack"]["free_mb"]))
    if free < min_disk_mb:
        found.append(
            f"The host has {free} MiB free in {seen['engine']['root_dir']} or {stack_dir}: a deploy needs {min_disk_mb} "
            "(preflight_min_disk_mb). Free some space first."
        )
    taken = [f"{port['port']} by {port['container'] or port['process']}" for port in seen["ports"] if not port["ours"]]
    if taken:
        found.append(
            f"Taken on the host: port {', '.join(taken)}. Nothing was stopped: free the port, or choose another one with "
            "nginx_http_port."
        )
    return found
