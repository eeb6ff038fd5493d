# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Part of the programs of a dry run: goes to a source that was sent along, as if it were the one in the image."""

from __future__ import annotations

import atexit
import base64
import io
import os
import shutil
import sys
import tarfile
import tempfile
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import AT_THE_END, Reporter

MEMORY = "/dev/shm"  # noqa: S108 - a directory of our own is made there, and nothing of it reaches a disk


def go_to_source(parameters: dict[str, Any], reporter: Reporter) -> bool:
    """Unpack the source where there is one and work from there; False where it is not what runs here."""
    if not parameters.get("source"):
        return True
    here = os.getcwd()  # noqa: PTH109 - compared with the texts of sys.path
    try:
        folder = tempfile.mkdtemp(prefix="barehost-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        AT_THE_END.append(lambda: shutil.rmtree(folder, ignore_errors=True))
        # Settings that exit, or an error that nobody expects, end the program without its leave.
        atexit.register(AT_THE_END[-1])
        unpack(base64.b64decode(parameters["source"]), folder)
        module = parameters.get("settings_module") or os.environ.get("DJANGO_SETTINGS_MODULE", "")
        root = root_of(folder, module)
    except (OSError, ValueError, tarfile.TarError) as error:
        reporter.fail("source", error)
        return False
    os.chdir(root)
    sys.path[:] = [root if path and os.path.abspath(path) == here else path for path in sys.path]  # noqa: PTH100
    return True


def unpack(data: bytes, folder: str) -> None:
    """Write the files of an archive below a folder, and nothing that is no file."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            path = os.path.normpath(os.path.join(folder, member.name))  # noqa: PTH118 - checked as a text
            if not path.startswith(folder + os.sep) or not member.isfile():
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - as above
            content = archive.extractfile(member)
            if content is not None:
                with open(path, "wb") as file:  # noqa: PTH123 - as above
                    shutil.copyfileobj(content, file)


def root_of(folder: str, module: str) -> str:
    """Return the folder of a source from which its settings can be imported: what an image has as its work directory.

    Of several the least deep one.
    """
    parts = module.split(".")
    ends = [os.path.join(*parts) + ".py", os.path.join(*parts, "__init__.py")] if module else []  # noqa: PTH118
    found = [
        path
        for path, _folders, _files in os.walk(folder)
        if any(os.path.isfile(os.path.join(path, end)) for end in ends)  # noqa: PTH113, PTH118
    ]
    if not found:
        raise ValueError(f"the source has no module {module or 'of settings'}")
    return min(found, key=lambda path: (path.count(os.sep), path))
