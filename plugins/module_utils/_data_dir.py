# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far the first initialisation of a data directory has come.

The official image initialises an empty directory in steps, and takes one that is not empty for whole. What was cut off in
between is served with an empty password of root, or without the application's account. So the last thing that the
initialisation does is to leave a marker in it (`mysql/init/99-initialised.sh`), and without one only a server that has
proven itself counts: one that is healthy now, or that a release was recorded with.

Tables of an application are only made by a server that lets it in. So where there are any without a proof, they were brought
there, and a marker that was left behind is no reason to delete them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _files, _up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ansible_collections.barehost.django.plugins.module_utils import _compose

# What a file system of its own holds when it is empty.
NOTHING = frozenset({"lost+found"})
# So many schemas in one line.
SHOWN = 5
# The engine starts what it has created within this time; later it is a second start.
FIRST_START_SECONDS = 60
# Directories of the server itself; those of an undo log or of a redo log begin with a `#`.
SYSTEM = frozenset({"mysql", "sys", "performance_schema", "information_schema"})
# Files of a table, of the engines and the versions that there are.
TABLES = (".ibd", ".MYD", ".frm")
MARKER_MODE = 0o640
MARKER_TEXT = "barehost: initialised to its end\n"

EMPTY, WHOLE, UNMARKED, BEGINNING = "empty", "whole", "unmarked", "beginning"
# No server may meet these: one that was cut off, and one that holds tables of an application and has no proof.
TORN, UNPROVEN = "torn", "unproven"
REFUSED = (TORN, UNPROVEN)


@dataclass(frozen=True)
class Seen:
    """What tells how far it has come."""

    # Whether there is anything in it at all.
    used: bool = False
    marked: bool = False
    # Whether its server answers as the application needs it, which only one does that was initialised to its end.
    healthy: bool = False
    # Whether a release came to serve with it.
    recorded: bool = False
    # Whether its server is in its first start.
    beginning: bool = False
    # The schemas that have tables of an application.
    schemas: tuple[str, ...] = ()


def state(seen: Seen) -> str:
    """Decide what a data directory is."""
    if not seen.used:
        return EMPTY
    if seen.marked:
        return WHOLE
    if seen.healthy or seen.recorded:
        return UNMARKED
    if seen.beginning:
        return BEGINNING
    return UNPROVEN if seen.schemas else TORN


def used(folder: Path) -> bool:
    """Whether a data directory holds anything; what begins with a dot is not the server's."""
    try:
        return any(not path.name.startswith(".") and path.name not in NOTHING for path in folder.iterdir())
    except OSError:
        return False


def schemas(folder: Path) -> tuple[str, ...]:
    """Return the directories of a data directory that hold tables of an application."""
    with suppress(OSError):
        found = sorted(path for path in folder.iterdir() if path.name not in SYSTEM and path.name[0] not in "#.")
        return tuple(path.name for path in found if path.is_dir() and _holds_tables(path))
    return ()


def _holds_tables(folder: Path) -> bool:
    """Whether there is a file of a table; what cannot be read may hold one."""
    try:
        return any(path.name.endswith(TABLES) for path in folder.iterdir())
    except OSError:
        return True


def in_first_start(container: _compose.Container) -> bool:
    """Whether a container has never been started a second time, and runs."""
    started, created = _up.moment_of(container.started), _up.moment_of(container.created)
    if not (container.running or container.paused) or container.restarts or started is None or created is None:
        return False
    return (started - created).total_seconds() < FIRST_START_SECONDS


def recorded(record: Mapping[str, Any] | None, folder: Path, born: str) -> bool:
    """Whether a release came to serve after the directory was made; born is a file that the server writes once, at first."""
    with suppress(OSError, ValueError, TypeError):
        since = datetime.fromisoformat(str((record or {}).get("activated"))).timestamp()
        return (folder / born).stat().st_mtime <= since
    return False


def see(folder: Path, marker: str, born: str, containers: Sequence[_compose.Container], record: Any) -> Seen:  # noqa: ANN401 - JSON
    """Look at a data directory, whose server runs in these containers."""
    return Seen(
        used=used(folder),
        marked=(folder / marker).exists(),
        healthy=any(c.ready and c.health for c in containers),
        recorded=recorded(record, folder, born),
        beginning=any(map(in_first_start, containers)),
        schemas=schemas(folder),
    )


def mark(folder: Path, marker: str) -> None:
    """Leave the marker in a data directory whose server has proven itself."""
    _files.replace(folder / marker, MARKER_TEXT, MARKER_MODE)
    _files.sync(folder)


def torn(service: str, volume: str, folder: Path, marker: str) -> str:
    """Say what a half-initialised data directory is, and what to do."""
    return (
        f"the data directory of {service} was never initialised to its end (volume {volume}, no {marker} in it): it may have no "
        "password of root and no account of the application, so it is neither served nor deleted. There is no table of an "
        f"application in it: remove it by `docker ps -aq --filter volume={volume} | xargs -r docker rm --force; docker "
        f"volume rm {volume}` on the host, then run the same again. If it has served all the same, say so by `touch "
        f"{folder / marker}`"
    )


def unproven(service: str, volume: str, folder: Path, marker: str) -> str:
    """Say what a data directory is that holds an application's tables and nothing that speaks for it, and what to do."""
    found = schemas(folder)
    shown = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
    return (
        f"the data directory of {service} holds tables of an application ({shown}), and nothing says that it is whole (volume "
        f"{volume}, no {marker} in it, and no server that was healthy with it): it was left as it is, and {service} is not started "
        "on it. Never delete it. If the server that it comes from was shut down cleanly and all of its data is there, say so by "
        f"`touch {folder / marker}` on the host, then run the same again. If not, put a whole copy in its place (the marker "
        "begins with a dot: `cp -a <copy>/data/. <volume>/`), or move it away and restore a backup"
    )
