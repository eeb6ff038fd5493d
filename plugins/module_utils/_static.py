# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Static files of a release on the host: counted, compared, put in place as a whole."""

from __future__ import annotations

import filecmp
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _files

if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECTORY_MODE = 0o755
FILE_MODE = 0o644
# Names in a diff; the counts are always whole.
SHOWN = 40


@dataclass(frozen=True)
class Census:
    """The files of a tree: path to size."""

    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def files(self) -> int:
        """How many files there are."""
        return len(self.sizes)

    @property
    def bytes(self) -> int:
        """How large they are together."""
        return sum(self.sizes.values())


@dataclass(frozen=True)
class Comparison:
    """How one tree differs from another."""

    added: list[str]
    removed: list[str]
    changed: list[str]

    def text(self) -> str:
        """Return the differences as a person reads them, with a bound on the names."""
        lines = []
        for sign, names in (("+", self.added), ("-", self.removed), ("~", self.changed)):
            lines += [f"{sign} {name}" for name in names[:SHOWN]]
            if len(names) > SHOWN:
                lines.append(f"{sign} … and {len(names) - SHOWN} more")
        return "".join(f"{line}\n" for line in lines)


def census(root: Path) -> Census:
    """Count the files below a directory; nothing where there is none."""
    sizes = {}
    for folder, _folders, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            sizes[path.relative_to(root).as_posix()] = path.lstat().st_size
    return Census(dict(sorted(sizes.items())))


def compare(old: Path, new: Path) -> Comparison:
    """Compare two trees by content."""
    before, after = census(old).sizes, census(new).sizes
    both = before.keys() & after.keys()
    changed = [
        name for name in both if before[name] != after[name] or not filecmp.cmp(old / name, new / name, shallow=False)
    ]
    return Comparison(sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys()), sorted(changed))


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> Comparison:
    """Compare two sets of files by the hashes of their content."""
    changed = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    return Comparison(sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys()), sorted(changed))


def make_staging(dest: Path) -> Path:
    """Return a fresh directory beside the target; what an earlier run of the same release left behind is removed."""
    dest.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    prefix = f".{dest.name}."
    for leftover in dest.parent.glob(f"{prefix}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(prefix=prefix, dir=dest.parent))
    # For whatever user the image has. The stack's own 0750 keeps others away.
    staging.chmod(0o777)
    return staging


def settle(staging: Path, dest: Path) -> None:
    """Make the files readable for all, put them on the disk, and the directory in its place."""
    for folder, _folders, names in os.walk(staging, topdown=False):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                _files.own(path, FILE_MODE)
                _files.sync(path)
        _files.own(Path(folder), DIRECTORY_MODE)
        _files.sync(Path(folder))
    staging.rename(dest)
    _files.sync(dest.parent)
