# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Collecting the static files of a release, and planning its migrations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _collect,
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

    from ansible.module_utils.basic import AnsibleModule

BY_RECORD = "the database does not answer, so that is what the records of the releases say"
STEP = "static files, plan of migrations"
SUPERUSER: dict[str, Any] = {
    "username": {"type": "str", "required": True},
    "email": {"type": "str", "default": ""},
    "fields": {"type": "dict", "default": {}},
}
OPTIONS: dict[str, Any] = {
    **{name: spec for name, spec in _oneshot.ARGUMENTS.items() if name != "project_dir"},
    **_migrate.ARGUMENTS,
    **_serving.ARGUMENTS,
    "definition": {"type": "str", "default": ""},
    "release_id": {"type": "str", "required": True},
    "collect": {"type": "bool", "default": True},
    "static_root": {"type": "str", "default": "/app/staticfiles"},
    "collect_timeout": {"type": "int", "default": 300},
    "allow_schema_mismatch": {"type": "bool", "default": False},
    "superuser": {"type": "dict", "options": SUPERUSER},
}
SECRETS: dict[str, Any] = {"superuser_password": {"type": "str", "no_log": True}}


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
    return plan_of(module, answer, asked)


def plan_of(module: AnsibleModule, answer: _oneshot.Answer, asked: str, seconds: int | None = None) -> dict[str, Any]:
    """Return what Django has said of the plan, for which it had so many seconds."""
    params = {**module.params, **({"timeout": seconds} if seconds else {})}
    found = _migrate.result_of(answer)
    result: dict[str, Any] = {
        key: found[key] for key in ("plan", "kinds", "heads", "unknown", "plan_known") if key in found
    }
    if answer.first("done") is None:
        if module.check_mode and _migrate.unreachable_yet(answer):
            recorded = _migrate.by_record(answer, params)
            if recorded:
                return {**recorded, **superuser_by_record(module, recorded["plan"]), "unasked": BY_RECORD}
            return {"plan_known": False, "unknown_because": _migrate.NO_DATABASE}
        message = _migrate.failure(answer, found, params, apply=False)
        raise _oneshot.ProgramError(message, answer, **result)
    user = answer.first("superuser")
    if user:
        result["superuser_settled"] = user["settled"]
    return {**result, "answer": _schema.said(answer.first("plan") or {}, asked=asked)}


def at_once(module: AnsibleModule, request: _collect.Request) -> dict[str, Any]:
    """Plan and collect in one container, for which Django starts once; what is refused is not collected."""
    asked = _release.now()
    found: dict[str, Any] = {}
    together = replace(request, seconds=request.seconds + module.params["timeout"])
    static = _collect.plan_and_collect(
        module,
        together,
        _migrate.wanted(module.params),
        lambda answer: found.update(plan_of(module, answer, asked, together.seconds)),
    )
    return {**found, "static": static}


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
        module.fail_json(
            msg=f"{ahead}, and these took something away: {_rollback.some(found.harmful)}. Deploy a version that has them, or "
            "go on all the same with release_allow_schema_mismatch: true; "
            f"{_rollback.restore_hint(found)}",
            unknown=unknown,
        )
    module.warn(f"{ahead}: {_rollback.some(found.migrations)}. Its code has to live with them")


def keep(
    module: AnsibleModule,
    path: Path,
    answer: dict[str, Any],
    planned: list[str],
    superuser: dict[str, str] | None = None,
) -> None:
    """Keep what Django has said in the record of the release."""
    project_dir, release_id = module.params["project_dir"], module.params["release_id"]
    record = _release.read_record(path) or {}
    serves = (_release.current_record(project_dir) or {}).get("id") == release_id
    details: dict[str, Any] = {"migrations": _schema.settle(record.get("migrations", []), planned, answer["known"])}
    if superuser != record.get("superuser"):
        details["superuser"] = superuser
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
    if "unasked" in result:
        parts.append(result["unasked"])
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


def superuser_by_record(module: AnsibleModule, plan: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the last run has found of the superuser, who can only be there once nothing is missing."""
    user = module.params["superuser"]
    current = _release.current_record(module.params["project_dir"]) or {}
    return {"superuser_settled": _release.found_before(current, user)} if user and not plan else {}


def by_record(module: AnsibleModule) -> dict[str, Any]:
    """Return what is to be said of the plan where the release that serves cannot be asked: it was deployed, so it misses nothing."""
    record = _release.current_record(module.params["project_dir"]) or {}
    if record.get("id") != module.params["release_id"]:
        return {}
    user = module.params["superuser"]
    # The last run found this one as it should be, or there is none to be had.
    settled = _release.found_before(record, user) if user else False
    unasked = (
        f"superuser {user['username']} is as the last run found it, its password was not compared" if settled else ""
    )
    return {
        **({"superuser_settled": settled} if user else {}),
        **({"unasked": unasked} if unasked else {}),
        "plan": [],
        "kinds": _migrations.kinds([]),
        "heads": record.get("heads", {}),
        "unknown": [],
        "plan_known": True,
    }


def side_by_side(
    module: AnsibleModule, request: _collect.Request, question: _serving.Question | None, *, planned: bool
) -> dict[str, Any]:
    """Plan, unless that is done, and see to the files at the same time; the failure of the plan is told first."""
    result: dict[str, Any] = {}
    with ThreadPoolExecutor() as pool:
        tries = [] if planned else [pool.submit(plan, module, question)]
        tries.append(pool.submit(static_files, module, request, question))
    for done in tries:
        result.update(done.result())
    return result


def run(module: AnsibleModule) -> dict[str, Any]:
    """Do both; return what the module returns."""
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
    collects = module.params["collect"] and not module.check_mode and not request.dest.is_dir()
    try:
        if collects and not question:
            result = at_once(module, request)
        else:
            result.update(side_by_side(module, request, question, planned=bool(result)))
    except _oneshot.ProgramError as error:
        module.fail_json(msg=str(error), **error.result)
    except OSError as error:
        module.fail_json(msg=f"collecting static files into {request.dest.parent}: {error}")
    judge_unknown(module, result.get("unknown", []))
    answer = result.pop("answer", None)
    if answer is not None and not module.check_mode:
        settled = _release.account_of(module.params["superuser"]) if result.get("superuser_settled") else None
        keep(module, path, answer, [step["migration"] for step in result["plan"]], settled)
    message = said(result)
    result["unknown_because"] = result.get("unknown_because", "")
    result.pop("unasked", None)
    static = result.get("static", {})
    if static.get("changed") and not static["files"] and not module.check_mode:
        module.warn("collectstatic put no file into its directory: does the app's storage send them elsewhere?")
    diff = static.pop("diff", None)
    return {"changed": static.get("changed", False), "msg": message, **({"diff": diff} if diff else {}), **result}
