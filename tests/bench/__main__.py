# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Measure, and write the figures into docs/performance.md: `make bench`, about half an hour on two quiet cores."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .cases import RELEASES_IN_A_ROW, Bench, in_a_row
from .hosts import ROOT, VERSIONS
from .table import page, plot, row_text, table, values

RESULTS = VERSIONS / "results.json"
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.svg"


def machine() -> str:
    """Say what was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    names = [line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in line]
    processor = names[0].partition(": ")[2] if names else platform.machine()
    return f"{os.cpu_count()} cores ({processor}), {memory:.0f} GB, {time.strftime('%Y-%m-%d')}"


def measured(rounds: int) -> list[dict[str, Any]]:
    """Measure so many rounds; return the samples, for none those of the last measurement here."""
    if rounds:
        bench = Bench()
        bench.rounds(rounds)
        return [asdict(sample) for sample in bench.samples]
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return list(kept.get("samples", []))


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="how often everything is measured, 0 keeps what was (default: %(default)s)",
    )
    parser.add_argument(
        "--releases", type=int, default=RELEASES_IN_A_ROW, help="in a row, 0 for none (default: %(default)s)"
    )
    parser.add_argument("--write", action="store_true", help="write the figures into docs/performance.md")
    asked = parser.parse_args()
    if asked.rounds < 0:
        parser.error(f"--rounds is {asked.rounds}: give a number from 0")
    VERSIONS.mkdir(parents=True, exist_ok=True)
    samples = measured(asked.rounds)
    rounds = len(values(samples, "ours", "again"))
    if not rounds:
        parser.error(f"nothing was measured before that {RESULTS} could tell: leave --rounds out")
    RESULTS.write_text(json.dumps({"samples": samples}) + "\n", encoding="utf-8")
    figures = [f"{machine()}. {rounds} rounds.", "", table(samples)]
    if asked.releases:
        row = in_a_row(asked.releases)
        RESULTS.write_text(json.dumps({"samples": samples, "row": row}) + "\n", encoding="utf-8")
        figures += ["", row_text(row)]
    text = "\n".join(figures)
    sys.stdout.write(f"\n{text}\n")
    if asked.write:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
        PLOT.write_text(plot(samples), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
