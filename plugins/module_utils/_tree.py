# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A tree of rendered files: how it differs from what is on the host, and how it gets there.

Nothing is written in place: each file is written beside its target and renamed over it, so that a reader sees the old
file or the new one, and never half of either.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MASK = "********"
PARENT_MODE = 0o755
# In files of these formats a line begins with a name, which may be shown. A file that is nothing but a password may hold the
# same signs, so everywhere else the whole line is hidden.
_ASSIGNED = re.compile(r"^\s*[A-Za-z_][\w.-]*\s*=\s*")
NAMES = {
    ".env": _ASSIGNED,
    ".cnf": _ASSIGNED,
    # A directive, and what follows it.
    "redis.conf": re.compile(r"^\s*[A-Za-z_][\w-]*[ \t]+"),
}


@dataclass(frozen=True)
class FileSpec:
    """One file as it should be on the host."""

    path: str
    content: str
    service: str
    owner: int = 0
    group: int = 0
    mode: int = 0o644
    secret: bool = False

    @classmethod
    def from_params(cls, item: Mapping[str, Any]) -> FileSpec:
        """Read one element of the module's `files`."""
        return cls(
            path=item["path"],
            content=item["content"],
            service=item["service"],
            owner=item["owner"],
            group=item["group"],
            mode=int(item["mode"], 8),
            secret=item["secret"],
        )


@dataclass(frozen=True)
class Change:
    """A file that is not as it should be."""

    path: str
    service: str
    action: str  # create | update | attributes | directory | remove
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Found:
    """A file as it is on the host."""

    content: str
    owner: int
    group: int
    mode: int


def digest(files: Iterable[tuple[str, str]]) -> str:
    """Return 16 hex digits that stand for a set of (path, content) pairs, whatever their order."""
    total = hashlib.sha256()
    for path, content in sorted(files):
        for part in (path, content):
            data = part.encode()
            total.update(len(data).to_bytes(8, "big"))
            total.update(data)
    return total.hexdigest()[:16]


def read(root: Path, path: str) -> Found | None:
    """Read a file below root, or None where there is none; a symlink counts as missing, and is replaced.

    Raise OSError where a directory is in its place, or a file in the place of a directory above it.
    """
    target = root / path
    try:
        info = os.lstat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if not stat.S_ISREG(info.st_mode):
        return None
    content = target.read_bytes().decode("utf-8", "replace")
    return Found(content, info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode))


def compare(spec: FileSpec, found: Found | None) -> Change | None:
    """Say what has to happen to one file, if anything."""
    if found is None:
        return Change(spec.path, spec.service, "create", "", spec.content)
    if found.content != spec.content:
        return Change(spec.path, spec.service, "update", found.content, spec.content)
    wanted = (spec.owner, spec.group, spec.mode)
    seen = (found.owner, found.group, found.mode)
    if wanted != seen:
        return Change(spec.path, spec.service, "attributes", _attributes(seen), _attributes(wanted))
    return None


def _attributes(values: tuple[int, int, int]) -> str:
    owner, group, mode = values
    return f"owner={owner} group={group} mode={mode:04o}\n"


def strays(root: Path, managed: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """List the files in the managed directories (relative, recursive) that nothing asks for any more."""
    keep = set(wanted)
    found: list[str] = []
    for directory in managed:
        for parent, _, names in os.walk(root / directory):
            relative = os.path.relpath(parent, root)
            found += [os.path.normpath(f"{relative}/{name}") for name in names]
    return sorted(path for path in found if path not in keep)


def mask(before: str, after: str, name: re.Pattern[str] | None) -> tuple[str, str]:
    """Hide the values of two versions of a secret file, line by line, but for what `name` matches at a line's beginning.

    Each different value gets a number, so that a reader sees which lines changed without seeing what they say.
    """
    seen: dict[str, int] = {}
    return _mask(before, seen, name), _mask(after, seen, name)


def name_pattern(change: Change) -> re.Pattern[str] | None:
    """Return what may be shown of the lines of a secret file; nothing of one that nobody asks for, which may be anything."""
    known = (pattern for suffix, pattern in NAMES.items() if change.path.endswith(suffix))
    return None if change.action == "remove" else next(known, None)


def _mask(text: str, seen: dict[str, int], name: re.Pattern[str] | None) -> str:
    lines = []
    # And not splitlines(): a value may hold what only that takes for the end of a line, and the rest would be shown as a name.
    for line in text.removesuffix("\n").split("\n") if text else []:
        if not line.strip() or (name and line.lstrip().startswith("#")):
            lines.append(line)
            continue
        match = name.match(line) if name else None
        shown = match.group(0) if match else ""
        value = line[len(shown) :]
        lines.append(f"{shown}{MASK} #{seen.setdefault(value, len(seen) + 1)}")
    return "".join(f"{line}\n" for line in lines)


def diff_of(change: Change, root: str, *, secret: bool) -> dict[str, str]:
    """Return one change in the shape of Ansible's diff."""
    before, after = change.before, change.after
    if secret and change.action in ("create", "update", "remove"):
        before, after = mask(before, after, name_pattern(change))
    target = os.path.join(root, change.path)  # noqa: PTH118 - text for a header, not a path that is opened
    return {
        "before_header": f"{target} ({change.action})",
        "after_header": f"{target} ({change.action})",
        "before": before,
        "after": after,
    }


def write(root: Path, spec: FileSpec) -> None:
    """Put one file in place: written beside its target, flushed, owned, then renamed over it."""
    target = root / spec.path
    make_parents(root, Path(spec.path).parent)
    _files.replace(target, spec.content, spec.mode, (spec.owner, spec.group))


def make_parents(root: Path, relative: Path) -> None:
    """Make the directories of a relative path below root, 0755: root itself, 0750, is what keeps others out."""
    current = root
    for part in relative.parts:
        current = current / part
        if not current.is_dir():
            current.mkdir(mode=PARENT_MODE)
            current.chmod(PARENT_MODE)


def compare_directory(root: Path, path: str, mode: int, service: str) -> list[Change]:
    """Say whether a directory is missing or has another mode or owner; raise OSError where a file is in its place."""
    try:
        info = (root / path).stat()
    except FileNotFoundError:
        return [Change(path, service, "directory", "", f"{mode:04o}")]
    if not stat.S_ISDIR(info.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(root / path))
    seen, owner = stat.S_IMODE(info.st_mode), os.geteuid()
    if _owned(mode) and info.st_uid != owner and not _linked(root, path):
        return [Change(path, service, "directory", f"{seen:04o} owner={info.st_uid}", f"{mode:04o} owner={owner}")]
    return [Change(path, service, "directory", f"{seen:04o}", f"{mode:04o}")] if seen != mode else []


def _owned(mode: int) -> bool:
    """Whether it matters whose a directory is: what everybody may write into can be that of the app, or on a server."""
    return not mode & stat.S_IWOTH


def _linked(root: Path, path: str) -> bool:
    """Whether a directory lies behind a link, where it is somebody else's; where root lies is not asked."""
    parts = [Path(path), *Path(path).parents][:-1] or [Path()]
    return any((root / part).is_symlink() for part in parts)


def compare_parents(root: Path, specs: Iterable[FileSpec], others: Iterable[str]) -> list[Change]:
    """Compare the directories that come with their files, but for others; what is not there yet is no change of its own."""
    services = {str(path): spec.service for spec in specs for path in Path(spec.path).parents if path.parts}
    found = []
    for path in sorted(services.keys() - set(others)):
        # Behind a link is somebody else's directory.
        if (root / path).is_dir() and not (root / path).is_symlink():
            found += compare_directory(root, path, PARENT_MODE, services[path])
    return found


def make_directory(root: Path, path: str, mode: int) -> None:
    """Make a directory, or give the one that is there its mode and, unless it lies behind a link, its owner."""
    make_parents(root, Path(path))
    if _owned(mode) and not _linked(root, path):
        os.chown(root / path, os.geteuid(), -1)
    (root / path).chmod(mode)


def settle(root: Path, spec: FileSpec) -> None:
    """Give a file whose content is right its owner and mode."""
    os.chown(root / spec.path, spec.owner, spec.group)
    (root / spec.path).chmod(spec.mode)
