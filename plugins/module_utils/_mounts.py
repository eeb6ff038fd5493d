# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a container still has the host's own folders.

One that somebody has deleted or moved away stays as it was for a container that has it mounted: once it is made anew, the container
goes on with files that nobody changes any more, or with none, whatever it is told to load.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def detached(pid: int, binds: Mapping[str, str], proc: Path = Path("/proc")) -> str:
    """Return the first folder of the host that a container with this process has another one for; empty where there is none.

    One that is gone counts: a run makes it before it comes to the containers, and a dry run has to foresee that.
    """
    root = proc / str(pid) / "root"
    return next((binds[target] for target in sorted(binds) if pid and _differs(root, target, Path(binds[target]))), "")


def _differs(root: Path, target: str, source: Path) -> bool:
    inside = root / target.lstrip("/")
    try:
        # A link in the container leads somewhere on the host from here, which says nothing.
        if any(part.is_symlink() for part in (inside, *inside.parents) if root in part.parents):
            return False
        inner = inside.stat()
        outer = source.stat() if source.exists() else None
    except OSError:
        return False
    if outer is None:
        return stat.S_ISDIR(inner.st_mode)
    return stat.S_ISDIR(outer.st_mode) and (outer.st_dev, outer.st_ino) != (inner.st_dev, inner.st_ino)
