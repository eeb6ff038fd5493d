# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happened: counted by client, by second, by kind of failure."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .wire import Answer, Failure

SAMPLES = 20
PERCENTILES = (50, 90, 99)


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that is not exceeded by that share, in per cent, of all; 0 where there is none."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * share / 100), 1) - 1] if ordered else 0.0


def latency(values: Iterable[float]) -> dict[str, float]:
    """Return the percentiles and the maximum."""
    found = list(values)
    named = {f"p{share}": percentile(found, share) for share in PERCENTILES}
    return {**named, "max": max(found, default=0.0), "count": len(found)}


class Clock:
    """Seconds since the start, and the time of day that belongs to them."""

    def __init__(self) -> None:
        """Start."""
        self.epoch = time.time()
        self._zero = time.monotonic()

    def now(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._zero

    def day(self, offset: float) -> float:
        """Return the time of day, in seconds since 1970."""
        return round(self.epoch + offset, 3)


class ClientRecord:
    """What one kind of client has met."""

    def __init__(self, name: str, clock: Clock) -> None:
        """Begin with nothing."""
        self.name = name
        self.clock = clock
        self.sent = 0
        self.unsent = 0
        self.opened = 0
        self.closed_while_idle = 0
        self.statuses: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()
        self.samples: list[dict[str, Any]] = []
        # When a request was due, and how long after that its answer was complete.
        self.points: list[tuple[float, float]] = []
        self._seconds: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._slowest: defaultdict[int, float] = defaultdict(float)

    def ok(self, due: float, status: int) -> None:
        """Count a good answer, with the time since the request was due."""
        milliseconds = round((self.clock.now() - due) * 1000, 1)
        self.statuses[status] += 1
        self.points.append((round(due, 3), milliseconds))
        self._seconds[int(due)]["ok"] += 1
        self._slowest[int(due)] = max(self._slowest[int(due)], milliseconds)

    def begin(self, due: float) -> None:
        """Count a request that is about to be sent."""
        self.sent += 1
        self._seconds[int(due)]["sent"] += 1

    def failed(self, due: float, failure: Failure, what: str = "") -> None:
        """Count a failure, and keep the first ones whole."""
        now = self.clock.now()
        if failure.status:
            self.statuses[failure.status] += 1
        self.errors[failure.kind] += 1
        self._seconds[int(due)]["errors"] += 1
        if len(self.samples) < SAMPLES:
            self.samples.append({
                "time": self.clock.day(now),
                "class": failure.kind,
                "phase": failure.phase,
                "request": what,
                "detail": failure.detail,
                "ms_since_due": round((now - due) * 1000, 1),
            })  # fmt: skip

    def document(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return {
            "sent": self.sent,
            "ok": len(self.points),
            "unsent": self.unsent,
            "by_status": {str(status): count for status, count in sorted(self.statuses.items())},
            "errors": dict(self.errors),
            "samples": self.samples,
            "connections": {"opened": self.opened, "closed_while_idle": self.closed_while_idle},
            "latency_ms": latency(milliseconds for _, milliseconds in self.points),
            "timeline": [
                {
                    "t": second,
                    **{key: counts[key] for key in ("sent", "ok", "errors")},
                    "max_ms": self._slowest[second],
                }
                for second, counts in sorted(self._seconds.items())
            ],
            "points": self.points,
        }


class SentLedger:
    """What was asked to be done once: acknowledged, or sent and never answered well."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing."""
        self.clock = clock
        self.acknowledged: dict[str, float] = {}
        self.unknown: dict[str, float] = {}

    def sent(self, key: str) -> None:
        """Remember that nothing is known of it yet."""
        self.unknown[key] = self.clock.day(self.clock.now())

    def acknowledge(self, key: str) -> None:
        """Remember that the server has said that it is done."""
        self.unknown.pop(key, None)
        self.acknowledged[key] = self.clock.day(self.clock.now())

    def document(self) -> dict[str, Any]:
        """Return both lists, with the times."""
        return {"acknowledged": self.acknowledged, "unknown": self.unknown}


class Recorder:
    """Everything that a run finds out."""

    def __init__(self) -> None:
        """Start the clock."""
        self.clock = Clock()
        self.clients: dict[str, ClientRecord] = {}
        self.ledgers = {name: SentLedger(self.clock) for name in ("ledger", "tasks")}
        self.lags: list[float] = []
        self._releases: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self._spans: dict[str, list[float]] = {}

    def client(self, name: str) -> ClientRecord:
        """Return the record of one kind of client."""
        return self.clients.setdefault(name, ClientRecord(name, self.clock))

    def answered(self, answer: Answer) -> None:
        """Note which release has answered."""
        if not answer.release:
            return
        now = self.clock.now()
        self._releases[int(now)][answer.release] += 1
        self._spans.setdefault(answer.release, [now, now])[1] = now

    def document(self, **facts: object) -> dict[str, Any]:
        """Return the report."""
        clients = {name: record.document() for name, record in self.clients.items()}
        seconds = sorted(self._releases.items())
        return {
            **facts,
            "started": self.clock.day(0),
            "ended": self.clock.day(self.clock.now()),
            "total": {
                **{key: sum(client[key] for client in clients.values()) for key in ("sent", "ok", "unsent")},
                "errors": dict(sum((record.errors for record in self.clients.values()), Counter())),
            },
            # How late this program itself woke up: where it is large, the figures are about this machine.
            "generator_lag_ms": latency(self.lags),
            "clients": clients,
            **{name: ledger.document() for name, ledger in self.ledgers.items()},
            "releases": {
                name: {
                    "first": self.clock.day(first),
                    "last": self.clock.day(last),
                    "answers": sum(counts[name] for _, counts in seconds),
                }
                for name, (first, last) in self._spans.items()
            },
            "release_timeline": [{"t": second, "answers": dict(counts)} for second, counts in seconds],
        }


def failures(report: Mapping[str, Any]) -> int:
    """Return how many requests failed or were never sent."""
    total = report["total"]
    return sum(int(count) for count in (*total["errors"].values(), total["unsent"]))


def window(report: Mapping[str, Any], clients: Iterable[str], spans: Iterable[tuple[float, float]]) -> dict[str, float]:
    """Return the latencies of these clients' requests that were due in one of the spans of time, all of them together.

    A span is from one time of the day to before another, both in seconds since 1970.
    """
    wanted = list(spans)
    times = ((report["started"] + due, ms) for client in clients for due, ms in report["clients"][client]["points"])
    return latency(ms for at, ms in times if any(start <= at < end for start, end in wanted))


def summary(report: Mapping[str, Any]) -> str:
    """Return one line for each client."""
    lines = [f"{'client':<10} {'sent':>6} {'ok':>6} {'errors':>6} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}"]
    for name, client in report["clients"].items():
        times = client["latency_ms"]
        errors = sum(client["errors"].values()) + client["unsent"]
        figures = " ".join(f"{times[key]:>8.1f}" for key in ("p50", "p99", "max"))
        lines.append(f"{name:<10} {client['sent']:>6} {client['ok']:>6} {errors:>6} {figures}")
        lines += [f"  {kind}: {count}" for kind, count in client["errors"].items()]
    return "\n".join(lines)
