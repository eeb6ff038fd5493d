# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a deploy renders, once for all gates: every mode of `modes/`, with passwords that are found again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "collections"), str(HERE)]

from findings import program  # noqa: E402 - the path is set above

SECRETS = (
    "mysql_password",
    "mysql_migration_password",
    "mysql_backup_password",
    "mysql_root_password",
    "redis_password",
    "django_secret_key",
    "stack_id",
    "offsite_ssh_key",
    "offsite_password",
)


@dataclass(frozen=True)
class Rendered:
    """The folders that a deploy would have made, by mode, and what was secret."""

    modes: dict[str, Path]
    secrets: dict[str, str]

    def files(self, pattern: str = "**/*") -> list[tuple[str, Path]]:
        """Return the mode and the path of each file; the program of the backups is code of the repository."""
        return [
            (mode, path)
            for mode, folder in self.modes.items()
            for path in sorted(folder.glob(pattern))
            if path.is_file() and "program" not in path.relative_to(folder).parts
        ]


def render(folder: Path, secrets: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Render every mode below a folder."""
    variables = json.dumps({"rendered_dir": str(folder), "rendered_secrets": secrets})
    argv = [program("ansible-playbook"), "-i", str(HERE / "modes"), str(HERE / "render.yml"), "-e", variables, *options]
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Return what is rendered in every mode."""
    folder = tmp_path_factory.mktemp("rendered")
    # No letter of it is one that a format would write otherwise, so that it is found as it is.
    secrets = {name: f"sentinel-of-{name.replace('_', '-')}-0123456789abcdef0123456789abcdef" for name in SECRETS}
    done = render(folder, secrets)
    assert done.returncode == 0, done.stdout + done.stderr
    yield Rendered({path.name: path for path in sorted(folder.iterdir())}, secrets)
    shutil.rmtree(folder)
