# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the parameter that every module has which changes something on the host."""

from __future__ import annotations


class ModuleDocFragment:
    """Parameters of _lock.ARGUMENTS."""

    DOCUMENTATION = r"""
options:
  lock:
    description:
      - Token that M(barehost.django.deploy_lock) returned. With it the module works only while the run that took the lock
        still has it and no other module is at work on the host; without it nothing is asked.
    type: str
    default: ""
"""
