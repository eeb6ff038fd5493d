# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that says which files collectstatic would find, and collects none. It follows _program_base in one text."""

# ruff: noqa: PLC0415 - Django is only there in the image
from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave, set_up_django
from ansible_collections.barehost.django.plugins.module_utils._program_source import go_to_source

BLOCK = 1 << 20


def digest(storage: Any, path: str) -> str:  # noqa: ANN401 - a storage of Django's
    """Return the hash of a file's content."""
    found = hashlib.sha256()
    with storage.open(path) as file:
        for chunk in file.chunks(BLOCK):
            found.update(chunk)
    return found.hexdigest()[:16]


def files_of(finders: Any, ignored: list[str]) -> dict[str, str]:  # noqa: ANN401 - finders of Django's
    """Map the name of each file to the hash of its content; the first finder that has a name wins."""
    found: dict[str, str] = {}
    for finder in finders:
        for path, storage in finder.list(ignored):
            name = f"{storage.prefix}/{path}" if getattr(storage, "prefix", None) else path
            if name not in found:
                found[name] = digest(storage, path)
    return found


def main(parameters: dict[str, Any]) -> None:
    """List."""
    reporter = Reporter(parameters["mark"])
    if not go_to_source(parameters, reporter) or not set_up_django(parameters, reporter):
        leave(1)
    try:
        from django.apps import apps
        from django.contrib.staticfiles.finders import get_finders

        ignored = list(getattr(apps.get_app_config("staticfiles"), "ignore_patterns", []))
        found = files_of(get_finders(), ignored)
    except Exception as error:  # noqa: BLE001 - a finder is any code
        reporter.fail("list", error)
        leave(1)
    reporter.emit("files", files=found)
    reporter.emit("done")
    leave(0)
