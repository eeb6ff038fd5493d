# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that plans the migrations and then collects the static files, for which Django has to start only once.

It follows _program_base in one text.
"""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave, set_up_django
from ansible_collections.barehost.django.plugins.module_utils._program_collect import collect
from ansible_collections.barehost.django.plugins.module_utils._program_plan import find_plan


def main(parameters: dict[str, Any]) -> None:
    """Plan first: what is refused needs no files. What is said from "collecting" on is of the files."""
    reporter = Reporter(parameters["mark"])
    os.umask(0o022)
    if not set_up_django(parameters, reporter) or find_plan(parameters, reporter) is None:
        leave(1)
    reporter.emit("done")
    reporter.emit("collecting")
    if not collect(parameters, reporter):
        leave(1)
    reporter.emit("done")
    leave(0)
