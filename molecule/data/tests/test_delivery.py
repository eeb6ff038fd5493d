# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets as files of the application: nothing of them is in an environment, and a password is replaced as with one."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from conftest import INVENTORY, PORT, STACK_DIR, Host
from test_accounts import EACH, NONE, SECRETS, Servers, new_secrets

from tests import playbooks, site
from tests.load.process import Load
from tests.load.report import failures, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.playbooks import PlaybookRun

AS_FILES = {"django_env_delivery": "secret_file"}
NAMES = (
    "CELERY_BROKER_URL",
    "CELERY_RESULT_BACKEND",
    "DATABASE_URL",
    "DB_PASSWORD",
    "EMAIL_HOST_PASSWORD",
    "REDIS_PASSWORD",
    "REDIS_URL",
    "SECRET_KEY",
)
OURS = ("web", "worker", "beat")


@pytest.fixture
def servers(machine: Host) -> Servers:
    """Return both servers of the host."""
    return Servers(machine)


@pytest.fixture(scope="module")
def deploy() -> Iterator[Callable[..., PlaybookRun]]:
    """Return the function that deploys with secrets as files; in the end they are in the environment again."""

    def run(*options: str, **variables: object) -> PlaybookRun:
        given = json.dumps({**AS_FILES, **variables})
        return playbooks.run("deploy", "--limit", "data", "-e", given, *options, inventory=INVENTORY, host="data")

    yield run
    assert run(django_env_delivery="env_file").code == 0


def seen_of(machine: Host, container: str) -> str:
    """Return what the engine and the kernel tell of a container."""
    pid = machine.run(f"docker inspect --format '{{{{.State.Pid}}}}' {container}")
    return machine.run(f"docker inspect {container}; tr '\\0' '\\n' < /proc/{pid}/environ")


def test_the_environment_says_where_the_secrets_are_and_holds_none(
    servers: Servers, machine: Host, deploy: Callable[..., PlaybookRun]
) -> None:
    dry = deploy("--check", "--diff")
    assert dry.code == 0, dry.message
    with Load(site.address(PORT), "localhost", "--max-requests", "30000") as load:
        run = deploy()
    assert run.code == 0, run.message
    assert failures(load.report) == 0, summary(load.report)
    secrets = [*servers.secrets().values(), servers.secret("django_secret_key")]
    assert not [value for value in secrets if value in run.output + dry.output]
    for service in OURS:
        container = servers.container(service)
        seen = seen_of(machine, container)
        assert not [value for value in secrets if value in seen], service
        assert "DB_PASSWORD_FILE=/run/secrets/DB_PASSWORD" in seen
        assert machine.run(f"docker exec {container} ls /run/secrets").split() == list(NAMES)
        assert machine.run(f"docker exec {container} cat /run/secrets/DB_PASSWORD") == servers.secret("mysql_password")
        # The application itself may not write there.
        assert machine.run(f"docker exec {container} touch /run/secrets/x 2>&1 || echo no").endswith("no")
    (place,) = machine.run(f"ls {STACK_DIR}/app_secrets").split()
    modes = machine.run(f"find {STACK_DIR}/app_secrets/{place} -type f -exec stat -c '%a %u' {{}} + | sort -u")
    assert modes == "400 10001"
    assert machine.serves()
    assert deploy().changed == []


def test_passwords_are_replaced_under_load(servers: Servers, machine: Host, deploy: Callable[..., PlaybookRun]) -> None:
    old, new, started = servers.secrets(), new_secrets(f"file {time.time_ns()}"), servers.started()
    before = machine.run(f"ls {STACK_DIR}/app_secrets").split()
    with Load(site.address(PORT), "localhost", "--max-requests", "30000") as load:
        run = deploy(**new)
    assert run.code == 0, run.message
    assert failures(load.report) == 0, summary(load.report)
    assert servers.taken(new) == EACH
    assert servers.taken(old) == NONE
    assert servers.started() == started
    container = servers.container("web")
    assert machine.run(f"docker exec {container} cat /run/secrets/REDIS_PASSWORD") == new["redis_password"]
    # What the release before would go back to is there as well, and nothing older.
    assert len(machine.run(f"ls {STACK_DIR}/app_secrets").split()) <= len(before) + 1
    assert deploy(**new).changed == []
    assert deploy().changed == []


def test_a_deploy_that_fails_leaves_what_serves_its_files(
    servers: Servers, machine: Host, deploy: Callable[..., PlaybookRun]
) -> None:
    old, new = servers.secrets(), new_secrets(f"lost {time.time_ns()}")
    checks = [{"name": "teapot", "path": "/health/", "status": [418]}]
    run = deploy(**new, verify_checks=checks, verify_timeout_seconds=1)
    assert run.code != 0
    assert machine.serves()
    assert {name: servers.secret(name) for name in SECRETS} == old
    container = servers.container("web")
    assert machine.run(f"docker exec {container} cat /run/secrets/DB_PASSWORD") == old["mysql_password"]
    # It comes back by itself with the same.
    machine.run(f"docker restart {container}")
    again = deploy()
    assert again.code == 0, again.message
    assert machine.serves()
    assert servers.taken(old) == EACH
    assert deploy().changed == []


def test_a_name_that_is_none_is_refused_before_anything_is_touched(
    machine: Host, deploy: Callable[..., PlaybookRun]
) -> None:
    before = machine.run(f"md5sum {STACK_DIR}/compose.yaml {STACK_DIR}/.env")
    run = deploy(django_secret_names=["SECRT_KEY"])
    assert run.code != 0
    assert "SECRT_KEY" in run.message
    assert "did you mean SECRET_KEY?" in run.message
    assert machine.run(f"md5sum {STACK_DIR}/compose.yaml {STACK_DIR}/.env") == before
