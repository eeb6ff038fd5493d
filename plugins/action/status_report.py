# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Show the state of all hosts of a play at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.barehost.django.plugins.module_utils import _caller, _status

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_the_dead(info: dict[str, Any] | None) -> dict[str, Any] | None:
    """Say of a lock whether its run is known to be dead, which only the machine that it ran on can know."""
    stack = (info or {}).get("stack") or {}
    lock = dict(stack.get("lock") or {})
    if info is None or not lock:
        return info
    dead = _caller.is_dead(lock.pop("controller", {}))
    return {**info, "stack": {**stack, "lock": {**lock, "dead": dead}}}


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no type information
    """Print one screen or one JSON document, once for the whole play."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Collect what each host registered and print it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(
            argument_spec={
                "hosts": {"type": "dict"},
                "variable": {"type": "str", "default": "stack_info"},
                "format": {"type": "str", "default": "text", "choices": ["text", "json"]},
            },
        )
        hosts = args["hosts"] or self._registered(args["variable"], task_vars or {})
        hosts = {name: with_the_dead(info) for name, info in hosts.items()}
        render = _status.render_json if args["format"] == "json" else _status.render_text
        # The screen itself, and not a task result around it, is what a person asked for.
        Display().display(render(hosts))
        report = _status.document(hosts)
        result.update(changed=False, report=report)
        # What set_stats would do, so that a program which runs the playbook reads it without parsing output.
        result["ansible_stats"] = {"data": {"status": report}, "per_host": False, "aggregate": True}
        return result

    def _registered(self, variable: str, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Return what each host of the play has in a variable; a host that failed before has nothing there."""
        found: dict[str, Any] = {}
        for host in task_vars.get("ansible_play_hosts_all", []):
            values = task_vars["hostvars"][host]
            info = values.get(variable)
            usable = isinstance(info, dict) and not info.get("failed") and not info.get("unreachable")
            found[str(host)] = info if usable else None
        return found
