# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a backup says of itself: whose it is, what is in it, how many rows each table has, and what its files must be."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _files, _pipes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1
FILE = "manifest.json"
DATABASE, MEDIA, SETTINGS = "database.sql.zst", "media.tar.zst", "settings.tar.zst.age"
ID = re.compile(r"[0-9]{8}T[0-9]{6}Z")
KNOWN = (DATABASE, MEDIA, SETTINGS)
TAKE_ANOTHER = ": the backup is damaged, take another one"
LARGEST = 64 << 20
SHA256 = re.compile(r"[0-9a-f]{64}")


class ManifestError(Exception):
    """A backup that is none, or not this one."""


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json. Times are UTC, `2026-11-26T03:00:00Z`; sizes are bytes; rows are exact."""

    id: str
    sequence: int
    created: str
    seconds: float
    stack: Mapping[str, str]  # name, id, host
    release: Mapping[str, Any]  # id, image, git_revision
    mysql: Mapping[str, str]  # version, image, database, charset, collation
    tables: Mapping[str, int]
    rows: int
    objects: Mapping[str, int]  # views, triggers, routines, events
    migrations: list[list[str]]
    files: Mapping[str, Mapping[str, Any]]  # bytes, sha256, plain_bytes; entries of media
    warnings: list[str] = field(default_factory=list)
    format: int = FORMAT


def render(manifest: Manifest) -> str:
    """Return the text of the file."""
    return json.dumps(asdict(manifest), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def summary(manifest: Manifest) -> dict[str, Any]:
    """Return what is worth a line of a list."""
    return {
        "created": manifest.created,
        "release": manifest.release.get("id", ""),
        "rows": manifest.rows,
        "tables": len(manifest.tables),
        "bytes": sum(item["bytes"] for item in manifest.files.values()),
        "files": sorted(manifest.files),
    }


def sha256_of(text: str) -> str:
    """Return the digest that the audit log notes, by which a manifest that was made anew is known."""
    return hashlib.sha256(text.encode()).hexdigest()


def write(folder: Path, manifest: Manifest) -> str:
    """Put the manifest in place and return its digest."""
    text = render(manifest)
    _files.replace(folder / FILE, text, 0o600)
    return sha256_of(text)


def parse(text: str, where: str) -> Manifest:
    """Read a manifest; where is what an error names."""
    try:
        found = json.loads(text)
    except ValueError:
        raise ManifestError(f"{where} is no JSON{TAKE_ANOTHER}") from None
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise ManifestError(f"{where} is no manifest of a backup")
    if found["format"] > FORMAT:
        raise ManifestError(
            f"{where} has format {found['format']}, and this collection knows formats up to {FORMAT}: use a newer one"
        )
    try:
        manifest = Manifest(**{name: found[name] for name in Manifest.__dataclass_fields__ if name in found})
    except TypeError as error:
        raise ManifestError(f"{where} lacks something: {error}") from None
    problem = flaw(manifest)
    if problem:
        raise ManifestError(f"{where}: {problem}")
    return manifest


def flaw(manifest: Manifest) -> str:
    """Say what of a manifest cannot be; empty where nothing is."""
    counts = (manifest.tables, manifest.objects)
    if not isinstance(manifest.id, str) or not ID.fullmatch(manifest.id):
        return f"its id {manifest.id!r} is none"
    if not all(isinstance(group, dict) and all(type(n) is int and n >= 0 for n in group.values()) for group in counts):
        return "its counts are none"
    if sum(manifest.tables.values()) != manifest.rows:
        return f"it says {manifest.rows} rows, and its tables add up to {sum(manifest.tables.values())}"
    if not isinstance(manifest.files, dict) or DATABASE not in manifest.files:
        return f"it names no {DATABASE}"
    return next(filter(None, (file_flaw(name, entry) for name, entry in manifest.files.items())), "")


def file_flaw(name: str, entry: Any) -> str:  # noqa: ANN401 - whatever a file holds
    """Say what of the entry of a file cannot be; empty where nothing is."""
    if name not in KNOWN:
        return f"it names {name!r}, which is no file of a backup"
    if not isinstance(entry, dict) or not SHA256.fullmatch(str(entry.get("sha256"))):
        return f"it holds no checksum of {name}"
    return "" if type(entry.get("bytes")) is int else f"it holds no size of {name}"


def read(folder: Path) -> Manifest:
    """Read the manifest of a backup."""
    path = folder / FILE
    try:
        if path.stat().st_size > LARGEST:
            raise ManifestError(f"{path} is larger than any manifest")
        text = path.read_bytes().decode()
    except FileNotFoundError:
        raise ManifestError(f"{path} is missing: {folder} is no whole backup") from None
    except NotADirectoryError:
        raise ManifestError(f"{folder} is no directory, and so no backup") from None
    except UnicodeDecodeError:
        raise ManifestError(f"{path} is no text{TAKE_ANOTHER}") from None
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}") from None
    return parse(text, str(path))


def damage(folder: Path, manifest: Manifest) -> str:
    """Say which file of a backup is not as the manifest has it; empty where all are."""
    for name, entry in manifest.files.items():
        try:
            found = _pipes.digest_of(folder / name)
        except FileNotFoundError:
            return f"{folder / name} is missing{TAKE_ANOTHER}"
        if found.bytes != entry["bytes"]:
            return f"{folder / name} has {found.bytes} bytes and the manifest says {entry['bytes']}: it is damaged"
        if found.sha256 != entry["sha256"]:
            return f"{folder / name} has SHA-256 {found.sha256[:12]}… and the manifest says {entry['sha256'][:12]}…: it is damaged"
    return ""


def of_stack(found: Mapping[str, Manifest], stack_id: str) -> dict[str, Manifest]:
    """Return those of the backups that this stack has made: others may have been fetched to be restored here."""
    return {name: manifest for name, manifest in found.items() if manifest.stack.get("id") == stack_id}


def newest(found: Mapping[str, Manifest], stack_id: str) -> Manifest | None:
    """Return the newest backup that this stack has made; where it has made none the newest of all, as on a new host."""
    own = of_stack(found, stack_id) if stack_id else {}
    return next(iter(list((own or found).values())[::-1]), None)


def whole(folder: Path) -> dict[str, Manifest]:
    """Return the backups of a folder by their ids, the newest last; what has no manifest that can be read is left out."""
    return survey(folder)[0]


def survey(folder: Path) -> tuple[dict[str, Manifest], dict[str, str]]:
    """Return the backups of a folder, the newest last, and why what else has the name of one is none, by their ids."""
    found, damaged = {}, {}
    for path in sorted(folder.glob("*Z")):
        if not ID.fullmatch(path.name):
            continue
        try:
            manifest = read(path)
        except ManifestError as error:
            damaged[path.name] = str(error).partition(TAKE_ANOTHER)[0]
        else:
            if manifest.id == path.name:
                found[path.name] = manifest
            else:
                damaged[path.name] = f"{path} holds the manifest of backup {manifest.id}"
    # Not by their names alone: those are times, and the clock of the host may have been wrong.
    return dict(sorted(found.items(), key=lambda item: (item[1].sequence, item[0]))), damaged
