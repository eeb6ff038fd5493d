# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that creates or updates a superuser inside a container of the app. It follows _program_base in one text."""

# ruff: noqa: PLC0415 - Django is only there in the image
from __future__ import annotations

from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave, set_up_django
from ansible_collections.barehost.django.plugins.module_utils._program_user import converge


def main(parameters: dict[str, Any]) -> None:
    """Converge one user in one transaction."""
    reporter = Reporter(parameters["mark"])
    if not set_up_django(parameters, reporter):
        leave(1)
    from django.db import connection, transaction

    if not reporter.connected(connection):
        leave(1)
    try:
        with transaction.atomic():
            result = converge(parameters)
    except Exception as error:  # noqa: BLE001 - a manager is any code
        reporter.fail("user", error)
        leave(1)
    reporter.emit("done", **result)
    leave(0)
