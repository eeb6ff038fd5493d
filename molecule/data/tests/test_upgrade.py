# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MySQL on data that is not for it, and its upgrade: killed at each step, and with a version that does not start.

Only one version can be had: what is upgraded to is the same server in an image that says it is another one.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import STACK_DIR, Host

from tests.hosts import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.playbooks import PlaybookRun

    Run = Callable[..., PlaybookRun]

OLD, NEW, BAD = "mysql:9.7", "mysql:9.7.99", "mysql:9.7.98"
NEXT, OLDER = "mysql:26.7.0", "mysql:8.4.7"
DATA = "/var/lib/docker/volumes/app_mysql/_data"
MARKER = f"{DATA}/.barehost-initialised"
NOTE = f"{STACK_DIR}/lock/upgrade.json"
# Answers questions about its files and its version, and does not start.
REFUSES = """case "$*" in *validate-config* | *--version*) exec docker-entrypoint.sh "$@" ;; esac
echo "2026-11-26T00:00:00.000000Z 0 [ERROR] [MY-010020] [Server] Data Dictionary initialization failed." >&2
exit 1
"""


def make_image(machine: Host, name: str, more: str = "") -> None:
    """Make an image that says which version it is, and is what it is made from."""
    version = name.partition(":")[2]
    machine.run("mkdir -p /root/image && cat > /root/image/refuses.sh", given=REFUSES)
    lines = f"FROM {OLD}\nENV MYSQL_VERSION={version}-1.test\n{more}"
    machine.run(f"cat > /root/image/Dockerfile && docker build --quiet --tag {name} /root/image", given=lines)


@pytest.fixture(scope="module", autouse=True)
def images(machine: Host) -> Iterator[None]:
    """Have the images; go back to the one that the other tests know."""
    for name in (NEW, NEXT, OLDER):
        make_image(machine, name)
    make_image(machine, BAD, 'COPY refuses.sh /refuses.sh\nENTRYPOINT ["bash", "/refuses.sh"]\nCMD ["mysqld"]\n')
    yield
    machine.run(
        f"rm -rf /root/image {STACK_DIR}/backups/*-mysql-*.data {STACK_DIR}/backups/*-before-upgrade-of-mysql-*"
    )


def with_image(name: str) -> tuple[str, ...]:
    """Return the options that ask for an image."""
    return "-e", json.dumps({"mysql_image": name})


def image(machine: Host) -> str:
    """Return the image that MySQL runs in."""
    return machine.run("docker inspect --format '{{.Config.Image}} {{.State.Health.Status}}' app-mysql-1")


def copies(machine: Host) -> list[str]:
    """List the kept copies of the data."""
    return machine.run(f"ls -d {STACK_DIR}/backups/*-mysql-*.data 2> /dev/null || true").split()


def write_row(machine: Host) -> str:
    """Leave a row in a table of its own; return what the table holds afterwards."""
    sql = "CREATE TABLE IF NOT EXISTS upgrade_seen (at INT AUTO_INCREMENT PRIMARY KEY); INSERT INTO upgrade_seen VALUES ();"
    return ask(machine, f"{sql} SELECT COUNT(*) FROM upgrade_seen")


def ask(machine: Host, sql: str) -> str:
    """Ask MySQL as root, in the schema of the application."""
    client = f'MYSQL_PWD=$(cat /run/secrets/root_password) exec mysql --user=root --batch --skip-column-names app --execute="{sql}"'
    return machine.run(f"docker exec app-mysql-1 sh -c '{client}'")


def rows(machine: Host) -> str:
    """Return how many rows there are."""
    return ask(machine, "SELECT COUNT(*) FROM upgrade_seen")


class Killer(threading.Thread):
    """Kills the module that is at work, and leaves its controller, once the upgrade has come to a phase."""

    def __init__(self, machine: Host, phase: str, delay: float) -> None:
        """Take whom to kill and when."""
        super().__init__(daemon=True)
        self.machine, self.phase, self.delay, self.done = machine, phase, delay, False

    def run(self) -> None:
        """Wait for it, then kill by the id that the module has noted."""
        for _ in range(1200):
            text = self.machine.run(f"cat {NOTE} 2> /dev/null", check=False)
            if text and json.loads(text)["phase"] == self.phase:
                time.sleep(self.delay)
                work: dict[str, Any] = json.loads(self.machine.run(f"cat {STACK_DIR}/lock/step"))
                self.machine.run(f"kill -9 {work['pid']}")
                self.done = True
                return
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "said"), [(OLDER, "an older server must not meet it"), (NEXT, "does not change the series")]
)
def test_a_deploy_refuses_another_series(machine: Host, runner: Run, name: str, said: str) -> None:
    began = machine.run("docker inspect --format '{{.State.StartedAt}}' app-mysql-1")
    told = [runner("deploy", *options, *with_image(name)).message for options in (("--check",), ())]
    assert told[0] == told[1]
    assert said in told[0]
    assert machine.run("docker inspect --format '{{.State.StartedAt}}' app-mysql-1") == began
    assert machine.serves()


def test_a_version_that_does_not_start_is_taken_back(machine: Host, runner: Run) -> None:
    before = write_row(machine)
    done = runner("upgrade_mysql", *with_image(BAD))
    assert "MySQL was not upgraded, and 9.7.4 serves again" in done.message
    assert "Data Dictionary initialization failed" in done.message
    assert (rows(machine), image(machine)) == (before, f"{OLD} healthy")
    assert machine.run(f"grep -c 'image: {OLD}$' {STACK_DIR}/compose.yaml") == "1"
    assert copies(machine) == []
    wait_until(machine.serves, "the site after the way back")


@pytest.mark.parametrize(("phase", "delay"), [("copying", 0.2), ("upgrading", 0.1), ("upgrading", 3.0)])
def test_a_module_that_is_killed_is_taken_back(machine: Host, runner: Run, phase: str, delay: float) -> None:
    before = write_row(machine)
    killer = Killer(machine, phase, delay)
    killer.start()
    assert runner("upgrade_mysql", *with_image(NEW)).code != 0
    killer.join()
    assert killer.done
    # By the same run, where its controller lives; by the next one otherwise.
    done = runner("deploy")
    assert done.code == 0, done.message
    assert (write_row(machine), image(machine)) == (str(int(before) + 1), f"{OLD} healthy")
    assert machine.run(f"ls {NOTE} 2> /dev/null || true") == ""
    wait_until(machine.serves, "the site after the way back")


def test_an_upgrade_does_not_meet_a_new_password(machine: Host, runner: Run) -> None:
    before, running = write_row(machine), image(machine)
    values = {"mysql_image": NEW, "mysql_root_password": "not that of this server"}
    told = [runner("upgrade_mysql", *options, "-e", json.dumps(values)) for options in (("--check",), ())]
    assert [run.code != 0 for run in told] == [True, True]
    assert told[0].message == told[1].message
    assert "its passwords are being changed (mysql_root_password)" in told[1].message
    assert (rows(machine), image(machine), copies(machine)) == (before, running, [])
    done = runner("deploy")
    assert done.code == 0, done.message


def test_an_upgrade_keeps_the_rows_and_a_copy(machine: Host, runner: Run) -> None:
    before = write_row(machine)
    dry = runner("upgrade_mysql", "--check", *with_image(NEW))
    assert image(machine) == f"{OLD} healthy"
    done = runner("upgrade_mysql", *with_image(NEW))
    assert (dry.code, done.code) == (0, 0), done.message
    assert (rows(machine), image(machine)) == (before, f"{NEW} healthy")
    (copy,) = copies(machine)
    assert machine.run(f"cd {copy}/data && ls -A auto.cnf mysql.ibd {MARKER.rpartition('/')[2]}").split()
    again = runner("upgrade_mysql", *with_image(NEW))
    assert (again.code, again.stats["changed"]) == (0, 0)
    # And back, since it is the same server.
    assert runner("deploy").code == 0
    assert (rows(machine), image(machine)) == (before, f"{OLD} healthy")


def test_data_without_a_marker_gets_it_from_a_server_that_is_well(machine: Host, runner: Run) -> None:
    machine.run(f"rm {MARKER}")
    assert runner("deploy").code == 0
    machine.run(f"test -f {MARKER}")
    assert runner("deploy").stats["changed"] == 0


def test_half_initialised_data_is_neither_served_nor_deleted(machine: Host, runner: Run) -> None:
    """With a volume in place of the real one, since what is cut off cannot be used any more."""
    machine.run(
        f"docker stop app-mysql-1 && mv {DATA} {DATA}.whole && mkdir -m 1777 {DATA} && docker start app-mysql-1"
    )
    wait_until(
        lambda: bool(machine.run(f"ls {DATA}/public_key.pem 2> /dev/null", check=False)), "a first initialisation"
    )
    # Not by the engine, which would leave it down then.
    machine.run("kill -9 $(docker inspect --format '{{.State.Pid}}' app-mysql-1)")
    try:
        told = [runner("deploy", *options).message for options in (("--check",), ())]
        assert told[0] == told[1]
        assert "was never initialised to its end (volume app_mysql" in told[0]
        assert machine.run("docker inspect --format '{{.State.Status}}' app-mysql-1") == "exited"
        machine.run(f"test -f {DATA}/auto.cnf")
    finally:
        machine.run(f"docker stop app-mysql-1; rm -rf {DATA} && mv {DATA}.whole {DATA}")
    assert runner("deploy").code == 0
    wait_until(machine.serves, "the site on its data")


def test_a_first_deploy_leaves_the_marker_by_the_initialisation_itself(machine: Host) -> None:
    name = "marker-of-a-first-start"
    mounts = f"-v {name}:/var/lib/mysql -v {STACK_DIR}/mysql/init:/docker-entrypoint-initdb.d:ro -v {STACK_DIR}/mysql/secrets:/run/secrets:ro"
    machine.run(
        f"docker run --detach --name {name} --network none -e MYSQL_ROOT_PASSWORD_FILE=/run/secrets/root_password "
        f"-e MYSQL_ROOT_HOST=localhost {mounts} {OLD}"
    )
    path = machine.run(f"docker volume inspect --format '{{{{.Mountpoint}}}}' {name}")
    try:
        wait_until(
            lambda: bool(machine.run(f"ls {path}/.barehost-initialised 2> /dev/null", check=False)), "the marker"
        )
    except subprocess.SubprocessError:
        pytest.fail(machine.run(f"docker logs {name} 2>&1 | tail -20"))
    finally:
        machine.run(f"docker rm --force {name} && docker volume rm {name}")
