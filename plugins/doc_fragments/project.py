# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the parameters that say which Compose project a module works on."""

from __future__ import annotations


class ModuleDocFragment:
    """Where the project is, and for those that ask the engine what it is called."""

    DOCUMENTATION = r"""
options:
  project_dir:
    description: Directory of the Compose project.
    type: path
    required: true
"""

    NAME = r"""
options:
  project:
    description: Name of the Compose project, as in its file.
    type: str
    required: true
"""
