#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apply the migrations of an app from one of its images."""

from __future__ import annotations

DOCUMENTATION = r"""
module: django_migrate
short_description: Applies Django's migrations from a given image
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Starts a one-shot container of the app, asks Django which migrations the database misses, and applies them with the
    app's own C(migrate) command, so that its signals run.
  - Each operation of the plan is classified from Django's own objects by what it means for code of an earlier release.
    V(additive) lets that code go on reading and writing; V(destructive) takes away or forbids something that it relies
    on; V(data) is code or SQL whose content nobody can judge.
  - Each operation and each migration is reported as it is done. Where one fails, what was done before it is known.
  - What is about to be applied is written into the record of O(release_id) before, and how far it came afterwards.
  - A container of an earlier run that still applies migrations is waited for, O(timeout) seconds at most.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.oneshot
attributes:
  check_mode:
    description:
      - Returns the plan and applies nothing; a plan that a real run would refuse is refused.
      - Where the host cannot be asked yet, says so and reports a change.
    support: full
  diff_mode:
    description: Shows the migrations of the plan with their operations, and the kind of each.
    support: full
  idempotent:
    description: Reports a change only where a migration was applied.
    support: full
options:
  serving:
    description: Whether code of an earlier release serves now, and goes on while the migrations run.
    type: bool
    default: false
  allow_destructive:
    description: Whether operations that break the code of O(serving) may be applied.
    type: bool
    default: false
  lock_wait_timeout:
    description:
      - Seconds that a change of the schema waits for a lock on MySQL, where every later query on the table waits behind it.
      - Other databases are left as they are.
    type: int
    default: 15
  release_id:
    description: Id of the release whose record says what was done to the schema; empty writes none.
    type: str
    default: ""
  plan:
    description:
      - The RV(barehost.django.django_prepare#module:plan) that was made before, for the record of O(release_id).
      - Where a record is written and this is empty, a plan is asked for first.
    type: list
    elements: dict
    default: []
  unknown_because:
    description: Why M(barehost.django.django_prepare) could not make a plan, RV(barehost.django.django_prepare#module:unknown_because).
    type: str
    default: ""
  dump:
    description: Path of the dump that was made before, for the message of a failure.
    type: str
    default: ""
  database:
    description: Alias of the database in Django's C(DATABASES).
    type: str
    default: default
  timeout:
    description: Seconds after which the container is stopped. Size it for the longest migration.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Migrate from the image of the new release
  barehost.django.django_migrate:
    project_dir: /opt/shop
    compose_files:
      - /opt/shop/compose.yaml
      - /opt/shop/releases/0a1b2c3d4e5f.yaml
"""

RETURN = r"""
plan:
  description: The migrations that the database missed, in their order.
  type: list
  elements: dict
  returned: where Django could be asked
  sample:
    - migration: shop.0002_price
      operations:
        - text: Add field price to item
          kind: additive
          reason: ""
          reversible: true
kinds:
  description: Number of operations of each kind in the plan, and of those that Django cannot undo.
  type: dict
  returned: where Django could be asked
  sample: {additive: 1, destructive: 0, data: 0, irreversible: 0}
applied:
  description: Names of the migrations that were applied.
  type: list
  elements: str
  returned: always
failed_migration:
  description: Name of the migration that failed, or in whose middle the run was stopped; null where there is none.
  type: str
  returned: always
failed_operation:
  description: The operation at which it failed; null where none did, or where it failed between operations.
  type: str
  returned: always
done_operations:
  description: Operations of the failed migration that were done before the failure.
  type: list
  elements: str
  returned: always
heads:
  description: For each app in the image, its last migration.
  type: dict
  returned: where Django could be asked
  sample: {shop: 0002_price}
unknown:
  description: Migrations that the database has applied and the image does not have. The schema is ahead of the image.
  type: list
  elements: str
  returned: where Django could be asked
plan_known:
  description: Whether Django could be asked; false only in check mode on a host that is not far enough.
  type: bool
  returned: always
error:
  description: Name of the class of the error.
  type: str
  returned: on a failure that Django reported
detail:
  description: Traceback and last output.
  type: str
  returned: on failure
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import (
    _data_lock,
    _files,
    _lock,
    _migrate,
    _migrations,
    _oneshot,
    _release,
    _schema,
    _serving,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

WORTH_A_WORD_SECONDS = 5
ARGUMENTS: dict[str, Any] = {
    **_oneshot.ARGUMENTS,
    **_lock.ARGUMENTS,
    **_migrate.ARGUMENTS,
    "release_id": {"type": "str", "default": ""},
    "lock_wait_timeout": {"type": "int", "default": 15},
    "plan": {"type": "list", "elements": "dict", "default": []},
    "dump": {"type": "str", "default": ""},
    "unknown_because": {"type": "str", "default": ""},
}


def exit_unknown(module: AnsibleModule, reason: str) -> None:
    """End a check on a host that cannot be asked yet."""
    module.exit_json(
        changed=True,
        msg=f"the plan cannot be known yet: {reason}",
        applied=[],
        failed_migration=None,
        failed_operation=None,
        done_operations=[],
        plan_known=False,
        diff={"before": "", "after": f"every migration that is missing; which these are is unknown ({reason})\n"},
    )


def outcome(result: dict[str, Any], *, apply: bool) -> dict[str, Any]:
    """Return what a run that went well says of itself."""
    number = len(result["applied"] if apply else result["plan"])
    if not number:
        return {"changed": False, "msg": "the schema is up to date"}
    diff = {
        "before_header": "schema",
        "after_header": "schema, migrated",
        "before": "",
        "after": _migrations.plan_text(result["plan"]),
    }
    verb = "applied" if apply else "would be applied"
    return {"changed": True, "msg": f"{_migrations.count(number)} {verb}", "diff": diff}


class Record:
    """What the release's record says of its migrations: a way back has to know it, however this run ends."""

    def __init__(self, module: AnsibleModule, project: _oneshot.Project) -> None:
        """Write down what is about to be applied, before it is."""
        self.module = module
        self.params = module.params
        self.plan: list[dict[str, Any]] = []
        self.wanted = bool(self.params["release_id"]) and not module.check_mode
        if not self.wanted:
            return
        self.path = _release.record_path(self.params["project_dir"], self.params["release_id"])
        self.known = _release.read_record(self.path) or {}
        self.plan = self.params["plan"] or self.ask(project)
        if self.plan:
            self.write(dict.fromkeys(_schema.kinds_in(self.plan), _schema.BEGUN))

    def ask(self, project: _oneshot.Project) -> list[dict[str, Any]]:
        """Return the plan, where nobody has said it; what is wrong with it, the run itself says in full."""
        return list(_migrate.result_of(_migrate.ask(self.module, project, apply=False)).get("plan", []))

    def write(self, states: Mapping[str, str]) -> None:
        """Write how far these migrations have come, on top of what the record said before this run."""
        entries, dump = self.known.get("migrations", []), self.params["dump"]
        details = {"migrations": _schema.note(entries, self.plan, states, at=_release.now(), dump=dump)}
        _release.update_record(self.path, self.params["release_id"], str(self.known.get("image", "")), details)
        # The database keeps its changes over a loss of power, and so must this.
        _files.sync(self.path.parent)

    def finish(self, answer: _oneshot.Answer) -> None:
        """Write down how far it came."""
        if not self.wanted:
            return
        real = (answer.first("plan") or {}).get("plan", [])
        self.plan = [*real, *(step for step in self.plan if step["migration"] not in _schema.kinds_in(real))]
        if not self.plan:
            return
        try:
            self.write(_migrate.states(answer, _schema.kinds_in(self.plan)))
        except OSError as error:
            self.module.warn(f"{self.path} still says that migrations are under way, it cannot be written: {error}")


def main() -> None:
    """Apply, and report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    _lock.step_until_exit(module, module.params["project_dir"], "migrations")
    project = _oneshot.Project.from_params(module.params)
    if module.check_mode:
        check(module)
    _oneshot.need_docker(module)
    _oneshot.wait_for_others(module, project, [_migrate.APPLYING], module.params["timeout"])
    leave(module, apply(module, project), apply=True)


def apply(module: AnsibleModule, project: _oneshot.Project) -> _oneshot.Answer:
    """Apply what is missing; not while a backup is made, which a change of the schema would break."""
    root, who = Path(module.params["project_dir"]), f"migrations of release {module.params['release_id'] or '?'}"
    try:
        with _data_lock.held(root, who, module.params["timeout"]) as waited:
            if waited >= WORTH_A_WORD_SECONDS:
                module.warn(f"the migrations waited {waited:.0f} seconds for what else was at work on the data")
            record = Record(module, project)
            answer = _migrate.ask(module, project, apply=True, lock_wait=module.params["lock_wait_timeout"])
            record.finish(answer)
    except _data_lock.BusyError as error:
        module.fail_json(msg=f"nothing was applied: {error}")
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"nothing was applied, as the record of the release cannot be written: {error}")
    return answer


def leave(module: AnsibleModule, answer: _oneshot.Answer, *, apply: bool) -> None:
    """End as the answer says."""
    result = _migrate.result_of(answer)
    if answer.first("done") is None:
        message = _migrate.failure(answer, result, module.params, apply=apply)
        module.fail_json(msg=message, detail=_oneshot.detail(answer), **result)
    module.exit_json(**result, **outcome(result, apply=apply))


def refuse_half_done(module: AnsibleModule) -> None:
    """Refuse in a dry run what the real one would be refused for."""
    try:
        _data_lock.foresee(Path(module.params["project_dir"]))
    except _data_lock.BusyError as error:
        module.fail_json(msg=f"nothing was applied: {error}")


def check(module: AnsibleModule) -> None:
    """End a dry run: with the plan that the caller has, or with what the release that serves says."""
    plan = module.params["plan"]
    if plan:
        refuse_half_done(module)
        result = {
            **_migrate.result_of(_oneshot.Answer(0)),
            "plan": plan,
            "kinds": _migrations.kinds(plan),
            "plan_known": True,
        }
        if module.params["serving"] and not module.params["allow_destructive"] and result["kinds"]["destructive"]:
            module.fail_json(msg=_migrations.refusal(plan), **result)
        module.exit_json(**result, **outcome(result, apply=False))
    try:
        answer = _migrate.ask_serving(_serving.Question(module, module.params["release_id"]), module.params)
    except _serving.UnknownYetError as error:
        # Who has asked before with the source at hand knows better.
        exit_unknown(module, module.params["unknown_because"] or str(error))
        return
    if _migrate.unreachable_yet(answer):
        exit_unknown(module, _migrate.NO_DATABASE)
    if _migrate.result_of(answer).get("plan"):
        refuse_half_done(module)
    leave(module, answer, apply=False)


if __name__ == "__main__":
    main()
