# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run targets of the Makefile one after the other, all of them, and close with one line of counts.

A step that leaves JUnit reports counts what they say; every other step counts as one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS_DIR = ROOT / ".state" / "reports"
REASON_LENGTH = 200


@dataclass(frozen=True)
class Outcome:
    """What one step came to."""

    step: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    reasons: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the step's line of the summary, and one for each test of it that failed."""
        verdict = "FAILED" if self.failed else "ok"
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        line = f"{verdict:7}{self.step:20}{self.passed} passed, {self.failed} failed{skipped} ({self.seconds:.0f} s)"
        return "\n".join([line, *(f"       {reason}" for reason in self.reasons)])


def read_report(path: Path) -> tuple[int, int, int]:
    """Return tests passed, failed and skipped of one JUnit report."""
    root = ET.parse(path).getroot()  # noqa: S314 - the steps themselves have just written it
    total = failed = skipped = 0
    for suite in root.iter("testsuite"):
        total += int(suite.get("tests", "0"))
        failed += int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped += int(suite.get("skipped", "0"))
    return total - failed - skipped, failed, skipped


def reasons(path: Path) -> list[str]:
    """Return what failed by one JUnit report: the test, and the first line of why."""
    root = ET.parse(path).getroot()  # noqa: S314 - the steps themselves have just written it
    return [
        f"{case.get('classname')}::{case.get('name')}: {(found.get('message') or '').partition(chr(10))[0][:REASON_LENGTH]}"
        for case in root.iter("testcase")
        for found in case
        if found.tag in {"failure", "error"}
    ]


def count(step: str, code: int, seconds: float, reports: list[Path]) -> Outcome:
    """Return the outcome of a step from its exit code and its reports."""
    rows = [read_report(path) for path in reports]
    passed, failed, skipped = (sum(row[column] for row in rows) for column in range(3))
    if step.startswith("molecule-") or not rows:
        # The playbooks of a scenario are one more thing that went well, or did not.
        passed += code == 0
        failed += code != 0 and failed == 0
    elif code and not failed:
        # Without this, a run that died after its last test would look fine.
        failed = 1
    return Outcome(
        step, passed, failed, skipped, seconds, tuple(reason for path in reports for reason in reasons(path))
    )


def run(step: str) -> Outcome:
    """Run one target; its output is shown as it comes."""
    print(f"\n===== {step}", flush=True)
    start = time.monotonic()
    environment = {**os.environ, "REPORT": str(REPORTS_DIR / f"{step}.xml")}
    code = subprocess.run(["make", "--no-print-directory", step], cwd=ROOT, env=environment, check=False).returncode
    return count(step, code, time.monotonic() - start, sorted(REPORTS_DIR.glob(f"{step}*.xml")))


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("steps", nargs="+", metavar="TARGET")
    steps = parser.parse_args().steps
    shutil.rmtree(REPORTS_DIR, ignore_errors=True)
    REPORTS_DIR.mkdir(parents=True)
    outcomes = [run(step) for step in steps]
    print("\n===== summary")
    for outcome in outcomes:
        print(outcome.text())
    failed = sum(outcome.failed for outcome in outcomes)
    print(f"{sum(outcome.passed for outcome in outcomes)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
