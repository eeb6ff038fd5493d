# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Uploaded files out of a backup: looked through before anything is unpacked, unpacked beside, and swapped entry by entry.

Containers have the directory itself mounted, so it stays; what is in it changes places by renames, which are of one file
system. Where an entry is says how far a swap has come: in the folder of the new ones, in the directory, or among the old.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import stat
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from ansible_collections.barehost.django.plugins.module_utils import _files

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of ours, while a backup or a restore is at work; no upload.
OWN = ".restore-"
OURS = re.compile(re.escape(OWN) + r"\d{8}T\d{6}Z\.(?:new|before)")
# Where the files of before are, among the backups.
BEFORE = "media-before-"
# The directory itself, as the archive names it.
TOP = "media"
MODE = 0o700


class MediaError(Exception):
    """Files that must not be unpacked, or that are not those of the backup."""


class Uploads(NamedTuple):
    """What an archive of uploaded files holds, against those that are there. Files and links are counted, not their directories."""

    entries: int = 0  # directories too, that of the uploads itself among them
    bytes: int = 0
    files: int = 0
    there: int = 0
    same: int = 0  # size and time are those of the file that is there
    other: int = 0  # under the name of one that is there

    @property
    def changes(self) -> str:
        """Say what becomes of the files that are there."""
        gone = max(0, self.there - self.same - self.other)
        return f"new: {self.files - self.same - self.other}, gone: {gone}, of other size or time: {self.other}, the same: {self.same}"


def is_ours(name: str) -> bool:
    """Whether an entry of the directory is no upload, but what a restore has put there; nothing of it goes into a backup."""
    return OURS.fullmatch(name) is not None


def flaw(member: tarfile.TarInfo) -> str:
    """Say why a member must not be unpacked; empty where it may be."""
    parts = member.name.split("/")
    if parts[0] != TOP or ".." in parts:
        return f"it is not below {TOP}/"
    if len(parts) > 1 and is_ours(parts[1]):
        return "its name is one of a restore"
    if member.issym() or member.islnk():
        base = posixpath.dirname(member.name) if member.issym() else ""
        target = posixpath.normpath(posixpath.join(base, member.linkname))
        inside = target == TOP or target.startswith(f"{TOP}/")
        return "" if inside else f"it is a link that leads out of the directory, to {member.linkname}"
    return "" if member.isfile() or member.isdir() else "it is neither a file, a directory nor a link"


def look_through(stream: IO[bytes], folder: Path | None = None) -> Uploads:
    """Read an archive to its end, and compare it with the directory whose files it would replace."""
    entries = size = files = same = other = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                problem = flaw(member)
                if problem:
                    raise MediaError(
                        f"{member.name!r} in the archive of the uploaded files must not be unpacked: {problem}; "
                        "restore the rest with restore_parts: [database]"
                    )
                entries += 1
                size += member.size if member.isfile() else 0
                files += not member.isdir()
                if folder and not member.isdir():
                    equal = as_there(member, folder.joinpath(*member.name.split("/")[1:]))
                    same += equal is True
                    other += equal is False
                # It remembers all of them otherwise.
                archive.members = []  # type: ignore[attr-defined]
    except tarfile.TarError as error:
        raise MediaError(f"the archive of the uploaded files is damaged: {error}") from None
    while stream.read(1 << 20):
        pass
    return Uploads(entries, size, files, count(folder) if folder else 0, same, other)


def as_there(member: tarfile.TarInfo, path: Path) -> bool | None:
    """Whether the file or the link that is there is that of an archive, by its size and time; None where there is none."""
    try:
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            return None
        if member.issym():
            return stat.S_ISLNK(found.st_mode) and str(path.readlink()) == member.linkname
    except OSError:
        return None
    size_and_time = (found.st_size, int(found.st_mtime))
    return stat.S_ISREG(found.st_mode) and size_and_time == (member.size, int(member.mtime))


def count(folder: Path) -> int:
    """Count the uploaded files and links of a directory."""
    number = 0
    for parent, folders, files in os.walk(folder):
        if parent == str(folder):
            folders[:] = [name for name in folders if not is_ours(name)]
        number += len(files) + sum((Path(parent) / name).is_symlink() for name in folders)
    return number


def unpack_cmd(folder: str) -> list[str]:
    """Return the argv that unpacks its standard input, with owners by number."""
    return [
        "tar", "--extract", "--file=-", "--numeric-owner", "--same-owner", "--preserve-permissions", "--strip-components=1",
        f"--directory={folder}",
    ]  # fmt: skip


def place(root: Path, media: Path, restore_id: str) -> tuple[Path, Path]:
    """Return where the new files are unpacked and where the old ones go: on the file system of the directory, closed to all."""
    backups = root / "backups"
    if backups.is_dir() and media.is_dir() and backups.stat().st_dev != media.stat().st_dev:
        return media / f"{OWN}{restore_id}.new", media / f"{OWN}{restore_id}.before"
    return backups / f"{OWN}{restore_id}.media", backups / f"{BEFORE}{restore_id}"


def entries(folder: Path) -> list[str]:
    """Return what is in a directory, but for what a restore has put there."""
    return sorted(path.name for path in folder.iterdir() if not is_ours(path.name)) if folder.is_dir() else []


def make(folder: Path) -> None:
    """Make a folder that root alone may read; what lay there before is of a run that is dead."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=MODE, parents=True)
    _files.own(folder, MODE)


def is_there(path: Path) -> bool:
    """Whether there is something of that name, be it a link to nothing."""
    return path.is_symlink() or path.exists()


def swap(media: Path, new: Path, old: Path, names: Sequence[str]) -> None:
    """Let the entries change places, one after the other; names are all the new ones. Goes on where it was left."""
    if not is_there(old):
        make(old)
    for name in sorted({*entries(media), *names}):
        if name in names and not is_there(new / name):
            # It is in its place already.
            continue
        # What is among the old ones already was moved before, and somebody has uploaded to its name since.
        if is_there(media / name) and not is_there(old / name):
            (media / name).rename(old / name)
        if is_there(new / name):
            bring_in(new / name, media / name, old)
    for folder in (media, old):
        _files.sync(folder)


def bring_in(source: Path, target: Path, old: Path) -> None:
    """Let an entry take its place; what was uploaded under its name a moment ago goes to the old ones, under another name."""
    number = 0
    while is_there(target):
        number += 1
        aside = old / f"{target.name}.{number}"
        if not is_there(aside):
            target.rename(aside)
    source.rename(target)


def put_back(media: Path, new: Path, old: Path, names: Sequence[str]) -> None:
    """Undo a swap, however far it has come."""
    if not new.is_dir():
        return
    for name in sorted({*entries(old), *names}):
        if name in names and is_there(media / name) and not is_there(new / name):
            (media / name).rename(new / name)
        if is_there(old / name):
            (old / name).rename(media / name)
    for folder in (media, new):
        if folder.is_dir():
            _files.sync(folder)
