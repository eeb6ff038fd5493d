#!/usr/bin/python
# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collect the static files of a release, and plan its migrations."""

from __future__ import annotations

DOCUMENTATION = r"""
module: django_prepare
short_description: Collects the static files of a release and plans its migrations
version_added: 0.1.0
author: The barehost authors (@barehost)
description:
  - Runs Django's C(collectstatic) in a one-shot container of the app, into a fresh directory on the host that is
    mounted at O(static_root), whatever the app's settings say. The directory becomes C(static/<release_id>) below
    O(project_dir) by a rename, once it is whole and on the disk; one that is there is whole and left alone.
  - At the same time another one-shot container says which migrations the database misses, and what each of their
    operations means for code of an earlier release, as M(barehost.django.django_migrate) describes it. Nothing is applied.
  - Both come to their end before a failure of either ends the module, the migrations' first.
  - Where the database has migrations that the image does not have, that is a warning. It is refused where one of them took
    something away, by the records of the releases, and the release is not the one that serves.
  - What Django has said is kept in the record of O(release_id), for a way back.
  - A container of an earlier run that still applies migrations or collects is waited for, O(timeout) seconds at most.
extends_documentation_fragment:
  - barehost.django.lock
  - barehost.django.oneshot
attributes:
  check_mode:
    description:
      - Starts no container, and asks the one that serves. Where O(release_id) is another release, it is asked through its
        O(source), which is in the memory of that container for as long, with the packages of the release that serves.
      - Says so where nothing can be asked yet, as on a bare host, or for a release that is built from git or pulled. Of the
        release that serves, while none of its containers runs, its record is believed.
    support: full
  diff_mode:
    description: >-
      Shows the files that the release adds, removes and changes in comparison with the current one; in check mode by the names
      that they have in the source.
    support: full
  idempotent:
    description: A release whose files are there is not collected again.
    support: full
options:
  release_id:
    description: Id of the release.
    type: str
    required: true
  source:
    description: Folder on the controller with the release's source, for a dry run; without it only the serving release can be asked.
    type: path
  dockerfile:
    description: Path of the Dockerfile below O(source).
    type: str
    default: Dockerfile
  context:
    description: Archive of O(source) on the host. Set by the action plugin; not for playbooks.
    type: path
  definition:
    description:
      - What O(service) should be made from. A container of O(release_id) that runs and was made from just that is asked for the
        plan, which spares one of its own.
    type: str
    default: ""
  collect:
    description: Whether the app has static files.
    type: bool
    default: true
  static_root:
    description: Where the directory is mounted in the container.
    type: str
    default: /app/staticfiles
  collect_timeout:
    description: Seconds after which the container that collects is stopped.
    type: int
    default: 300
  serving:
    description: Whether code of an earlier release serves now, and goes on while the migrations run.
    type: bool
    default: false
  allow_destructive:
    description: Whether operations that break the code of O(serving) may be planned.
    type: bool
    default: false
  allow_schema_mismatch:
    description: Whether to go on although the database has destructive migrations that the image does not have.
    type: bool
    default: false
  database:
    description: Alias of the database in Django's C(DATABASES).
    type: str
    default: default
  timeout:
    description: Seconds after which the container that plans is stopped.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Collect the static files of the new release, and plan its migrations
  barehost.django.django_prepare:
    project_dir: /opt/shop
    compose_files:
      - /opt/shop/compose.yaml
      - /opt/shop/releases/0a1b2c3d4e5f.yaml
    release_id: 0a1b2c3d4e5f
"""

RETURN = r"""
static:
  description: What became of the static files.
  type: dict
  returned: where O(collect) is true
  contains:
    changed:
      description: Whether they were collected now.
      type: bool
      returned: success
    directory:
      description: Directory of the files.
      type: str
      returned: success
    files:
      description: How many files it holds.
      type: int
      returned: success
    bytes:
      description: How large they are together.
      type: int
      returned: success
    added:
      description: How many files the current release does not have.
      type: int
      returned: when collected
    removed:
      description: How many files only the current release has.
      type: int
      returned: when collected
    differing:
      description: How many files differ from those of the current release.
      type: int
      returned: when collected
plan:
  description: The migrations that the database misses, in their order.
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

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.barehost.django.plugins.module_utils import (
    _collect,
    _lock,
    _migrate,
    _migrations,
    _oneshot,
    _release,
    _rollback,
    _schema,
    _serving,
)

if TYPE_CHECKING:
    from pathlib import Path

ARGUMENTS: dict[str, Any] = {
    **_oneshot.ARGUMENTS,
    **_lock.ARGUMENTS,
    **_migrate.ARGUMENTS,
    **_serving.ARGUMENTS,
    "definition": {"type": "str", "default": ""},
    "release_id": {"type": "str", "required": True},
    "collect": {"type": "bool", "default": True},
    "static_root": {"type": "str", "default": "/app/staticfiles"},
    "collect_timeout": {"type": "int", "default": 300},
    "allow_schema_mismatch": {"type": "bool", "default": False},
}


def static_files(
    module: AnsibleModule, request: _collect.Request, question: _serving.Question | None
) -> dict[str, Any]:
    """Collect where that is wanted and was not done yet."""
    if not module.params["collect"]:
        return {}
    if request.dest.is_dir():
        return {"static": _collect.there(request)}
    return {"static": _collect.predicted(request, question) if module.check_mode else _collect.collect(module, request)}


def plan(module: AnsibleModule, question: _serving.Question | None) -> dict[str, Any]:
    """Ask for the plan."""
    asked = _release.now()
    if question:
        try:
            answer = _migrate.ask_serving(question, module.params)
        except _serving.UnknownYetError as error:
            return {"plan_known": False, "unknown_because": str(error)}
    if not question or (not answer.events and not module.check_mode):
        # Also where the container that serves has gone in between.
        answer = _migrate.ask(module, _oneshot.Project.from_params(module.params), apply=False)
    found = _migrate.result_of(answer)
    result: dict[str, Any] = {
        key: found[key] for key in ("plan", "kinds", "heads", "unknown", "plan_known") if key in found
    }
    if answer.first("done") is None:
        if module.check_mode and _migrate.unreachable_yet(answer):
            return {"plan_known": False, "unknown_because": _migrate.NO_DATABASE}
        message = _migrate.failure(answer, found, module.params, apply=False)
        raise _oneshot.ProgramError(message, answer, **result)
    return {**result, "answer": _schema.said(answer.first("plan") or {}, asked=asked)}


def judge_unknown(module: AnsibleModule, unknown: list[str]) -> None:
    """Say what the database has and the image does not; refuse it where that took something away."""
    if not unknown:
        return
    project_dir, release_id = module.params["project_dir"], module.params["release_id"]
    current = _release.current_record(project_dir) or {}
    found = _rollback.beside(_release.records(project_dir), unknown)
    ahead = f"release {release_id} does not have migrations that the database has"
    # The one that serves does so already: to refuse it would only keep its settings from being put right.
    if found.harmful and not module.params["allow_schema_mismatch"] and current.get("id") != release_id:
        database = str((current.get("database") or {}).get("name", ""))
        module.fail_json(
            msg=f"{ahead}, and these took something away: {_rollback.some(found.harmful)}. Deploy a version that has them, or "
            "go on all the same with release_allow_schema_mismatch: true; "
            f"{_rollback.restore_hint(found, project_dir, database)}",
            unknown=unknown,
        )
    module.warn(f"{ahead}: {_rollback.some(found.migrations)}. Its code has to live with them")


def keep(module: AnsibleModule, path: Path, answer: dict[str, Any], planned: list[str]) -> None:
    """Keep what Django has said in the record of the release."""
    project_dir, release_id = module.params["project_dir"], module.params["release_id"]
    record = _release.read_record(path) or {}
    serves = (_release.current_record(project_dir) or {}).get("id") == release_id
    details: dict[str, Any] = {"migrations": _schema.settle(record.get("migrations", []), planned, answer["known"])}
    # A run for the release that serves is no new beginning: what others did since it was deployed is still since then.
    if not serves or "schema" not in record:
        details["schema"] = _schema.remember(record, answer)
    try:
        _release.update_record(path, release_id, str(record.get("image", "")), details)
    except OSError as error:
        module.fail_json(msg=f"the record of the release cannot be written: {error}")


def said(result: dict[str, Any]) -> str:
    """Say in one line what there is now."""
    parts = []
    if "static" in result:
        static = result["static"]
        collected = "would be collected" if static["changed"] and not static["files"] else "are there"
        parts.append(f"{static['files'] or 'the'} static files {collected}")
    if "unknown_because" in result:
        parts.append(f"the plan cannot be known yet: {result['unknown_because']}")
    elif result["plan"]:
        parts.append(f"{_migrations.count(len(result['plan']))} to apply")
    else:
        parts.append("the schema is up to date")
    return "; ".join(parts)


def wait(module: AnsibleModule) -> None:
    """Let nothing begin beside what a run that was killed has left behind; a plan from the middle of it would be wrong."""
    if module.check_mode and module.get_bin_path("docker") is None:
        return
    _oneshot.need_docker(module)
    project = _oneshot.Project.from_params(module.params)
    _oneshot.wait_for_others(module, project, [_migrate.APPLYING, _collect.COLLECTING], module.params["timeout"])


def question_of(module: AnsibleModule) -> tuple[_serving.Question | None, dict[str, Any]]:
    """Return what is asked in the container that serves; where a dry run can ask nothing, what is to be said of the plan."""
    if not module.check_mode:
        return _serving.as_it_runs(module, module.params["release_id"], module.params["definition"]), {}
    try:
        return _serving.Question(module, module.params["release_id"]), {}
    except _serving.UnknownYetError as error:
        return None, by_record(module) or {"plan_known": False, "unknown_because": str(error)}


def by_record(module: AnsibleModule) -> dict[str, Any]:
    """Return what is to be said of the plan where the release that serves cannot be asked: it was deployed, so it misses nothing."""
    record = _release.current_record(module.params["project_dir"]) or {}
    if record.get("id") != module.params["release_id"]:
        return {}
    return {
        "plan": [],
        "kinds": _migrations.kinds([]),
        "heads": record.get("heads", {}),
        "unknown": [],
        "plan_known": True,
    }


def main() -> None:
    """Do both at the same time."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    _lock.step_until_exit(module, module.params["project_dir"], "static files, plan of migrations")
    try:
        request = _collect.Request.from_params(module.params)
    except ValueError as error:
        module.fail_json(msg=str(error))
    problem = request.problem()
    if problem:
        module.fail_json(msg=problem)
    path = _release.record_path(module.params["project_dir"], request.release_id)
    wait(module)
    question, result = question_of(module)
    with ThreadPoolExecutor() as pool:
        tries = [] if result else [pool.submit(plan, module, question)]
        tries.append(pool.submit(static_files, module, request, question))
    try:
        for done in tries:
            result.update(done.result())
    except _oneshot.ProgramError as error:
        module.fail_json(msg=str(error), **error.result)
    except OSError as error:
        module.fail_json(msg=f"collecting static files into {request.dest.parent}: {error}")
    judge_unknown(module, result.get("unknown", []))
    answer = result.pop("answer", None)
    if answer is not None and not module.check_mode:
        keep(module, path, answer, [step["migration"] for step in result["plan"]])
    message = said(result)
    result.pop("unknown_because", None)
    static = result.get("static", {})
    if static.get("changed") and not static["files"] and not module.check_mode:
        module.warn("collectstatic put no file into its directory: does the app's storage send them elsewhere?")
    diff = static.pop("diff", None)
    module.exit_json(changed=static.get("changed", False), msg=message, **({"diff": diff} if diff else {}), **result)


if __name__ == "__main__":
    main()
