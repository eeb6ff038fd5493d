# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run that was killed leaves on the host: known by its name, and removed by the next run that has the lock.

A run tidies up after itself whichever way it ends, but for a SIGKILL and a power cut. What is half made may be as large as
what it would have become, and what was to log in somewhere is a secret.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _dump, _lock, _release

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WORK = ".work-"
# What _files.replace and _release.point put beside a target.
_WRITING = r"\.[0-9a-f]{8}"
# What tempfile puts behind a prefix.
_RANDOM = r"[a-z0-9_]{8}"
# Folder below the stack's, and the names in it that only a run uses while it works.
KINDS = (
    (".", re.compile(rf"{re.escape(WORK)}(?P<pid>\d+)-{_RANDOM}")),
    (".", re.compile(rf"\.(?:compose\.(?:override\.)?yaml|\.env){_WRITING}")),
    (_release.STATIC, re.compile(rf"\.[0-9a-f]{{12}}\.{_RANDOM}")),
    (_release.STATIC, re.compile(rf"\.(?:{'|'.join(_release.STATIC_LINKS)}){_WRITING}")),
    (_release.RELEASES, re.compile(rf"\..+{_WRITING}")),
    (_dump.FOLDER, re.compile(rf"\.{_dump.BEFORE}\.[0-9a-f]{{8}}\.partial")),
    ("source/git/objects/pack", re.compile(r"tmp_(?:pack|idx|rev)_\w+")),
)


# Trees of configuration with their secrets, below the stack's directory or in the host's memory.
STAGING = re.compile(rf"\.staging-(?P<pid>\d+)-{_RANDOM}")


def held(root: Path) -> bool:
    """Whether this very process works under the lock of the stack, so that nothing else is at work there."""
    work = _lock.at_work(root / _lock.FOLDER)
    return work is not None and work.pid == os.getpid()


def find(root: Path, context: str | None = None) -> list[Path]:
    """Return what lies around; what this process itself works with is no litter.

    A build context that was sent lies beside the module that unpacks it, and carries the name of its stack.
    """
    found = []
    for folder, pattern in KINDS:
        with contextlib.suppress(FileNotFoundError):
            for path in sorted((root / folder).iterdir()):
                match = pattern.fullmatch(path.name)
                if match and match.groupdict().get("pid") != str(os.getpid()):
                    found.append(path)
    own = Path(context) if context else None
    return found + ([path for path in sorted(own.parent.parent.glob(f"*/{own.name}")) if path != own] if own else [])


def context_name(project_dir: str) -> str:
    """Return the name of the archive in which the build context of a stack is sent."""
    return f"barehost-context-{hashlib.sha256(project_dir.encode()).hexdigest()[:12]}.tar"


def remove(path: Path, problems: list[str]) -> None:
    """Remove a file or a tree; what cannot be removed is added to the problems."""

    def note(_function: object, name: str, info: tuple[object, BaseException, object]) -> None:
        if not isinstance(info[1], FileNotFoundError):
            problems.append(f"{name} could not be removed: {info[1]}")

    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, onerror=note)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        problems.append(f"{path} could not be removed: {error}")


def clear(root: Path, context: str | None = None) -> list[str]:
    """Remove what lies around, where nothing else can be at work; return what could not be removed."""
    problems: list[str] = []
    try:
        for path in find(root, context) if held(root) else []:
            remove(path, problems)
    except OSError as error:
        problems.append(f"what killed runs left could not be looked for: {error}")
    return problems


def clear_staging(places: Iterable[Path]) -> list[str]:
    """Remove the trees of runs that are dead, which a dry run has no lock to tell by; return what could not be removed."""
    problems: list[str] = []
    for place in places:
        with contextlib.suppress(FileNotFoundError):
            for path in sorted(place.iterdir()):
                match = STAGING.fullmatch(path.name)
                if match and not Path("/proc", match["pid"]).exists():
                    remove(path, problems)
    return problems


@contextlib.contextmanager
def staging(place: str) -> Iterator[str]:
    """Lend a folder for a tree that nobody else may read, whose name says whose it is."""
    folder = tempfile.mkdtemp(prefix=f".staging-{os.getpid()}-", dir=place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def work_folder(root: Path, otherwise: str) -> Iterator[str]:
    """Lend a folder for what must not outlive the call; the next run finds it where this one is killed.

    Without the lock that run could not tell whether somebody still works in it, so it is somewhere else then.
    """
    if not held(root):
        yield otherwise
        return
    folder = tempfile.mkdtemp(prefix=f"{WORK}{os.getpid()}-", dir=root)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
