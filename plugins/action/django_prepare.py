# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Send the source of a release along in a dry run, in which nobody builds it."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.barehost.django.plugins.module_utils import _sender, _serving, _source
from ansible_collections.barehost.django.plugins.module_utils._action import ModuleAction


class ActionModule(ModuleAction):
    """Runs the module, which asks the source only in a dry run."""

    # The folder for it is made where something is sent.
    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module once."""
        super().run(tmp, task_vars)
        args = {key: value for key, value in self._task.args.items() if key not in ("source", "context")}
        source = self._task.args.get("source") if self._task.check_mode else None
        if not source:
            return self.call("django_prepare", args, task_vars)
        try:
            # Sent only where the module has to ask it: the release that serves is asked as it runs.
            dockerfile = str(args.get("dockerfile") or "Dockerfile")
            args["context"] = _sender.send_source(
                self, str(source), dockerfile, str(args["project_dir"]), _serving.LARGEST_SOURCE
            )
            return self.call("django_prepare", args, task_vars)
        except _source.SourceError as error:
            raise AnsibleActionFail(str(error)) from error
        finally:
            if self._connection._shell.tmpdir:
                self._remove_tmp_path(self._connection._shell.tmpdir)
