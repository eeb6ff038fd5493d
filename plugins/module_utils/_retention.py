# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backups are removed, by count and by age."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

ID_TIME = "%Y%m%dT%H%M%SZ"


def stamp(at: datetime) -> str:
    """Return the id of a backup that is begun at that time."""
    return at.strftime(ID_TIME)


def time_of(name: str) -> datetime:
    """Return when a backup was begun."""
    return datetime.strptime(name, ID_TIME).replace(tzinfo=timezone.utc)


def superfluous(names: Sequence[str], at: datetime, least: int, days: int) -> list[str]:
    """Return those of the backups, the newest last, that are older than so many days, never one of the newest.

    By age alone a clock that jumps ahead by a month would leave nothing.
    """
    limit = at - timedelta(days=days)
    return [name for name in names[: max(0, len(names) - max(1, least))] if time_of(name) < limit]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Keep a backup where it is for as long as it is read; raises FileNotFoundError where it has just been removed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        # Whoever has removed it has had the lock before.
        if not os.path.samestat(path.stat(), os.fstat(descriptor)):
            raise FileNotFoundError(errno.ENOENT, "it has just been removed", str(path))
        yield
    finally:
        os.close(descriptor)


def remove(folder: Path, names: Collection[str]) -> list[str]:
    """Remove backups that nobody reads, and return which; each is none any more before the first of its files goes."""
    removed = []
    for name in names:
        gone = folder / f".{name}.gone"
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (folder / name).rename(gone)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
        shutil.rmtree(gone)
        removed.append(name)
    return removed


def leftovers(folder: Path) -> list[Path]:
    """Return what killed runs have left: of backups that did not become any, and of such that were being removed."""
    return sorted([*folder.glob(".*Z.partial"), *folder.glob(".*Z.gone")])
