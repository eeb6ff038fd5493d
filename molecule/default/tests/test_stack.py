# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stack on the host: containers, databases, files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import STACK_DIR, container_of

SERVICES = ("mysql", "redis", "web", "worker", "beat", "nginx")


@pytest.fixture(scope="module")
def containers(root: Any) -> dict[str, Any]:
    """Return what the engine says of each service's container."""
    ids = root.check_output("docker ps --all --quiet --filter label=com.docker.compose.project=app").split()
    items = json.loads(root.check_output("docker inspect " + " ".join(ids)))
    return {item["Config"]["Labels"]["com.docker.compose.service"]: item for item in items}


def test_every_service_runs_and_comes_back_after_a_reboot(containers: dict[str, Any]) -> None:
    assert sorted(containers) == sorted(SERVICES)
    for name, item in containers.items():
        assert item["State"]["Running"], name
        assert item["State"].get("Health", {}).get("Status", "healthy") == "healthy", name
        assert item["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped", name
        assert item["RestartCount"] == 0, name


def test_only_nginx_publishes_a_port(containers: dict[str, Any]) -> None:
    published = {name: sorted(item["HostConfig"]["PortBindings"] or {}) for name, item in containers.items()}
    assert {name: ports for name, ports in published.items() if ports} == {"nginx": ["443/tcp", "80/tcp"]}


def test_web_worker_and_beat_run_one_image(containers: dict[str, Any]) -> None:
    assert len({containers[name]["Image"] for name in ("web", "worker", "beat")}) == 1
    assert containers["web"]["Config"]["Image"].startswith("app/app:")


def test_nginx_does_not_reach_the_databases(root: Any, containers: dict[str, Any]) -> None:
    networks = {name: set(item["NetworkSettings"]["Networks"]) for name, item in containers.items()}
    assert not networks["nginx"] & (networks["mysql"] | networks["redis"])
    assert root.run("docker exec app-nginx-1 getent hosts mysql").rc != 0
    connect = "python -c \"import socket; socket.create_connection(('mysql', 3306), 3)\""
    assert root.run(f"docker exec {container_of(root, 'web')} {connect}").rc == 0


def test_the_application_is_not_root_and_has_no_compiler(root: Any) -> None:
    web = container_of(root, "web")
    assert root.check_output(f"docker exec {web} id -u") != "0"
    for program in ("cc", "gcc", "g++", "make"):
        assert root.run(f"docker exec {web} sh -c 'command -v {program}'").rc != 0, program


@pytest.mark.parametrize(
    ("path", "mode", "user"),
    [
        (STACK_DIR, 0o750, "root"),
        (f"{STACK_DIR}/.env", 0o600, "root"),
        (f"{STACK_DIR}/secrets", 0o700, "root"),
        (f"{STACK_DIR}/secrets/mysql_password", 0o600, "root"),
        (f"{STACK_DIR}/compose.yaml", 0o644, "root"),
    ],
)
def test_files_are_readable_for_nobody_else(root: Any, path: str, mode: int, user: str) -> None:
    assert (root.file(path).mode, root.file(path).user) == (mode, user)


@pytest.mark.parametrize(
    "path", ["mysql/secrets/root_password", "mysql/secrets/backup.cnf", "redis/redis.conf", "redis_users/default.conf"]
)
def test_secret_files_belong_to_the_user_that_reads_them(root: Any, path: str) -> None:
    file = root.file(f"{STACK_DIR}/{path}")
    assert (file.mode, file.uid) == (0o400, 999)


def mysql(root: Any, statement: str) -> str:
    """Run a statement as the application does, over TCP."""
    client = "docker exec -i app-mysql-1 mysql --defaults-extra-file=/run/secrets/client.cnf --protocol=tcp -h 127.0.0.1 -N -B"
    return str(root.check_output(f'{client} -e "{statement}"'))


def test_mysql_has_the_charset_and_the_accounts_that_were_asked_for(root: Any) -> None:
    schema = mysql(
        root,
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME='app'",
    )
    assert schema.split() == ["utf8mb4", "utf8mb4_unicode_ci"]
    assert mysql(root, "SELECT @@collation_server").strip() == "utf8mb4_unicode_ci"
    assert mysql(root, "SELECT CURRENT_USER()").strip() == "app@%"
    grants = mysql(root, "SHOW GRANTS")
    assert (
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, SHOW VIEW ON `app`.*"
        in grants
    )
    assert "ON *.* TO" not in grants.replace("GRANT USAGE ON *.* TO", "")


def test_root_of_mysql_is_local_and_has_a_password(root: Any) -> None:
    client = "docker exec -i {} app-mysql-1 mysql -N -B -u root"
    # From the file and not on a command line, which sudo would write to the journal.
    script = f"MYSQL_PWD=$(cat {STACK_DIR}/secrets/mysql_root_password) exec {client.format('-e MYSQL_PWD')}"
    hosts = root.check_output(f"echo \"SELECT Host FROM mysql.user WHERE User='root'\" | sh -c '{script}'")
    assert hosts.split() == ["localhost"]
    assert root.run(client.format("") + " -e 'SELECT 1'").rc != 0


def test_redis_keeps_what_is_queued_and_wants_a_password(root: Any) -> None:
    assert "NOAUTH" in root.run("docker exec app-redis-1 redis-cli ping").stdout
    command = (
        "docker exec app-redis-1 sh -c 'REDISCLI_AUTH=\"$(cat /usr/local/etc/redis/password)\" redis-cli config get {}'"
    )
    for name, value in (("appendonly", "yes"), ("maxmemory-policy", "noeviction")):
        assert root.check_output(command.format(name)).split() == [name, value]


def test_no_secret_is_on_a_command_line_or_in_a_container_definition(root: Any) -> None:
    processes = root.check_output("ps axww -o args")
    definitions = root.check_output(
        f"cat {STACK_DIR}/compose.yaml {STACK_DIR}/releases/*.yaml {STACK_DIR}/releases/*.json"
    )
    for name in root.check_output(f"ls {STACK_DIR}/secrets").split():
        secret = root.file(f"{STACK_DIR}/secrets/{name}").content_string
        assert len(secret) >= 40, name
        assert secret not in processes, name
        assert secret not in definitions, name


def test_no_secret_reached_the_journal_of_the_host(root: Any) -> None:
    journal = root.check_output("journalctl --no-pager --output=cat")
    assert "files=NOT_LOGGING_PARAMETER" in journal
    for name in root.check_output(f"ls {STACK_DIR}/secrets").split():
        assert root.file(f"{STACK_DIR}/secrets/{name}").content_string not in journal, name


def test_the_engine_is_configured(root: Any) -> None:
    daemon = json.loads(root.file("/etc/docker/daemon.json").content_string)
    assert daemon["log-driver"] == "local"
    assert daemon["log-opts"] == {"max-file": "5", "max-size": "10m"}
    assert daemon["live-restore"] is True
    info = json.loads(root.check_output("docker info --format '{{json .}}'"))
    assert (info["LoggingDriver"], info["LiveRestoreEnabled"]) == ("local", True)


def test_the_release_is_recorded_and_its_static_files_are_its_own(root: Any) -> None:
    record = json.loads(root.file(f"{STACK_DIR}/releases/current").content_string)
    assert root.check_output(f"readlink {STACK_DIR}/static/current") == record["id"]
    assert root.file(f"{STACK_DIR}/static/{record['id']}/admin").is_directory
    assert record["image"] == f"app/app:{record['id']}"
