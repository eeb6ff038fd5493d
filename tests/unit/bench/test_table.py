# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The table of the benchmark: medians, ratios, what is missing, and the page that it stands in."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.bench import table


def sample(road: str, case: str, seconds: float, sent: int = 0, failed: int = 0) -> dict[str, Any]:
    return {"road": road, "case": case, "seconds": seconds, "sent": sent, "failed": failed}


SAMPLES = [
    *(sample("ours", "first", seconds) for seconds in (50, 40, 90)),
    *(sample("raw", "first", seconds) for seconds in (100, 101, 99)),
    *(sample("raw", "changed", seconds) for seconds in (10, 10, 40)),
    *(sample("ours", "changed_load", seconds, 100, failed) for seconds, failed in ((20, 0), (15, 1))),
    sample("ours", "rollback_load", 5),
]


@pytest.mark.parametrize(
    ("case", "expected"),
    [("first", 0.5), ("changed_load", 1.75), ("rollback_load", 0.5), ("again", None), ("changed", None)],
)
def test_ratio(case: str, expected: float | None) -> None:
    """Under load, and for a way back, the raw road at its best is what counts: it has neither."""
    assert table.ratio(SAMPLES, case) == expected


def test_the_table_has_a_row_for_each_case() -> None:
    rows = table.table(SAMPLES).splitlines()[2:]
    assert len(rows) == len(table.CASES)
    assert rows[0] == (
        "| first deploy, engine there, no images, cold build cache | 50.0 s (40.0 to 90.0) | 100.0 s (99.0 to 101.0) | 0.50 |  |  |"
    )
    assert "| 1 of 200 |" in rows[3]
    assert rows[1].count("| - ") == 3


def test_what_ten_releases_do_to_the_clients() -> None:
    times = {
        "quiet": {"page": {"p99": 50.0}, "static": {"p99": 0.0}},
        "releases": {"page": {"p99": 80.0}, "static": {"p99": 9.0}},
    }
    text = table.row_text({"seconds": [9.0, 11.0, 10.0], "sent": 12000, "failed": 0, "busy": 0.953, **times})
    assert text.startswith(
        "3 releases in a row under every kind of client, 95% of all cores busy before each: 0 of 12,000 requests failed; "
    )
    assert "; one release took 10.0 s" in text
    assert text.endswith("| page | 50 ms | 80 ms | 1.60 |")


def test_only_the_figures_of_a_page_are_replaced() -> None:
    text = "before\n<!-- begin {0} -->\nold\n<!-- end {0} -->\nafter\n"
    for name in ("figures", "scale"):
        after = table.page(text.format(name), "new", name)
        assert after == f"before\n<!-- begin {name} -->\n\nnew\n\n<!-- end {name} -->\nafter\n"
        assert table.page(after, "new", name) == after
    with pytest.raises(ValueError, match="the page has no"):
        table.page("nothing", "new")


def test_the_plot_has_a_bar_for_each_median() -> None:
    bars = ET.fromstring(table.plot(SAMPLES)).findall("{*}rect")[1:]  # noqa: S314 - our own text
    widths = [int(bar.attrib["width"]) for bar in bars]
    assert len(widths) == 5
    assert max(widths) == widths[1] == 2 * widths[0]
