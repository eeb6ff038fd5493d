# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secrets of a stack as the host keeps them, those of before a deploy on its way, and the note that old ones still count.

While that note is there, a server may take the old value beside the new one. It is written before the first such change
and removed after the last, so whoever is killed in between leaves it to the next run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.barehost.django.plugins.module_utils import _before, _files, _lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOLDER = "secrets"
# Names and no values; the directory is root's all the same.
NOTE = f"{_lock.FOLDER}/rotation.json"
# What the servers had when the last run had come to them; for a dry run beside one that does not answer.
RECORD = f"{_lock.FOLDER}/accounts.json"

Runner = Callable[["list[str]", "str | None"], "tuple[int, str, str]"]


class AccountsError(Exception):
    """Accounts that cannot be brought to what they should be; says why, and holds no secret."""


@dataclass(frozen=True)
class Host:
    """Where a stack lies, and how something is run there."""

    run: Runner
    root: Path
    project: str
    check: bool = False
    # The secrets that a real run has replaced by now, and this dry run has not.
    changing: tuple[str, ...] = ()

    def secret(self, name: str) -> str | None:
        """Return a secret; None where the host has none yet."""
        return text_of(self.root / FOLDER / name)

    def earlier(self, name: str) -> str | None:
        """Return what a secret was before the deploy on its way; None where that has not changed it."""
        noted = _before.load(self.root).get(f"{FOLDER}/{name}")
        value = str(noted["content"]).removesuffix("\n") if noted else None
        return None if value == self.secret(name) else value

    def either(self, name: str) -> list[str]:
        """Return the values that a server may take, the one that it should take first."""
        return [value for value in (self.secret(name), self.earlier(name)) if value is not None]

    def masked(self, text: str, values: Sequence[str]) -> str:
        """Hide secrets in what a server says: it repeats the statement that it does not understand."""
        for value in sorted({value for value in values if value}, key=len, reverse=True):
            text = text.replace(value, "********")
        return text


def text_of(path: Path) -> str | None:
    """Return the text of a secret's file; None where there is none."""
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError):
        return None


def load(path: Path) -> dict[str, Any]:
    """Read a file of ours; nothing where it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a file of ours, where it says something else."""
    if load(path) != content:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _files.replace(path, json.dumps(content, sort_keys=True) + "\n", 0o600)
        _files.sync(path.parent)


def note(root: Path, wish: dict[str, Any], project: str) -> None:
    """Note that a server takes more than it should in the end."""
    found = load(root / NOTE)
    save(root / NOTE, {"project": project, "wishes": {**found.get("wishes", {}), wish["service"]: wish}})


def noted(root: Path) -> dict[str, Any]:
    """Return what was noted: the wish for each server."""
    return dict(load(root / NOTE).get("wishes", {}))


def unsettled(root: Path, names: Sequence[str], changing: Sequence[str], service: str) -> list[str]:
    """Return what keeps a server from being asked with the passwords of the host's files: it may know other ones.

    Those that this run replaces, those that one before it has replaced and not brought to its end, and the note of the latter.
    """
    before = _before.load(root)
    held = {name: (before.get(f"{FOLDER}/{name}"), text_of(root / FOLDER / name)) for name in names}
    cut_off = {
        name for name, (old, new) in held.items() if old and str(old.get("content")).removesuffix("\n") != (new or "")
    }
    return sorted({*names} & {*changing} | cut_off) or ([NOTE] if service in noted(root) else [])


def forget(root: Path) -> None:
    """Take the note away."""
    (root / NOTE).unlink(missing_ok=True)
