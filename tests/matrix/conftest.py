# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stacks of the matrix, rendered once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "tests" / "unit"), str(HERE)]

import stacks  # noqa: E402 - the path is set above
import values  # noqa: E402 - as above

if TYPE_CHECKING:
    from stacks import Stack


@pytest.fixture(scope="session")
def rendered() -> list[Stack]:
    """Return a stack for each password that has to arrive."""
    return stacks.render_all(values.fit())
