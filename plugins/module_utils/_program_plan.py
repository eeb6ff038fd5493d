# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Part of programs inside a container of the app: plans its migrations."""

# ruff: noqa: PLC0415 - Django is only there in the image
from __future__ import annotations

from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter  # noqa: TC002 - parts are found by it
from ansible_collections.barehost.django.plugins.module_utils._program_classify import DESTRUCTIVE, UNJUDGED, Classifier
from ansible_collections.barehost.django.plugins.module_utils._program_user import converge

# What Django asks of a server of today, for one that does not answer.
MYSQL = {
    "version": "8.4.0",
    "sql_mode": "STRICT_TRANS_TABLES",
    "default_storage_engine": "InnoDB",
    "sql_auto_is_null": False,
    "lower_case_table_names": 0,
    "has_zoneinfo_database": True,
}


def make_plan(executor: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a MigrationExecutor
    """Return the migrations that are missing in the database, in their order, with what each operation means."""
    steps = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not steps:
        return []
    classifier = Classifier(executor.connection, applied_state(executor))
    return [
        {
            "migration": f"{migration.app_label}.{migration.name}",
            "operations": classifier.operations(migration),
        }
        for migration, _backwards in steps
    ]


def applied_state(executor: Any) -> Any:  # noqa: ANN401 - a MigrationExecutor, a ProjectState
    """Return the state of everything that is applied, as the executor itself makes it before it applies the rest."""
    from django.db.migrations.state import ProjectState

    loader = executor.loader
    state = ProjectState(real_apps=loader.unmigrated_apps)
    applied = {loader.graph.nodes[key] for key in loader.applied_migrations if key in loader.graph.nodes}
    for migration, _backwards in executor.migration_plan(loader.graph.leaf_nodes(), clean_start=True):
        if migration in applied:
            migration.mutate_state(state, preserve=False)
    return state


def refused(plan: list[dict[str, Any]]) -> bool:
    """Whether a plan holds what code that serves cannot bear."""
    return any(operation["kind"] == DESTRUCTIVE for step in plan for operation in step["operations"])


def census(loader: Any) -> dict[str, list[str]]:  # noqa: ANN401 - a MigrationLoader
    """Return which migrations the image has, which of them replace others, and what the database has beside them."""
    known = set(loader.disk_migrations)
    for migration in loader.disk_migrations.values():
        known.update(migration.replaces)
    # Rows of apps that are not installed any more say nothing about the apps that are.
    labels = {app for app, _name in loader.disk_migrations}
    found = {
        "known": known,
        "replacing": {key for key, migration in loader.disk_migrations.items() if migration.replaces},
        # The schema is ahead of the code.
        "unknown": {key for key in loader.applied_migrations if key not in known and key[0] in labels},
    }
    return {kind: sorted(f"{app}.{name}" for app, name in keys) for kind, keys in found.items()}


def look_at_user(parameters: dict[str, Any], reporter: Reporter) -> None:
    """Say whether the superuser is as it should be, which costs little once Django has started; unknown is no error here."""
    try:
        found = converge({**parameters, "apply": False})
    except Exception:  # noqa: BLE001 - a user model is any code; who sets the user says what is wrong with it
        return
    reporter.emit("superuser", settled=not found["created"] and not found["changes"])


def planned(connection: Any) -> dict[str, Any]:  # noqa: ANN401 - a connection of Django's
    """Return the plan, and what the image and the database have of migrations; raise whatever is wrong with these.

    Not prepared as `migrate` itself does it before it applies anything: a plan makes no extension of PostgreSQL.
    """
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    executor.loader.check_consistent_history(connection)
    refuse_conflicts(executor.loader)
    heads = dict(sorted(executor.loader.graph.leaf_nodes()))
    return {"plan": make_plan(executor), "heads": heads, **census(executor.loader)}


def find_plan(parameters: dict[str, Any], reporter: Reporter) -> list[dict[str, Any]] | None:
    """Say what the database misses; None where that failed, or where the plan is one to refuse, which is then reported."""
    from django.db import connections

    connection = connections[parameters["database"]]
    if not reporter.connected(connection):
        plan_by_record(parameters, reporter, connection)
        return None
    try:
        found = planned(connection)
    except Exception as error:  # noqa: BLE001 - loading migrations imports any code
        reporter.fail("plan", error)
        return None
    reporter.emit("plan", **found)
    plan: list[dict[str, Any]] = found["plan"]
    if parameters["refuse_destructive"] and refused(plan):
        reporter.emit("refused")
        return None
    if parameters.get("superuser") and not plan:
        look_at_user(parameters["superuser"], reporter)
    return plan


def plan_by_record(parameters: dict[str, Any], reporter: Reporter, connection: Any) -> None:  # noqa: ANN401 - Django's
    """Plan against what the database had when it was last asked, where it does not answer; say nothing where that fails.

    Only the names come from there. What an operation means may depend on the kind of the database, which then nobody knows.
    """
    applied = parameters.get("applied")
    if applied is None:
        return
    from django.db.migrations.recorder import MigrationRecorder

    # Otherwise each question about it would wait for it again; the names of the types are what is asked of the server itself.
    connection.ensure_connection = no_database
    if connection.vendor == "mysql":
        connection.mysql_server_data = MYSQL
    known = dict.fromkeys(tuple(name.split(".", 1)) for name in applied)
    # This process does nothing else, and the loader takes no recorder of another kind.
    MigrationRecorder.applied_migrations = lambda _recorder: dict(known)
    try:
        found = planned(connection)
    except Exception:  # noqa: BLE001 - loading migrations imports any code; what is wrong is said once the database answers
        return
    if not any(UNJUDGED in operation["reason"] for step in found["plan"] for operation in step["operations"]):
        reporter.emit("plan_by_record", **found)


def no_database() -> None:
    """Stand for a connection that cannot be had."""
    raise ConnectionError("the database does not answer")


def refuse_conflicts(loader: Any) -> None:  # noqa: ANN401 - a MigrationLoader
    """Raise where an app has two last migrations."""
    conflicts = loader.detect_conflicts()
    if conflicts:
        names = ", ".join(f"{app}: {' and '.join(sorted(leaves))}" for app, leaves in sorted(conflicts.items()))
        raise RuntimeError(
            f"two migrations of one app both claim to be the last ({names}): merge them with makemigrations --merge"
        )
