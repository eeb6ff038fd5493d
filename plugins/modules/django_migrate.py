#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apply the migrations of an app from one of its images."""

from __future__ import annotations

DOCUMENTATION = r"""
module: django_migrate
short_description: Plans and applies Django's migrations from a given image
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Starts a one-shot container of the app, asks Django which migrations the database misses, and applies them with the
    app's own C(migrate) command, so that its signals run.
  - Each migration is reported as it is done. Where one fails, what was applied before it is known.
extends_documentation_fragment:
  - barehost.django.oneshot
attributes:
  check_mode:
    description:
      - Returns the plan and applies nothing. Where the host cannot be asked yet, says so and reports a change.
    support: full
  diff_mode:
    description: Shows the migrations of the plan with their operations.
    support: full
  idempotent:
    description: Reports a change only where a migration was applied.
    support: full
options:
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
  sample: [{migration: shop.0002_price, operations: [Add field price to item]}]
applied:
  description: Names of the migrations that were applied.
  type: list
  elements: str
  returned: always
failed_migration:
  description: Name of the migration that failed; null where none did.
  type: str
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
from ansible_collections.barehost.django.plugins.module_utils import _oneshot, _program_migrate

ARGUMENTS: dict[str, Any] = {
    **_oneshot.ARGUMENTS,
    "database": {"type": "str", "default": "default"},
    "timeout": {"type": "int", "default": 600},
}
HALF_WAY = "MySQL does not undo the part of a migration that was done: look at the schema before the next try"


def plan_text(plan: list[dict[str, Any]]) -> str:
    """Return the plan as a person reads it."""
    lines = []
    for step in plan:
        lines += [step["migration"], *(f"  - {operation}" for operation in step["operations"])]
    return "".join(f"{line}\n" for line in lines)


def count(number: int) -> str:
    """Return a number of migrations in words."""
    return "1 migration" if number == 1 else f"{number} migrations"


def result_of(answer: _oneshot.Answer) -> dict[str, Any]:
    """Return what is known after a run, whether it went well or not."""
    failed = answer.first("failed") or {}
    result: dict[str, Any] = {
        "applied": [event["migration"] for event in answer.all("applied")],
        "failed_migration": failed.get("migration"),
        "plan_known": answer.first("plan") is not None,
    }
    if failed:
        result["error"] = failed["error"]
    planned = answer.first("plan")
    if planned is not None:
        result.update({key: planned[key] for key in ("plan", "heads", "unknown")})
    return result


def failure(answer: _oneshot.Answer, result: dict[str, Any], seconds: int) -> str:
    """Say in one line what went wrong, and what state it leaves."""
    what = f"migration {result['failed_migration']}" if result["failed_migration"] else "migrating"
    message = _oneshot.explain(answer, what, seconds)
    if result["failed_migration"] or result["applied"] or (answer.timed_out and result.get("plan")):
        done = ", ".join(result["applied"]) or "none"
        message += f". Applied before that: {done}. {HALF_WAY}"
    return message


def unreachable_yet(answer: _oneshot.Answer) -> bool:
    """Whether only the database was missing, which on a host that is being built is no error of the plan."""
    return (answer.first("failed") or {}).get("stage") == "connect"


def exit_unknown(module: AnsibleModule, reason: str) -> None:
    """End a check on a host that cannot be asked yet."""
    module.exit_json(
        changed=True,
        msg=f"the plan cannot be known yet: {reason}",
        applied=[],
        failed_migration=None,
        plan_known=False,
        diff={"before": "", "after": f"every migration that is missing ({reason})\n"},
    )


def main() -> None:
    """Plan, apply, report."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    project = _oneshot.Project.from_params(module.params)
    seconds = module.params["timeout"]
    if module.check_mode:
        reason = _oneshot.why_unknown(module, project)
        if reason is not None:
            exit_unknown(module, reason)
    _oneshot.need_docker(module)
    name = _oneshot.container_name("migrate")
    answer = _oneshot.run_program(
        module,
        _oneshot.oneshot_cmd(project, name),
        _program_migrate,
        {
            "settings_module": project.settings_module,
            "database": module.params["database"],
            "apply": not module.check_mode,
        },
        seconds=seconds,
        container=name,
    )
    result = result_of(answer)
    if answer.first("done") is None:
        if module.check_mode and unreachable_yet(answer):
            exit_unknown(module, "the database does not answer yet")
        module.fail_json(msg=failure(answer, result, seconds), detail=_oneshot.detail(answer), **result)
    plan = result["plan"]
    verb = "would be applied" if module.check_mode else "applied"
    number = len(plan) if module.check_mode else len(result["applied"])
    result["changed"] = bool(number)
    result["msg"] = f"{count(number)} {verb}" if number else "the schema is up to date"
    if number:
        result["diff"] = {
            "before_header": "schema",
            "after_header": "schema, migrated",
            "before": "",
            "after": plan_text(plan),
        }
    module.exit_json(**result)


if __name__ == "__main__":
    main()
