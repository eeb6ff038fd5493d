#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Converge the accounts of the stack's MySQL."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_accounts
short_description: Converges the schema, the accounts and the grants of the stack's MySQL
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Asks the server in the running container, over its socket and as root, and runs the statements that make it what is wanted.
    A deploy does the same in the call that brings the services up; this module is for a playbook of your own.
  - Each account in O(accounts) gets its password and just its privileges. One that is missing is made, a privilege too many is
    revoked. Accounts without a name and root from elsewhere than localhost are removed, all others left alone.
  - An account that a trigger, an event, a routine or a view runs as keeps what MySQL demands of it for that (C(TRIGGER), C(EVENT),
    C(EXECUTE), C(SELECT)), and is locked and not removed, with a warning that names them.
  - Passwords are read from the files of the stack's secrets on the host, and travel to the server on a standard input.
  - A password that was replaced is taken beside the new one until a run that has O(discard).
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.project
  - barehost.django.project.name
attributes:
  check_mode:
    description: Says what would be done; of a server that does not answer, by what the last run has left.
    support: full
  diff_mode:
    description: Names accounts and privileges, and shows no password.
    support: full
  idempotent:
    description: A server that is as it should be is only asked.
    support: full
options:
  service:
    description: Service that the server runs in.
    type: str
    default: mysql
  database:
    description: The schema.
    type: str
    required: true
  charset:
    description: Its character set.
    type: str
    default: utf8mb4
  collation:
    description: Its collation.
    type: str
    default: utf8mb4_unicode_ci
  accounts:
    description: The accounts, that of root among them.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the account, at most 32 characters.
        type: str
        required: true
      host:
        description: From where it may log in.
        type: str
        default: "%"
      secret:
        description: Name of the file below C(secrets) in the stack's directory that holds its password.
        type: str
        required: true
      kind:
        description: What it is for; V(root) is the one that this module logs in with.
        type: str
        choices: [runtime, migration, backup, root, extra]
        default: extra
      privileges:
        description: Its privileges on the schema, as C(SHOW PRIVILEGES) names them in capitals, or V(ALL).
        type: list
        elements: str
        default: []
      global_privileges:
        description: Its privileges everywhere.
        type: list
        elements: str
        default: []
  discard:
    description: Whether the old ones of two passwords are taken away at once; nothing may use them by then.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Have an account that only reads
  barehost.django.mysql_accounts:
    project_dir: /opt/shop
    project: shop
    database: shop
    accounts:
      - {name: root, host: localhost, kind: root, secret: mysql_root_password}
      - {name: shop_report, secret: report_password, privileges: [SELECT]}
"""

RETURN = r"""
accounts:
  description: What was done, or would be, to the schema and to each account.
  type: list
  elements: str
  returned: success
  sample: ["account 'shop'@'%': new password"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import (
    _accounts_run,
    _compose,
    _credentials,
    _lock,
    _up,
)

ARGUMENTS: dict[str, Any] = {
    **_lock.ARGUMENTS,
    **{name: spec for name, spec in _accounts_run.MYSQL.items() if name != "whole"},
    "project_dir": {"type": "path", "required": True},
    "project": {"type": "str", "required": True},
    "service": {"type": "str", "default": "mysql"},
    "discard": {"type": "bool", "default": False},
}


def containers(module: AnsibleModule) -> list[_compose.Container]:
    """Return the containers of the stack; none in a dry run where there is no engine yet."""
    if module.get_bin_path("docker") is None:
        return []
    project_dir = module.params["project_dir"]
    return _up.Engine(module.run_command, project_dir, [], module.params["project"]).containers()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    _lock.step_until_exit(module, params["project_dir"], "accounts")
    named = {key: params[key] for key in ("service", "database", "charset", "collation", "accounts")}
    wish = {"kind": "mysql", **named, "whole": False}
    try:
        there = containers(module)
        accounts = _accounts_run.Accounts(module, params["project_dir"], params["project"], {"servers": [wish]})
        accounts.converge(there, healthy=True)
        if params["discard"] and not module.check_mode:
            accounts.finish(there)
    except (_credentials.AccountsError, _up.UpError, OSError) as error:
        module.fail_json(msg=str(error))
    if not accounts.done:
        module.fail_json(
            msg=f"there is no running container of the service {params['service']}: deploy the stack first"
        )
    texts = accounts.texts
    after = "".join(f"{text}\n" for text in texts)
    module.exit_json(changed=bool(texts), accounts=texts, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
