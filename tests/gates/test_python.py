# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""bandit over all code that runs on a host, on a controller or in the sample's image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from findings import ROOT, Finding, problems, program, said, short, unexplained

PLACES = ("plugins", "app", "app/run-tests", "tools")
# Tests of the sample are written for the Python of its image. What an older one here cannot read, ruff's rules of the same
# origin have read; what is served is to be read by both.
NEWER = "app/tests/"


def look(*places: Path) -> list[Finding]:
    """Return what bandit finds; a `nosec` beside the code switches nothing off."""
    argv = [program("bandit"), "--quiet", "--ignore-nosec", "--recursive", "--format", "json", *map(str, places)]
    report = json.loads(said(argv))
    unread = [item for item in report["errors"] if not short(Path(item["filename"])).startswith(NEWER)]
    assert unread == []
    return [
        Finding(short(Path(item["filename"])), item["line_number"], item["test_id"], code(item))
        for item in report["results"]
    ]


def code(item: dict[str, Any]) -> str:
    """Return the code that a finding is about, in one line."""
    lines = Path(item["filename"]).read_text(encoding="utf-8").splitlines()
    return " ".join(" ".join(lines[min(item["line_range"]) - 1 : max(item["line_range"])]).split())


def test_nothing_in_the_code_is_unexplained() -> None:
    assert problems("bandit", look(*(ROOT / place for place in PLACES))) == []


def test_a_flaw_is_found(tmp_path: Path) -> None:
    (tmp_path / "flaw.py").write_text(
        "import subprocess\nsubprocess.run('ls ' + name, shell=True)  # nosec\neval(name)\n"
    )
    found = unexplained("bandit", look(tmp_path))
    assert {line.split()[1] for line in found} == {"B307", "B404", "B602"}
