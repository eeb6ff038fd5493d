# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all unit tests share: the collection on the import path, and the real Compose CLI."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "collections"), str(Path(__file__).resolve().parent)]

# A shared machine may stand still for a moment: how long an example takes says nothing about it.
settings.register_profile("barehost", deadline=None, print_blob=True)
settings.load_profile("barehost")

if TYPE_CHECKING:
    from support.compose import Compose


@pytest.fixture(autouse=True)
def not_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no backup of a test have all tests after it step aside for others: there is no way back from that."""
    monkeypatch.setattr(os, "setpriority", lambda *_: None)


@pytest.fixture(scope="session")
def compose_clis() -> list[Compose]:
    """Find every Compose at hand, the oldest first."""
    from support import compose  # noqa: PLC0415 - the path is set above

    found = compose.find_all(ROOT / ".state" / "bin")
    if not found:
        pytest.fail(compose.HELP)
    return found


@pytest.fixture(scope="session")
def compose_cli(compose_clis: list[Compose]) -> Compose:
    """Return the oldest Compose at hand."""
    return compose_clis[0]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Make a small Django project without a schema."""
    from support import project  # noqa: PLC0415 - the path is set above

    return project.write_app(tmp_path)


@pytest.fixture(scope="session")
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one project with its schema, to copy from."""
    from ansible_collections.barehost.django.plugins.module_utils import _program_migrate  # noqa: PLC0415 - as above
    from support import project  # noqa: PLC0415 - as above

    folder = project.write_app(tmp_path_factory.mktemp("migrated"))
    project.done(folder, _program_migrate)
    return folder


@pytest.fixture
def migrated(migrated_once: Path, tmp_path: Path) -> Path:
    """Make the project with its schema."""
    return shutil.copytree(migrated_once, tmp_path, dirs_exist_ok=True)
