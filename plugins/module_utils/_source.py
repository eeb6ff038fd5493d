# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The build context of an image: which files, their hash, and the archive that travels.

One walk serves all three, so that what is hashed is what is built. Nothing that differs between two clones of the same
commit counts: no times, no owners, no mode but the executable bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from ansible_collections.barehost.django.plugins.module_utils._ignore import Matcher, PatternError, read_patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ansible_collections.barehost.django.plugins.module_utils._ignore import Matched

# Raised whenever the hash of the same content would change, so that two meanings never share an id.
FORMAT = "barehost-source-1"
ID_LENGTH = 12
BLOCK = 1024 * 1024

Kind = Literal["file", "directory", "symlink"]


class SourceError(ValueError):
    """A source tree from which no image can be built."""


@dataclass(frozen=True)
class Entry:
    """One path of the build context."""

    path: str
    kind: Kind
    executable: bool = False
    target: str = ""


def walk(source: str, dockerfile: str = "Dockerfile") -> list[Entry]:
    """Return what the build context holds, sorted by path.

    The Dockerfile and the ignore file are always in it, as BuildKit reads them even where they are ignored.
    """
    root = _root(source)
    docker_path = _inside(root, dockerfile)
    ignore_path = ignore_file(root, docker_path)
    matcher = _matcher(root, ignore_path)
    found = {entry.path: entry for entry in _descend(root, "", matcher, None)}
    for path in (docker_path, ignore_path):
        if path is not None and path not in found:
            for parent in _parents(path):
                found.setdefault(parent, Entry(parent, "directory"))
            found[path] = _file_entry(root, path)
    return [found[path] for path in sorted(found, key=os.fsencode)]


def ignore_file(root: Path, docker_path: str) -> str | None:
    """Return the ignore file that counts: the one named after the Dockerfile goes before the one at the root."""
    for path in (f"{docker_path}.dockerignore", ".dockerignore"):
        if (root / path).is_file():
            return path
    return None


def content_hash(
    source: str,
    dockerfile: str = "Dockerfile",
    *,
    build_args: Mapping[str, object] | None = None,
    base_images: Iterable[str] = (),
    extra: Iterable[str] = (),
) -> str:
    """Return the SHA-256 (64 hex digits) of everything that decides what the image will be."""
    root = _root(source)
    entries = walk(source, dockerfile)
    inputs = {
        "format": FORMAT,
        "dockerfile": _inside(root, dockerfile),
        "build_args": {name: str(value) for name, value in sorted((build_args or {}).items())},
        "base_images": sorted(set(base_images)),
        "extra": sorted(set(extra)),
    }
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    for entry in entries:
        line = [entry.path, entry.kind, entry.executable, entry.target]
        digest.update(b"\0" + json.dumps(line).encode())
        if entry.kind == "file":
            digest.update(_file_hash(root / entry.path))
    return digest.hexdigest()


def pack(source: str, dockerfile: str, dest: IO[bytes]) -> int:
    """Write the build context as a tar archive, byte for byte the same for the same content; return the files in it."""
    root = _root(source)
    count = 0
    # GNU: one member a file, no extended headers that would carry times or the name of the user.
    with tarfile.open(fileobj=dest, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
        for entry in walk(source, dockerfile):
            info = tarfile.TarInfo(entry.path)
            if entry.kind == "directory":
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            elif entry.kind == "symlink":
                info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, entry.target
                tar.addfile(info)
            else:
                info.mode = 0o755 if entry.executable else 0o644
                with (root / entry.path).open("rb") as file:
                    info.size = os.fstat(file.fileno()).st_size
                    tar.addfile(info, file)
                count += 1
    return count


def unpack(archive: tarfile.TarFile, folder: str) -> None:
    """Write out an archive that pack or git made a moment ago: its paths are relative by construction."""
    # From Python 3.14 on the default would refuse absolute links, which a project may have and BuildKit copies as they are.
    archive.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
    archive.extractall(folder)  # noqa: S202


def _root(source: str) -> Path:
    root = Path(source).expanduser()
    if not root.is_dir():
        state = "is not a directory" if root.exists() else "does not exist on the controller"
        raise SourceError(f"the app's source {str(root)!r} {state}: name the folder with its Dockerfile")
    return root.resolve()


def _inside(root: Path, dockerfile: str) -> str:
    """Return the Dockerfile's path below the root, in one form."""
    path = os.path.normpath(root / dockerfile)
    relative = os.path.relpath(path, root)
    if relative.startswith(".."):
        raise SourceError(f"the Dockerfile {dockerfile!r} is outside of the source {str(root)!r}: move it in")
    if not Path(path).is_file():
        raise SourceError(f"there is no file {relative!r} in the source {str(root)!r}: add it or name another one")
    return relative


def _matcher(root: Path, ignore_path: str | None) -> Matcher:
    if ignore_path is None:
        return Matcher([])
    try:
        return Matcher(read_patterns((root / ignore_path).read_text(encoding="utf-8", errors="surrogateescape")))
    except PatternError as error:
        raise SourceError(f"{ignore_path}: {error}") from None


def _descend(root: Path, directory: str, matcher: Matcher, parent: Matched | None) -> Iterator[Entry]:
    """Walk one directory. A directory that is left out comes back only where something inside it does not stay out."""
    with os.scandir(root / directory) as items:
        names = sorted(items, key=lambda item: os.fsencode(item.name))
    for item in names:
        path = f"{directory}/{item.name}" if directory else item.name
        ignored, matched = matcher.check(path, parent)
        if not item.is_dir(follow_symlinks=False):
            if not ignored and (entry := _leaf(item, path)) is not None:
                yield entry
            continue
        if ignored and not matcher.must_enter(path):
            continue
        inside = list(_descend(root, path, matcher, matched))
        if not ignored or inside:
            yield Entry(path, "directory")
        yield from inside


def _leaf(item: os.DirEntry[str], path: str) -> Entry | None:
    """Describe what is no directory; sockets, pipes and devices cannot be built from and are passed over."""
    if item.is_symlink():
        return Entry(path, "symlink", target=os.readlink(item.path))  # noqa: PTH115 - Path would tidy it
    mode = item.stat(follow_symlinks=False).st_mode
    return Entry(path, "file", executable=bool(mode & stat.S_IXUSR)) if stat.S_ISREG(mode) else None


def _file_entry(root: Path, path: str) -> Entry:
    return Entry(path, "file", executable=bool((root / path).stat().st_mode & stat.S_IXUSR))


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: index + 1]) for index in range(len(parts))]


def _file_hash(path: Path) -> bytes:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise SourceError(f"cannot read {str(path)!r}: {error.strerror}") from None
    return digest.digest()
