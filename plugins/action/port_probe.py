# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ask from the controller whether exactly the declared ports of a host answer."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.barehost.django.plugins.module_utils import _port_probe

PORTS: dict[str, Any] = {"type": "list", "elements": "int"}
OPTIONS: dict[str, Any] = {
    "hosts": {"type": "list", "elements": "str", "required": True},
    "answer": {**PORTS, "default": []},
    "may": {**PORTS, "default": []},
    "other": PORTS,
    "filtered": {"type": "bool", "default": True},
    "timeout": {"type": "float", "default": _port_probe.SECONDS},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no type information
    """Ask the ports from the controller; the host of the task is never connected to by Ansible."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Try all ports, report all that are not as declared."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=OPTIONS)
        if self._task.check_mode:
            msg = "a dry run cannot prove what answers"
            return {**result, "changed": False, "skipped": True, "msg": msg}
        other = _port_probe.SUSPECTS if args["other"] is None else args["other"]
        try:
            found = dict.fromkeys(address for host in args["hosts"] for address in _port_probe.addresses(host))
            ports = {"answer": args["answer"], "may": args["may"], "other": other}
            probes = _port_probe.plan(list(found), ports, filtered=args["filtered"])
        except _port_probe.PlanError as error:
            raise AnsibleActionFail(str(error)) from None
        problems = _port_probe.run(probes, args["timeout"])
        result.update(changed=False, addresses=list(found), tried=len(probes), problems=problems)
        if problems:
            line = f"{len(problems)} of {len(probes)} ports are not as declared: {'; '.join(problems)}"
            return {**result, "failed": True, "msg": line}
        return {**result, "msg": f"{len(probes)} ports are as declared on {', '.join(found)}"}
