# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking Django for its plan of migrations, or to apply it: the question, and what the answer says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import (
    _migrations,
    _oneshot,
    _program_migrate,
    _release,
    _schema,
    _serving,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible.module_utils.basic import AnsibleModule

# What both the plan and its application need to know.
ARGUMENTS: dict[str, Any] = {
    "serving": {"type": "bool", "default": False},
    "allow_destructive": {"type": "bool", "default": False},
    "database": {"type": "str", "default": "default"},
    "timeout": {"type": "int", "default": 600},
}
# What a container is called that changes the schema; one that only plans is in nobody's way.
APPLYING, PLANNING = "migrate", "plan"
NO_DATABASE = "the database does not answer yet"


def ask(module: AnsibleModule, project: _oneshot.Project, *, apply: bool, lock_wait: int = 0) -> _oneshot.Answer:
    """Let Django plan, and apply where that is wanted."""
    name = _oneshot.container_name(APPLYING if apply else PLANNING)
    return _oneshot.run_program(
        module,
        _oneshot.oneshot_cmd(project, name),
        _program_migrate,
        {
            "settings_module": project.settings_module,
            **wanted(module.params),
            "apply": apply,
            "lock_wait_timeout": lock_wait,
        },
        seconds=module.params["timeout"],
        container=name,
    )


def ask_serving(question: _serving.Question, params: Mapping[str, Any]) -> _oneshot.Answer:
    """Let Django plan in the container that serves; where the database does not answer, by what it had when it was last asked."""
    applied = applied_by_record(params["project_dir"])
    asked = {**wanted(params), "applied": applied, "apply": False, "lock_wait_timeout": 0}
    return question.ask(_program_migrate, params["timeout"], **asked)


def applied_by_record(project_dir: str) -> list[str] | None:
    """Return what the database must have applied, as the records say it; None where they do not."""
    current = _release.current_record(project_dir) or {}
    if not _schema.answer_of(current).get("known"):
        return None
    records = _release.records(project_dir)
    later = _schema.find(records, _schema.since(records, current))
    if any(entry["state"] != _schema.APPLIED for entry in later):
        return None
    return sorted({*(_schema.lived_with(current) - _schema.lacks(current)), *(entry["migration"] for entry in later)})


def by_record(answer: _oneshot.Answer, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan of a database that does not answer, as the records have it; empty where they do not say it.

    Raises ProgramError where the real run will refuse it.
    """
    planned = answer.first("plan_by_record")
    if planned is None:
        return {}
    result: dict[str, Any] = {key: planned[key] for key in ("plan", "heads", "unknown")}
    result.update(kinds=_migrations.kinds(planned["plan"]), plan_known=True)
    if params["serving"] and not params["allow_destructive"] and result["kinds"]["destructive"]:
        raise _oneshot.ProgramError(_migrations.refusal(planned["plan"]), _oneshot.Answer(0), **result)
    return result


def wanted(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a program that plans has to know."""
    refuse = params["serving"] and not params["allow_destructive"]
    user, password = params.get("superuser"), params.get("superuser_password")
    asked = {**user, "password": password, "renew_password": True} if user and password else None
    return {"database": params["database"], "refuse_destructive": refuse, "superuser": asked}


def result_of(answer: _oneshot.Answer) -> dict[str, Any]:
    """Return what is known after a run, whether it went well or not."""
    failed = answer.first("failed") or {}
    applied = [event["migration"] for event in answer.all("applied")]
    result: dict[str, Any] = {
        "applied": applied,
        "failed_migration": failed.get("migration") if failed else stopped_at(answer),
        "failed_operation": failed.get("operation"),
        # Where it failed, or was stopped, in the middle: what no finished migration accounts for.
        "done_operations": [event["text"] for event in answer.all("operation") if event["migration"] not in applied],
        "plan_known": answer.first("plan") is not None,
    }
    if failed:
        result["error"] = failed["error"]
    planned = answer.first("plan")
    if planned is not None:
        result.update({key: planned[key] for key in ("plan", "heads", "unknown")})
        result["kinds"] = _migrations.kinds(planned["plan"])
    return result


def stopped_at(answer: _oneshot.Answer) -> str | None:
    """Return the migration in whose middle a run was stopped that could not say so itself."""
    if answer.first("done") is not None:
        return None
    applied = {event["migration"] for event in answer.all("applied")}
    touched = [event["migration"] for event in answer.events if event["event"] in ("begun", "operation")]
    return next((name for name in reversed(touched) if name not in applied), None)


def states(answer: _oneshot.Answer, planned: Iterable[str]) -> dict[str, str]:
    """Say of each migration that was touched, or may have been, how far it came."""
    applied = dict.fromkeys((event["migration"] for event in answer.all("applied")), _schema.APPLIED)
    failed = answer.first("failed")
    if answer.first("done") is not None:
        # Also what somebody else has applied between the plan and now.
        return {**dict.fromkeys(planned, _schema.APPLIED), **applied}
    if failed is not None:
        half = None if failed.get("undone") else failed.get("migration")
        return {**applied, **({half: _schema.HALF} if half else {})}
    if answer.first("refused") is not None:
        return {}
    # It was stopped, and its last words may have been lost.
    half = stopped_at(answer)
    return {**dict.fromkeys(planned, _schema.BEGUN), **({half: _schema.HALF} if half else {}), **applied}


def failure(answer: _oneshot.Answer, result: dict[str, Any], params: Mapping[str, Any], *, apply: bool) -> str:
    """Say in one line what went wrong, and what state it leaves."""
    if answer.first("refused") is not None:
        return _migrations.refusal(result["plan"])
    what = f"migration {result['failed_migration']}" if result["failed_migration"] else "migrating"
    message = _oneshot.explain(answer, what, params["timeout"])
    failed = answer.first("failed") or {}
    # A run that had a plan and did not say how it ended was stopped somewhere in the middle.
    half_way = apply and bool(result["failed_migration"] or (not failed and result.get("plan")))
    if half_way or result["applied"]:
        message += _migrations.aftermath(
            result["applied"], result["done_operations"], failed, dump=params["dump"], half_way=half_way
        )
    return message


def unreachable_yet(answer: _oneshot.Answer) -> bool:
    """Whether only the database was missing, which on a host that is being built is no error of the plan."""
    return (answer.first("failed") or {}).get("stage") == "connect"
