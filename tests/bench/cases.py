# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is measured, and how: both roads on each of the hosts in turn, so that neither has the better one."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.load.process import Load
from tests.load.report import failures, window

from .hosts import HOSTS, version
from .roads import Ours, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .roads import Road

# Before and after what is measured, so that the load sees its beginning and its end.
AROUND_SECONDS = 5.0
REQUESTS_PER_SECOND = 50
SILENT = ("keepalive", "idle", "slow", "upload", "ledger", "tasks", "page", "static")
# The source has to have these before releases can go back and forth over one schema.
BASE = ("additive", "data")
RELEASES_IN_A_ROW = 10
# Before each of them, to compare with.
QUIET_SECONDS = 15.0
# So many connections that are never without a request leave nothing of two cores idle.
FULL_LOAD = ("--rate", "busy=1", "--connections", "busy=8")
# Whose answers take as long as the server needs; those of the others take seconds by themselves.
TIMED = ("busy", "oneshot", "keepalive", "idle", "page", "static", "ledger", "tasks")


@dataclass(frozen=True)
class Case:
    """Something that is done on a road."""

    name: str
    verb: str
    text: str
    variants: tuple[str, ...] = BASE
    new: bool = True
    load: bool = False
    works: bool = True


# In the order in which a host meets them.
CASES = (
    Case("first", "first", "first deploy, engine there, no images, cold build cache"),
    Case("again", "again", "nothing changed, run again", new=False),
    Case("changed", "deploy", "one line changed"),
    Case("changed_load", "deploy", "one line changed, under load", load=True),
    Case("rollback_load", "rollback", "rollback, under load", new=False, load=True),
    Case(
        "broken_load", "deploy", "broken version (import error), under load", (*BASE, "crash"), load=True, works=False
    ),
)


@dataclass(frozen=True)
class Sample:
    """What one try has taken."""

    road: str
    case: str
    host: str
    seconds: float
    sent: int = 0
    failed: int = 0
    p99_ms: float = 0.0
    max_ms: float = 0.0


def say(text: str) -> None:
    """Show progress."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def one_shot_load(url: str) -> Load:
    """Return a load of requests that have a connection each, and are sent whatever the server does."""
    quiet = [word for name in SILENT for word in ("--rate", f"{name}=0")]
    rate = ["--rate", f"oneshot={REQUESTS_PER_SECOND}", "--connections", "oneshot=400"]
    return Load(url, "localhost", *quiet, *rate)


class Bench:
    """Some rounds of everything."""

    def __init__(self) -> None:
        """Begin without a sample."""
        self.samples: list[Sample] = []
        self.count = 0

    def rounds(self, number: int) -> None:
        """Measure so many rounds; the roads change their hosts from one to the next."""
        for host in HOSTS:
            host.prepare()
        for index in range(number):
            for road in (Ours(HOSTS[index % 2]), Raw(HOSTS[(index + 1) % 2])):
                say(f"round {index + 1} of {number}: {road.name} on {road.host.name}")
                road.begin()
                self.samples += self.road(road)
                # What it has left would slow the other one down.
                road.host.prepare()

    def road(self, road: Road) -> Iterator[Sample]:
        """Measure each case that a road knows."""
        source = None
        for case in CASES:
            verb = getattr(road, case.verb, None)
            if verb is None:
                continue
            if source is None or case.new:
                self.count += 1
                source = version(f"bench{self.count}", *case.variants)
            load = one_shot_load(road.host.url).start() if case.load else None
            if load:
                time.sleep(AROUND_SECONDS)
            start = time.monotonic()
            good = verb(source)
            seconds = round(time.monotonic() - start, 2)
            found = report(load) if load else {}
            if good != case.works:
                say(f"{road.name}, {case.text}: {'it worked, and should not' if good else road.output}")
                raise SystemExit(1)
            sample = Sample(road.name, case.name, road.host.name, seconds, **found)
            say(f"  {case.text}: {asdict(sample)}")
            yield sample


def report(load: Load) -> dict[str, Any]:
    """End a load, and return what became of its requests."""
    time.sleep(AROUND_SECONDS)
    found = load.stop()
    client = found["clients"]["oneshot"]
    times = client["latency_ms"]
    return {
        "sent": client["sent"] + client["unsent"],
        "failed": failures(found),
        "p99_ms": round(times["p99"], 1),
        "max_ms": round(times["max"], 1),
    }


def busy_share(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Return which share of all cores worked between two looks at the clocks."""
    return (after[0] - before[0]) / max(after[1] - before[1], 1)


def cores() -> tuple[int, int]:
    """Return how long all cores have worked, and how long there was, in ticks."""
    line = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    # What was stolen from this machine was neither at work nor idle, and is the eighth of them.
    user, nice, system, idle, wait, *interrupts = (int(word) for word in line.split()[1:8])
    work = user + nice + system + sum(interrupts)
    return work, work + idle + wait


def in_a_row(number: int = RELEASES_IN_A_ROW) -> dict[str, Any]:
    """Release one version after the other while all cores are busy, and compare with the time before each, as busy.

    In turn, since what else the machine does changes from minute to minute.
    """
    road = Ours(HOSTS[0])
    say(f"{number} releases in a row on {road.host.name}, all kinds of clients, all cores busy")
    road.host.prepare()
    road.begin()
    if not road.first(version("row0", *BASE)):
        raise SystemExit(road.output)
    seconds, shares = [], []
    spans: dict[str, list[tuple[float, float]]] = {"quiet": [], "releases": []}
    with Load(road.host.url, "localhost", *FULL_LOAD) as load:
        for index in range(number):
            # What the release before has left ends first, be it a request that takes ten seconds.
            time.sleep(AROUND_SECONDS)
            source = version(f"row{index + 1}", *BASE)
            quiet, clocks = time.time(), cores()
            time.sleep(QUIET_SECONDS)
            start = time.time()
            shares.append(busy_share(clocks, cores()))
            if not road.deploy(source):
                raise SystemExit(road.output)
            end = time.time()
            spans["quiet"].append((quiet, start))
            spans["releases"].append((start, end))
            seconds.append(round(end - start, 2))
            say(f"  release {index + 1}: {seconds[-1]} s")
    rows = {"all of them": TIMED, **{name: (name,) for name in TIMED if name not in ("idle", "tasks")}}
    return {
        "seconds": seconds,
        "sent": load.report["total"]["sent"],
        "failed": failures(load.report),
        "busy": round(median(shares), 3),
        **{
            name: {row: window(load.report, clients, found) for row, clients in rows.items()}
            for name, found in spans.items()
        },
    }
