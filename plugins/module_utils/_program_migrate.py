# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that plans and applies migrations inside a container of the app. It follows _program_base in one text."""

# ruff: noqa: PLC0415 - Django is only there in the image
from __future__ import annotations

from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave, set_up_django


def describe(operation: Any) -> str:  # noqa: ANN401 - a Django operation
    """Say what an operation does; an app's own operation may not be able to."""
    try:
        return str(operation.describe())
    except Exception:  # noqa: BLE001 - any code
        return type(operation).__name__


def make_plan(executor: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a MigrationExecutor
    """Return the migrations that are missing in the database, in their order."""
    steps = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [
        {
            "migration": f"{migration.app_label}.{migration.name}",
            "operations": [describe(operation) for operation in migration.operations],
        }
        for migration, _backwards in steps
    ]


def unknown_migrations(loader: Any) -> list[str]:  # noqa: ANN401 - a MigrationLoader
    """Return what the database has applied and the image does not know: the schema is ahead of the code."""
    known = set(loader.disk_migrations)
    for migration in loader.disk_migrations.values():
        known.update(migration.replaces)
    # Rows of apps that are not installed any more say nothing about the apps that are.
    labels = {app for app, _name in loader.disk_migrations}
    return sorted(
        f"{app}.{name}" for app, name in loader.applied_migrations if (app, name) not in known and app in labels
    )


def apply(parameters: dict[str, Any], reporter: Reporter) -> bool:
    """Run the app's own migrate command, and report each migration as it is done."""
    from django.core.management import call_command, get_commands, load_command_class

    current: list[str] = []
    source = get_commands()["migrate"]
    command = load_command_class(source, "migrate") if isinstance(source, str) else source
    inner = command.migration_progress_callback

    def progress(action: str, migration: Any = None, fake: bool = False) -> None:  # noqa: ANN401, FBT001, FBT002
        if action == "apply_start":
            current[:] = [f"{migration.app_label}.{migration.name}"]
        elif action == "apply_success":
            current.clear()
            reporter.emit("applied", migration=f"{migration.app_label}.{migration.name}")
        inner(action, migration, fake)

    command.migration_progress_callback = progress
    try:
        call_command(command, database=parameters["database"], interactive=False, verbosity=1)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a migration is any code
        reporter.fail("apply", error, migration=current[0] if current else None)
        return False
    return True


def main(parameters: dict[str, Any]) -> None:
    """Plan, and apply where that is asked for."""
    reporter = Reporter(parameters["mark"])
    if not set_up_django(parameters, reporter):
        leave(1)
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    connection = connections[parameters["database"]]
    try:
        connection.ensure_connection()
    except Exception as error:  # noqa: BLE001 - each database has errors of its own
        reporter.fail("connect", error)
        leave(1)
    try:
        connection.prepare_database()
        executor = MigrationExecutor(connection)
        executor.loader.check_consistent_history(connection)
        conflicts = executor.loader.detect_conflicts()
        if conflicts:
            names = ", ".join(f"{app}: {' and '.join(sorted(leaves))}" for app, leaves in sorted(conflicts.items()))
            message = (
                f"two migrations of one app both claim to be the last ({names}): merge them with makemigrations --merge"
            )
            raise RuntimeError(message)  # noqa: TRY301 - one road for all that can be wrong with a plan
        plan = make_plan(executor)
        unknown = unknown_migrations(executor.loader)
        heads = dict(sorted(executor.loader.graph.leaf_nodes()))
    except Exception as error:  # noqa: BLE001 - loading migrations imports any code
        reporter.fail("plan", error)
        leave(1)
    reporter.emit("plan", plan=plan, heads=heads, unknown=unknown)
    if parameters["apply"] and not apply(parameters, reporter):
        leave(1)
    reporter.emit("done")
    leave(0)
