# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send the source of a release along in a dry run, in which nobody builds it."""

from __future__ import annotations

from typing import Any

from ansible_collections.barehost.django.plugins.module_utils import _sender
from ansible_collections.barehost.django.plugins.module_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """Runs the module, which asks the source only in a dry run."""

    # The folder for it is made where something is sent.
    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once."""
        super().run(tmp, task_vars)
        try:
            args = _sender.send_for_dry_run(self, self._task.args, str(self._task.args.get("project_dir")))
            return self.call("django_prepare", args, task_vars)
        finally:
            _sender.tidy(self)
