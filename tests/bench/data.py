# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups and restores of a gigabyte of rows, in turn with what people type in the same container: `make bench-data`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median
from typing import Any

from tests import playbooks
from tests.load.process import Load
from tests.load.report import failures, window

from .cases import AROUND_SECONDS, TIMED, say
from .hosts import HOSTS, INVENTORY, ROOT
from .table import page

HOST = HOSTS[0]
PAGE = ROOT / "docs" / "performance.md"
ROUNDS = 3
# Some 330 bytes of SQL a row.
MILLIONS = 3
BATCH = 100_000
QUIET_SECONDS = 20.0
MYSQL = "app-mysql-1"
SHELL = 'printf "[client]\\nuser=root\\npassword=\\"%s\\"\\n" "$(cat /run/secrets/root_password)" > /dev/shm/bench.cnf'
LOGIN = "--defaults-extra-file=/dev/shm/bench.cnf"
TABLE = (
    "CREATE TABLE bench (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(80), email VARCHAR(120), body TEXT,"
    " amount DECIMAL(12, 2), created DATETIME(6), flag BOOL, KEY (created))"
)
ROWS = (
    "SET SESSION cte_max_recursion_depth = 1000000; INSERT INTO bench (name, email, body, amount, created, flag)"  # noqa: S608
    f" WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {BATCH})"
    " SELECT CONCAT('user ', i, ' o''brien'), CONCAT(LEFT(SHA2(i, 256), 32), '@example.com'),"
    " CONCAT(SHA2(CONCAT(RAND(), i), 512), ' ', SHA2(i, 256), ' some words that are often written ', i),"
    " i * 1.37, NOW(6) - INTERVAL i SECOND, i % 2 FROM n"
)
# What people type; both programs of the pipe in the server's container, as nothing is faster.
BY_HAND = {
    "dump": (
        f"mysqldump {LOGIN} --single-transaction --quick --routines --events --no-tablespaces --set-gtid-purged=OFF app"
        " | zstd -q > /tmp/hand.sql.zst"
    ),
    "restore": f"zstd -dc /tmp/hand.sql.zst | mysql {LOGIN} hand",
}
MEASURE = """
import json, resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.run(["/opt/app/backup/barehost-backup", "backup"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"code": code, "seconds": time.monotonic() - start, "memory": most / 1024}))
"""


def on_host(*argv: str, given: str | None = None) -> str:
    """Run a command on the host."""
    line = ["docker", "exec", *(["-i"] if given is not None else []), f"barehost-{HOST.name}", *argv]
    return subprocess.run(line, check=True, capture_output=True, text=True, input=given).stdout


def inside(command: str) -> float:
    """Run a shell command in MySQL's container, and return how long it took."""
    start = time.monotonic()
    on_host("docker", "exec", MYSQL, "sh", "-ec", f"{SHELL}; {command}")
    return time.monotonic() - start


def sql(statements: str) -> str:
    """Run SQL as root."""
    shell = f"{SHELL}; exec mysql {LOGIN} --batch --skip-column-names app"
    return on_host("docker", "exec", "-i", MYSQL, "sh", "-ec", shell, given=statements)


def play(name: str, *options: str) -> playbooks.PlaybookRun:
    """Run a playbook."""
    done = playbooks.run(name, "--limit", HOST.name, *options, inventory=INVENTORY, host=HOST.name)
    if done.code:
        raise SystemExit(done.output[-3000:])
    return done


def fill() -> None:
    """Have a gigabyte of rows."""
    sql(f"DROP TABLE IF EXISTS bench; {TABLE};")
    for number in range(MILLIONS * 1_000_000 // BATCH):
        sql(f"{ROWS};")
        if number % 10 == 0:
            say(f"{number * BATCH} rows")
    sql("ANALYZE TABLE bench;")


def backup() -> dict[str, Any]:
    """Make a backup with the program."""
    found: dict[str, Any] = json.loads(on_host("python3", "-c", MEASURE))
    if found["code"]:
        raise SystemExit(on_host("tail", "-1", "/var/log/barehost/app.jsonl"))
    return found


def nightly() -> float:
    """Make a backup as the timer does, and return how long it took."""
    start = time.monotonic()
    on_host("systemctl", "start", "barehost-app-backup.service")
    return time.monotonic() - start


def restore() -> dict[str, float]:
    """Restore the newest backup, and return how long each step took."""
    tasks = play("restore", "-e", "restore_from=latest").tasks
    seconds: dict[str, float] = next(result["seconds"] for result in tasks.values() if "old_schema" in result)
    return seconds


def rounds() -> dict[str, list[float]]:
    """Measure each thing in turn."""
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)
        say(f"  {name}: {value:.1f}")

    for number in range(ROUNDS):
        say(f"round {number + 1} of {ROUNDS}")
        note("dump by hand", inside(BY_HAND["dump"]))
        made = backup()
        note("dump", made["seconds"])
        note("memory", made["memory"])
        note("dump by the timer", nightly())
        sql("DROP DATABASE IF EXISTS hand; CREATE DATABASE hand;")
        note("restore by hand", inside(BY_HAND["restore"]))
        sql("DROP DATABASE hand;")
        steps = restore()
        note("load", steps["load"])
        note("restore", sum(steps.values()))
        # As large as the schema itself; the next restore would remove it.
        for name in sql("SHOW DATABASES LIKE 'app\\\\_\\\\_before\\\\_%';").split():
            sql(f"DROP DATABASE `{name}`;")
    return found


def latency() -> dict[str, Any]:
    """Compare the answers of the site during backups with those of the time before each."""
    spans: dict[str, list[tuple[float, float]]] = {"quiet": [], "backups": []}
    with Load(HOST.url, "localhost") as load:
        for _ in range(ROUNDS):
            time.sleep(AROUND_SECONDS)
            quiet = time.time()
            time.sleep(QUIET_SECONDS)
            start = time.time()
            nightly()
            spans["quiet"].append((quiet, start))
            spans["backups"].append((start, time.time()))
    found = {name: window(load.report, TIMED, span)["p99"] for name, span in spans.items()}
    return {**found, "sent": load.report["total"]["sent"], "failed": failures(load.report)}


def table(found: dict[str, list[float]], answers: dict[str, Any], size: float) -> str:
    """Return the medians."""
    middle = {name: median(values) for name, values in found.items()}
    rows = [
        *(
            (name, f"{middle['dump by hand']:.1f} s", f"{middle[name]:.1f} s", middle["dump by hand"] / middle[name])
            for name in ("dump", "dump by the timer")
        ),
        (
            "load",
            f"{middle['restore by hand']:.1f} s",
            f"{middle['load']:.1f} s",
            middle["restore by hand"] / middle["load"],
        ),
    ]
    lines = [f"| {size:.2f} GB of SQL | by hand | here | throughput |", "| --- " * 4 + "|"]
    lines += [f"| {name} | {hand} | {ours} | {share:.2f} |" for name, hand, ours, share in rows]
    whole = (
        f"A whole restore, with all that is verified before and after, and its safety dump: {middle['restore']:.0f} s. "
        f"Memory of the program at its most: {middle['memory']:.0f} MiB."
    )
    requests = (
        f"Requests during backups of the timer: p99 {answers['backups']:.0f} ms, before them {answers['quiet']:.0f} ms "
        f"({answers['backups'] / answers['quiet']:.2f}); {answers['failed']} of {answers['sent']} failed."
    )
    lines += ["", whole, "", requests]
    return "\n".join(lines)


def main() -> int:
    """Measure, and keep the figures where that is asked for."""
    HOST.prepare()
    play("site")
    fill()
    found = rounds()
    newest = on_host("sh", "-c", "cat /opt/app/backups/*Z/manifest.json | grep -m1 plain_bytes")
    size = int("".join(char for char in newest if char.isdigit())) / 1e9
    text = table(found, latency(), size)
    sys.stdout.write(f"\n{text}\n")
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), text, "data"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
