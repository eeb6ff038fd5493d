# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks at every process of a machine again and again, and says where a pattern stands. Runs by itself, also on a host.

The patterns come on standard input, a line each; a file that appears, or the time, ends it. Command lines are looked at wherever
they are, since `ps` shows those of containers, too; environments only of what is in no container.
"""

from __future__ import annotations

import json
import os
import sys
import time

INTERVAL = 0.05
# A process that has just begun may still become another program; later it is looked at now and then.
YOUNG, SELDOM = 20, 20


def read(path: str) -> bytes:
    """Return what a file of the kernel holds; nothing where the process has gone."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - some thousand times a second
            return file.read()
    except OSError:
        return b""


def namespace(pid: str) -> str:
    """Return which processes a process sees."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115 - as above
    except OSError:
        return ""


class Sampler:
    """What was seen so far."""

    def __init__(self, patterns: list[bytes], own: str) -> None:
        """Begin."""
        self.patterns, self.own = patterns, own
        self.ages: dict[str, int] = {}
        self.said: set[tuple[str, str, bytes]] = set()
        self.looks = 0

    def look(self) -> list[dict[str, str]]:
        """Look once at all that may have changed; return what is new."""
        pids = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - as above
        self.ages = {pid: self.ages.get(pid, -1) + 1 for pid in pids}
        found = []
        for pid, age in self.ages.items():
            if age < YOUNG or age % SELDOM == 0:
                self.looks += 1
                found += self._process(pid)
        return found

    def _process(self, pid: str) -> list[dict[str, str]]:
        texts = {"cmdline": read(f"/proc/{pid}/cmdline")}
        if namespace(pid) == self.own:
            texts["environ"] = read(f"/proc/{pid}/environ")
        found = []
        for kind, text in texts.items():
            for pattern in self.patterns:
                if pattern in text and (pid, kind, pattern) not in self.said:
                    self.said.add((pid, kind, pattern))
                    words = text.replace(b"\0", b" ")
                    at = words.find(pattern)
                    shown = words[:120] + b" ... " + words[max(0, at - 60) : at + 60]
                    found.append({"pid": pid, "kind": kind, "text": shown.decode(errors="replace")})
        return found


def say(what: dict[str, str] | dict[str, int]) -> None:
    """Print a line that a program reads."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Look until the file that is named appears, or for that many seconds."""
    stop, seconds = sys.argv[1], float(sys.argv[2])
    patterns = [line for line in sys.stdin.buffer.read().split(b"\n") if line]
    sampler = Sampler(patterns, namespace("self"))
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end and not os.path.exists(stop):  # noqa: PTH110 - as above
        for leak in sampler.look():
            say(leak)
        rounds += 1
        time.sleep(INTERVAL)
    say({"rounds": rounds, "looks": sampler.looks, "processes": len(sampler.ages)})


if __name__ == "__main__":
    main()
