# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The figures as people read them: medians, ratios, and bars."""

from __future__ import annotations

import html
from statistics import median
from typing import TYPE_CHECKING, Any

from .cases import CASES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A rollback has no counterpart: what people do is to deploy the old version again.
INSTEAD = {"rollback_load": "changed"}
# A load slows both down alike where both are under load; ours is compared with the raw road at its best.
QUIET = {"changed_load": "changed"}
COLOURS = {"ours": "#2b6cb0", "raw": "#a0aec0"}
BAR, GAP, LEFT, WIDTH, LABELS = 16, 14, 300, 900, 60


def values(samples: Sequence[Mapping[str, Any]], road: str, case: str, key: str = "seconds") -> list[float]:
    """Return what was measured of one case on one road."""
    return [sample[key] for sample in samples if sample["road"] == road and sample["case"] == case]


def ratio(samples: Sequence[Mapping[str, Any]], case: str) -> float | None:
    """Return our median over that of the raw road; None where there is nothing to compare with."""
    ours, raw = values(samples, "ours", case), values(samples, "raw", INSTEAD.get(case) or QUIET.get(case, case))
    return median(ours) / median(raw) if ours and raw else None


def lost(samples: Sequence[Mapping[str, Any]], road: str, case: str) -> str:
    """Return how many requests of how many failed."""
    sent = sum(values(samples, road, case, "sent"))
    failed = sum(values(samples, road, case, "failed"))
    return f"{failed:,.0f} of {sent:,.0f}" if sent else ""


def cell(found: Sequence[float]) -> str:
    """Return a median with the smallest and the largest value."""
    return f"{median(found):.1f} s ({min(found):.1f} to {max(found):.1f})" if found else "-"


def table(samples: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of all cases."""
    lines = ["| | ours | raw | ratio | requests lost, ours | raw |", "| --- | --- | --- | --- | --- | --- |"]
    for case in CASES:
        found = ratio(samples, case.name)
        cells = [
            case.text,
            *(cell(values(samples, road, case.name)) for road in ("ours", "raw")),
            f"{found:.2f}" if found else "-",
            *(lost(samples, road, case.name) for road in ("ours", "raw")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def row_text(row: Mapping[str, Any]) -> str:
    """Say what ten releases in a row have done to the clients."""
    pairs = [(name, row["quiet"][name]["p99"], row["releases"][name]["p99"]) for name in row["quiet"]]
    lines = ["| client | p99 before | p99 during the releases | ratio |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {quiet:.0f} ms | {busy:.0f} ms | {busy / quiet:.2f} |" for name, quiet, busy in pairs if quiet
    ]
    count = len(row["seconds"])
    head = (
        f"{count} releases in a row under every kind of client, {row['busy']:.0%} of all cores busy before each: "
        f"{row['failed']} of {row['sent']:,} requests failed; one release took {cell(row['seconds'])}."
    )
    return "\n".join([head, "", *lines])


def page(text: str, figures: str, name: str = "figures") -> str:
    """Put new figures into the page, between the marks of that name."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    if not after:
        raise ValueError(f"the page has no {begin} … {end}")
    return f"{before}{begin}\n\n{figures}\n\n{end}{after}"


def plot(samples: Sequence[Mapping[str, Any]]) -> str:
    """Draw the medians as bars, the longest as wide as the picture."""
    medians = {
        (case.name, road): median(values(samples, road, case.name))
        for case in CASES
        for road in COLOURS
        if values(samples, road, case.name)
    }
    scale = (WIDTH - LEFT - LABELS) / max(medians.values())
    parts, y = [], GAP
    for case in CASES:
        parts.append(f'<text x="{LEFT - 8}" y="{y + BAR}" text-anchor="end">{html.escape(case.text)}</text>')
        for road, colour in COLOURS.items():
            seconds = medians.get((case.name, road))
            if seconds is None:
                continue
            length = seconds * scale
            parts += [
                f'<rect x="{LEFT}" y="{y}" width="{length:.0f}" height="{BAR}" fill="{colour}"/>',
                f'<text x="{LEFT + length + 5:.0f}" y="{y + BAR - 4}">{road} {seconds:.1f} s</text>',
            ]
            y += BAR
        y += GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" font-size="12">'
    )
    body = "\n".join(f"  {part}" for part in parts)
    return f'{head}\n  <rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
