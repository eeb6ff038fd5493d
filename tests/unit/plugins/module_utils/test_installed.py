# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module and what it imports, as a program that needs nothing but Python."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _installed

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_imported_is_found_in_every_form() -> None:
    text = f"from {_installed.PACKAGE} import _a, _b\nif x:\n    from {_installed.PACKAGE}._c import D\nimport json\n"
    assert _installed.imported(text) == {"_a", "_b", "_c"}


def test_the_backup_program_runs_with_python_alone(tmp_path: Path) -> None:
    for path, text in _installed.program("_backup_cli").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom {_installed.PACKAGE} import _backup_cli\n"
    code += f"from pathlib import Path; sys.exit(_backup_cli.main(Path({str(tmp_path)!r}), ['list']))"
    # Isolated: neither this repository nor Ansible is in the path.
    argv = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"barehost-backup list: {tmp_path}/backup/settings.json is missing: deploy the stack first (site playbook)\n"
    )
