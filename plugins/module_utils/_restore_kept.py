# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stays of that which restores have replaced: of the uploaded files it is the only copy, and a dump brings back no file."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _manifest, _restore_media

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ansible_collections.barehost.django.plugins.module_utils._restore_source import Source

# One that was killed and run again replaces twice, and so does the way back: the first of them holds what is missed.
SCHEMAS, MEDIA, DUMPS = 2, 3, 5
STAMP = re.compile(r"\d{8}T\d{6}Z")


def superfluous(known: Sequence[str], own: str, most: int, *, keep_own: bool) -> list[str]:
    """Return which of what was replaced goes, of the oldest first; nothing of a kind that this run did not replace."""
    if not own:
        return []
    kept = [name for name in known if keep_own or name != own][-most:]
    return [name for name in known if name not in kept]


def media(root: Path, folder: Path) -> list[str]:
    """Return where uploaded files of before are, the oldest first, be it among the backups or on their own file system."""
    places = [*(root / "backups").glob(f"{_restore_media.BEFORE}*"), *folder.glob(f"{_restore_media.OWN}*.before")]
    stamped = [(found[0], str(path)) for path in places if (found := STAMP.search(path.name))]
    return [path for _stamp, path in sorted(stamped)]


def lost_files(source: Source, backups: Path, folder: Path, stack_id: str) -> tuple[str, str]:
    """Say what becomes of uploaded files that nobody keeps: a refusal where no other backup has any, or a warning."""
    if not source.media or not _restore_media.entries(folder):
        return "", ""
    own = _manifest.of_stack(_manifest.whole(backups), stack_id)
    others = [name for name, found in own.items() if _manifest.MEDIA in found.files and name != source.name]
    if not others:
        return (
            "restore_keep_old is false, and no other backup of this stack holds uploaded files: those that are there would be "
            "gone; make a backup first (barehost.django.backup), leave restore_keep_old true, or restore_parts: [database]"
        ), ""
    return (
        "",
        f"the uploaded files of before are not kept: what came after the backup {others[-1]} is in no other place",
    )


def way_back(old_media: str, folder: Path) -> str:
    """Return the command that brings the files of before back; what was uploaded since stays."""
    old, there = shlex.quote(old_media), shlex.quote(str(folder))
    return f"find {old} -mindepth 1 -maxdepth 1 -exec cp -a --remove-destination -t {there} {{}} +"


def of_before(root: Path, restore_id: str, safety: str, old_media: str) -> str:
    """Say where that is which a restore has replaced, by its files."""
    dumps = sorted(str(path) for path in (root / "backups").glob(f"{restore_id}-{safety}.*"))
    files = [old_media] if old_media and Path(old_media).is_dir() else []
    return " and ".join([*dumps, *files])
