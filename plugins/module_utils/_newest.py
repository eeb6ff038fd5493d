# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backup is the newest, among such that are damaged: none is passed over that may be newer than what is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _backup_settings, _backup_state, _manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

FOLDER = "backups"
SHOWN = 5


def find(root: Path, advice: str) -> tuple[_manifest.Manifest | None, list[str]]:
    """Return the newest backup of a stack, and what is damaged and older, a line each.

    Raises ManifestError where it is damaged; advice is how to have another one in its place, before the ids that there are.
    """
    folder = root / FOLDER
    whole, damaged = _manifest.survey(folder)
    newest = _manifest.newest(whole, _backup_settings.identity(root))
    last = last_made(folder)
    doubtful = newer(damaged, newest.id if newest else "", last)
    if doubtful:
        name = last if last in doubtful else doubtful[-1]
        raise _manifest.ManifestError(refusal(folder, name, damaged[name], whole, advice))
    return newest, [
        f"{folder / name} is damaged, and older than the newest backup: {damaged[name]}" for name in damaged
    ]


def last_made(folder: Path) -> str:
    """Return the id of the backup that was made last, as it was noted; empty where nothing was."""
    success = (_backup_state.load(folder).get("backup") or {}).get("success")
    return str(success.get("id") or "") if isinstance(success, dict) else ""


def newer(damaged: Collection[str], newest: str, last: str) -> list[str]:
    """Return those of the damaged ones that may be newer than the newest whole one, the newest last.

    Their manifests say nothing of their order, and a name is a time by a clock that may have been wrong. So the note of the last
    backup has the first word: where that is the whole one, all others are older.
    """
    if newest and newest == last:
        return []
    return [name for name in sorted(damaged) if name == last or name > newest]


def refusal(folder: Path, name: str, why: str, whole: Mapping[str, _manifest.Manifest], advice: str) -> str:
    """Say which one is damaged, and what to do."""
    return (
        f"{folder / name} is damaged and may be the newest backup, so no older one is taken in its place: {why}. {advice}, of which "
        f"there are {named(whole) or 'none'}; to set it aside: mv {folder / name} {folder / name}.damaged"
    )


def named(whole: Collection[str]) -> str:
    """Return some of the ids, the newest first."""
    return ", ".join([*whole][::-1][:SHOWN]) + (f" and {len(whole) - SHOWN} older ones" if len(whole) > SHOWN else "")
