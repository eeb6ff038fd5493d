# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that goes to a source and says what is there, as a program of a dry run sees it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave
from ansible_collections.barehost.django.plugins.module_utils._program_source import go_to_source


def main(parameters: dict[str, Any]) -> None:
    """Look around; `add` is what the image has put into the path beforehand."""
    reporter = Reporter(parameters["mark"])
    sys.path.extend(parameters.get("add", []))
    there = go_to_source(parameters, reporter)
    here = Path.cwd()
    files = sorted(str(path.relative_to(here)) for path in here.rglob("*") if path.is_file())
    reporter.emit("seen", there=there, cwd=str(here), path=sys.path, files=files)
    if parameters.get("exit"):
        raise SystemExit(3)
    leave(0)
