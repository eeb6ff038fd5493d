# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that collects static files inside a container of the app. It follows _program_base in one text."""

# ruff: noqa: PLC0415 - Django is only there in the image
from __future__ import annotations

import os
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave, set_up_django


def main(parameters: dict[str, Any]) -> None:
    """Collect into the directory that is mounted, whatever the settings say."""
    reporter = Reporter(parameters["mark"])
    os.umask(0o022)
    if not set_up_django(parameters, reporter):
        leave(1)
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command

    if not apps.is_installed("django.contrib.staticfiles"):
        reporter.fail("setup", RuntimeError("django.contrib.staticfiles is not in INSTALLED_APPS"))
        leave(1)
    # Before the storage is made, which happens at its first use.
    settings.STATIC_ROOT = parameters["static_root"]
    try:
        call_command("collectstatic", interactive=False, verbosity=0)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a storage is any code
        reporter.fail("collect", error)
        leave(1)
    reporter.emit("done")
    leave(0)
