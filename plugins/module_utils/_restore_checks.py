# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a dump may take the place of the data: whose it is, of which server, for which release, and whether it has room.

Each function returns the sentence of a refusal, or nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _dump, _schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._restore_source import Source, Verified

SHOWN = 5
# Rows with their indexes take up to twice the room of their text, and the binary log takes it once more.
DATA_FACTOR, LOG_FACTOR = 2.0, 1.0


@dataclass(frozen=True)
class Identity:
    """Which stack this is."""

    name: str
    id: str
    host: str
    database: str


@dataclass(frozen=True)
class Room:
    """How much room there is, and on which file systems."""

    data_free: int
    data_device: int
    files_free: int
    files_device: int
    media_free: int
    media_device: int
    reserve: int


def stranger(source: Source, verified: Verified, own: Identity) -> str:
    """Return the name of the stack that a dump is of, which has to be typed; empty for this one's own."""
    if source.manifest:
        stack = source.manifest.stack
        same = stack.get("id") == own.id if own.id and stack.get("id") else stack.get("host") == own.host
        return "" if same and stack.get("name") == own.name else f"{stack.get('name')}@{stack.get('host')}"
    if source.own and verified.found.database == own.database:
        return ""
    return verified.found.database or source.path.name


def confirmed(name: str, confirm: str, own: Identity) -> str:
    """Refuse another stack's data whose name was not typed."""
    if not name or confirm == name:
        return ""
    given = f", and restore_confirm is {confirm!r}" if confirm else ""
    return (
        f"the data is of {name} and not of {own.name}@{own.host}{given}: if that is meant, say restore_confirm={name}"
    )


def series(version: str) -> tuple[int, ...]:
    """Return the series of a version, 9.7 of 9.7.4."""
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else ()


def version(source: Source, verified: Verified, server: str) -> str:
    """Refuse a dump of a newer server."""
    dumped = source.manifest.mysql.get("version", "") if source.manifest else verified.found.server
    if verified.found.mariadb and "MariaDB" in verified.found.server:
        verified.warnings.append(
            f"the dump is of a MariaDB server ({verified.found.server}): what MySQL does not know it refuses"
        )
        return ""
    if series(dumped) > series(server) > ():
        return (
            f"the dump is of MySQL {dumped} and this server is {server}: an older server may read a newer one's tables wrongly; "
            f"run a server of that series first (mysql_image), then restore"
        )
    return ""


def names(found: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    listed = sorted(found)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def migrations(
    verified: Verified, record: Mapping[str, Any], records: Sequence[Mapping[str, Any]], made_by: str, *, allow: bool
) -> str:
    """Compare the data with the release that serves; refuse what its code may not work with."""
    said = _schema.answer_of(record)
    if not verified.migrations or not said.get("known"):
        verified.warnings.append(
            "nobody can say whether the data fits the release that serves: its migrations are not known"
        )
        return ""
    lacking = set(said["known"]) - set(said.get("replacing", [])) - verified.migrations
    unknown = verified.migrations - _schema.lived_with(record)
    fitting = fits(verified.migrations, records, str(record.get("id")), made_by)
    if unknown and not allow:
        way = (
            f"bring release {fitting} back first (rollback or deploy)"
            if fitting
            else "deploy the release that it was made with first"
        )
        return (
            f"the data is ahead of release {record.get('id')}, which does not know {names(unknown)}: {way}, "
            "or restore it all the same with restore_allow_schema_mismatch: true"
        )
    if lacking and not allow:
        way = (
            f" or go back to release {fitting} first (barehost.django.rollback -e release_id={fitting}),"
            if fitting
            else ""
        )
        return (
            f"the data is behind release {record.get('id')}, which may not work until it has {names(lacking)}:{way} restore it with "
            "restore_allow_schema_mismatch: true, and let barehost.django.deploy apply them right after"
        )
    verified.fits = not lacking and not unknown
    if unknown:
        verified.warnings.append(f"release {record.get('id')} does not know {names(unknown)}, which the data has")
    if lacking:
        verified.warnings.append(f"the data lacks {names(lacking)}: run barehost.django.deploy now, which applies them")
    return ""


def fits(data: set[str], records: Sequence[Mapping[str, Any]], serving: str, made_by: str) -> str:
    """Return the release on the host that was made for just this data, that of the backup first; empty where none is."""
    found = []
    for record in records:
        known = _schema.answer_of(record).get("known")
        if known and record["id"] != serving and data <= _schema.lived_with(record) and set(known) <= data:
            found.append(str(record["id"]))
    return made_by if made_by in found else (found or [""])[-1]


def room(room: Room, verified: Verified, *, binlog: bool, schema_bytes: int) -> str:
    """Refuse before a disk is full, which would stop the database too."""
    plain = verified.found.bytes
    for_data = int(plain * (DATA_FACTOR + (LOG_FACTOR if binlog else 0)))
    wishes = (
        (for_data, room.data_device, room.data_free, "of MySQL"),
        (_dump.needed(schema_bytes), room.files_device, room.files_free, "of the backups"),
        (verified.media.bytes, room.media_device, room.media_free, "of the uploaded files"),
    )
    for device in sorted({device for _wish, device, _free, _whose in wishes}):
        there = [item for item in wishes if item[1] == device]
        wish, free = sum(item[0] for item in there), min(item[2] for item in there)
        if wish and wish + room.reserve > free:
            return (
                f"the file system {' and '.join(item[3] for item in there)} has {_dump.megabytes(free)} free, and restoring may "
                f"take {_dump.megabytes(wish)} beside the {_dump.megabytes(room.reserve)} that are left alone: make room first"
            )
    return ""
