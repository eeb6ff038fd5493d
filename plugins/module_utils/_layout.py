# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What lies in the stack's directory under the name of something else: seen by whoever takes the lock, before anything is done.

Most of these places are needed only late, some only after the switch, and a dry run never writes to them.
"""

from __future__ import annotations

import stat
from pathlib import Path

from ansible_collections.barehost.django.plugins.module_utils import (
    _before,
    _compose,
    _credentials,
    _data_lock,
    _delivery,
    _dump,
    _lock,
    _release,
    _upgrade_state,
)

DIRECTORIES = (
    ".",
    _lock.FOLDER,
    "secrets",
    _delivery.FOLDER,
    _release.RELEASES,
    f"{_release.RELEASES}/{_release.SETTINGS}",
    _release.STATIC,
    _dump.FOLDER,
    "source",
    "source/git",
)
# It is opened, and never through a link.
STEP = f"{_lock.FOLDER}/{_lock.STEP_FILE}"
# A link is put in the place of a file, and a file in the place of a link, but neither in that of a directory.
OTHERS = {
    f"{_lock.FOLDER}/{_lock.FILE}": "a file",
    STEP: "a file",
    _before.FILE: "a file",
    **dict.fromkeys((_data_lock.FILE, _data_lock.BACKUP, _data_lock.DRILL, _data_lock.OFFSITE), "a file"),
    **dict.fromkeys((_upgrade_state.FILE, _credentials.NOTE, _credentials.RECORD), "a file"),
    _compose.OVERRIDE_FILE: "a file",
    f"{_release.RELEASES}/{_release.CURRENT}": "a link",
    **{f"{_release.STATIC}/{name}": "a link" for name in _release.STATIC_LINKS},
}


def obstacle(project_dir: str, *, only_lock: bool = False) -> str:
    """Say in one line what is in the way and what to do; empty where nothing is. Links to directories are as good as these.

    With only_lock of what is in the way of the lock itself.
    """
    root = Path(project_dir)
    for name in (".", _lock.FOLDER) if only_lock else DIRECTORIES:
        path = root / name
        found = kind(path)
        if found not in ("", "a directory"):
            return refusal(path, found, "a directory")
    for name, wanted in OTHERS.items():
        path = root / name
        if only_lock and path.parent.name != _lock.FOLDER:
            continue
        if name == STEP and path.is_symlink():
            return refusal(path, "a link", wanted)
        if not path.is_symlink() and path.is_dir():
            return refusal(path, "a directory", wanted)
    return ""


def kind(path: Path) -> str:
    """Return what lies there, as the end of a sentence; empty where nothing does."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "a link to nothing" if path.is_symlink() else ""
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a file" if stat.S_ISREG(mode) else "neither a file nor a directory"


def refusal(path: Path, found: str, wanted: str) -> str:
    """Say what is wrong."""
    return f"{path} is {found} and has to be {wanted}: nothing was done; move it away, then run the same again"
