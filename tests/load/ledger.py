# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was acknowledged, compared with what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a ledger, and what may look wrong and is not."""

    # Acknowledged, and not there.
    missing: list[str]
    # Sent once, and there more than once; whether it was acknowledged or not.
    doubled: dict[str, int]
    # Never acknowledged, and there all the same: the answer was lost, the work was not.
    unknown_done: list[str]
    # There, and not from this run.
    strangers: int

    @property
    def ok(self) -> bool:
        """Whether nothing was lost or doubled."""
        return not self.missing and not self.doubled


def check_ledger(
    report: Mapping[str, Any], rows: Mapping[str, int] | Iterable[object], ledger: str = "ledger"
) -> Verdict:
    """Compare the ledger of a report ("ledger" or "tasks") with what the server has: counts by id, or one id per row."""
    found: Counter[str] = Counter()
    if isinstance(rows, Mapping):
        found.update({str(key): int(count) for key, count in rows.items()})
    else:
        found.update(str(row) for row in rows)
    acknowledged, unknown = report[ledger]["acknowledged"], report[ledger]["unknown"]
    return Verdict(
        missing=[key for key in acknowledged if not found[key]],
        doubled={key: found[key] for key in (*acknowledged, *unknown) if found[key] > 1},
        unknown_done=[key for key in unknown if found[key]],
        strangers=sum(count for key, count in found.items() if key not in acknowledged and key not in unknown),
    )


def check_ticks(rows: Sequence[Mapping[str, Any]], period: float = 2.0) -> list[str]:
    """Return the signs of two beats at once: ticks that came too close, or a beat that was heard again after its successor.

    A row has `sent_ms`, when beat sent it, and `beat`, the host name of its container.
    """
    ordered = sorted(rows, key=lambda row: int(row["sent_ms"]))
    found = []
    gone: set[str] = set()
    for before, after in pairwise(ordered):
        gap = (int(after["sent_ms"]) - int(before["sent_ms"])) / 1000
        # A beat that has just started makes up for what is overdue, hence not the whole period.
        if gap < period / 2:
            found.append(f"{before['beat']} and {after['beat']} ticked within {gap:.3f} s at {after['sent_ms']}")
        if after["beat"] != before["beat"]:
            gone.add(before["beat"])
        if after["beat"] in gone:
            found.append(f"{after['beat']} ticked at {after['sent_ms']}, after {before['beat']} had taken over")
            gone.discard(after["beat"])
    return found


def longest_silence(rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the longest time between two ticks, in seconds."""
    times = sorted(int(row["sent_ms"]) for row in rows)
    return max((after - before for before, after in pairwise(times)), default=0) / 1000
