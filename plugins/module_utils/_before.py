# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the stack's files were when a deploy last came to a good end.

Noted before they are changed, and put back where a service does not come up with the new ones: it may accept its files and
still not start with them. What it was made from is compared with these files, so they go back as a whole, and not those of
one service alone.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _compose, _files, _lock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Only root may look into this directory: the files hold secrets.
FILE = f"{_lock.FOLDER}/before.json"
FILE_MODE = 0o600
# The step in which a run installs the files.
INSTALLING = "configuration"


def note(root: Path, paths: Iterable[str]) -> None:
    """Write down files that are about to be changed; what a run before this one has noted, that came to no good end, stays.

    Nothing where nothing is deployed yet, and nothing of what is no text file: that is not of ours.
    """
    if not (root / _compose.BASE_FILE).is_file():
        return
    known = load(root)
    new = {}
    for path in paths:
        if path not in known:
            with suppress(OSError, UnicodeDecodeError):
                new[path] = state(root / path)
    if new:
        (root / FILE).parent.mkdir(mode=0o700, exist_ok=True)
        _files.replace(root / FILE, json.dumps({**known, **new}, sort_keys=True) + "\n", FILE_MODE)
        _files.sync((root / FILE).parent)


def state(path: Path) -> dict[str, Any] | None:
    """Describe a text file; None where there is none. Raise OSError or UnicodeDecodeError where it is something else."""
    try:
        info = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(info.st_mode):
        raise OSError(errno.EINVAL, "no file", str(path))
    content = path.read_bytes().decode("utf-8")
    return {"content": content, "owner": info.st_uid, "group": info.st_gid, "mode": stat.S_IMODE(info.st_mode)}


def load(root: Path) -> dict[str, Any]:
    """Read what was noted; nothing where that is damaged."""
    try:
        found = json.loads((root / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def put_back(root: Path) -> list[str]:
    """Put the files back that were noted, and take away what was not there; return their names."""
    known = load(root)
    for path, found in known.items():
        target = root / path
        if found is None:
            target.unlink(missing_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            owner = (found["owner"], found["group"]) if os.geteuid() == 0 else None
            _files.replace(target, found["content"], found["mode"], owner)
    forget(root)
    return sorted(known)


def forget(root: Path) -> None:
    """Forget what was noted: the files are as they should be."""
    (root / FILE).unlink(missing_ok=True)


def installed(root: Path) -> bool:
    """Whether the run that holds the lock has installed files: a rollback has not."""
    lock = _lock.read(root / _lock.FOLDER)
    return bool(lock and any(step["name"] == INSTALLING for step in lock.steps))


def settle(root: Path) -> None:
    """Forget what was noted where the run that holds the lock has come to a good end with the files."""
    if installed(root):
        forget(root)
