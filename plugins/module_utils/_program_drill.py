# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Program that asks a restored database through the app: which migrations it misses, and a row of each of its models.

It follows _program_base in one text. It reads, and changes nothing.
"""

# ruff: noqa: PLC0415 - Django is only there in the image
from __future__ import annotations

from typing import Any

from ansible_collections.barehost.django.plugins.module_utils._program_base import Reporter, leave, set_up_django


def pending(connection: Any) -> list[str]:  # noqa: ANN401 - a connection of Django's
    """Return the migrations that the database misses, which is what `migrate --check` looks for."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    executor.loader.check_consistent_history(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _backwards in plan]


def managed(connection: Any) -> list[Any]:  # noqa: ANN401 - models of Django's
    """Return the models whose tables Django keeps in this database."""
    from django.apps import apps
    from django.db import router

    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.can_migrate(connection) and router.allow_migrate_model(connection.alias, model)  # noqa: SLF001
    ]


def ask(model: Any, alias: str, reporter: Reporter, question: Any) -> Any:  # noqa: ANN401 - a model, whatever it answers
    """Ask a model; None where that failed, which is then reported."""
    try:
        # Not its own manager, which may hide rows or ask another database.
        return question(model._base_manager.using(alias))  # noqa: SLF001
    except Exception as error:  # noqa: BLE001 - fields of an app convert what they read as they like
        reporter.fail("query", error, model=model._meta.label)  # noqa: SLF001
        return None


def read_rows(models: list[Any], alias: str, reporter: Reporter) -> bool:
    """Read the first row of each model, all its fields; False where that failed."""
    found = 0
    for model in models:
        rows = ask(model, alias, reporter, lambda query: list(query.order_by("pk")[:1]))
        if rows is None:
            return False
        found += len(rows)
    reporter.emit("read", models=len(models), rows=found)
    return True


def count_rows(models: list[Any], rows: dict[str, int], most: int, alias: str, reporter: Reporter) -> bool:
    """Let the app count the largest table that does not take long; False where that failed."""
    counted = {model._meta.db_table: model for model in models if rows.get(model._meta.db_table, most + 1) <= most}  # noqa: SLF001
    if not counted:
        return True
    table = max(counted, key=lambda name: (rows[name], name))
    number = ask(counted[table], alias, reporter, lambda query: query.count())
    if number is not None:
        reporter.emit("counted", table=table, rows=number)
    return number is not None


def main(parameters: dict[str, Any]) -> None:
    """Ask for the migrations, and for rows where none is missing."""
    reporter = Reporter(parameters["mark"])
    if not set_up_django(parameters, reporter):
        leave(1)
    from django.db import connections

    alias = parameters["database"]
    connection = connections[alias]
    if not reporter.connected(connection):
        leave(1)
    try:
        missing = pending(connection)
    except Exception as error:  # noqa: BLE001 - loading migrations imports any code
        reporter.fail("plan", error)
        leave(1)
    reporter.emit("pending", migrations=missing)
    # Code that knows more columns than the tables have can read none of them.
    if not missing:
        models = managed(connection)
        if not read_rows(models, alias, reporter) or not count_rows(
            models, parameters["rows"], parameters["most"], alias, reporter
        ):
            leave(1)
    reporter.emit("done")
    leave(0)
