#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take, give back and break the lock of a stack."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_lock
short_description: Takes, gives back and breaks the lock of a stack
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - The lock is a file below O(project_dir) that says which run may change the stack. Every module that is given its token
    notes its step there; that is the run's sign of life.
  - Giving it back adds one line to O(audit_log), and so does being refused. A run that never gave its lock back gets its
    line from whoever takes the lock over or breaks it.
attributes:
  check_mode:
    description: Refuses as a real run would, writes nothing, and returns an empty token.
    support: full
  diff_mode:
    description: There is nothing to show beyond the result.
    support: none
  idempotent:
    description:
      - Taking the lock and giving it back are about the run and no change of the host, so that a second deploy changes nothing;
        taking it over and breaking it are one. The audit log gets its line in any case.
    support: partial
options:
  project_dir:
    description: Directory of the stack on the host; made with mode 0750 where it is missing and the lock is taken.
    type: path
    required: true
  state:
    description:
      - V(held) takes the lock, or refuses and says who has it. A lock is taken over when it has expired, or when its
        ansible-playbook ran on this same controller and has ended; never from a module that is at work on the host.
      - V(free) gives back the lock that O(token) stands for. One that this run has lost is reported and left alone. Before
        that, unless O(result.result=ok), C(compose.yaml) and C(.env) become those of the release that serves again. With
        V(failed) the directory of a stack in which nothing was done yet is removed, and nothing is logged.
      - V(broken) removes the lock, whoever has it.
    type: str
    choices: [held, free, broken]
    default: held
  wait_seconds:
    description: Seconds to wait for a lock that another run has.
    type: int
    default: 0
  expiry_seconds:
    description: Seconds after the last sign of life when the lock that is taken counts as abandoned.
    type: int
    default: 1800
  look:
    description:
      - What V(held) looks at once it has the lock, as M(barehost.django.stack_info) does; without it nothing.
    type: dict
    suboptions:
      project: {description: As O(barehost.django.stack_info#module:project)., type: str, required: true}
      ports: {description: As O(barehost.django.stack_info#module:ports)., type: list, elements: int, default: []}
      packages: {description: As O(barehost.django.stack_info#module:packages)., type: list, elements: str, default: []}
      firewall: {description: As O(barehost.django.stack_info#module:firewall)., type: bool, default: false}
      volumes: {description: As O(barehost.django.stack_info#module:volumes)., type: bool, default: false}
      missing: {description: As O(barehost.django.stack_info#module:missing)., type: bool, default: true}
  secrets:
    description:
      - Directory of secrets that V(held) reads once it has the lock, as M(barehost.django.stack_secrets) keeps them; without it
        nothing is read.
    type: path
  token:
    description: What V(held) returned; with an empty one V(free) does nothing.
    type: str
    default: ""
  force:
    description: Whether V(broken) removes the lock even while a module is at work on the host.
    type: bool
    default: false
  audit_log:
    description: File that gets one line of JSON for each deploy; C(/var/log/barehost/<directory of the stack>.jsonl) where empty.
    type: str
    default: ""
  result:
    description: What became of the deploy, for its line in the audit log; asked for with O(state=free).
    type: dict
    suboptions:
      result:
        description: V(returned) is a deploy that failed after the switch and went back to the release before.
        type: str
        choices: [ok, failed, returned]
        required: true
      from:
        description: Release that served before.
        type: str
        default: ""
      to:
        description: Release that was deployed.
        type: str
        default: ""
      message:
        description: One sentence on it; never a secret, the log is read by many.
        type: str
        default: ""
  caller:
    description: Who runs this, from where and how. Set by the action plugin; not for playbooks.
    type: dict
    default: {}
  refused:
    description: With what message and after how many seconds the run was refused, for its line in the audit log. Set by the
      action plugin; not for playbooks.
    type: dict
    suboptions:
      message: {description: Why it was refused., type: str, required: true}
      seconds: {description: How long it has waited., type: float, default: 0}
  dead:
    description: Token of a run that is known to have ended. Set by the action plugin; not for playbooks.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Take the lock
  barehost.django.deploy_lock:
    project_dir: /opt/shop
    wait_seconds: 600
  register: shop_lock

- name: Give it back
  barehost.django.deploy_lock:
    project_dir: /opt/shop
    state: free
    token: "{{ shop_lock.token }}"
    result: {result: ok, from: 1f0c2a, to: 9be31d}
"""

RETURN = r"""
token:
  description: What stands for the lock; for the option C(lock) of the modules of this run, and to give it back.
  type: str
  returned: when O(state=held)
taken_over:
  description: From whom and why the lock was taken over; empty where nobody had it.
  type: str
  returned: when O(state=held)
waited_seconds:
  description: How long it took until the lock was there.
  type: float
  returned: when O(state=held)
holder:
  description: Who has the lock, or had it until now, with its command, start, last sign of life and step; empty for nobody.
  type: dict
  returned: always
serving:
  description: Id of the release that serves, as seen under the lock, or when it was refused; empty where none does.
  type: str
  returned: when O(state=held)
seen:
  description: What M(barehost.django.stack_info) returns.
  type: dict
  returned: where O(look) is given
secrets:
  description:
    - Name of each secret in O(secrets) to its value; empty where one of them is not as M(barehost.django.stack_secrets) would
      leave it. The result is hidden where it holds any.
  type: dict
  returned: where O(secrets) is given
restored:
  description: The files that were put back to what the serving release reads.
  type: list
  elements: str
  returned: when O(state=free)
in_the_way:
  description: That the lock could not be had because of another run, which may end.
  type: bool
  returned: failure
finished:
  description: What was taken away that only a deploy on its way needs, as the old one of two passwords.
  type: list
  elements: str
  returned: when O(state=free)
lost:
  description: What became of the lock where this run had lost it before it gave it back.
  type: str
  returned: when O(state=free)
"""

import secrets
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import (
    _audit,
    _layout,
    _lock,
    _lock_end,
    _lock_state,
    _look,
    _release,
    _secrets,
)

RESULT_SPEC: dict[str, Any] = {
    "result": {"type": "str", "choices": ["ok", "failed", "returned"], "required": True},
    "from": {"type": "str", "default": ""},
    "to": {"type": "str", "default": ""},
    "message": {"type": "str", "default": ""},
}
REFUSED_SPEC: dict[str, Any] = {
    "message": {"type": "str", "required": True},
    "seconds": {"type": "float", "default": 0},
}
ARGUMENTS: dict[str, Any] = {
    "project_dir": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["held", "free", "broken"], "default": "held"},
    "wait_seconds": {"type": "int", "default": 0},
    "expiry_seconds": {"type": "int", "default": 1800},
    # Worth nothing to whoever may not write to the host anyway; a mask would cut it out of the answer that carries it.
    "token": {"type": "str", "default": "", "no_log": False},
    "force": {"type": "bool", "default": False},
    "audit_log": {"type": "str", "default": ""},
    "result": {"type": "dict", "options": RESULT_SPEC},
    "caller": {"type": "dict", "default": {}},
    "refused": {"type": "dict", "options": REFUSED_SPEC},
    "dead": {"type": "str", "default": ""},
    "look": {"type": "dict", "options": {name: spec for name, spec in _look.WISH.items() if name != "lock"}},
    # The name of a directory.
    "secrets": {"type": "path", "no_log": False},
}


def shown(lock: _lock_state.Lock | None) -> dict[str, Any]:
    """Return a holder as it stands in a result."""
    return asdict(lock) if lock else {}


def audit(module: AnsibleModule, lock: _lock_state.Lock, outcome: dict[str, Any]) -> None:
    """Write the line of a deploy; the lock must not stay behind because a log cannot be written."""
    path = module.params["audit_log"] or _audit.default_path(module.params["project_dir"])
    try:
        _audit.append(Path(path), _audit.line(lock, outcome, _lock_state.now()))
    except OSError as error:
        module.warn(f"the audit log {path} was not written: {error.strerror}; everything else was done")


def audit_dead(module: AnsibleModule, lock: _lock_state.Lock, end: str) -> None:
    """Write the line of a run that will not do it any more."""
    try:
        known = _release.touched(module.params["project_dir"], datetime.fromisoformat(lock.started))
    # Neither a damaged record nor a lock without a time may keep anybody from the lock.
    except (OSError, ValueError, TypeError, AttributeError):
        known = {}
    audit(module, lock, {"result": "failed", "message": f"the run ended without a result; {end}", **known})


def hold(module: AnsibleModule) -> dict[str, Any]:
    """Take the lock."""
    params = module.params
    obstacle = _layout.obstacle(params["project_dir"])
    if obstacle:
        write_refusal(module, obstacle, 0)
        module.fail_json(msg=obstacle)
    lock = _lock_state.new(secrets.token_hex(16), params["caller"], params["expiry_seconds"])
    wish = _lock_state.Wish(lock, params["wait_seconds"], params["dead"])
    taken = _lock.acquire(params["project_dir"], wish, dry=module.check_mode)
    if taken.previous and not module.check_mode:
        audit_dead(module, taken.previous, f"{lock.owner} took its lock over")
    return {
        "changed": bool(taken.taken_over),
        "token": "" if module.check_mode else lock.token,
        "taken_over": taken.taken_over,
        "waited_seconds": taken.waited_seconds,
        "holder": shown(taken.previous),
        "serving": serving(module),
        **({"seen": look(module, lock.token)} if params["look"] else {}),
        **({"secrets": _secrets.kept(Path(params["secrets"]))} if params["secrets"] else {}),
    }


def look(module: AnsibleModule, token: str) -> dict[str, Any]:
    """Look at the host under the lock, so that what is seen stays so; give the lock back where that fails, as nobody else will."""
    root = module.params["project_dir"]
    try:
        return _look.look(module, root, module.params["look"])
    except SystemExit:
        # A command that cannot even be started ends the module where it is asked.
        give_back(module, token)
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        give_back(module, token)
        module.fail_json(msg=f"the host cannot be looked at, and nothing was done: {type(error).__name__}: {error}")
        raise


def give_back(module: AnsibleModule, token: str) -> None:
    """Give the lock back that this call has just taken; a dry run has taken none."""
    if not module.check_mode:
        _lock.release(module.params["project_dir"], token, failed=True)


def serving(module: AnsibleModule) -> str:
    """Return the release that serves."""
    return _lock_end.serving_id(module.params["project_dir"])


def note_refusal(module: AnsibleModule) -> dict[str, Any]:
    """Write the line of a run that has waited for the lock and never had it."""
    write_refusal(module, module.params["refused"]["message"], module.params["refused"]["seconds"])
    return {"changed": False, "holder": {}}


def write_refusal(module: AnsibleModule, message: str, seconds: float) -> None:
    """Write the line of a run that was refused after so long; a dry run has none."""
    if module.check_mode:
        return
    began = _lock_state.now() - timedelta(seconds=seconds)
    lock = _lock_state.begin(_lock_state.new("", module.params["caller"], 0), began)
    audit(module, lock, {"result": "failed", "from": serving(module), "message": message})


def free(module: AnsibleModule) -> dict[str, Any]:
    """Give the lock back and write the line of the deploy."""
    params = module.params
    token = params["token"]
    if not token:
        return {"changed": False, "holder": {}, "lost": "", "restored": [], "finished": []}
    restored = _lock_end.settings(module)
    finished = _lock_end.finish(module)
    lost = ""
    try:
        failed = params["result"]["result"] == "failed"
        lock = _lock.release(params["project_dir"], token, dry=module.check_mode, failed=failed)
    except _lock_state.LockError as error:
        lost = str(error)
        module.warn(lost)
        # The line is owed all the same; when it began and its steps went with the lock.
        lock = _lock_state.begin(_lock_state.new(token, params["caller"], 0), _lock_state.now())
    # A bare host that was refused stays as it was.
    if not module.check_mode and (lost or Path(params["project_dir"]).is_dir()):
        message = " ".join(part for part in (params["result"]["message"], lost) if part)
        audit(module, lock, {**params["result"], "message": message})
    return {
        # What was finished is a part of what the call that brought the accounts up has reported.
        "changed": bool(restored),
        "holder": {} if lost else shown(lock),
        "lost": lost,
        "restored": restored,
        "finished": finished,
    }


def break_open(module: AnsibleModule) -> dict[str, Any]:
    """Remove the lock, whoever has it."""
    params = module.params
    obstacle = _layout.obstacle(params["project_dir"], only_lock=True)
    if obstacle:
        module.fail_json(msg=obstacle)
    lock = _lock.break_open(params["project_dir"], force=params["force"], dry=module.check_mode)
    if lock is None:
        return {"changed": False, "holder": {}, "msg": f"nobody holds the lock of {params['project_dir']}"}
    breaker = _lock_state.new("", params["caller"], 0).owner
    if not module.check_mode:
        audit_dead(module, lock, f"{breaker} broke its lock")
    return {
        "changed": True,
        "holder": shown(lock),
        "msg": f"the lock {'would be' if module.check_mode else 'was'} broken: {_lock_state.description(lock, _lock_state.now())}",
    }


def main() -> None:
    """Do what the state says."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS, supports_check_mode=True, required_if=[("state", "free", ["result"])]
    )
    actions = {"held": note_refusal if module.params["refused"] else hold, "free": free, "broken": break_open}
    try:
        module.exit_json(**actions[module.params["state"]](module))
    except _lock_state.LockError as error:
        holder = error.holder if isinstance(error, _lock_state.HeldError) else None
        module.fail_json(msg=str(error), in_the_way=True, holder=shown(holder), serving=serving(module))
    except OSError as error:
        module.fail_json(msg=f"the lock below {module.params['project_dir']}: {error.strerror} ({error.filename})")


if __name__ == "__main__":
    main()
