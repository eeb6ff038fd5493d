# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Part of programs inside a container of the app: collects its static files."""

# ruff: noqa: PLC0415 - Django is only there in the image
from __future__ import annotations

import os
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter  # noqa: TC002 - parts are found by it


def collect(parameters: dict[str, Any], reporter: Reporter) -> bool:
    """Collect into the directory that is mounted, whatever the settings say; False where that failed, which is then reported."""
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command

    if not apps.is_installed("django.contrib.staticfiles"):
        reporter.fail("setup", RuntimeError("django.contrib.staticfiles is not in INSTALLED_APPS"))
        return False
    os.umask(0o022)
    # Before the storage is made, which happens at its first use.
    settings.STATIC_ROOT = parameters["static_root"]
    try:
        call_command("collectstatic", interactive=False, verbosity=0)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a storage is any code
        reporter.fail("collect", error)
        return False
    return True
