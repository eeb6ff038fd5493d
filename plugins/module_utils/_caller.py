# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who runs ansible-playbook, from where and how; and whether a run that was started there is still alive.

For the controller. The command is put together from the options that are known to be harmless, and not by taking secrets
out of a command line: what is not listed here cannot leak.
"""

from __future__ import annotations

import getpass
import multiprocessing
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Parsed option of ansible-playbook -> how it is written.
VALUES = {"subset": "--limit", "start_at_task": "--start-at-task"}
LISTS = {"tags": "--tags", "skip_tags": "--skip-tags"}
FLAGS = {"check": "--check", "diff": "--diff"}
HIDDEN = {"extra_vars": "-e ***"}
# The PID namespace that a Linux kernel starts with: there, and only there, a reboot ends every process.
FIRST_NAMESPACE = "pid:[4026531836]"
# States of a process that has ended and that nobody has asked for its result.
ENDED = ("Z", "X", "x")
START_TIME = 19  # the 22nd field of /proc/<pid>/stat, counted from behind the name of the program


# ---- pure ----


def command(program: str, options: Mapping[str, Any], folder: str) -> str:
    """Return the command line of a run as far as it is nobody's secret."""
    words = [Path(program).name]
    for source in options.get("inventory") or ():
        words += ["-i", near(str(source), folder)]
    targets = options.get("args") or ()
    words += [near(str(target), folder) for target in ([targets] if isinstance(targets, str) else targets)]
    for name, option in VALUES.items():
        words += [option, str(options[name])] if options.get(name) else []
    for name, option in LISTS.items():
        values = [str(value) for value in options.get(name) or ()]
        words += [option, ",".join(values)] if values and values != ["all"] else []
    words += [option for name, option in FLAGS.items() if options.get(name)]
    return " ".join([shlex.join(words), *(text for name, text in HIDDEN.items() if options.get(name))])


def near(path: str, folder: str) -> str:
    """Return a path as it is written in the folder of the run, where it lies below it."""
    if not path.startswith("/") or "," in path:
        return path
    short = os.path.relpath(path, folder)
    return path if short.startswith("..") else short


def start_time(stat: str) -> str:
    """Return when a process started, in the kernel's own count, from the text of /proc/<pid>/stat; nothing if it is dead."""
    # The name of the program stands in brackets and may hold brackets and blanks itself.
    fields = stat.rpartition(")")[2].split()
    ended = not fields or fields[0] in ENDED
    return fields[START_TIME] if len(fields) > START_TIME and not ended else ""


def same_processes(theirs: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    """Whether a process id means the same there and here: the same kernel, since the same boot, in one namespace."""
    names = ("hostname", "machine_id", "boot_id", "namespace")
    return all(theirs.get(name) and theirs.get(name) == ours.get(name) for name in names)


def rebooted(theirs: Mapping[str, str], ours: Mapping[str, str]) -> bool:
    """Whether the run was started on this machine, and before it was booted; of containers that cannot be said."""
    same = all(theirs.get(name) and theirs.get(name) == ours.get(name) for name in ("hostname", "machine_id"))
    first = theirs.get("namespace") == ours.get("namespace") == FIRST_NAMESPACE
    return (
        same and first and bool(theirs.get("boot_id") and ours.get("boot_id")) and theirs["boot_id"] != ours["boot_id"]
    )


# ---- what the machine says ----


def read(path: str) -> str:
    """Return the text of a small file, or nothing where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def user() -> str:
    """Return the name of whoever runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def controller_pid() -> int:
    """Return the process of ansible-playbook; a task runs in a child of it."""
    parent = multiprocessing.parent_process()
    return parent.pid if parent and parent.pid else os.getpid()


def machine() -> dict[str, str]:
    """Return what tells this machine, and its processes, from another."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return {
        "hostname": socket.gethostname(),
        "machine_id": read("/etc/machine-id"),
        "boot_id": read("/proc/sys/kernel/random/boot_id"),
        "namespace": namespace,
    }


def controller() -> dict[str, str]:
    """Return this run as the lock keeps it."""
    pid = controller_pid()
    return {**machine(), "pid": str(pid), "started": start_time(read(f"/proc/{pid}/stat"))}


def describe(options: Mapping[str, Any], argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Return who this is, for the lock."""
    words = sys.argv if argv is None else argv
    return {
        "owner": f"{user()}@{socket.gethostname()}",
        "command": command(words[0] if words and words[0] else "ansible", options, str(Path.cwd())),
        "controller": controller(),
    }


def is_dead(theirs: Mapping[str, str]) -> bool:
    """Whether a run is known to have ended; where that cannot be seen from here it counts as alive."""
    ours = machine()
    if rebooted(theirs, ours):
        return True
    # Where the first process is hidden from us, so is everybody else's.
    if not same_processes(theirs, ours) or not theirs.get("started") or not read("/proc/1/stat"):
        return False
    return start_time(read(f"/proc/{theirs.get('pid', '')}/stat")) != theirs["started"]
