# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files into a tar stream, in constant memory, whatever happens to them meanwhile."""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Callable

BLOCK = 1 << 16
KEPT = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
# Removed; or a link, a directory or a socket in its place, or something else in that of its directory.
GONE = (errno.ENOENT, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENOTDIR)
MOST_WARNINGS = 20


@dataclass
class Packed:
    """What went into an archive."""

    entries: int = 0
    plain_bytes: int = 0
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Note what is not in it as it was."""
        if len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(text)


class Padded:
    """A file of a size that its archive already names: one that has become shorter is filled up."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        """Take the file, and the size that was promised."""
        self._file, self._left, self.missing = file, size, 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, never less than what was asked for while there are promised ones."""
        wanted = self._left if size < 0 else min(size, self._left)
        found = self._file.read(wanted)
        self.missing += wanted - len(found)
        self._left -= wanted
        return found + bytes(wanted - len(found))


def pack(
    root: Path,
    names: Sequence[str],
    target: Any,  # noqa: ANN401
    left_out: Callable[[Path], bool] = lambda _path: False,
) -> Packed:
    """Write files and directories below root, and all that is in them, into a tar stream; target has `write`.

    left_out is asked of each path below root, and takes all that is in it.
    What goes while it is read is left out, and what shrinks is filled up; both are warnings. Links stay links.
    """
    packed = Packed()
    with tarfile.open(mode="w|", fileobj=target, format=tarfile.PAX_FORMAT, bufsize=1 << 20) as archive:
        for path in walk(root, names, left_out):
            add(archive, root, path, packed)
            # It would remember every member, for the end of an archive that is not written as a stream.
            cast("Any", archive).members = []
    return packed


def walk(root: Path, names: Sequence[str], left_out: Callable[[Path], bool]) -> Iterator[Path]:
    """Return paths and all that is below them, in a fixed order, without following links."""
    for name in names:
        start = root / name
        if not os.path.lexists(start):
            continue
        yield start
        if start.is_symlink() or not start.is_dir():
            continue
        for parent, folders, files in os.walk(start):
            here = Path(parent).relative_to(root)
            folders[:] = sorted(each for each in folders if not left_out(here / each))
            yield from (Path(parent) / each for each in sorted([*folders, *files]) if not left_out(here / each))


def add(archive: tarfile.TarFile, root: Path, path: Path, packed: Packed) -> None:
    """Write one file, directory or link."""
    try:
        info = path.lstat()
        if not any(kind(info.st_mode) for kind in KEPT):
            packed.warn(f"{path} is neither a file nor a directory, and was left out")
            return
        file = open_plain(path) if stat.S_ISREG(info.st_mode) else None
    except OSError as error:
        left_behind(path, error, packed)
        return
    with file or nullcontext() as content:
        try:
            member = archive.gettarinfo(str(path), str(path.relative_to(root)), cast("Any", content))
        except OSError as error:
            left_behind(path, error, packed)
            return
        # For a socket there is none.
        same = member and (member.isreg() or member.islnk() if content else member.isdir() or member.issym())
        if not same:
            packed.warn(f"{path} was replaced meanwhile")
            return
        # Two names of one file are two files: where only one of them is restored, it must not be empty.
        if content and member.islnk():
            member.type, member.linkname, member.size = tarfile.REGTYPE, "", os.fstat(content.fileno()).st_size
        padded = Padded(content, member.size) if content else None
        archive.addfile(member, cast("Any", padded))
    if padded and padded.missing:
        packed.warn(f"{path} became shorter while it was read")
    packed.entries += 1
    packed.plain_bytes += member.size


def left_behind(path: Path, error: OSError, packed: Packed) -> None:
    """Note what was removed or replaced while it was looked at; any other trouble with it ends the archive."""
    if error.errno not in GONE:
        raise error
    packed.warn(f"{path} was removed meanwhile, or replaced")


def open_plain(path: Path) -> IO[bytes]:
    """Open a file, and never through a link that has taken its place."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=BLOCK)
