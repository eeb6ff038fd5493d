# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The closing line of `make test` counts what really happened."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "tools"))

import test_all as summary


def report(folder: Path, **counts: int) -> list[Path]:
    path = folder / "report.xml"
    attributes = " ".join(f'{name}="{value}"' for name, value in counts.items())
    path.write_text(f"<testsuites><testsuite {attributes}/></testsuites>")
    return [path]


def test_a_step_counts_what_its_report_says(tmp_path: Path) -> None:
    outcome = summary.count("unit", 1, 0, report(tmp_path, tests=10, failures=1, errors=1, skipped=2))
    assert (outcome.passed, outcome.failed, outcome.skipped) == (6, 2, 2)


@pytest.mark.parametrize(("code", "expected"), [(0, (1, 0)), (2, (0, 1))])
def test_a_step_without_a_report_counts_as_one(code: int, expected: tuple[int, int]) -> None:
    outcome = summary.count("lint-ruff", code, 0, [])
    assert (outcome.passed, outcome.failed) == expected


def test_a_run_that_died_after_its_last_test_has_failed(tmp_path: Path) -> None:
    outcome = summary.count("unit", 3, 0, report(tmp_path, tests=5))
    assert (outcome.passed, outcome.failed) == (5, 1)


@pytest.mark.parametrize(("code", "expected"), [(0, (6, 0)), (1, (5, 1))])
def test_the_playbooks_of_a_scenario_are_one_more(tmp_path: Path, code: int, expected: tuple[int, int]) -> None:
    outcome = summary.count("molecule-default", code, 0, report(tmp_path, tests=5))
    assert (outcome.passed, outcome.failed) == expected


def test_what_failed_is_named_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_text(
        '<testsuites><testsuite tests="2" failures="1"><testcase classname="tests.test_a" name="test_good"/>'
        '<testcase classname="tests.test_a" name="test_bad"><failure message="assert 1 == 2&#10;more"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert summary.count("unit", 1, 0, [path]).text().splitlines()[1:] == [
        "       tests.test_a::test_bad: assert 1 == 2"
    ]
