"""Django's test runner, with a JUnit file (environment variable JUNIT_XML) and a closing line with counts."""

import os
import time
import traceback
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from django.test.runner import DiscoverRunner


@dataclass
class Case:
    """Outcome of one test. A test with failed subtests has one outcome, the first failure."""

    test: unittest.TestCase
    seconds: float = 0.0
    outcome: str = "passed"
    detail: str = ""


class Result(unittest.TextTestResult):
    """Collects the outcomes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start empty."""
        super().__init__(*args, **kwargs)
        self.cases: dict[str, Case] = {}
        self.started = 0.0

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Start the clock."""
        super().startTest(test)
        self.started = time.monotonic()
        self.cases[test.id()] = Case(test)

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        """Stop the clock."""
        super().stopTest(test)
        self.cases[test.id()].seconds = time.monotonic() - self.started

    def record(self, test: Any, outcome: str, detail: str) -> None:
        """Note an outcome; setUpClass has no startTest, so its case is made here."""
        case = self.cases.setdefault(test.id(), Case(test))
        if case.outcome == "passed":
            case.outcome, case.detail = outcome, detail

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        """Note an error."""
        super().addError(test, err)
        self.record(test, "error", "".join(traceback.format_exception(*err)))

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        """Note a failure."""
        super().addFailure(test, err)
        self.record(test, "failure", "".join(traceback.format_exception(*err)))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        """Note a failed subtest with its test."""
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.record(test, "failure", f"{subtest}\n" + "".join(traceback.format_exception(*err)))

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        """Note a skip."""
        super().addSkip(test, reason)
        self.record(test, "skipped", reason)

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        """Note a test that should have failed."""
        super().addUnexpectedSuccess(test)
        self.record(test, "failure", "unexpected success")


def junit(cases: list[Case]) -> ET.ElementTree:
    """Build the JUnit document."""
    suite = ET.Element(
        "testsuite",
        name="app",
        tests=str(len(cases)),
        failures=str(sum(case.outcome == "failure" for case in cases)),
        errors=str(sum(case.outcome == "error" for case in cases)),
        skipped=str(sum(case.outcome == "skipped" for case in cases)),
        time=f"{sum(case.seconds for case in cases):.3f}",
    )
    for case in cases:
        classname, _, name = case.test.id().rpartition(".")
        element = ET.SubElement(suite, "testcase", classname=classname, name=name, time=f"{case.seconds:.3f}")
        if case.outcome != "passed":
            ET.SubElement(element, case.outcome).text = case.detail
    return ET.ElementTree(suite)


class Runner(DiscoverRunner):
    """`manage.py test --testrunner tests.runner.Runner`."""

    def get_test_runner_kwargs(self) -> dict[str, Any]:
        """Use our result class."""
        return {**super().get_test_runner_kwargs(), "resultclass": Result}

    def suite_result(self, suite: Any, result: Any, **kwargs: Any) -> int:
        """Write the file and the closing line."""
        cases = list(result.cases.values())
        if path := os.environ.get("JUNIT_XML"):
            junit(cases).write(Path(path), encoding="unicode", xml_declaration=True)
        passed = sum(case.outcome == "passed" for case in cases)
        skipped = sum(case.outcome == "skipped" for case in cases)
        print(f"app: {passed} passed, {len(cases) - passed - skipped} failed, {skipped} skipped", flush=True)  # noqa: T201
        # No test at all is not a success.
        return int(super().suite_result(suite, result, **kwargs)) or int(not cases)
