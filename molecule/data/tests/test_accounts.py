# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may log in to MySQL and Redis, with what, and to do what: converged by every deploy, and replaced without a lost request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import INVENTORY, PORT, ROOT, STACK_DIR, Host, ask

from tests import playbooks, site
from tests.hosts import wait_until
from tests.load.ledger import check_ledger
from tests.load.process import Load
from tests.load.report import failures, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.playbooks import PlaybookRun

ACCOUNTS = {
    "mysql_password": "app",
    "mysql_migration_password": "app_migrate",
    "mysql_backup_password": "app_backup",
    "mysql_root_password": "root",
}
SECRETS = (*ACCOUNTS, "redis_password")
EACH, NONE = dict.fromkeys(SECRETS, True), dict.fromkeys(SECRETS, False)
# What each format that they are written into takes for a sign of its own.
AWKWARD = 'it\'s "here" $HOME %41 # \\n'
RUNTIME = {"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE", "SHOW VIEW"}


@dataclass(frozen=True)
class Servers:
    """MySQL and Redis of the host."""

    machine: Host

    def container(self, service: str) -> str:
        """Return the container of a service."""
        labels = "--filter label=com.docker.compose.project=app --filter label=com.docker.compose.oneoff=False"
        return self.machine.run(f"docker ps --quiet {labels} --filter label=com.docker.compose.service={service}")

    def started(self) -> str:
        """Return when the servers were started."""
        ids = " ".join(self.container(service) for service in ("mysql", "redis"))
        return self.machine.run(f"docker inspect --format '{{{{.Id}}}} {{{{.State.StartedAt}}}}' {ids}")

    def secret(self, name: str) -> str:
        """Return a secret as the host keeps it."""
        return self.machine.run(f"cat {STACK_DIR}/secrets/{name}")

    def secrets(self) -> dict[str, str]:
        """Return all that the servers know."""
        return {name: self.secret(name) for name in SECRETS}

    def root(self, statements: str) -> str:
        """Run statements as root."""
        return self.login("root", self.secret("mysql_root_password"), statements)

    def login(self, user: str, password: str, statements: str = "SELECT 1") -> str:
        """Run statements as somebody: over the socket, but for those who come from elsewhere."""
        tcp = "--protocol=tcp --host=127.0.0.1" if user in ("app", "app_migrate") else ""
        client = f"IFS= read -r MYSQL_PWD; export MYSQL_PWD; exec mysql {tcp} --user={user} --batch --skip-column-names"
        command = f"docker exec --interactive {self.container('mysql')} sh -c '{client}'"
        return self.machine.run(command, given=f"{password}\n{statements}\n")

    def lets_in(self, name: str, password: str) -> bool:
        """Whether a server takes a password."""
        if name == "redis_password":
            client = "IFS= read -r REDISCLI_AUTH; export REDISCLI_AUTH; exec redis-cli ping"
            command = f"docker exec --interactive {self.container('redis')} sh -c '{client}'"
            return "PONG" in self.machine.run(command, given=f"{password}\n", check=False).splitlines()
        try:
            return self.login(ACCOUNTS[name], password) == "1"
        except subprocess.CalledProcessError:
            return False

    def taken(self, secrets: dict[str, str]) -> dict[str, bool]:
        """Say of each of some passwords whether it is taken."""
        return {name: self.lets_in(name, password) for name, password in secrets.items()}

    def grants(self, user: str, host: str = "%") -> str:
        """Return what an account may do."""
        return self.root(f"SHOW GRANTS FOR '{user}'@'{host}'")


@pytest.fixture
def servers(machine: Host) -> Servers:
    """Return both servers of the host."""
    return Servers(machine)


def given(values: dict[str, Any]) -> tuple[str, str]:
    """Return the option that gives variables."""
    return ("-e", json.dumps(values))


def new_secrets(word: str) -> dict[str, str]:
    """Return passwords that nobody has had."""
    # The image pastes that of root into SQL when it first starts, and refuses these signs.
    return {name: f"{word} {name} {AWKWARD if name != 'mysql_root_password' else '%41 #'}" for name in SECRETS}


def accounts(run: PlaybookRun) -> list[str]:
    """Return what a run has done to accounts."""
    found: list[str] = run.part("image")["beside"]["accounts"]
    return found


def test_the_application_may_not_change_its_schema_and_the_migrations_may(servers: Servers, machine: Host) -> None:
    assert "DB_USER=app\n" in machine.run(f"docker exec {servers.container('web')} env") + "\n"
    with pytest.raises(subprocess.CalledProcessError) as refused:
        servers.login("app", servers.secret("mysql_password"), "CREATE TABLE app.made_at_run_time (id INT)")
    assert "command denied to user 'app'" in refused.value.stderr
    servers.login(
        "app_migrate", servers.secret("mysql_migration_password"), "CREATE TABLE app.x (id INT); DROP TABLE app.x"
    )
    with pytest.raises(subprocess.CalledProcessError):
        servers.login("app_migrate", servers.secret("mysql_migration_password"), "CREATE DATABASE other")
    assert "ON *.* TO `app`@`%`" in servers.grants("app").splitlines()[0]
    assert servers.grants("app").splitlines()[0].startswith("GRANT USAGE")


def test_the_account_for_backups_reads_and_nothing_else(servers: Servers) -> None:
    password = servers.secret("mysql_backup_password")
    assert servers.login("app_backup", password, "SELECT COUNT(*) FROM app.django_migrations").isdigit()
    with pytest.raises(subprocess.CalledProcessError):
        servers.login("app_backup", password, "DELETE FROM app.django_migrations")
    assert servers.grants("app_backup", "localhost").splitlines() == [
        "GRANT USAGE ON *.* TO `app_backup`@`localhost`",
        "GRANT SHOW_ROUTINE ON *.* TO `app_backup`@`localhost`",
        "GRANT SELECT, LOCK TABLES, SHOW VIEW, EVENT, TRIGGER ON `app`.* TO `app_backup`@`localhost`",
    ]


def test_every_password_is_replaced_under_load(servers: Servers, runner: Callable[..., PlaybookRun]) -> None:
    old, new, started = servers.secrets(), new_secrets(f"load {time.time_ns()}"), servers.started()
    with Load(site.address(PORT), "localhost", "--max-requests", "30000") as load:
        run = runner("deploy", *given(new))
    assert run.code == 0, run.message
    assert failures(load.report) == 0, summary(load.report)
    for name in ("ledger", "tasks"):
        rows = ask(f"/{name}/")[1]["rows"]
        verdict = check_ledger(load.report, rows if name == "ledger" else [row["number"] for row in rows], name)
        assert verdict.ok, verdict
    assert servers.secrets() == new
    assert servers.taken(new) == EACH
    assert servers.taken(old) == NONE
    assert servers.started() == started
    assert not [word for word in (*old.values(), *new.values()) if word in run.output]
    assert runner("deploy", *given(new)).changed == []
    assert runner("deploy").changed == []


def test_secrets_that_were_generated_are_made_anew_once(servers: Servers, runner: Callable[..., PlaybookRun]) -> None:
    old = servers.secrets()
    wanted = given({"stack_rotate_secrets": ["mysql_password", "redis_password"]})
    dry = runner("deploy", *wanted, "--check")
    assert dry.code == 0, dry.message
    assert servers.secrets() == old
    run = runner("deploy", *wanted)
    assert run.code == 0, run.message
    assert accounts(dry) == accounts(run)
    new = servers.secrets()
    assert {name for name in SECRETS if new[name] != old[name]} == {"mysql_password", "redis_password"}
    assert servers.taken(new) == EACH
    assert not servers.lets_in("mysql_password", old["mysql_password"])
    assert not servers.lets_in("redis_password", old["redis_password"])
    assert runner("deploy").changed == []


def test_a_deploy_that_fails_leaves_what_serves_its_password(
    servers: Servers, machine: Host, runner: Callable[..., PlaybookRun]
) -> None:
    old, new = servers.secrets(), new_secrets(f"failed {time.time_ns()}")
    checks = [{"name": "teapot", "path": "/health/", "status": [418]}]
    with Load(site.address(PORT), "localhost", "--max-requests", "30000") as load:
        run = runner("deploy", *given({**new, "verify_checks": checks, "verify_timeout_seconds": 1}))
    assert run.code != 0
    assert failures(load.report) == 0, summary(load.report)
    assert machine.serves()
    assert servers.secrets() == old
    assert servers.taken(old) == EACH
    assert old["mysql_password"] in machine.run(f"docker exec {servers.container('web')} env")
    again = runner("deploy")
    assert again.code == 0, again.message
    assert servers.taken(old) == EACH
    assert servers.taken(new) == NONE
    assert runner("deploy").changed == []


@dataclass
class Cut:
    """A deploy that is cut off as soon as the host is at some point."""

    machine: Host
    variables: dict[str, str]
    run: subprocess.Popen[str] | None = field(default=None)

    def at(self, test: str) -> None:
        """Start it, and kill the controller and the module on the host once a command succeeds there."""
        argv, env = playbooks.command("deploy", "--limit", "data", *given(self.variables), inventory=INVENTORY)
        pipe = subprocess.PIPE
        run = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        waited = f"for i in $(seq 2000); do {{ {test}; }} && exit 0; sleep 0.02; done; exit 1"
        self.machine.run(waited)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=30)
        work = json.loads(self.machine.run(f"cat {STACK_DIR}/lock/step") or "{}")
        self.machine.run(f"kill -9 {work['pid']} || true")


CUTS = {
    "written": f"grep -q secrets/mysql_password {STACK_DIR}/lock/before.json",
    "rendered": f"grep -q mysql/secrets/client.cnf {STACK_DIR}/lock/before.json",
    "taken": f"test -e {STACK_DIR}/lock/rotation.json",
    "switched": f'grep -q \'"step": "drain"\' {STACK_DIR}/releases/current',
}


@pytest.mark.parametrize("moment", CUTS)
def test_a_rotation_that_is_cut_off_is_ended_by_the_next_run(
    moment: str, servers: Servers, machine: Host, runner: Callable[..., PlaybookRun]
) -> None:
    old, new = servers.secrets(), new_secrets(f"cut {time.time_ns()}")
    with Load(site.address(PORT), "localhost", "--max-requests", "30000") as load:
        Cut(machine, new).at(CUTS[moment])
        assert machine.serves()
        if servers.secret("mysql_password") != old["mysql_password"]:
            third = runner("deploy", *given(new_secrets("third")))
            assert third.code != 0
            assert "a deploy that replaced it was cut off" in third.message
            assert machine.serves()
        run = runner("deploy", *given(new))
    assert run.code == 0, run.message
    assert failures(load.report) == 0, summary(load.report)
    assert servers.taken(new) == EACH
    assert servers.taken(old) == NONE
    assert runner("deploy").changed == []


def test_a_rotation_that_is_cut_off_can_be_taken_back(
    servers: Servers, machine: Host, runner: Callable[..., PlaybookRun]
) -> None:
    old, new = servers.secrets(), new_secrets(f"back {time.time_ns()}")
    Cut(machine, new).at(CUTS["taken"])
    run = runner("deploy", *given(old))
    assert run.code == 0, run.message
    assert servers.taken(old) == EACH
    assert servers.taken(new) == NONE
    assert runner("deploy").changed == []


def test_accounts_that_are_not_as_they_should_be_are_put_right_and_others_left_alone(
    servers: Servers, runner: Callable[..., PlaybookRun]
) -> None:
    servers.root(
        "CREATE USER ''@'%'; CREATE USER root@'%' IDENTIFIED BY 'open-to-all-1'; CREATE USER dba@'%' IDENTIFIED BY 'not-ours-12';"
        "GRANT SELECT ON *.* TO dba@'%'; GRANT CREATE, DROP ON app.* TO app@'%' WITH GRANT OPTION; REVOKE DELETE ON app.* FROM app@'%';"
        "GRANT PROCESS ON *.* TO app@'%'; GRANT SELECT ON `ap_`.* TO app@'%'; GRANT INSERT ON mysql.time_zone TO app@'%';"
        "ALTER USER app_backup@localhost ACCOUNT LOCK; DROP USER app_migrate@'%';"
        "ALTER DATABASE app CHARACTER SET latin1; CREATE ROLE helper; GRANT helper TO app@'%';"
        "CREATE USER app_old@'%' IDENTIFIED BY 'left-behind-1' ATTRIBUTE '{\"barehost.django\": \"runtime\"}'"
    )
    dry = runner("deploy", "--check", "--diff")
    run = runner("deploy")
    assert run.code == 0, run.message
    assert accounts(dry) == accounts(run)
    known = servers.root("SELECT User, Host FROM mysql.user").split("\n")
    assert {"root\tlocalhost", "dba\t%", "app\t%", "app_migrate\t%", "app_backup\tlocalhost"} <= set(known)
    assert not {"\t%", "root\t%", "app_old\t%"} & set(known)
    grants = servers.grants("app").splitlines()
    assert len(grants) == 2, grants
    assert {word.strip() for word in grants[1].partition(" ON ")[0].removeprefix("GRANT ").split(",")} == RUNTIME
    assert "SELECT ON *.*" in servers.grants("dba")
    assert servers.lets_in("mysql_backup_password", servers.secret("mysql_backup_password"))
    assert "utf8mb4_unicode_ci" in servers.root("SHOW CREATE DATABASE app")
    assert runner("deploy").changed == []
    servers.root("DROP USER dba@'%'; DROP ROLE helper")


def test_a_trigger_that_runs_as_the_applications_account_goes_on_working(
    servers: Servers, runner: Callable[..., PlaybookRun]
) -> None:
    servers.root(
        "USE app; CREATE TABLE fires (n INT); CREATE TABLE fired (n INT); GRANT TRIGGER ON app.* TO app@'%';"
        "CREATE DEFINER = app@'%' TRIGGER copies AFTER INSERT ON fires FOR EACH ROW INSERT INTO fired VALUES (NEW.n)"
    )
    run = runner("deploy")
    assert run.code == 0, run.message
    assert "trigger app.copies" in run.output
    servers.login("app", servers.secret("mysql_password"), "INSERT INTO app.fires VALUES (7)")
    assert servers.root("SELECT n FROM app.fired") == "7"
    assert runner("deploy").changed == []
    servers.root("DROP TABLE app.fires, app.fired")
    # Nothing needs the privilege any more.
    assert runner("deploy").code == 0
    assert "TRIGGER" not in servers.grants("app")


def test_a_database_that_is_down_gets_its_new_password_with_its_start(
    servers: Servers, machine: Host, runner: Callable[..., PlaybookRun]
) -> None:
    old, new = servers.secrets(), new_secrets(f"down {time.time_ns()}")
    machine.run(f"docker stop {servers.container('mysql')} {servers.container('redis')}")
    dry = runner("deploy", *given(new), "--check")
    assert dry.code == 0, dry.message
    assert {f"account '{name}'@'{host}': new password" for name, host in (("app", "%"), ("root", "localhost"))} <= set(
        accounts(dry)
    )
    run = runner("deploy", *given(new))
    assert run.code == 0, run.message
    assert servers.taken(new) == EACH
    assert servers.taken(old) == NONE
    wait_until(machine.serves, "the site serves")
    assert runner("deploy").changed == []


def test_an_earlier_release_runs_with_the_passwords_of_today(
    servers: Servers, machine: Host, runner: Callable[..., PlaybookRun]
) -> None:
    project = f"{ROOT}/.state/accounts"
    subprocess.run(["rm", "-rf", project], check=True)
    subprocess.run(["cp", "-r", f"{ROOT}/molecule/release/project", project], check=True)
    with Path(f"{project}/static/site/site.css").open("a", encoding="utf-8") as sheet:
        sheet.write(f"/* {time.time_ns()} */\n")
    new = new_secrets(f"later {time.time_ns()}")
    before = ask("/health/")[1]["release"]
    deployed = runner("deploy", *given({**new, "django_source_path": project}))
    assert deployed.code == 0, deployed.message
    assert ask("/health/")[1]["release"] != before
    back = runner("rollback", "-e", "release_allow_schema_mismatch=true")
    assert back.code == 0, back.message
    assert ask("/health/")[1]["release"] == before
    assert machine.serves()
    assert new["mysql_password"] in machine.run(f"docker exec {servers.container('web')} env")
