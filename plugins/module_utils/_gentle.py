# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A process that takes what others leave of the processor: the database that it reads from is one of these.

Niceness counts within a control group alone, and a login, the containers and the services are groups of the same weight. So
the process is moved into one of its own with the lowest, as `systemd-run --scope` would start it: as
https://www.freedesktop.org/wiki/Software/systemd/ControlGroupInterface/ has it. A unit of ours has that weight already.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

NICENESS = 19
WEIGHT = 1
GROUPS = Path("/proc/self/cgroup")
SECONDS = 10
# What it starts before it is moved stays where it is.
MOVED_SECONDS = 1.0
# However long something was waited for, that is no work to rest from.
LONGEST_REST_SECONDS = 0.5
MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")


class Rest:
    """Rests after each piece of work for a share of the time that it took.

    Whatever fills the pipe that the work reads from rests as well, since the pipe is soon full: the server of a database too,
    whose threads no weight of ours reaches.
    """

    def __init__(self, percent: int) -> None:
        """Take how many percent of the time of the work it is; 0 never rests."""
        self._share = percent / 100
        self._since = time.monotonic()

    def take(self) -> None:
        """Rest, where something was done since the last time."""
        if self._share:
            time.sleep(min((time.monotonic() - self._since) * self._share, LONGEST_REST_SECONDS))
            self._since = time.monotonic()


def scope_cmd(name: str, pid: int) -> list[str]:
    """Return the argv that has systemd move a process into a scope of that name, beside all slices."""
    properties = ["PIDs", "au", "1", str(pid), "Slice", "s", "-.slice", "CPUWeight", "t", str(WEIGHT), "IOWeight", "t", str(WEIGHT)]  # fmt: skip
    return [
        "busctl", "--quiet", "--", "call", *MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", f"{name}.scope", "fail", "4", *properties, "0",
    ]  # fmt: skip


def step_aside(name: str) -> None:
    """Have this process step aside for others, as far as the host lets it; name begins the names of its units."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        if f"/{name}" in GROUPS.read_text(encoding="utf-8") or shutil.which("busctl") is None:
            return
        with suppress(subprocess.TimeoutExpired):
            # Where there is no systemd, or it will not, the backup is made all the same.
            subprocess.run(
                scope_cmd(f"{name}-{os.getpid()}", os.getpid()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                check=False,
            )
            wait_for_move(name)


def wait_for_move(name: str) -> None:
    """Wait until systemd has done it; where it does not, no longer than that."""
    end = time.monotonic() + MOVED_SECONDS
    while f"/{name}" not in GROUPS.read_text(encoding="utf-8") and time.monotonic() < end:
        time.sleep(0.02)
