# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What our action plugins share: the call of their module."""

from __future__ import annotations

import gc
from typing import Any

from ansible.plugins.action import ActionBase


class ModuleAction(ActionBase):  # type: ignore[misc]  # ansible-core has no type information
    """An action that calls a module of the collection."""

    def call(self, module: str, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Run a module on the host.

        Packing one parses everything that it imports. Each task is a process of its own that soon ends, with all of Ansible in
        its memory: to look for garbage there again and again takes a third of that time, and finds none.
        """
        collects = gc.isenabled()
        gc.disable()
        try:
            result: dict[str, Any] = self._execute_module(
                module_name=f"barehost.django.{module}", module_args=args, task_vars=task_vars
            )
        finally:
            if collects:
                gc.enable()
        return result
