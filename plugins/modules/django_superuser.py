#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Create or update a superuser of an app."""

from __future__ import annotations

DOCUMENTATION = r"""
module: django_superuser
short_description: Creates or updates a Django superuser
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Ensures that a user exists, is active, staff and superuser, and has the given password and email address.
  - Works with the app's own user model; where that names users by their email address, O(email) names the user.
  - The password travels on a standard input. It stands on no command line and in no environment.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.oneshot
attributes:
  check_mode:
    description:
      - Compares and writes nothing. Where the host cannot be asked yet, says so and reports a change, or fails as the real run
        does (O(foreseen)).
    support: full
  diff_mode:
    description: Shows which fields change, never a password.
    support: full
  idempotent:
    description: The password is compared with the stored hash, so a second run with the same one changes nothing.
    support: full
options:
  username:
    description: Name of the user.
    type: str
    required: true
  email:
    description: Email address of the user; left as it is where none is given.
    type: str
    default: ""
  password:
    description: Password of the user.
    type: str
    required: true
  update_password:
    description: Whether the password of a user that is there already is set (V(always)) or left (V(on_create)).
    type: str
    choices: [always, on_create]
    default: always
  fields:
    description: Values for further fields of the app's user model, such as those that it requires.
    type: dict
    default: {}
  container:
    description: Whether the program runs in the container that serves (V(running)) or in one of its own (V(oneshot)).
    type: str
    choices: [running, oneshot]
    default: running
  foreseen:
    description: >-
      Whether the same run has brought the app up before, which a dry run can only foresee. Where it has not, an app that does not
      run is a failure of both.
    type: bool
    default: true
  timeout:
    description: Seconds after which the program is stopped.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Ensure the administrator
  barehost.django.django_superuser:
    project_dir: /opt/shop
    username: admin
    email: admin@example.org
    password: "{{ admin_password }}"
    update_password: on_create
  no_log: true
"""

RETURN = r"""
created:
  description: Whether the user was created, or would be.
  type: bool
  returned: success
changes:
  description: Names of the fields that were set on a user that was there already, or would be.
  type: list
  elements: str
  returned: success
username:
  description: What the user logs in with.
  type: str
  returned: success
error:
  description: Name of the class of the error.
  type: str
  returned: on a failure that Django reported
detail:
  description: Traceback and last output.
  type: str
  returned: on failure
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import (
    _lock,
    _oneshot,
    _program_superuser,
    _release,
    _serving,
)

ARGUMENTS: dict[str, Any] = {
    **_oneshot.ARGUMENTS,
    **_lock.ARGUMENTS,
    "username": {"type": "str", "required": True},
    "email": {"type": "str", "default": ""},
    "password": {"type": "str", "required": True, "no_log": True},
    "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
    "fields": {"type": "dict", "default": {}},
    "container": {"type": "str", "choices": ["running", "oneshot"], "default": "running"},
    "foreseen": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 60},
}
# What Django raises for a table that the migrations have not made.
NO_TABLE = ("ProgrammingError", "OperationalError")
PASSED_ON = ("username", "email", "password", "fields")


def diff_of(username: str, changes: list[str], *, created: bool) -> dict[str, str]:
    """Return what changes, with names only."""
    if created:
        return {"before": "", "after": f"superuser {username}\n"}
    before = "".join(f"{name}: as it was\n" for name in changes)
    after = "".join(f"{name}: as it should be\n" for name in changes)
    return {"before": f"superuser {username}\n{before}", "after": f"superuser {username}\n{after}"}


def message_of(username: str, changes: list[str], *, created: bool, check: bool) -> str:
    """Say in one line what was done."""
    if created:
        return f"superuser {username} {'would be' if check else 'was'} created"
    if changes:
        return f"superuser {username}: {'would set' if check else 'set'} {', '.join(changes)}"
    return f"superuser {username} is as it should be"


def not_yet(answer: _oneshot.Answer) -> str | None:
    """Say why a host that is being built cannot answer; None where the app itself is at fault."""
    failed = answer.first("failed")
    if failed is None:
        return answer.last_line
    if failed["stage"] == "connect":
        return "the database does not answer yet"
    return "the users' table is not there yet" if failed["error"] in NO_TABLE else None


def exit_unknown(module: AnsibleModule, reason: str) -> None:
    """End a check on a host that cannot be asked yet: the last run may have found this one as it should be."""
    username = module.params["username"]
    record = _release.current_record(module.params["project_dir"]) or {}
    if _release.found_before(record, module.params):
        msg = (
            f"superuser {username} cannot be looked up yet: {reason}; the last deploy has found it as it should be, and its "
            "password was not compared"
        )
        module.exit_json(changed=False, msg=msg, created=False, changes=[], username=username)
    module.exit_json(
        changed=True,
        msg=f"superuser {username} cannot be looked up yet: {reason}",
        created=True,
        changes=[],
        username=username,
        diff=diff_of(username, [], created=True),
    )


def question_of(module: AnsibleModule) -> _serving.Question | None:
    """Return what the release that serves is asked; None where Compose is to find it. End where nothing can be asked, or not yet."""
    foreseen = module.params["foreseen"]
    if not module.check_mode and (foreseen or module.params["container"] == "oneshot"):
        return None
    try:
        return _serving.Question(module, "")
    except _serving.UnknownYetError as error:
        if not foreseen:
            module.fail_json(msg=f"setting up superuser {module.params['username']}: {error}")
        exit_unknown(module, str(error))
        return None


def note_found(module: AnsibleModule) -> None:
    """Note in the record of the release that the superuser of every deploy is as it should be: a dry run may not be able to ask."""
    root = module.params["project_dir"]
    record = _release.current_record(root)
    account = _release.account_of(module.params)
    if record is None or module.check_mode or not module.params["foreseen"] or record.get("superuser") == account:
        return
    try:
        _release.update_record(
            _release.record_path(root, record["id"]), record["id"], record["image"], {"superuser": account}
        )
    except (OSError, KeyError, ValueError) as error:
        module.warn(f"the record of the release does not say that the superuser is there: {error}")


def main() -> None:
    """Converge one user."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    _lock.step_until_exit(module, module.params["project_dir"], "superuser")
    params = module.params
    project = _oneshot.Project.from_params(params)
    for name in ("username", "password"):
        if not params[name]:
            module.fail_json(msg=f"{name} is empty: give the superuser one")
    question = question_of(module)
    _oneshot.need_docker(module)
    container = _oneshot.container_name("superuser") if params["container"] == "oneshot" else None
    argv = _oneshot.exec_cmd(project) if container is None else _oneshot.oneshot_cmd(project, container)
    parameters = {
        **{name: params[name] for name in PASSED_ON},
        "settings_module": project.settings_module,
        "renew_password": params["update_password"] == "always",  # noqa: S105 - a choice, not a password
        "apply": not module.check_mode,
    }
    seconds = params["timeout"]
    if question:
        answer = question.ask(_program_superuser, seconds, **parameters)
    else:
        answer = _oneshot.run_program(
            module, argv, _program_superuser, parameters, seconds=seconds, container=container
        )
    done = answer.first("done")
    if done is None:
        if module.check_mode and params["foreseen"] and (reason := not_yet(answer)):
            exit_unknown(module, reason)
        error = (answer.first("failed") or {}).get("error")
        message = _oneshot.explain(answer, f"setting up superuser {params['username']}", seconds)
        module.fail_json(msg=message, error=error, detail=_oneshot.detail(answer))
        return
    note_found(module)
    created, changes, username = done["created"], done["changes"], done["username"]
    changed = created or bool(changes)
    module.exit_json(
        changed=changed,
        msg=message_of(username, changes, created=created, check=module.check_mode),
        created=created,
        changes=changes,
        username=username,
        **({"diff": diff_of(username, changes, created=created)} if changed else {}),
    )


if __name__ == "__main__":
    main()
