# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a run in which nothing is to do grows with the number of hosts: `make bench-scale`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests import playbooks

from .cases import say
from .hosts import ROOT
from .table import page

INVENTORY = ROOT / "molecule" / "scale" / "inventory"
PAGE = ROOT / "docs" / "performance.md"
# Hosts and forks.
STEPS = ((1, 8), (2, 8), (4, 8), (8, 8), (8, 5), (8, 2))
TRIES = 3
SAMPLE_SECONDS = 0.2


@dataclass(frozen=True)
class Sample:
    """What one run has taken of the controller."""

    seconds: float
    cpu: float  # seconds of all its processes
    memory: float  # MiB of all its processes together, at their most


def children() -> dict[int, list[int]]:
    """Return the processes of this machine by their parents."""
    found: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            found[int(fields[1])].append(int(entry.name))
    return found


def family(root: int) -> list[int]:
    """Return a process and everything below it."""
    by_parent, found, new = children(), [root], [root]
    while new:
        new = [child for parent in new for child in by_parent.get(parent, [])]
        found += new
    return found


def memory_of(pid: int) -> int:
    """Return the memory that a process has for itself, with its share of what it shares, in KiB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


class Watch(threading.Thread):
    """Notes the most memory that a process has had together with all below it."""

    def __init__(self, pid: int) -> None:
        """Take the process."""
        super().__init__(daemon=True)
        self.pid = pid
        self.most = 0
        self.over = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self.over.wait(SAMPLE_SECONDS):
            self.most = max(self.most, sum(memory_of(pid) for pid in family(self.pid)))


def measure(hosts: int, forks: int) -> Sample:
    """Run `bootstrap` on so many hosts."""
    names = ",".join(f"light-{number + 1}" for number in range(hosts))
    argv, env = playbooks.command("bootstrap", "--limit", names, "--forks", str(forks), inventory=INVENTORY)
    start = time.monotonic()
    process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watch = Watch(process.pid)
    watch.start()
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    watch.over.set()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(output[-3000:])
    return Sample(seconds, usage.ru_utime + usage.ru_stime, watch.most / 1024)


def table(found: dict[tuple[int, int], list[Sample]]) -> str:
    """Return the medians, and what they are of the first row's."""
    first = median(sample.seconds for sample in next(iter(found.values())))
    lines = ["| hosts | forks | seconds | ratio to one host | controller's CPU | its memory |", "| --- " * 6 + "|"]
    for (hosts, forks), samples in found.items():
        seconds, cpu, memory = (
            median(getattr(sample, name) for sample in samples) for name in ("seconds", "cpu", "memory")
        )
        lines.append(
            f"| {hosts} | {forks} | {seconds:.1f} s | {seconds / first:.2f} | {cpu:.1f} s | {memory:.0f} MiB |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure each step in turn, so that a moment in which the machine is busy does not meet one alone."""
    found: dict[tuple[int, int], list[Sample]] = {step: [] for step in STEPS}
    for number in range(TRIES):
        for hosts, forks in STEPS:
            sample = measure(hosts, forks)
            say(f"try {number + 1}: {hosts} hosts, {forks} forks: {sample.seconds:.1f} s, {sample.cpu:.1f} s of CPU")
            found[hosts, forks].append(sample)
    text = table(found)
    sys.stdout.write(f"\n{text}\n")
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), text, "scale"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
