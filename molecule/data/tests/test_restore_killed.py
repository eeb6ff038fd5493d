# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A restore that is killed, held up or without room: the data is that of before or that of the backup, and the next one works."""

from __future__ import annotations

import json
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from conftest import STACK_DIR, ask
from restores import (
    BACKUPS,
    EVERYTHING,
    RESTORE,
    Backup,
    files,
    kill_restore,
    litter,
    many_rows,
    seen,
    sql,
    state,
    tables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Host

    from tests.playbooks import PlaybookRun

    Runner = Callable[..., PlaybookRun]

LOADING = "SELECT 1 FROM information_schema.processlist WHERE user = 'barehost_restore';"
WAITING = "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock';"
NOBODY_WAITS = (
    "SELECT 1 FROM (SELECT SUM(state LIKE 'Waiting for table metadata lock') AS waiting FROM information_schema.processlist) AS found "
    "WHERE waiting = 0;"
)


@pytest.fixture(scope="module")
def backup(machine: Host) -> Iterator[Backup]:
    """Return a backup that takes a while to load."""
    sql(machine, EVERYTHING)
    many_rows(machine, 19)
    files(machine, "then")
    machine.run(f"{STACK_DIR}/backup/barehost-backup backup")
    made = Backup(machine, max(machine.run(f"cd {BACKUPS} && ls -d 2*Z").split()))
    yield made
    made.remove()
    sql(machine, "DROP TABLE IF EXISTS app.zoo_many;")


@pytest.fixture
def changed(machine: Host, backup: Backup) -> dict[str, str]:
    """Change the data since the backup, and return what it is like now."""
    assert backup.id
    sql(
        machine,
        "DELETE FROM app.zoo_child; DELETE FROM app.zoo WHERE id % 2; INSERT INTO app.zoo (name) VALUES ('now');",
    )
    files(machine, "now")
    return state(machine)


def start(runner: Runner, source: str, **values: Any) -> tuple[threading.Thread, list[PlaybookRun]]:
    """Run the playbook beside the test."""
    ended: list[PlaybookRun] = []
    asked = json.dumps({"restore_from": source, **values})
    thread = threading.Thread(target=lambda: ended.append(runner("restore", "-e", asked)))
    thread.start()
    return thread, ended


def hold(machine: Host) -> subprocess.Popen[bytes]:
    """Keep a table from being renamed: a session reads it, and does not come to an end."""
    command = "docker exec app-mysql-1 sh -c 'MYSQL_PWD=$(cat /run/secrets/root_password) exec mysql -uroot -e \"SELECT SLEEP(900) FROM app.zoo\"'"
    return subprocess.Popen(["docker", "exec", f"barehost-{machine.name}", "sh", "-c", command])


def let_go(machine: Host, blocker: subprocess.Popen[bytes]) -> None:
    """End that session."""
    sessions = "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(900)%';"
    sql(machine, "".join(f"KILL {number};" for number in sql(machine, sessions).split()))
    blocker.wait()


def restored(machine: Host, runner: Runner, backup: Backup) -> PlaybookRun:
    """Demand that the next run works, and leaves nothing behind."""
    done = runner("restore", "-e", json.dumps({"restore_from": backup.id}))
    assert done.code == 0, done.message
    assert litter(machine) == []
    assert sql(machine, "SELECT COUNT(*) FROM app.zoo_child; SELECT COUNT(*) FROM app.zoo_many;").split() == [
        "2",
        "524288",
    ]
    assert machine.run(f"cat {STACK_DIR}/media/zoo/deep/file") == "then"
    sql(machine, "INSERT INTO app.zoo (name) VALUES ('works');")
    assert sql(machine, "SELECT said FROM app.zoo_log;") == "works;"
    return done


def test_killed_while_it_loads(machine: Host, runner: Runner, backup: Backup, changed: dict[str, str]) -> None:
    thread, ended = start(runner, backup.id)
    assert seen(machine, LOADING)
    kill_restore(machine)
    thread.join()
    assert ended[0].code != 0
    assert state(machine) == changed
    # What is half of one time and half of another is no backup.
    left = litter(machine)
    refused = machine.run(f"{STACK_DIR}/backup/barehost-backup backup --wait 0 2>&1; echo $?")
    assert "was killed in the middle" in refused
    assert refused.endswith("1")
    assert litter(machine) == left
    done = restored(machine, runner, backup)
    assert "was taken back" in " ".join(done.tasks[RESTORE]["recovered"])


def test_killed_before_the_tables_move(machine: Host, runner: Runner, backup: Backup, changed: dict[str, str]) -> None:
    blocker = hold(machine)
    thread, _ended = start(runner, backup.id)
    assert seen(machine, WAITING, 200)
    kill_restore(machine)
    thread.join()
    # The session of the dead run gives up by itself, and whoever holds the table has still not let go.
    assert seen(machine, NOBODY_WAITS)
    assert blocker.poll() is None
    assert state(machine)["rows"] == changed["rows"]
    let_go(machine, blocker)
    done = restored(machine, runner, backup)
    assert "was taken back" in " ".join(done.tasks[RESTORE]["recovered"])


def test_killed_while_the_tables_move(machine: Host, runner: Runner, backup: Backup, changed: dict[str, str]) -> None:
    blocker = hold(machine)
    thread, _ended = start(runner, backup.id)
    assert seen(machine, WAITING, 200)
    kill_restore(machine)
    # What the dead run has begun goes on in the server.
    let_go(machine, blocker)
    thread.join()
    assert seen(machine, "SELECT 1 FROM information_schema.tables WHERE table_schema LIKE 'app%before%' LIMIT 1;")
    assert state(machine)["files"] == changed["files"]
    assert "was killed in the middle" in runner("status").output
    done = restored(machine, runner, backup)
    assert "was brought to its end" in " ".join(done.tasks[RESTORE]["recovered"])


def test_somebody_who_never_lets_go_is_named(
    machine: Host, runner: Runner, backup: Backup, changed: dict[str, str]
) -> None:
    blocker = hold(machine)
    run = runner("restore", "-e", json.dumps({"restore_from": backup.id}))
    assert run.code != 0
    assert "could not change places in 6 tries" in run.message
    assert "of root, Query for" in run.message
    assert state(machine) == changed
    assert litter(machine) == []
    let_go(machine, blocker)
    restored(machine, runner, backup)


def test_files_that_cannot_change_places_take_the_tables_back(
    machine: Host, runner: Runner, backup: Backup, changed: dict[str, str]
) -> None:
    # An entry that is a mount of its own cannot be renamed away.
    mount = f"{STACK_DIR}/media/zzz"
    machine.run(f"mkdir -p {mount} && mount -t tmpfs none {mount}")
    before = state(machine)
    run = runner("restore", "-e", json.dumps({"restore_from": backup.id}))
    after = state(machine)
    machine.run(f"umount {mount} && rmdir {mount}")
    assert run.code != 0
    assert "busy" in run.message.lower()
    assert after == before
    assert (after["rows"], litter(machine)) == (changed["rows"], [])
    restored(machine, runner, backup)


@pytest.mark.usefixtures("changed")
def test_killed_with_half_of_the_files_moved(machine: Host, runner: Runner, backup: Backup) -> None:
    done = restored(machine, runner, backup)
    files(machine, "now")
    # What a run leaves that is killed between two renames: its journal, and one entry of the backup not in its place yet.
    stamp = "20260101T000000Z"
    new, old = f"{BACKUPS}/.restore-{stamp}.media", f"{BACKUPS}/media-before-{stamp}"
    machine.run(
        f"mkdir -p {new} {old} && cp -a {done.tasks[RESTORE]['old_media']}/. {old}/ && mkdir {new}/zoo && touch {new}/zoo/moved"
    )
    journal = {"id": stamp, "live": "app", "phase": "media", "packet": 0, "before": [], "after": []}
    journal |= {"media_names": ["gone", "zoo"], "media_new": new, "media_old": old}
    machine.run(f"rm -rf {old}/zoo; cat > {BACKUPS}/.restore-{stamp}.json", given=json.dumps(journal))
    again = runner("restore", "-e", json.dumps({"restore_from": backup.id, "restore_parts": ["database"]}))
    assert again.code == 0, again.message
    assert machine.run(f"ls {STACK_DIR}/media/zoo") == "moved"
    assert litter(machine) == []


def test_no_room(machine: Host, runner: Runner, backup: Backup, changed: dict[str, str]) -> None:
    free = int(machine.run("df --output=avail -m /var/lib/docker | tail -n 1"))
    asked = {"restore_from": backup.id, "backup_restore_reserve_mb": free}
    run = runner("restore", "-e", json.dumps(asked))
    assert run.code != 0
    assert "make room first" in run.message
    assert state(machine) == changed


def test_the_disk_fills_while_it_loads(machine: Host, runner: Runner, backup: Backup, changed: dict[str, str]) -> None:
    # The room that is asked for is there at first: about three times the dump beside what is left alone.
    wanted = int(machine.run(f"zstd -qdc {backup.folder}/database.sql.zst | wc -c")) * 3 // 1_000_000 + 1500
    free = int(machine.run("df --output=avail -m /var/lib/docker | tail -n 1"))
    thread, ended = start(runner, backup.id, backup_restore_reserve_mb=free - wanted)
    assert seen(machine, LOADING)
    filler = "/var/lib/docker/filler"
    machine.run(f"fallocate -l {wanted + 1500}M {filler}")
    thread.join()
    machine.run(f"rm {filler}")
    assert ended[0].code != 0
    assert "loading was stopped" in ended[0].message
    assert state(machine) == changed
    assert litter(machine) == []
    restored(machine, runner, backup)


@pytest.mark.usefixtures("changed")
def test_the_site_serves_all_the_while(machine: Host, runner: Runner, backup: Backup) -> None:
    assert ask("/ledger/", {"id": "only-now"})[0] == 201
    before = ask("/ledger/")[1]
    thread, ended = start(runner, backup.id)
    pages = []
    while thread.is_alive():
        pages.append(ask("/ledger/"))
    thread.join()
    assert ended[0].code == 0, ended[0].message
    assert len(pages) > 20
    # A page has the rows of before or those of the backup, and never none.
    after = ask("/ledger/")[1]
    assert "only-now" in before["rows"]
    assert "only-now" not in after["rows"]
    assert [(status, rows) for status, rows in pages if status != 200 or rows not in (before, after)] == []
    assert pages[0][1] == before
    assert "zoo" in tables(machine)
