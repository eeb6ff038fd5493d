# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was acknowledged is there once; what was not may be there once; beat ticks for one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.load.ledger import check_ledger, check_ticks, longest_silence
from tests.load.report import latency, percentile

REPORT = {"ledger": {"acknowledged": {"a": 1.0, "b": 2.0}, "unknown": {"c": 3.0}}}


@pytest.mark.parametrize(
    ("rows", "missing", "doubled", "unknown", "strangers"),
    [
        ({"a": 1, "b": 1}, [], {}, [], 0),
        ({"a": 1, "b": 1, "c": 1}, [], {}, ["c"], 0),
        ({"a": 1}, ["b"], {}, [], 0),
        ({"a": 2, "b": 1}, [], {"a": 2}, [], 0),
        ({"a": 1, "b": 1, "c": 2}, [], {"c": 2}, ["c"], 0),
        # Doubled work of an earlier run is that run's business.
        ({"a": 1, "b": 1, "z": 2}, [], {}, [], 2),
        (["a", "b", "a"], [], {"a": 2}, [], 0),
        ([], ["a", "b"], {}, [], 0),
    ],
)
def test_a_ledger_is_judged(rows: Any, missing: Any, doubled: Any, unknown: Any, strangers: int) -> None:
    verdict = check_ledger(REPORT, rows)
    assert (verdict.missing, verdict.doubled) == (missing, doubled)
    assert (verdict.unknown_done, verdict.strangers) == (unknown, strangers)
    assert verdict.ok == (not missing and not doubled)


def test_numbers_are_found_as_numbers() -> None:
    report = {"tasks": {"acknowledged": {"17": 1.0}, "unknown": {}}}
    assert check_ledger(report, iter([17]), "tasks").ok


def ticks(*rows: tuple[float, str]) -> list[dict[str, Any]]:
    """Make rows from seconds and hosts."""
    return [{"sent_ms": int(seconds * 1000), "beat": host} for seconds, host in rows]


@pytest.mark.parametrize(
    "rows",
    [
        ticks((0, "a"), (2, "a"), (4, "a")),
        # A new beat makes up at once for what is overdue, and a release may take a moment.
        ticks((0, "a"), (2, "a"), (3.2, "b"), (5.2, "b")),
        ticks((0, "a"), (9, "b"), (11, "b"), (13, "c")),
        ticks((2, "a"), (0, "a")),
        [],
    ],
)
def test_one_beat_is_no_double(rows: Any) -> None:
    assert check_ticks(rows) == []


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        (ticks((0, "a"), (2, "a"), (2.1, "b"), (4.1, "b")), "within"),
        (ticks((0, "a"), (0.1, "a")), "within"),
        # Half a period apart, so that no two are close.
        (ticks((0, "a"), (1, "b"), (2, "a"), (3, "b")), "taken over"),
        (ticks((0, "a"), (2, "b"), (4, "c"), (6, "a")), "taken over"),
    ],
)
def test_two_beats_are_seen(rows: Any, word: str) -> None:
    assert any(word in sign for sign in check_ticks(rows))


def test_the_silence_between_two_beats_has_a_length() -> None:
    assert longest_silence(ticks((0, "a"), (2, "a"), (7.5, "b"))) == 5.5
    assert longest_silence([]) == 0


def test_percentiles_are_values_that_occurred() -> None:
    values = list(range(1, 101))
    assert [percentile(values, share) for share in (50, 90, 99, 100)] == [50, 90, 99, 100]
    assert percentile([7], 99) == 7
    assert latency([]) == {"p50": 0.0, "p90": 0.0, "p99": 0.0, "max": 0.0, "count": 0}
