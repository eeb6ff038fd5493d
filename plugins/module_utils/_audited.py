# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the manifest of a backup is the one that was written with it, by the audit log: asked before a restore and in a drill."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _manifest, _pipes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def noted(lines: Iterable[str], backup: str) -> str:
    """Return what the audit log says the digest of a backup's manifest is; the first word counts, others may follow it."""
    for line in lines:
        # Most lines are of something else, and reading one is slow.
        if "manifest_sha256" not in line or backup not in line:
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("to") == backup and entry.get("manifest_sha256"):
            return str(entry["manifest_sha256"])
    return ""


def ask(folder: Path, backup: str, log: Path) -> tuple[str, str]:
    """Say that a manifest was changed, or else that nobody can tell; two empty texts where it is the one that was written.

    Its bytes are compared: one that an older version has written reads otherwise than it is.
    """
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            known = noted(lines, backup)
    except (FileNotFoundError, NotADirectoryError):
        known = ""
    if not known:
        return "", (
            f"the audit log {log} has no line of backup {backup}: nobody can say whether its manifest is the one that was written"
        )
    found = _pipes.digest_of(folder / _manifest.FILE).sha256
    if found == known:
        return "", ""
    return (
        f"{folder / _manifest.FILE} is not the one that was written: its SHA-256 is {found[:12]}… and the audit log has "
        f"{known[:12]}…: somebody has changed it, and perhaps what it speaks of; take another backup"
    ), ""
