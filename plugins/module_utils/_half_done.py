# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores that were killed in the middle, by the journals that they have left: nobody else may go on with such data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "backups"
NAME = re.compile(r"\.restore-(?P<id>\d{8}T\d{6}Z)\.json")


def journals(root: Path) -> list[Path]:
    """Return the journals, the oldest first; that of a restore that is at work is one of them."""
    return sorted(path for path in (root / FOLDER).glob(".restore-*.json") if NAME.fullmatch(path.name))


def id_of(path: Path) -> str:
    """Return which restore a journal is of."""
    match = NAME.fullmatch(path.name)
    return match["id"] if match else ""


def sentences(root: Path) -> list[str]:
    """Say of each what there is to do."""
    return [
        f"the restore {id_of(path)} was killed in the middle: run barehost.django.restore again, which takes it back or brings it to "
        "its end"
        for path in journals(root)
    ]
