# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups: what is in them, and that nothing has the name of one that is not whole, whatever happens while it is made."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import contents
import faults
import pytest
import yaml
from conftest import STACK_DIR

from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Host

    from tests import playbooks

BACKUPS = f"{STACK_DIR}/backups"
PROGRAM = f"{STACK_DIR}/backup/barehost-backup"
SETTINGS = f"{STACK_DIR}/backup/settings.json"
# Enough for a dump that takes some seconds, and more than a small disk.
ROWS = 200_000


def run(machine: Host, *args: str, before: str = "") -> tuple[int, str]:
    """Run the program; return its exit code, and what it printed on either output."""
    out = machine.run(f"{before} {PROGRAM} {' '.join(args)} 2>&1; code=$?; echo; echo $code", check=False)
    text, _, code = out.rpartition("\n")
    return int(code), text.strip()


def listed(machine: Host) -> list[str]:
    """Return all that lies beside the state, hidden or not."""
    return machine.run(f"ls -A {BACKUPS} | grep -v -e state.json -e before-", check=False).split()


def backups(machine: Host) -> dict[str, Any]:
    return dict(json.loads(run(machine, "list", "--json")[1]))


def state(machine: Host) -> dict[str, Any]:
    return dict(json.loads(machine.run(f"cat {BACKUPS}/state.json")))


def manifest(machine: Host, name: str) -> dict[str, Any]:
    return dict(json.loads(machine.run(f"cat {BACKUPS}/{name}/manifest.json")))


def last_audit(machine: Host) -> dict[str, Any]:
    return dict(json.loads(machine.run("tail -1 /var/log/barehost/app.jsonl")))


def start(machine: Host, *args: str) -> subprocess.Popen[str]:
    """Start a backup, and hold it in the middle of its dump, however fast the machine is."""
    argv = ["docker", "exec", f"barehost-{machine.name}", PROGRAM, "backup", *args]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # What it compresses with takes nothing more, so MySQL's client soon waits for it.
    machine.run("for try in $(seq 1000); do pkill -STOP -x zstd && exit; sleep 0.01; done; exit 1")
    return process


def go_on(machine: Host) -> None:
    """Let what is held go on."""
    machine.run("pkill -CONT -x zstd", check=False)


def end(machine: Host, process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a backup that was started."""
    go_on(machine)
    out, _ = process.communicate(timeout=120)
    return process.returncode, out.strip()


@pytest.fixture(scope="module", autouse=True)
def _rows(machine: Host) -> Iterator[None]:
    """Have something to back up, and a first backup of it."""
    contents.make_rows(machine, ROWS, "backup")
    # What repeats itself would take no room.
    contents.sql(machine, "UPDATE traffic_entry SET agent = SHA2(CONCAT(RAND(), uid), 512) WHERE uid LIKE 'backup-%'")
    machine.run(f"mkdir -p {STACK_DIR}/media/a && echo content > {STACK_DIR}/media/a/file")
    assert run(machine, "backup")[0] == 0
    yield
    contents.sql(machine, "DELETE FROM traffic_entry WHERE uid LIKE 'backup-%'")


@pytest.fixture
def unharmed(machine: Host) -> Iterator[Callable[[int, str, str], None]]:
    """Return what checks that a failed backup has left nothing, said why, and that the next one works."""
    before, names = contents.look(machine), listed(machine)

    def check(code: int, said: str, cause: str) -> None:
        assert code == 1, said
        assert cause in said
        assert "Traceback" not in said
        assert listed(machine) == names
        assert cause in state(machine)["backup"]["failure"]["message"]
        assert last_audit(machine)["result"] == "failed"
        assert run(machine, "check")[0] == 1

    yield check
    wait_until(lambda: faults.is_healthy(machine, "mysql"), "MySQL is healthy")
    code, said = run(machine, "backup")
    assert code == 0, said
    assert run(machine, "check") == (0, "ok")
    assert before.differences(contents.look(machine)) == []


def test_a_backup_is_what_its_manifest_says(machine: Host) -> None:
    code, said = run(machine, "backup")
    assert code == 0, said
    newest = list(backups(machine))[-1]
    found = manifest(machine, newest)
    counted = contents.count_rows(machine)
    assert {name: rows for name, rows in found["tables"].items() if name not in contents.NOT_STILL} == {
        name: rows for name, rows in counted.items() if name not in contents.NOT_STILL
    }
    for name, entry in found["files"].items():
        path = f"{BACKUPS}/{newest}/{name}"
        assert machine.run(f"stat -c '%s %a %U' {path}; sha256sum < {path}").split() == [
            str(entry["bytes"]), "600", "root", entry["sha256"], "-",
        ]  # fmt: skip
        assert machine.run(f"zstd -dc {path} | wc -c") == str(entry["plain_bytes"]) or name == "media.tar.zst"
    packed = machine.run(f"zstd -dc {BACKUPS}/{newest}/media.tar.zst | tar -tf -").splitlines()
    assert {"media/", "media/a/", "media/a/file"} <= set(packed)
    assert machine.run(f"stat -c '%a %U' {BACKUPS} {BACKUPS}/{newest}").splitlines() == ["700 root", "700 root"]
    digest = machine.run(f"sha256sum < {BACKUPS}/{newest}/manifest.json").split()[0]
    assert (last_audit(machine)["to"], last_audit(machine)["manifest_sha256"]) == (newest, digest)
    assert found["stack"]["id"] == machine.run(f"cat {STACK_DIR}/secrets/stack_id")


def test_the_timer_is_at_work_and_makes_a_backup(machine: Host) -> None:
    assert machine.run(
        "systemctl is-enabled barehost-app-backup.timer; systemctl is-active barehost-app-backup.timer"
    ) == ("enabled\nactive")
    before = backups(machine)
    machine.run("systemctl start barehost-app-backup.service")
    assert len(backups(machine)) == len(before) + 1
    assert last_audit(machine)["who"] == "timer"


def test_the_playbook_makes_one_and_a_dry_run_none(machine: Host, runner: Callable[..., playbooks.PlaybookRun]) -> None:
    before = backups(machine)
    dry = runner("backup", "--check")
    assert dry.code == 0, dry.output
    assert backups(machine) == before
    real = runner("backup")
    assert real.code == 0, real.output
    assert len(backups(machine)) == len(before) + 1


def test_the_program_takes_little_memory(machine: Host) -> None:
    measure = (
        f"import resource, subprocess; subprocess.run(['{PROGRAM}', 'backup']);"
        " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    assert int(machine.run(f'python3 -c "{measure}"').split()[-1]) < 64 * 1024


def test_configuration_and_secrets_are_readable_for_the_key_alone(machine: Host) -> None:
    machine.run(
        "which age > /dev/null || apt-get install -y age > /dev/null; rm -f /root/key; age-keygen -o /root/key 2> /dev/null"
    )
    key = machine.run("age-keygen -y /root/key")
    machine.run(
        f'cp -a {SETTINGS} /root/settings && sed -i \'s/"age_recipients": \\[\\]/"age_recipients": ["{key}"]/\' {SETTINGS}'
    )
    try:
        code, said = run(machine, "backup")
    finally:
        machine.run(f"mv /root/settings {SETTINGS}")
    assert code == 0, said
    folder = f"{BACKUPS}/{list(backups(machine))[-1]}"
    names = machine.run(f"age -d -i /root/key {folder}/settings.tar.zst.age | zstd -dc | tar -tf -").splitlines()
    assert {"compose.yaml", ".env", "secrets/mysql_root_password", "nginx/site.conf", "backup/settings.json"} <= set(
        names
    )
    # Whatever the stack is made from, but its data and what is only there while something works on it.
    services = yaml.safe_load(machine.run(f"cat {STACK_DIR}/compose.yaml"))["services"].values()
    mounts = [volume for service in services for volume in service.get("volumes", []) if volume["type"] == "bind"]
    sources = {volume["source"].removeprefix(f"{STACK_DIR}/").removeprefix("./") for volume in mounts}
    assert {"media", "static", "scratch/mysql", "scratch/nginx"} <= sources
    assert sources - {"media", "static", "scratch/mysql", "scratch/nginx"} <= {name.rstrip("/") for name in names}
    found = f"cat {folder}/* | grep -a -c -F -f {STACK_DIR}/secrets/mysql_root_password"
    assert machine.run(found, check=False) == "0"
    machine.run("rm /root/key")


def test_sigkill_of_mysqld_during_the_dump(machine: Host, unharmed: Callable[[int, str, str], None]) -> None:
    process = start(machine)
    faults.kill(machine, "mysql")
    unharmed(*end(machine, process), "the dump is no good and was removed: ")


def test_sigterm_during_the_dump(machine: Host, unharmed: Callable[[int, str, str], None]) -> None:
    process = start(machine)
    machine.run("pkill -TERM -f '[b]arehost-backup backup'")
    unharmed(*end(machine, process), "it was stopped by SIGTERM")


def test_sigkill_of_the_program_leaves_nothing_with_a_name(machine: Host) -> None:
    before = backups(machine)
    process = start(machine)
    machine.run("pkill -KILL -f '[b]arehost-backup backup'")
    end(machine, process)
    assert backups(machine) == before
    assert [name for name in listed(machine) if name.endswith(".partial")] != []
    assert run(machine, "backup")[0] == 0
    assert [name for name in listed(machine) if name.startswith(".")] == []


@pytest.mark.parametrize(
    ("size", "media", "last"),
    [(1 << 20, 0, 10_000_000), (6 << 20, 0, 1000), (120 << 20, 200, 1000)],
    ids=["before it begins", "during the dump", "during the media"],
)
@pytest.mark.usefixtures("unharmed")
def test_a_full_disk(machine: Host, size: int, media: int, last: int) -> None:
    large = f"{STACK_DIR}/media/large"
    machine.run(f"head -c {media}M /dev/urandom > {large}")
    # It begins where there is room for as much as last time.
    known = json.dumps({"backup": {"success": {"at": "2026-01-01T00:00:00Z", "bytes": last}}})
    try:
        with faults.small(machine, "backups", size):
            machine.run(f"cat > {BACKUPS}/state.json", given=known)
            code, said = run(machine, "backup")
            assert code == 1, said
            assert "are left alone" in said or "No space left" in said
            assert "Traceback" not in said
            assert listed(machine) == []
            assert state(machine)["backup"]["failure"]["message"] in said
    finally:
        machine.run(f"rm -f {large}")


def test_a_wrong_password(machine: Host, unharmed: Callable[[int, str, str], None]) -> None:
    file = f"{STACK_DIR}/mysql/secrets/backup.cnf"
    machine.run(f"cp -a {file} /root/backup.cnf && sed -i 's/^password.*/password = wrong/' {file}")
    try:
        code, said = run(machine, "backup")
    finally:
        machine.run(f"cat /root/backup.cnf > {file}; rm /root/backup.cnf")
    unharmed(code, said, "Access denied")


def test_two_at_once(machine: Host) -> None:
    before = backups(machine)
    process = start(machine)
    code, said = run(machine, "backup", "--wait", "0")
    assert code == 1
    assert "backup (process " in said
    assert end(machine, process)[0] == 0
    assert len(backups(machine)) == len(before) + 1
    assert run(machine, "backup")[0] == 0


def test_one_that_waits_is_made_afterwards(machine: Host) -> None:
    before = backups(machine)
    process = start(machine)
    machine.run("(sleep 2; pkill -CONT -x zstd) > /dev/null 2>&1 &")
    code, said = run(machine, "backup")
    assert code == 0, said
    assert end(machine, process)[0] == 0
    assert len(backups(machine)) == len(before) + 2


def test_migrations_wait_for_the_dump_and_not_for_the_media(machine: Host) -> None:
    large, free = f"{STACK_DIR}/media/large", f"flock --nonblock {STACK_DIR}/lock/data true; echo $?"
    machine.run(f"head -c 100M /dev/urandom > {large}")
    try:
        process = start(machine)
        assert machine.run(free) == "1"
        hold = f"pkill -CONT -x zstd; [ -e {BACKUPS}/.*.partial/media.tar.zst ] && pkill -STOP -x zstd && exit"
        machine.run(f"for try in $(seq 3000); do {hold}; sleep 0.01; done; exit 1")
        assert machine.run(free) == "0"
        # Neither another backup nor a restore may meet it all the same.
        assert run(machine, "backup", "--wait", "0")[0] == 1
        assert machine.run(f"flock --nonblock {STACK_DIR}/lock/backup true; echo $?") == "1"
        assert end(machine, process)[0] == 0
    finally:
        machine.run(f"rm -f {large}")


def test_a_clock_that_was_a_day_ahead(machine: Host) -> None:
    # A backup of tomorrow, as a clock that was wrong has left it.
    tomorrow = machine.run("date -u -d '+1 day' +%Y%m%dT%H%M%SZ")
    newest = list(backups(machine))[-1]
    machine.run(f"cd {BACKUPS} && mv {newest} {tomorrow} && sed -i 's/{newest}/{tomorrow}/' {tomorrow}/manifest.json")
    noted = state(machine)
    noted["backup"]["success"]["at"] = machine.run("date -u -d '+1 day' +%Y-%m-%dT%H:%M:%SZ")
    machine.run(f"cat > {BACKUPS}/state.json", given=json.dumps(noted))
    try:
        code, said = run(machine, "check")
        assert (code, "in the future" in said) == (1, True)
        assert run(machine, "backup")[0] == 0
        names = list(backups(machine))
        assert names[-2] == tomorrow
        assert names[-1] < tomorrow
        assert run(machine, "check") == (0, "ok")
    finally:
        machine.run(f"rm -r {BACKUPS}/{tomorrow}")


def test_a_failure_is_told_and_so_is_its_end(machine: Host, runner: Callable[..., playbooks.PlaybookRun]) -> None:
    machine.run(
        f"cp -a {SETTINGS} /root/settings && printf '#!/bin/sh\\ncat >> /root/events\\n' > /root/hook && chmod +x /root/hook"
    )
    machine.run(f'sed -i \'s#"hook": \\[\\]#"hook": ["/root/hook"]#; s/"app",$/"app",/\' {SETTINGS}')
    try:
        machine.run("docker stop app-mysql-1 > /dev/null")
        code, said = run(machine, "backup")
        assert (code, "no container of the service mysql runs" in said) == (1, True)
        status = runner("status", "-e", "status_format=json")
        assert "the last backup failed" in status.output
        machine.run("docker start app-mysql-1 > /dev/null")
        wait_until(lambda: faults.is_healthy(machine, "mysql"), "MySQL is healthy")
        assert run(machine, "backup")[0] == 0
    finally:
        machine.run(f"docker start app-mysql-1 > /dev/null; mv /root/settings {SETTINGS}")
    events = [
        json.loads(line)["event"] for line in machine.run("cat /root/events; rm /root/events /root/hook").splitlines()
    ]
    assert events == ["backup_failed", "backup_recovered"]


def test_old_ones_go_and_the_newest_stay(machine: Host) -> None:
    machine.run(f'cp -a {SETTINGS} /root/settings && sed -i \'s/"keep_least": [0-9]*/"keep_least": 2/\' {SETTINGS}')
    names = list(backups(machine))
    old = machine.run("date -u -d '-40 days' +%Y%m%dT%H%M%SZ")
    machine.run(f"cd {BACKUPS} && mv {names[0]} {old} && sed -i 's/{names[0]}/{old}/' {old}/manifest.json")
    time.sleep(1)
    try:
        assert run(machine, "backup")[0] == 0
    finally:
        machine.run(f"mv /root/settings {SETTINGS}")
    assert old not in backups(machine)
    assert list(backups(machine))[:-1] == names[1:]
