# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore has begun: on the disk before it begins, so that the next run can take it back or bring it to its end."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _data_lock, _files, _half_done
from ansible_collections.barehost.django.plugins.module_utils._restore_objects import Item

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = _half_done.FOLDER
# Before the first table has moved all is taken back; from then on it is brought to its end, unless it was on its way back.
LOAD, SWAP, MEDIA, BACK = "load", "swap", "media", "back"


@dataclass
class Journal:
    """A restore that is under way."""

    id: str
    live: str
    phase: str = LOAD
    packet: int = 0  # what max_allowed_packet was, where it was changed
    migrations: list[str] = field(default_factory=list)  # of the data that comes
    media_names: list[str] = field(default_factory=list)
    media_new: str = ""
    media_old: str = ""
    before: list[Item] = field(default_factory=list)  # triggers and the like of the tables that serve
    after: list[Item] = field(default_factory=list)  # those of the tables that come


def path_of(root: Path, restore_id: str) -> Path:
    """Return where a journal lies."""
    return root / FOLDER / f".restore-{restore_id}.json"


def write(root: Path, journal: Journal) -> None:
    """Put it on the disk."""
    path = path_of(root, journal.id)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    # A text out of a dump may be of any encoding; JSON keeps what is no text as it is.
    _files.replace(path, json.dumps(asdict(journal)) + "\n", 0o600)
    _files.sync(path.parent)


def close(root: Path, journal: Journal) -> None:
    """Forget it: nothing of it is half done any more."""
    path_of(root, journal.id).unlink(missing_ok=True)
    _files.sync(root / FOLDER)


def left(root: Path) -> list[Journal]:
    """Return the journals of runs that are dead, the oldest first."""
    return [parse(path) for path in _half_done.journals(root)]


def problems(root: Path) -> list[str]:
    """Say which restores were killed in the middle; one that is at work holds the lock of the data."""
    found = _half_done.sentences(root)
    return [] if not found or _data_lock.is_held(root) else found


def parse(path: Path) -> Journal:
    """Read one; of a damaged one the name alone, which is that of a run that had not begun or of a disk that was full."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("before", "after"):
            found[name] = [Item(**item) for item in found[name]]
        return Journal(**found)
    except (ValueError, TypeError, KeyError):
        return Journal(_half_done.id_of(path), "")
