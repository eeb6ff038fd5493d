# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The cause of a failed start is shown, wherever it stands in the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _logs

# gunicorn 27 with five workers, restarted again and again: each try prints the cause five times.
RECORDED = (Path(__file__).resolve().parents[2] / "fixtures" / "gunicorn_boot_failure.txt").read_text()
LINES = RECORDED.strip().split("\n")


@pytest.mark.parametrize("seen", [len(LINES), len(LINES) - 40, len(LINES) - 130])
def test_the_cause_of_a_failed_boot_is_shown_and_not_what_the_server_says_of_it(seen: int) -> None:
    shown = _logs.excerpt("\n".join(LINES[:seen])).split("\n")
    assert shown[0] == "Traceback (most recent call last):"
    assert '  File "/app/shop/wsgi.py", line 7, in settings' in shown
    assert "KeyError: 'PAYMENT_KEY'" in shown[: _logs.TRACEBACK_LINES]
    assert shown[-1] == LINES[seen - 1]
    assert len(shown) <= _logs.TRACEBACK_LINES + _logs.LAST_LINES + 1


def test_a_consequence_is_passed_over_even_where_it_comes_first() -> None:
    start = LINES.index("During handling of the above exception, another exception occurred:")
    window = LINES[start : start + 90]
    assert "KeyError: 'PAYMENT_KEY'" in window
    shown = _logs.excerpt("\n".join(window))
    assert shown.split("\n")[_logs.TRACEBACK_LINES - 1] == "KeyError: 'PAYMENT_KEY'"


def test_where_there_is_only_a_consequence_it_is_shown() -> None:
    shown = _logs.excerpt("a\nTraceback (most recent call last):\n  File\ngunicorn.errors.HaltServer: no\nb")
    assert shown == "Traceback (most recent call last):\n  File\ngunicorn.errors.HaltServer: no\nb"


def test_without_a_traceback_the_last_lines_are_shown() -> None:
    lines = [f"line {number}" for number in range(300)]
    assert _logs.excerpt("\n".join(lines)) == "\n".join(lines[-25:])
    assert _logs.excerpt("") == ""


def test_what_lies_between_is_counted() -> None:
    text = "\n".join(["Traceback (most recent call last):", "  File", "KeyError: 1", *("x" * 20)])
    assert _logs.excerpt(text).split("\n")[2:5] == ["KeyError: 1", "  … 10 lines …", "x"]
