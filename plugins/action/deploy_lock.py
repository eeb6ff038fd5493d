# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Say who asks for the lock, and look on the controller whether whoever has it is still alive."""

from __future__ import annotations

import time
from typing import Any

from ansible import context
from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display
from ansible_collections.barehost.django.plugins.module_utils import _caller
from ansible_collections.barehost.django.plugins.module_utils._action import ModuleAction

# Between two looks at whether the holder is alive; one call of the module waits that long at most.
SLICE_SECONDS = 5.0


class ActionModule(ModuleAction):
    """Asks the host once; again only where somebody has the lock."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask, and wait in slices where waiting is wanted."""
        super().run(tmp, task_vars)
        args = {key: value for key, value in self._task.args.items() if key not in {"caller", "dead", "refused"}}
        args["caller"] = _caller.describe(context.CLIARGS)
        if args.get("state", "held") != "held":
            return self._shown(self._ask(args, task_vars))
        begun, patience = time.monotonic(), self._patience(args)
        result = self._ask(args if patience is None else {**args, "wait_seconds": 0}, task_vars)
        dead = ""
        while result.get("in_the_way") and patience is not None:
            rest = patience - (time.monotonic() - begun)
            holder = result["holder"]
            if holder and holder["token"] != dead and _caller.is_dead(holder["controller"]):
                dead = holder["token"]
            elif rest > 0:
                Display().display(f"{(task_vars or {}).get('inventory_hostname', '')}: waiting: {result['msg']}")
            else:
                break
            wait = max(0, int(min(rest, SLICE_SECONDS)))
            result = self._ask({**args, "wait_seconds": wait, "dead": dead}, task_vars)
        if result.get("in_the_way"):
            # Only now is it known that this was the last try.
            refused = {"message": result["msg"], "seconds": round(time.monotonic() - begun, 1)}
            noted = self._ask({**args, "wait_seconds": 0, "refused": refused}, task_vars)
            result["warnings"] = [*(result.get("warnings") or []), *(noted.get("warnings") or [])]
        if "waited_seconds" in result:
            result["waited_seconds"] = round(time.monotonic() - begun, 1)
        return self._shown(result)

    @staticmethod
    def _patience(args: dict[str, Any]) -> float | None:
        """Return how long to wait; what is no number is for the module to refuse."""
        try:
            return float(args.get("wait_seconds") or 0)
        except (TypeError, ValueError):
            return None

    def _ask(self, args: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        # Whether there are secrets in an answer is known once it is there, and by then a verbose connection has shown it.
        self._connection._play_context.no_log = bool(args.get("secrets")) or self._task.no_log
        try:
            return self.call("deploy_lock", args, task_vars)
        except AnsibleConnectionFailure:
            # Its reason is hidden like everything else then, and it is what whoever reads it needs: asked again without a secret.
            self._connection._play_context.no_log = self._task.no_log
            self._low_level_execute_command("true", sudoable=False)
            raise

    @staticmethod
    def _shown(result: dict[str, Any]) -> dict[str, Any]:
        """Leave out the token of somebody else, which only this plugin needs, and say who lost the lock."""
        for name in ("token", "controller"):
            (result.get("holder") or {}).pop(name, None)
        if result.get("secrets"):
            # A refusal says who has the lock, and holds none: the task itself is not hidden.
            result["_ansible_no_log"] = True
        if result.get("taken_over"):
            result["warnings"] = [*(result.get("warnings") or []), result["taken_over"]]
        return result
