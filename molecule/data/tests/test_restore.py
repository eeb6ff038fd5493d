# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restoring: all of it comes back, what cannot be trusted is refused before anything is touched, dumps by hand are adopted."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ROOT, STACK_DIR
from restores import (
    BACKUPS,
    BY_HAND,
    EVERYTHING,
    RESTORE,
    Backup,
    files,
    litter,
    old_schemas,
    sql,
    state,
    tables,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Host

    from tests.playbooks import PlaybookRun

    Runner = Callable[..., PlaybookRun]

AWAY = "DROP VIEW app.zoo_view_of_view; DROP TRIGGER app.zoo_trigger; DROP FUNCTION app.zoo_function; DROP EVENT app.zoo_event;"
OTHERS = """USE app; DELETE FROM zoo_child; DELETE FROM zoo; CREATE TABLE zoo_only_now (id INT);
CREATE VIEW zoo_view_of_now AS SELECT 1 AS a; CREATE TRIGGER zoo_of_now BEFORE INSERT ON zoo FOR EACH ROW SET NEW.name = 'now';"""


@pytest.fixture(scope="module")
def backup(machine: Host) -> Iterator[Backup]:
    """Return a backup of data that has everything in it."""
    sql(machine, EVERYTHING)
    files(machine, "then")
    said = machine.run(f"{STACK_DIR}/backup/barehost-backup backup")
    made = Backup(machine, max(machine.run(f"cd {BACKUPS} && ls -d 2*Z").split()))
    assert made.id in said
    yield made
    made.remove()


def restore(runner: Runner, source: str, *options: str, **values: Any) -> PlaybookRun:
    """Run the playbook."""
    return runner("restore", "-e", json.dumps({"restore_from": source, **values}), *options)


def test_all_of_it_comes_back(machine: Host, runner: Runner, backup: Backup) -> None:
    then = state(machine)
    sql(machine, AWAY + OTHERS)
    files(machine, "now")
    machine.run(f"printf later > {STACK_DIR}/media/later")
    now = state(machine)
    dry = restore(runner, backup.id, "--check", "--diff")
    assert dry.code == 0, dry.message
    assert dry.tasks[RESTORE]["changed"]
    assert "zoo: 2 rows" in dry.tasks[RESTORE]["diff"]["after"]
    assert "zoo_only_now: 0 rows" in dry.tasks[RESTORE]["diff"]["before"]
    assert state(machine) == now
    done = restore(runner, backup.id)
    assert done.code == 0, done.message
    assert state(machine) == then
    assert litter(machine) == []
    sql(machine, "INSERT INTO app.zoo (name) VALUES ('next');")
    assert sql(machine, "SELECT MAX(id) FROM app.zoo; SELECT said FROM app.zoo_log; SELECT app.zoo_function(1);").split("\n") == [
        "4713", "next;", "2",
    ]  # fmt: skip
    result = done.tasks[RESTORE]
    # What was replaced is where the result says.
    assert sql(machine, f"SELECT COUNT(*) FROM {result['old_schema']}.zoo_only_now;") == "0"
    assert machine.run(f"cat {result['old_media']}/later {result['old_media']}/zoo/deep/file") == "laternow"
    entry = json.loads(machine.run("tail -n 1 /var/log/barehost/app.jsonl"))
    assert (entry["result"], backup.id in entry["message"]) == ("ok", True)
    # And the way back is the dump that was made first, and what the restore has printed for the files.
    back = restore(runner, result["safety_dump"])
    assert back.code == 0, back.message
    assert "zoo_only_now" in tables(machine)
    assert old_schemas(machine) == [result["old_schema"], back.tasks[RESTORE]["old_schema"]]
    assert state(machine)["files"] == then["files"]
    machine.run(next(step for step in result["next"] if "on the host: " in step).partition("on the host: ")[2])
    assert state(machine)["files"] == now["files"]


def test_uploads_on_a_file_system_of_their_own(machine: Host, runner: Runner, backup: Backup) -> None:
    media = f"{STACK_DIR}/media"
    machine.run(
        f"rm -rf /root/media && cp -a {media} /root/media && mount -t tmpfs none {media} && cp -a /root/media/. {media}/"
    )
    try:
        files(machine, "now")
        done = restore(runner, backup.id, restore_parts=["media"])
        assert done.code == 0, done.message
        # The tables stay, and nothing is said of them.
        assert (done.tasks[RESTORE]["tables"], done.tasks[RESTORE]["rows"]) == ([], 0)
        old = done.tasks[RESTORE]["old_media"]
        assert old.startswith(f"{media}/.restore-")
        assert machine.run(f"cat {media}/zoo/deep/file {old}/zoo/deep/file") == "thennow"
        assert machine.run(f"ls -A {media} | grep '^[.]'") == old.rpartition("/")[2]
        # What was replaced is no upload: a backup is made of what is served.
        said = machine.run(f"{STACK_DIR}/backup/barehost-backup backup")
        newest = machine.run(f"ls -d {BACKUPS}/2*Z | tail -n 1")
        assert newest.rpartition("/")[2] in said
        packed = machine.run(f"zstd -dc {newest}/media.tar.zst | tar -tf -; rm -r {newest}").splitlines()
        assert "media/zoo/deep/file" in packed
        assert [name for name in packed if ".restore-" in name] == []
    finally:
        machine.run(f"umount {media}; rm -rf /root/media")


def test_the_latest_one_is_taken_by_that_name(runner: Runner, backup: Backup) -> None:
    done = restore(runner, "latest", restore_parts=["database"], restore_keep_old=False)
    assert (done.code, done.tasks[RESTORE]["restored"], done.tasks[RESTORE]["old_media"]) == (0, backup.id, "")
    assert done.tasks[RESTORE]["old_schema"] == ""


def cut(copy: Backup) -> None:
    """Cut the dump between two statements, and hide it."""
    path = f"{copy.folder}/database.sql.zst"
    copy.machine.run(f"zstd -qdc {path} | sed '/^-- Dumping data for table `zoo`/,$d' | zstd -qf -o {path}")
    copy.settle("database.sql.zst")


def one_row_less(copy: Backup) -> None:
    """Take one row out of the dump, and hide it from the checksum."""
    path = f"{copy.folder}/database.sql.zst"
    copy.machine.run(f"zstd -qdc {path} | sed '/^INSERT INTO `zoo_child`/s/),(.*);$/);/' | zstd -qf -o {path}")
    copy.settle("database.sql.zst")


def flip(copy: Backup) -> None:
    """Let one byte of the dump be another one."""
    program = (
        "import sys; f = open(sys.argv[1], 'r+b'); f.seek(99); b = f.read(1); f.seek(99); f.write(bytes([b[0] ^ 1]))"
    )
    copy.machine.run(f'python3 -c "{program}" {copy.folder}/database.sql.zst')


def unsafe(copy: Backup) -> None:
    """Put a file into the archive that would be unpacked elsewhere."""
    program = (
        "import io, sys, tarfile; t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|'); i = tarfile.TarInfo('media/../../evil'); "
        "i.size = 1; t.addfile(i, io.BytesIO(b'x')); t.close()"
    )
    copy.machine.run(f'python3 -c "{program}" | zstd -qf -o {copy.folder}/media.tar.zst')
    copy.settle("media.tar.zst")


FAULTS: dict[str, tuple[Callable[[Backup], object], str]] = {
    "cut at a statement": (cut, "its end is missing"),
    "one row less": (one_row_less, "zoo_child has 1 rows, and the manifest says 2"),
    "flipped byte": (flip, "SHA-256 differs"),
    "empty file": (lambda copy: copy.machine.run(f": > {copy.folder}/database.sql.zst"), "has 0 bytes"),
    "file gone": (lambda copy: copy.machine.run(f"rm {copy.folder}/database.sql.zst"), "is missing"),
    "other stack": (lambda copy: copy.change(stack__name="shop", stack__id="x"), "restore_confirm=shop@data"),
    "other environment": (lambda copy: copy.change(stack__id="x", stack__host="staging"), "restore_confirm=app@staging"),
    "newer server": (lambda copy: copy.change(mysql__version="10.1.0"), "of MySQL 10.1.0 and this server is"),
    "newer format": (lambda copy: copy.change(format=2), "use a newer one"),
    "no manifest": (lambda copy: copy.machine.run(f"rm {copy.folder}/manifest.json"), "manifest.json is missing"),
    "half a manifest": (lambda copy: copy.machine.run(f"truncate -s 99 {copy.folder}/manifest.json"), "is no JSON"),
    "unsafe member": (unsafe, "must not be unpacked"),
    "more migrations": (
        lambda copy: copy.change(migrations=[["traffic", "9999_later"]]),
        "does not know traffic.9999_later",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_trusted_is_refused_before_anything_is_touched(
    machine: Host, runner: Runner, backup: Backup, fault: str
) -> None:
    spoil, cause = FAULTS[fault]
    copy = backup.copy("20200101T000000Z")
    spoil(copy)
    before = state(machine), old_schemas(machine)
    try:
        for options in (["--check"], []):
            run = restore(runner, copy.id, *options)
            assert run.code != 0
            assert cause in run.message
            assert (state(machine), old_schemas(machine)) == before
            assert litter(machine) == []
    finally:
        copy.remove()


def test_a_manifest_that_was_made_anew_is_noticed(runner: Runner, backup: Backup, machine: Host) -> None:
    text = machine.run(f"cat {backup.folder}/manifest.json")
    backup.change(seconds=99.0)
    run = restore(runner, backup.id)
    machine.run(f"cat > {backup.folder}/manifest.json", given=f"{text}\n")
    assert run.code != 0
    assert "the audit log has" in run.message


def test_another_environments_data_is_restored_once_its_name_is_typed(
    runner: Runner, backup: Backup, machine: Host
) -> None:
    copy = backup.copy("20200101T000000Z")
    copy.change(stack__id="x", stack__host="staging")
    done = restore(runner, copy.id, restore_confirm="app@staging", restore_parts=["database"])
    copy.remove()
    assert done.code == 0, done.message
    assert "of app@staging" in done.tasks[RESTORE]["msg"]
    assert litter(machine) == []


BY_HAND_KINDS = {
    "as the reference text has it": ("--single-transaction", "cat"),
    "through a terminal": ("--single-transaction", "sed 's/$/\\r/; 1i Enter password: \\r'"),
    "with its schema": ("--single-transaction --databases --routines --events", "cat"),
    "compressed": ("--single-transaction --routines", "gzip -c"),
    "by the client of MariaDB": (
        "--single-transaction",
        "sed '1i /*M!999999\\\\- enable the sandbox mode */ ' | sed 's/^-- MySQL dump .*/-- MariaDB dump 10.19-11.8.3/'",
    ),
}


@pytest.mark.parametrize("kind", BY_HAND_KINDS)
def test_a_dump_that_was_made_by_hand_is_adopted(machine: Host, runner: Runner, backup: Backup, kind: str) -> None:
    options, through = BY_HAND_KINDS[kind]
    # Somebody else's stack: the schema has another name, and its objects an owner who does not exist here.
    sql(
        machine,
        "DROP DATABASE IF EXISTS backend_optimizacion; CREATE DATABASE backend_optimizacion;"
        "CREATE USER IF NOT EXISTS ghost@'%'; GRANT ALL ON backend_optimizacion.* TO ghost@'%';",
    )
    copied = f"zstd -qdc {backup.folder}/database.sql.zst | sed 's/DEFINER=`root`@`localhost`/DEFINER=`ghost`@`%`/'"
    machine.run(f"{copied} | {MYSQL_INTO}")
    suffix = ".sql.gz" if "gzip" in through else ".sql"
    path = f"/root/backup{suffix}"
    machine.run(f"{BY_HAND.format(options=options, schema='backend_optimizacion')} | {through} > {path}")
    sql(machine, "DROP USER ghost@'%';")
    before = state(machine)
    refused = restore(runner, path, restore_parts=["database"])
    assert "restore_confirm=backend_optimizacion" in refused.message
    assert state(machine) == before
    sql(machine, "DELETE FROM app.zoo_child;")
    done = restore(runner, path, restore_parts=["database"], restore_confirm="backend_optimizacion")
    assert done.code == 0, done.message
    assert sql(machine, "SELECT COUNT(*) FROM app.zoo_child; SELECT COUNT(*) FROM app.zoo_view_of_view;").split() == [
        "2",
        "2",
    ]
    # Nothing of it went where it came from.
    assert sql(machine, "SELECT COUNT(*) FROM backend_optimizacion.zoo;") == "2"
    owners = sql(machine, "SELECT DISTINCT definer FROM information_schema.triggers WHERE trigger_schema = 'app';")
    assert "ghost" not in owners
    sql(machine, "INSERT INTO app.zoo (name) VALUES ('works'); DROP DATABASE backend_optimizacion;")
    assert litter(machine) == []
    machine.run(f"rm {path}")


MYSQL_INTO = (
    "docker exec -i app-mysql-1 sh -c 'MYSQL_PWD=$(cat /run/secrets/root_password) exec mysql -uroot --binary-mode "
    "backend_optimizacion'"
)
NONE = {
    "two schemas": ("--databases app sys", "cat", "it holds the schemas app, sys"),
    "cut": ("app", "head -c 9000", "its end is missing"),
    "without comments": ("--skip-comments app", "cat", "does not begin as mysqldump begins a dump"),
    "an error in it": (
        "app",
        "sed '40i mysqldump: Got error: 2013: Lost connection'",
        "mysqldump complained in line 40",
    ),
}


@pytest.mark.parametrize("kind", NONE)
def test_a_dump_that_was_made_by_hand_and_is_none_is_refused(machine: Host, runner: Runner, kind: str) -> None:
    options, through, cause = NONE[kind]
    machine.run(f"{BY_HAND.format(options=options, schema='')} | {through} > /root/none.sql")
    before = state(machine)
    run = restore(runner, "/root/none.sql", restore_confirm="app")
    assert run.code != 0
    assert cause in run.message
    assert state(machine) == before


# What stands before the rows of a table, and what is said of it.
FOREIGN_STATEMENTS = {
    "an account": ("CREATE USER 'evil' IDENTIFIED BY 'hush';", "the accounts of a server, and what they may do, are no part"),
    "a file": ("LOAD DATA INFILE '/etc/hush' INTO TABLE zoo;", "it reads or writes files of the server"),
    "a command": ("SYSTEM touch '/tmp/hush';", "it is a command of a client and no SQL"),
    "a setting": ("SET GLOBAL max_connections = 1;", "it is for the whole server"),
    "another schema": ("USE mysql;", "the schemas app, mysql"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN_STATEMENTS)
def test_what_loading_would_refuse_is_foreseen_with_its_line(machine: Host, runner: Runner, kind: str) -> None:
    statement, cause = FOREIGN_STATEMENTS[kind]
    dump = BY_HAND.format(options="--single-transaction", schema="app")
    machine.run(f'{dump} | sed "/^LOCK TABLES .traffic_entry. /i {statement}" > /root/evil.sql')
    line = machine.run(f'grep -nF "{statement}" /root/evil.sql').partition(":")[0]
    before = state(machine), old_schemas(machine)
    for options in (["--check"], []):
        run = restore(runner, "/root/evil.sql", *options, restore_confirm="app")
        assert run.code != 0
        assert cause in run.message
        assert f"line {line}" in run.message
        assert "hush" not in run.message.replace("/root/", "")
        assert (state(machine), old_schemas(machine)) == before
        assert litter(machine) == []
    machine.run("rm /root/evil.sql; ! ls /tmp/hush 2> /dev/null")


def test_a_statement_for_another_schema_is_refused_by_the_server(machine: Host, runner: Runner) -> None:
    sql(machine, "CREATE DATABASE IF NOT EXISTS victim; CREATE TABLE IF NOT EXISTS victim.t (id INT);")
    dump = BY_HAND.format(options="--single-transaction", schema="app")
    # No reading sees that one: the account that loads is what keeps it from the other schema.
    statement = "DROP TABLE IF EXISTS \\`traffic_entry\\`, victim.t;"
    machine.run(f'{dump} | sed "/^LOCK TABLES .traffic_entry. /i {statement}" > /root/evil.sql')
    line = machine.run("grep -nF ', victim.t;' /root/evil.sql").partition(":")[0]
    before = state(machine)
    run = restore(runner, "/root/evil.sql", restore_confirm="app")
    assert run.code != 0
    assert "command denied" in run.message
    assert f"(line {line} of evil.sql)" in run.message
    assert state(machine) == before
    assert sql(machine, "SELECT COUNT(*) FROM victim.t;") == "0"
    assert litter(machine) == []
    sql(machine, "DROP DATABASE victim;")
    machine.run("rm /root/evil.sql /root/none.sql", check=False)


def test_data_that_is_behind_says_what_is_missing_and_deploy_applies_it(
    machine: Host, runner: Runner, backup: Backup
) -> None:
    project = ROOT / ".state" / "ahead"
    shutil.rmtree(project, ignore_errors=True)
    for folder in ("project", "variants/additive"):
        shutil.copytree(ROOT / "molecule" / "release" / folder, project, dirs_exist_ok=True)
    source = json.dumps({"django_source_path": str(project)})
    machine.run(f"{BY_HAND.format(options='--single-transaction', schema='app')} > /root/behind.sql")
    deployed = runner("deploy", "-e", source)
    assert deployed.code == 0, deployed.message
    assert has_note(machine)
    wish = {"restore_confirm": "app", "restore_parts": ["database"]}
    refused = restore(runner, "/root/behind.sql", **wish)
    assert "until it has traffic.0002_entry_note" in refused.message
    assert has_note(machine)
    done = restore(runner, "/root/behind.sql", **wish, restore_allow_schema_mismatch=True)
    assert done.code == 0, done.message
    assert any("traffic.0002_entry_note" in step for step in done.tasks[RESTORE]["next"])
    assert not has_note(machine)
    deployed = runner("deploy", "-e", source)
    assert deployed.code == 0, deployed.message
    assert has_note(machine)
    # As the next tests expect it.
    deployed = runner("deploy")
    assert deployed.code == 0, deployed.message
    assert restore(runner, backup.id).code == 0
    machine.run("rm /root/behind.sql")


def has_note(machine: Host) -> bool:
    """Whether the column is there that the later migration adds."""
    return "note" in sql(machine, "SHOW COLUMNS FROM app.traffic_entry LIKE 'note';").split()
