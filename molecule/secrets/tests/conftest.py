# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One host, all runs on it with a canary in the place of every secret, and what they have left behind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "unit")]

from runs import every_run  # noqa: E402 - below the root, which is not in the path before
from world import World  # noqa: E402 - as above

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Return the host after all runs."""
    with World.open() as found:
        with found.watched():
            every_run(found)
        yield found
