# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that plans and applies migrations inside a container of the app. It follows _program_base in one text."""

# ruff: noqa: PLC0415 - Django is only there in the image
from __future__ import annotations

import functools
from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave, set_up_django
from ansible_collections.barehost.django.plugins.module_utils._program_classify import describe
from ansible_collections.barehost.django.plugins.module_utils._program_plan import find_plan
from ansible_collections.barehost.django.plugins.module_utils._program_source import go_to_source


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


def main(parameters: dict[str, Any]) -> None:
    """Plan, and apply where that is asked for."""
    reporter = Reporter(parameters["mark"])
    if not go_to_source(parameters, reporter) or not set_up_django(parameters, reporter):
        leave(1)
    if find_plan(parameters, reporter) is None:
        leave(1)
    from django.db import connections

    if parameters["apply"] and not apply(parameters, reporter, connections[parameters["database"]]):
        leave(1)
    reporter.emit("done")
    leave(0)
