# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was acknowledged is there, whatever ends without a word and whichever disk is full.

A kill leaves what the kernel has taken, so it says nothing about a power cut: for that, how often MySQL asks the disk is counted.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from conftest import PORT, STACK_DIR, ask
from contents import broken, redis, sql
from faults import MIB, container, fill, free, is_healthy, kill, small_volume

from tests import site
from tests.hosts import wait_until
from tests.load.clients import KINDS
from tests.load.ledger import Verdict, check_ledger
from tests.load.process import Load

if TYPE_CHECKING:
    from conftest import Host

KILLS = 4
# As the server says it, and as the configuration does.
PROMISES = {
    "innodb_flush_log_at_trx_commit": ("1", "innodb_flush_log_at_trx_commit = 1"),
    "sync_binlog": ("1", "sync_binlog = 1"),
    "innodb_doublewrite": ("ON", "innodb_doublewrite = ON"),
    "log_bin": ("0", "skip-log-bin"),
}
# The visibility time-out of the project, and what Celery takes to notice that it is over.
GIVEN_BACK_SECONDS = 60 + 60
# An answer that comes later than that is a request that hangs.
AT_ONCE_SECONDS = 5


def writers(per_second: int = 200) -> Load:
    """Return clients that do nothing but add rows, and note which were acknowledged."""
    rates = {kind.name: 0 for kind in KINDS} | {"ledger": per_second}
    arguments = [word for name, rate in rates.items() for word in ("--rate", f"{name}={rate}")]
    return Load(site.address(PORT), "localhost", *arguments, "--connections", "ledger=8", "--timeout", "15")


def verdict(load: Load) -> Verdict:
    """Compare what was acknowledged with what is there."""
    return check_ledger(load.report, ask("/ledger/", seconds=60)[1]["rows"])


def add(uid: str) -> int:
    """Add a row, and return the status of the answer; one that does not come is an error of its own."""
    return ask("/ledger/", {"id": uid}, AT_ONCE_SECONDS)[0]


def queue(numbers: range) -> list[int]:
    """Queue tasks, and return those that were accepted."""
    return [number for number in numbers if ask("/tasks/", {"n": number})[0] == HTTPStatus.ACCEPTED]


def executed(numbers: list[int]) -> list[int]:
    """Return which of these numbers have come to their end, as often as they did."""
    rows: list[dict[str, Any]] = ask("/tasks/")[1]["rows"]
    return sorted(row["number"] for row in rows if row["number"] in numbers)


@pytest.fixture
def numbers() -> range:
    """Return numbers of tasks that no other test has."""
    first = int(time.time() * 1000)
    return range(first, first + 60)


def test_what_the_promises_rest_on_is_said_in_the_configuration(machine: Host) -> None:
    lines = machine.run(f"cat {STACK_DIR}/mysql/conf.d/stack.cnf").splitlines()
    found = {name: sql(machine, f"SELECT @@global.{name}")[0][0] for name in PROMISES}
    assert found == {name: value for name, (value, _) in PROMISES.items()}
    assert [line for _, line in PROMISES.values() if line not in lines] == []
    assert redis(machine, "config", "get", "appendonly").split() == ["appendonly", "yes"]
    assert redis(machine, "config", "get", "appendfsync").split() == ["appendfsync", "everysec"]


def test_mysql_asks_the_disk_for_each_row_before_it_is_acknowledged(machine: Host) -> None:
    def flushed() -> int:
        return int(sql(machine, "SHOW GLOBAL STATUS LIKE 'Innodb_os_log_fsyncs'")[0][1])

    rows = 300
    before = flushed()
    sql(
        machine,
        "".join(
            f"INSERT INTO traffic_entry (uid, `release`, agent, at) VALUES ('f{n}', '', '', NOW());"
            for n in range(rows)
        ),
    )
    assert flushed() - before >= rows


def test_mysql_that_is_killed_under_load_has_every_row_that_it_acknowledged(machine: Host) -> None:
    with writers() as load:
        for _ in range(KILLS):
            time.sleep(3)
            kill(machine, "mysql")
            wait_until(machine.serves, "the site after a kill of MySQL")
    found = verdict(load)
    assert len(load.report["ledger"]["acknowledged"]) > KILLS * 100
    assert found.ok, found
    assert broken(machine) == []


def test_redis_that_is_killed_has_every_task_that_it_accepted(machine: Host, numbers: range) -> None:
    machine.run(f"docker stop {container(machine, 'worker')}")
    accepted = queue(numbers)
    kill(machine, "redis")
    machine.run(f"docker start {container(machine, 'worker')}")
    assert len(accepted) == len(numbers)
    wait_until(lambda: executed(accepted) == accepted, "every task once")


def test_a_worker_that_is_killed_in_the_middle_of_tasks_loses_none_and_does_none_again_that_was_done(
    machine: Host, numbers: range
) -> None:
    accepted = queue(numbers)
    # All of the container; those that it was at come back when their time is over.
    wait_until(lambda: len(executed(accepted)) > len(accepted) // 6, "the first tasks")
    kill(machine, "worker")
    # One process of it alone: the worker itself gives the task back.
    wait_until(lambda: len(executed(accepted)) > len(accepted) // 2, "tasks after the first kill")
    machine.run("kill -9 $(pgrep --full '[c]elery -A conf worker' | tail -n 1)")
    wait_until(lambda: len(set(executed(accepted))) == len(accepted), "every task", GIVEN_BACK_SECONDS)
    again = len(executed(accepted)) - len(accepted)
    # A kill may fall between the end of a task and its acknowledgement.
    assert again <= 1, again


def test_mysql_without_space_refuses_rows_at_once_and_serves_reads_until_there_is_space(machine: Host) -> None:
    # A small table grows page by page; in a large one rows find room for long after the disk is full.
    sql(machine, "TRUNCATE TABLE traffic_entry")
    with small_volume(machine, "mysql", 64 * MIB) as volume, writers(50) as load:
        wait_until(machine.serves, "the site")
        time.sleep(3)
        fill(machine, volume)
        wait_until(lambda: add("full") >= HTTPStatus.INTERNAL_SERVER_ERROR, "a refusal")
        refused = [add(f"full-{number}") for number in range(20)]
        assert set(refused) == {HTTPStatus.INTERNAL_SERVER_ERROR}
        assert (
            ask("/health/", seconds=AT_ONCE_SECONDS)[0] == ask("/ticks/", seconds=AT_ONCE_SECONDS)[0] == HTTPStatus.OK
        )
        free(machine, volume)
        assert wait_until(lambda: add("space") == HTTPStatus.CREATED, "a row after the disk was full") < AT_ONCE_SECONDS
        # Once more, and it ends while there is none: it comes back when there is, with all that it had acknowledged.
        fill(machine, volume)
        wait_until(lambda: add("full") >= HTTPStatus.INTERNAL_SERVER_ERROR, "a refusal")
        kill(machine, "mysql")
        time.sleep(10)
        free(machine, volume)
        wait_until(lambda: add("after") == HTTPStatus.CREATED, "a row after a kill without space")
    assert set(load.report["ledger"]["unknown"]).isdisjoint(load.report["ledger"]["acknowledged"])
    found = verdict(load)
    assert found.ok, found
    assert broken(machine) == []


def test_redis_without_space_refuses_tasks_at_once_and_keeps_those_that_it_accepted(
    machine: Host, numbers: range
) -> None:
    with small_volume(machine, "redis", 2 * MIB) as volume:
        machine.run(f"docker stop {container(machine, 'worker')}")
        accepted = queue(numbers[:20])
        fill(machine, volume)
        wait_until(lambda: ask("/tasks/", {"n": numbers[-1]})[0] >= HTTPStatus.INTERNAL_SERVER_ERROR, "a refusal")
        began = time.monotonic()
        assert queue(numbers[20:30]) == []
        assert time.monotonic() - began < 10 * AT_ONCE_SECONDS
        assert redis(machine, "llen", "celery")
        free(machine, volume)
        wait_until(lambda: bool(queue(numbers[30:31])), "a task after the disk was full", AT_ONCE_SECONDS)
        kill(machine, "redis")
        wait_until(lambda: is_healthy(machine, "redis"), "Redis")
        machine.run(f"docker start {container(machine, 'worker')}")
        accepted.append(numbers[30])
        wait_until(lambda: executed(accepted) == accepted, "every task once")
    wait_until(machine.serves, "the site")
