# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the parameter of modules whose dry run may come before the engine is started."""

from __future__ import annotations


class ModuleDocFragment:
    """Parameters of _asleep.ARGUMENTS."""

    DOCUMENTATION = r"""
options:
  engine_first:
    description:
      - Whether the real run has started the engine by then. With it a dry run reads from the files of an engine that is
        stopped what it will say; without it that is refused, as in a real run.
    type: bool
    default: false
"""
