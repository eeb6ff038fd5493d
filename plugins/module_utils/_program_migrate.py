# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that plans and applies migrations inside a container of the app. It follows _program_base in one text."""

# ruff: noqa: PLC0415 - Django is only there in the image
from __future__ import annotations

import functools
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave, set_up_django
from ansible_collections.barehost.django.plugins.module_utils._program_classify import DESTRUCTIVE, Classifier, describe
from ansible_collections.barehost.django.plugins.module_utils._program_source import go_to_source
from ansible_collections.barehost.django.plugins.module_utils._program_user import converge


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


def limit_lock_waits(connection: Any, seconds: int) -> None:  # noqa: ANN401 - a connection of Django's
    """Let a change of the schema give up where it would stand in the way of every query behind it.

    MySQL's own limit is a year. The app may open the connection anew, so each one gets it.
    """
    from django.db.backends.signals import connection_created

    def limit(connection: Any, **_details: Any) -> None:  # noqa: ANN401 - a receiver of Django's
        if connection.vendor == "mysql":
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION lock_wait_timeout = %s", [seconds])

    connection_created.connect(limit, weak=False)
    limit(connection)


class Watch:
    """What is known at any moment of the migration that runs."""

    def __init__(self, reporter: Reporter) -> None:
        """Begin before the first one."""
        self.reporter = reporter
        self.migration: Any = None
        self.operation: str | None = None

    def start(self, migration: Any) -> None:  # noqa: ANN401 - a Migration
        """Take note of a migration, and have each of its operations reported."""
        self.migration = migration
        self.reporter.emit("begun", migration=self.name)
        self.watch(migration.operations)

    def watch(self, operations: list[Any]) -> None:
        """Report each operation as it is done; of one that is made of others, each part."""
        for operation in operations:
            parts = getattr(operation, "database_operations", None)
            if parts is None:
                operation.database_forwards = functools.partial(self.forwards, operation, operation.database_forwards)
            else:
                self.watch(parts)

    def forwards(self, operation: Any, inner: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as Django's own
        """Run an operation."""
        self.operation = describe(operation)
        result = inner(*args, **kwargs)
        self.reporter.emit("operation", migration=self.name, text=self.operation)
        self.operation = None
        return result

    def success(self) -> None:
        """Report a migration that is done."""
        self.reporter.emit("applied", migration=self.name)
        self.migration = None

    @property
    def name(self) -> str | None:
        """Name of the migration that runs."""
        return f"{self.migration.app_label}.{self.migration.name}" if self.migration else None

    def undone(self, connection: Any) -> bool:  # noqa: ANN401 - a connection of Django's
        """Whether the database took back what the migration had done when it failed."""
        return bool(self.migration and self.migration.atomic and connection.features.can_rollback_ddl)


def apply(parameters: dict[str, Any], reporter: Reporter, connection: Any) -> bool:  # noqa: ANN401 - Django's
    """Run the app's own migrate command, and report each operation and each migration as it is done."""
    from django.core.management import call_command, get_commands, load_command_class

    watch = Watch(reporter)
    source = get_commands()["migrate"]
    command = load_command_class(source, "migrate") if isinstance(source, str) else source
    inner = command.migration_progress_callback

    def progress(action: str, migration: Any = None, fake: bool = False) -> None:  # noqa: ANN401, FBT001, FBT002
        if action == "apply_start":
            watch.start(migration)
        elif action == "apply_success":
            watch.success()
        inner(action, migration, fake)

    command.migration_progress_callback = progress
    try:
        limit_lock_waits(connection, parameters["lock_wait_timeout"])
        call_command(command, database=parameters["database"], interactive=False, verbosity=1)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a migration is any code
        reporter.fail("apply", error, migration=watch.name, operation=watch.operation, undone=watch.undone(connection))
        return False
    return True


def look_at_user(parameters: dict[str, Any], reporter: Reporter) -> None:
    """Say whether the superuser is as it should be, which costs little once Django has started; unknown is no error here."""
    try:
        found = converge({**parameters, "apply": False})
    except Exception:  # noqa: BLE001 - a user model is any code; who sets the user says what is wrong with it
        return
    reporter.emit("superuser", settled=not found["created"] and not found["changes"])


def main(parameters: dict[str, Any]) -> None:
    """Plan, and apply where that is asked for."""
    reporter = Reporter(parameters["mark"])
    if not go_to_source(parameters, reporter) or not set_up_django(parameters, reporter):
        leave(1)
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    connection = connections[parameters["database"]]
    if not reporter.connected(connection):
        leave(1)
    try:
        # Not prepared as `migrate` itself does it before it applies anything: a plan makes no extension of PostgreSQL.
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
        found = census(executor.loader)
        heads = dict(sorted(executor.loader.graph.leaf_nodes()))
    except Exception as error:  # noqa: BLE001 - loading migrations imports any code
        reporter.fail("plan", error)
        leave(1)
    reporter.emit("plan", plan=plan, heads=heads, **found)
    if parameters["refuse_destructive"] and refused(plan):
        reporter.emit("refused")
        leave(1)
    if parameters["apply"] and not apply(parameters, reporter, connection):
        leave(1)
    if parameters.get("superuser") and not plan:
        look_at_user(parameters["superuser"], reporter)
    reporter.emit("done")
    leave(0)
