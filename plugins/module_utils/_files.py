# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files on the host: replaced in one step, owned, and on the disk."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace(path: Path, content: str, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Put a file in place: written beside its target, flushed, owned, then renamed over it.

    A reader sees the old file or the new one and never half of either; a failure leaves the old one and no other.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(content)
            stream.flush()
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def own(path: Path, mode: int) -> None:
    """Give a path to root, where we are root, with a mode."""
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
    path.chmod(mode)


def sync(path: Path) -> None:
    """Put a file, or the names in a directory, on the disk: they must not be lost with the power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
