# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that migrates, with the real Django and a database in a file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _program_migrate
from django.db.backends.signals import connection_created
from support.project import add_migration, ask, failed, query

if TYPE_CHECKING:
    from pathlib import Path

CREATED = {"text": "Create model Item", "kind": "additive", "reason": "", "reversible": True}


def test_a_plan_changes_nothing(app: Path) -> None:
    answer = ask(app, _program_migrate, apply=False)
    plan = answer.first("plan")
    assert plan is not None
    assert {"migration": "shop.0001_initial", "operations": [CREATED]} in plan["plan"]
    assert plan["heads"]["shop"] == "0001_initial"
    assert plan["unknown"] == []
    assert answer.all("applied") == []
    assert query(app, "SELECT name FROM sqlite_master") == []


def test_applied_one_by_one_with_signals(app: Path) -> None:
    answer = ask(app, _program_migrate)
    plan = answer.first("plan")
    assert plan is not None
    assert [event["migration"] for event in answer.all("applied")] == [step["migration"] for step in plan["plan"]]
    assert [event["migration"] for event in answer.all("begun")] == [step["migration"] for step in plan["plan"]]
    # The permissions are made by a handler of post_migrate.
    assert query(app, "SELECT count(*) FROM auth_permission WHERE codename = 'add_item'") == [(1,)]
    again = ask(app, _program_migrate).first("plan")
    assert again is not None
    assert again["plan"] == []


def test_a_failure_names_the_migration(migrated: Path) -> None:
    add_migration(migrated, "0002_ok", "0001_initial", "migrations.RunSQL('SELECT 1')")
    add_migration(migrated, "0003_bad", "0002_ok", "migrations.RunSQL('SELECT * FROM nowhere')")
    add_migration(migrated, "0004_never", "0003_bad", "")
    answer = ask(migrated, _program_migrate)
    assert [event["migration"] for event in answer.all("applied")] == ["shop.0002_ok"]
    event = answer.first("failed")
    assert event is not None
    assert (event["stage"], event["migration"]) == ("apply", "shop.0003_bad")
    assert (event["error"], event["message"]) == ("OperationalError", "no such table: nowhere")


def test_each_operation_is_reported(migrated: Path) -> None:
    parts = "migrations.SeparateDatabaseAndState([migrations.RunSQL('SELECT 1'), migrations.RunSQL('SELECT * FROM x')])"
    add_migration(migrated, "0002_half", "0001_initial", f"migrations.RunSQL('SELECT 1'), {parts}")
    answer = ask(migrated, _program_migrate)
    assert [event["text"] for event in answer.all("operation")] == ["Raw SQL operation"] * 2
    event = answer.first("failed")
    assert event is not None
    assert (event["migration"], event["operation"]) == ("shop.0002_half", "Raw SQL operation")
    # SQLite takes back what a migration did, and says so.
    assert event["undone"] is True


def test_a_migration_without_a_transaction_is_not_taken_back(migrated: Path) -> None:
    add_migration(migrated, "0002_bad", "0001_initial", "migrations.RunSQL('SELECT * FROM x')")
    with (migrated / "shop" / "migrations" / "0002_bad.py").open("a") as file:
        file.write("    atomic = False\n")
    assert failed(migrated, _program_migrate)["undone"] is False


def test_what_the_serving_code_cannot_bear_is_not_applied(migrated: Path) -> None:
    add_migration(migrated, "0002_ok", "0001_initial", "migrations.AlterModelOptions('item', {})")
    add_migration(migrated, "0003_gone", "0002_ok", "migrations.RemoveField('item', 'name')")
    answer = ask(migrated, _program_migrate, refuse_destructive=True)
    assert (answer.code, answer.all("applied"), answer.first("done")) == (1, [], None)
    assert answer.first("refused") is not None
    plan = answer.first("plan")
    assert plan is not None
    assert [step["operations"][0]["kind"] for step in plan["plan"]] == ["additive", "destructive"]
    assert query(migrated, "SELECT name FROM shop_item") == []
    assert len(ask(migrated, _program_migrate).all("applied")) == 2


def test_a_first_deploy_has_nothing_to_break(app: Path) -> None:
    assert ask(app, _program_migrate, refuse_destructive=True).first("done") is not None


class Recorder:
    """A connection that remembers what was asked of it."""

    alias = "default"

    def __init__(self, vendor: str) -> None:
        """Take the name of the engine."""
        self.vendor = vendor
        self.said: list[Any] = []

    def cursor(self) -> contextlib.AbstractContextManager[Recorder]:
        """Return the cursor."""
        return contextlib.nullcontext(self)

    def execute(self, *statement: Any) -> None:
        """Remember."""
        self.said.append(statement)


@pytest.mark.parametrize(("vendor", "count"), [("mysql", 2), ("postgresql", 0)])
def test_every_connection_waits_for_locks_only_so_long(vendor: str, count: int) -> None:
    connection = Recorder(vendor)
    receivers = connection_created.receivers[:]
    _program_migrate.limit_lock_waits(connection, 15)
    # The app, or Django itself, may open it anew.
    connection_created.send(sender=Recorder, connection=connection)
    connection_created.receivers = receivers
    connection_created.sender_receivers_cache.clear()
    assert connection.said == [("SET SESSION lock_wait_timeout = %s", [15])] * count


def test_a_migration_that_exits(migrated: Path) -> None:
    add_migration(migrated, "0002_exit", "0001_initial", "migrations.RunPython(lambda apps, editor: exit(0))")
    event = failed(migrated, _program_migrate)
    assert (event["migration"], event["error"]) == ("shop.0002_exit", "SystemExit")


def test_a_migration_that_asks(migrated: Path) -> None:
    add_migration(migrated, "0002_ask", "0001_initial", "migrations.RunPython(lambda apps, editor: input('?'))")
    assert failed(migrated, _program_migrate)["error"] == "EOFError"


def test_a_migration_that_prints(migrated: Path) -> None:
    add_migration(
        migrated, "0002_print", "0001_initial", "migrations.RunPython(lambda apps, e: print('hello', end=''))"
    )
    assert [event["migration"] for event in ask(migrated, _program_migrate).all("applied")] == ["shop.0002_print"]


def test_schema_ahead_of_the_code(migrated: Path) -> None:
    query(migrated, "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0002_new', '2026-01-01')")
    query(migrated, "INSERT INTO django_migrations (app, name, applied) VALUES ('removed_app', '0001', '2026-01-01')")
    plan = ask(migrated, _program_migrate).first("plan")
    assert plan is not None
    assert plan["unknown"] == ["shop.0002_new"]
    assert "shop.0001_initial" in plan["known"]
    assert "shop.0002_new" not in plan["known"]


def test_a_migration_that_replaces_others_is_told_from_them(migrated: Path) -> None:
    add_migration(migrated, "0001_all", "0001_initial", "")
    file = migrated / "shop" / "migrations" / "0001_all.py"
    file.write_text(
        file.read_text().replace('[("shop", "0001_initial")]', "[]") + '    replaces = [("shop", "0001_initial")]\n'
    )
    plan = ask(migrated, _program_migrate, apply=False).first("plan")
    assert plan is not None
    assert plan["replacing"] == ["shop.0001_all"]
    assert {"shop.0001_all", "shop.0001_initial"} <= set(plan["known"])
    assert plan["unknown"] == []


def test_two_last_migrations(migrated: Path) -> None:
    add_migration(migrated, "0002_a", "0001_initial", "")
    add_migration(migrated, "0002_b", "0001_initial", "")
    event = failed(migrated, _program_migrate)
    assert event["stage"] == "plan"
    assert "shop: 0002_a and 0002_b" in event["message"]


def test_a_dependency_that_was_never_applied(migrated: Path) -> None:
    query(migrated, "DELETE FROM django_migrations WHERE app = 'auth' AND name = '0001_initial'")
    event = failed(migrated, _program_migrate)
    assert (event["stage"], event["error"]) == ("plan", "InconsistentMigrationHistory")


def test_the_app_may_have_its_own_migrate_command(app: Path) -> None:
    folder = app / "shop" / "management" / "commands"
    folder.mkdir(parents=True)
    (folder / "migrate.py").write_text(
        "from django.core.management.commands.migrate import Command as Base\n"
        "class Command(Base):\n"
        "    def handle(self, *args, **options):\n"
        "        print('mine')\n"
        "        return super().handle(*args, **options)\n"
    )
    answer = ask(app, _program_migrate)
    assert "mine" in answer.noise
    assert answer.all("applied")


BACKEND = """
import os
from django.db.backends.sqlite3 import base

class DatabaseWrapper(base.DatabaseWrapper):
    def prepare_database(self):
        open("prepared", "w").close()
"""


def test_only_what_applies_prepares_the_database(app: Path) -> None:
    # As that of PostGIS does, which makes an extension.
    (app / "engine").mkdir()
    (app / "engine" / "__init__.py").write_text("")
    (app / "engine" / "base.py").write_text(BACKEND)
    settings = app / "site_settings.py"
    settings.write_text(settings.read_text().replace("django.db.backends.sqlite3", "engine"))
    assert ask(app, _program_migrate, apply=False).first("done") is not None
    assert not (app / "prepared").exists()
    assert ask(app, _program_migrate).first("done") is not None
    assert (app / "prepared").exists()


def asleep(app: Path) -> Path:
    """Let the database of a project not answer."""
    settings = app / "site_settings.py"
    settings.write_text(settings.read_text().replace('"db.sqlite3"', '"/nowhere/db.sqlite3"'))
    return app


def names(app: Path) -> list[str]:
    """Return what a project's database has applied."""
    return [f"{label}.{name}" for label, name in query(app, "SELECT app, name FROM django_migrations")]


def test_without_a_database_the_plan_is_what_was_not_applied_before(migrated: Path) -> None:
    applied = names(migrated)
    add_migration(migrated, "0002_more", "0001_initial", "migrations.RemoveField('item', 'name')")
    answer = ask(asleep(migrated), _program_migrate, apply=False, applied=applied)
    event = answer.first("plan_by_record")
    assert event is not None
    assert [step["migration"] for step in event["plan"]] == ["shop.0002_more"]
    assert event["plan"][0]["operations"][0]["kind"] == "destructive"
    assert (event["heads"]["shop"], event["unknown"]) == ("0002_more", [])
    # It is still a database that does not answer.
    failure = answer.first("failed")
    assert failure is not None
    assert (answer.code, failure["stage"], answer.first("plan")) == (1, "connect", None)


def test_without_a_database_nothing_is_missing_where_nothing_is_new(migrated: Path) -> None:
    applied = [*names(migrated), "shop.0000_gone"]
    event = ask(asleep(migrated), _program_migrate, apply=False, applied=applied).first("plan_by_record")
    assert event is not None
    assert (event["plan"], event["unknown"]) == ([], ["shop.0000_gone"])


ASKS = (
    "migrations.AddField('item', 'size', type('Sized', (__import__('django').db.models.IntegerField,), "
    "{'db_parameters': lambda self, connection: connection.cursor() and {'type': 'int'}})(default=1))"
)


@pytest.mark.parametrize("operation", [ASKS, f"migrations.SeparateDatabaseAndState([{ASKS}])"], ids=["alone", "inside"])
def test_without_a_database_what_only_it_could_judge_is_not_planned(migrated: Path, operation: str) -> None:
    applied = names(migrated)
    add_migration(migrated, "0002_more", "0001_initial", operation)
    plan = ask(migrated, _program_migrate, apply=False).first("plan")
    assert plan is not None
    assert "it cannot be judged" not in plan["plan"][0]["operations"][0]["reason"]
    answer = ask(asleep(migrated), _program_migrate, apply=False, applied=applied)
    assert answer.first("plan_by_record") is None


def test_without_a_database_and_without_records_nothing_is_planned(migrated: Path) -> None:
    answer = ask(asleep(migrated), _program_migrate, apply=False)
    assert [event["event"] for event in answer.events] == ["failed"]


COUNTING = """
from django.db.backends.sqlite3.base import DatabaseWrapper as Base

class DatabaseWrapper(Base):
    def get_new_connection(self, parameters):
        with open("asked", "a") as file:
            file.write("x")
        raise self.Database.OperationalError("no answer")
"""


def test_a_database_that_does_not_answer_is_asked_once(migrated: Path) -> None:
    """Each time may take as long as its limit, and a plan may have many operations that ask."""
    applied = names(migrated)
    add_migration(migrated, "0002_more", "0001_initial", f"{ASKS}, {ASKS}")
    (migrated / "counting").mkdir()
    (migrated / "counting" / "__init__.py").touch()
    (migrated / "counting" / "base.py").write_text(COUNTING)
    settings = migrated / "site_settings.py"
    settings.write_text(settings.read_text().replace("django.db.backends.sqlite3", "counting"))
    ask(migrated, _program_migrate, apply=False, applied=applied)
    assert (migrated / "asked").read_text() == "x"
