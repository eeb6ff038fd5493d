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
  description: Name of the migration that failed; null where none did.
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import _lock, _migrate, _migrations, _oneshot, _release

ARGUMENTS: dict[str, Any] = {
    **_oneshot.ARGUMENTS,
    **_lock.ARGUMENTS,
    **_migrate.ARGUMENTS,
    "release_id": {"type": "str", "default": ""},
    "lock_wait_timeout": {"type": "int", "default": 15},
    "dump": {"type": "str", "default": ""},
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
        diff={"before": "", "after": f"every migration that is missing ({reason})\n"},
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


def record(params: dict[str, Any], result: dict[str, Any]) -> None:
    """Write into the release's record what was done to the schema, wholly or in part: a way back has to know it."""
    done = [*result["applied"], *([result["failed_migration"]] if result["failed_migration"] else [])]
    if not params["release_id"] or not done:
        return
    path = _release.record_path(params["project_dir"], params["release_id"])
    known = _release.read_record(path) or {}
    kinds = {step["migration"]: sorted({o["kind"] for o in step["operations"]}) for step in result.get("plan", [])}
    new = [{"migration": name, "kinds": kinds.get(name, [])} for name in done]
    earlier = [entry for entry in known.get("migrations", []) if entry["migration"] not in done]
    details = {"migrations": [*earlier, *new], "dump": known.get("dump") or params["dump"]}
    _release.update_record(path, params["release_id"], str(known.get("image", "")), details)


def main() -> None:
    """Apply, and report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    _lock.step_until_exit(module, module.params["project_dir"], "migrations")
    project = _oneshot.Project.from_params(module.params)
    if module.check_mode:
        reason = _oneshot.why_unknown(module, project)
        if reason is not None:
            exit_unknown(module, reason)
    _oneshot.need_docker(module)
    apply = not module.check_mode
    answer = _migrate.ask(module, project, apply=apply, lock_wait=module.params["lock_wait_timeout"])
    result = _migrate.result_of(answer)
    if apply:
        record(module.params, result)
    if answer.first("done") is None:
        if module.check_mode and _migrate.unreachable_yet(answer):
            exit_unknown(module, _migrate.NO_DATABASE)
        message = _migrate.failure(answer, result, module.params, apply=apply)
        module.fail_json(msg=message, detail=_oneshot.detail(answer), **result)
    module.exit_json(**result, **outcome(result, apply=apply))


if __name__ == "__main__":
    main()
