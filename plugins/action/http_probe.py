# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check from the controller, through the published port, that a site does what was promised."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.barehost.django.plugins.module_utils import _http_probe, _port_probe

CHECK_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "path": {"type": "str", "default": "/"},
    "method": {"type": "str", "default": "GET"},
    "headers": {"type": "dict", "default": {}},
    "json": {"type": "raw"},
    "body": {"type": "str"},
    "basic_auth": {
        "type": "dict",
        "options": {
            "username": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
        },
    },
    "status": {"type": "raw", "default": 200},
    "content_type": {"type": "str"},
    "contains": {"type": "str"},
    "json_subset": {"type": "raw"},
    "capture": {"type": "dict", "default": {}},
    "assets": {"type": "bool", "default": False},
    "until": {"type": "bool", "default": False},
    "retries": {"type": "int", "default": 0},
    "delay": {"type": "float", "default": 1.0},
    "timeout": {"type": "float"},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "headers": {"type": "dict", "default": {}},
    "timeout": {"type": "float", "default": 60.0},
    "request_timeout": {"type": "float", "default": 10.0},
    "verify_tls": {"type": "bool", "default": True},
    "ca_file": {"type": "path"},
    "checks": {"type": "list", "elements": "dict", "default": [], "options": CHECK_OPTIONS},
    "closed_ports": {"type": "list", "elements": "int", "default": []},
    "closed_host": {"type": "str"},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core has no type information
    """Send the requests from the controller; the host of the task is never connected to."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run all checks, report all failures."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, args = self.validate_argument_spec(argument_spec=OPTIONS)
        if self._task.check_mode:
            # What a dry run has not started cannot answer: neither a pass nor a failure would mean anything.
            return {**result, "changed": False, "skipped": True, "msg": "a dry run cannot prove that the site answers"}
        try:
            site = _http_probe.Site(
                url=args["url"],
                headers={str(key): str(value) for key, value in args["headers"].items()},
                timeout=args["request_timeout"],
                verify_tls=args["verify_tls"],
                ca_file=args["ca_file"],
            )
        except (_http_probe.ProbeError, ValueError) as error:
            raise AnsibleActionFail(str(error)) from None
        checks = [_http_probe.parse_check(options, args["timeout"]) for options in args["checks"]]
        results, captured = _http_probe.run_all(site, checks)
        patience = _port_probe.patience([item["seconds"] for item in results if item["ok"]])
        closed = _http_probe.closed_results(args["closed_host"] or site.host, args["closed_ports"], patience)
        result.update(changed=False, results=results, closed=closed, captured=captured)
        if all(item["ok"] for item in [*results, *closed]):
            result["msg"] = f"{len(results)} checks passed, {len(closed)} ports closed"
        else:
            result.update(failed=True, msg=_http_probe.failure_line(results, closed))
        return result
