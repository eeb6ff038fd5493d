# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose the views, triggers, routines and events of a dump are: in somebody else's nothing runs as root, in one's own all is as it was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from conftest import STACK_DIR
from restores import BACKUPS, BY_HAND, EVERYTHING, MYSQL, RESTORE, Backup, litter, sql, state

from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Host

    from tests.playbooks import PlaybookRun

    Runner = Callable[..., PlaybookRun]

ELSEWHERE = "elsewhere"
OURS = "app_migrate@%"
# The event of root says as whom it runs, and does what only root may; `victim` is a schema that no account of the stack reaches.
OF_ROOT = """USE app;
DROP TABLE IF EXISTS zoo_who; CREATE TABLE zoo_who (id INT AUTO_INCREMENT PRIMARY KEY, said VARCHAR(90));
DROP PROCEDURE IF EXISTS zoo_procedure; DROP EVENT IF EXISTS zoo_says; DROP EVENT IF EXISTS zoo_does;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE zoo_procedure() SQL SECURITY DEFINER SELECT CURRENT_USER();;
CREATE DEFINER=`root`@`localhost` EVENT zoo_says ON SCHEDULE EVERY 1 SECOND DO INSERT INTO zoo_who (said) VALUES (CURRENT_USER());;
CREATE DEFINER=`root`@`localhost` EVENT zoo_does ON SCHEDULE EVERY 1 SECOND DO INSERT INTO victim.t VALUES (1);;
DELIMITER ;
"""
DEFINERS = """SELECT 'trigger', trigger_name, definer FROM information_schema.triggers WHERE trigger_schema = 'app' UNION ALL
SELECT 'view', table_name, definer FROM information_schema.views WHERE table_schema = 'app' UNION ALL
SELECT LOWER(routine_type), routine_name, definer FROM information_schema.routines WHERE routine_schema = 'app' UNION ALL
SELECT 'event', event_name, definer FROM information_schema.events WHERE event_schema = 'app' ORDER BY 1, 2;
"""


@pytest.fixture(scope="module")
def backup(machine: Host) -> Iterator[Backup]:
    """Return a backup of data in which root has one object of every kind."""
    sql(machine, "DROP DATABASE IF EXISTS victim; CREATE DATABASE victim; CREATE TABLE victim.t (id INT);")
    sql(machine, EVERYTHING + OF_ROOT)
    said = machine.run(f"{STACK_DIR}/backup/barehost-backup backup")
    made = Backup(machine, max(machine.run(f"cd {BACKUPS} && ls -d 2*Z").split()))
    assert made.id in said
    yield made
    made.remove()
    sql(
        machine,
        "DROP EVENT IF EXISTS app.zoo_says; DROP EVENT IF EXISTS app.zoo_does; DROP PROCEDURE IF EXISTS app.zoo_procedure;"
        "DROP TABLE IF EXISTS app.zoo_who; DROP DATABASE victim;",
    )


def restore(runner: Runner, source: str, **values: Any) -> PlaybookRun:
    """Run the playbook, for the database alone."""
    return runner("restore", "-e", json.dumps({"restore_from": source, "restore_parts": ["database"], **values}))


def definers(machine: Host) -> dict[str, str]:
    """Map each object of the application to the account that it runs as."""
    rows = [line.split("\t") for line in sql(machine, DEFINERS).splitlines()]
    return {f"{kind} {name}": definer for kind, name, definer in rows}


def as_whom(machine: Host) -> str:
    """Wait for the event, and return as whom it runs from now on."""
    sql(machine, "DELETE FROM app.zoo_who;")
    wait_until(lambda: bool(sql(machine, "SELECT 1 FROM app.zoo_who LIMIT 1;")), "the event runs")
    return sql(machine, "SELECT DISTINCT said FROM app.zoo_who;")


def test_in_a_dump_from_elsewhere_nothing_runs_as_root(machine: Host, runner: Runner, backup: Backup) -> None:
    sql(machine, f"DROP DATABASE IF EXISTS {ELSEWHERE}; CREATE DATABASE {ELSEWHERE};")
    into = MYSQL.rstrip("'") + f" {ELSEWHERE}'"
    path = "/root/elsewhere.sql"
    dump = BY_HAND.format(options="--single-transaction --routines --events", schema=ELSEWHERE)
    machine.run(f"zstd -qdc {backup.folder}/database.sql.zst | {into} && {dump} > {path}")
    sql(machine, f"DROP DATABASE {ELSEWHERE};")
    text = machine.run(f"grep -c 'DEFINER=`root`@`localhost`' {path}")
    kinds = {name.split()[0] for name in definers(machine)}
    assert (int(text) >= len(kinds), kinds) == (True, {"trigger", "view", "procedure", "function", "event"})
    done = restore(runner, path, restore_confirm=ELSEWHERE)
    assert done.code == 0, done.message
    assert set(definers(machine).values()) == {OURS}
    assert {name.split()[0] for name in definers(machine)} == kinds
    sql(machine, "TRUNCATE victim.t;")
    assert as_whom(machine) == OURS
    assert sql(machine, "CALL app.zoo_procedure();") == OURS
    assert sql(machine, "SELECT COUNT(*) FROM victim.t;") == "0"
    # Somebody is told that they are not whose they were.
    assert f"root@localhost to {OURS}" in str(done.tasks[RESTORE]["warnings"])
    assert litter(machine) == []
    machine.run(f"rm {path}")


def test_in_a_backup_of_ones_own_what_is_roots_stays_roots(machine: Host, runner: Runner, backup: Backup) -> None:
    sql(machine, "ALTER DEFINER=`app_migrate`@`%` EVENT app.zoo_says ENABLE; DROP EVENT app.zoo_does;")
    done = restore(runner, backup.id)
    assert done.code == 0, done.message
    assert definers(machine)["event zoo_says"] == definers(machine)["event zoo_does"] == "root@localhost"
    assert set(definers(machine).values()) == {"root@localhost"}
    assert as_whom(machine) == "root@localhost"
    before = state(machine)["schema"]
    sql(machine, "DROP EVENT app.zoo_says; DROP VIEW app.zoo_view_of_view;")
    again = restore(runner, backup.id)
    assert again.code == 0, again.message
    assert state(machine)["schema"] == before
    assert litter(machine) == []
