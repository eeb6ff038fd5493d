# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the parameters that every module has which asks something of the app."""

from __future__ import annotations


class ModuleDocFragment:
    """Parameters of _oneshot.ARGUMENTS."""

    DOCUMENTATION = r"""
options:
  project_dir:
    description: Directory of the stack on the host, with its Compose files.
    type: path
    required: true
  compose_files:
    description: Compose files, in their order; what Compose takes by itself from O(project_dir) where none is given.
    type: list
    elements: path
    default: []
  service:
    description: Service in whose image the program runs.
    type: str
    default: web
  settings_module:
    description: Django's settings module; what the environment of the service says where it is not given.
    type: str
  python:
    description: Python interpreter in the image.
    type: str
    default: python
"""
