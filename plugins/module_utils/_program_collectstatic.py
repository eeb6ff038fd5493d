# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that collects static files inside a container of the app. It follows _program_base in one text."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave, set_up_django
from ansible_collections.barehost.django.plugins.module_utils._program_collect import collect


def main(parameters: dict[str, Any]) -> None:
    """Collect, and nothing else."""
    reporter = Reporter(parameters["mark"])
    # Settings that make files make them for everybody, too.
    os.umask(0o022)
    if not set_up_django(parameters, reporter) or not collect(parameters, reporter):
        leave(1)
    reporter.emit("done")
    leave(0)
