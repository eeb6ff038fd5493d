# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a service does not accept is refused by the dry run and by the real one, and what serves goes on."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import STACK_DIR, container_of, request

if TYPE_CHECKING:
    from collections.abc import Callable

DIRECTIVE = '"worker_processes" directive invalid value in /etc/nginx/stack/nginx.conf:3'
BROKEN = [
    ("nginx", {"nginx_worker_processes": "many"}, f"nginx says: {DIRECTIVE};"),
    ("mysql", {"mysql_config": {"no_such_option": 1}}, "mysqld says: unknown variable 'no_such_option=1';"),
    ("redis", {"redis_config": {"maxmemory-samples": "many"}}, "redis-server says: >>> 'maxmemory-samples many';"),
    (
        "redis",
        {"redis_config": {"user": "bob on >sesame +@nosuch"}},
        "redis-server says: Error loading ACL rule '+@nosuch' for the user named 'bob'",
    ),
]
GOOD = {
    "mysql_config": {"max_allowed_packet": "48M"},
    "redis_config": {"maxmemory-samples": 4, "user": "bob on >sesame +@read"},
}


# MySQL accepts it, and does not start with it: the file has another size.
UNUSABLE = {"mysql_config": {"innodb_data_file_path": "ibdata1:5M"}}
# And with these all services start, and the site is not what it has to be.
USELESS = {
    "mysql_config": {"max_allowed_packet": "40M"},
    "nginx_api_burst": 33,
    "verify_timeout_seconds": 1,
    "verify_checks": [{"name": "teapot", "path": "/health/", "status": [418]}],
}
FILES = f"find {STACK_DIR} ! -path '*/beat/*' ! -path '*/lock/*' -type f -exec md5sum {{}} + | sort"


def serving(root: Any) -> str:
    """Return what must stay: files, containers with the moment of their start, images, volumes."""
    containers = "docker inspect --format '{{.Id}} {{.State.StartedAt}}' $(docker ps --all --quiet) | sort"
    rest = "docker images --quiet | sort; docker volume ls --quiet"
    return str(root.check_output(f"{FILES}; {containers}; {rest}"))


def ask_mysql(root: Any, query: str) -> str:
    """Ask MySQL as root."""
    client = f"mysql --user=root --skip-column-names --execute='{query}'"
    secret = f"MYSQL_PWD=$(cat {STACK_DIR}/secrets/mysql_root_password)"
    return str(root.check_output(f'docker exec {container_of(root, "mysql")} sh -c "{secret} {client}"'))


def memory(root: Any) -> str:
    """Return what lies in the memory of the containers that are asked, and of the host."""
    names = [container_of(root, service) for service in ("nginx", "mysql", "redis")]
    return str(
        root.check_output("ls -A /dev/shm; " + "; ".join(f"docker exec {name} ls -A /dev/shm" for name in names))
    )


@pytest.mark.parametrize(
    ("service", "values", "reason"), BROKEN, ids=lambda item: item if isinstance(item, str) else ""
)
def test_what_a_service_does_not_accept_is_refused_dry_and_real_with_the_same_words(
    root: Any, playbook: Callable[..., Any], service: str, values: dict[str, Any], reason: str
) -> None:
    before = serving(root)
    dry, real = (playbook("deploy", *options, "-e", json.dumps(values)) for options in (["--check"], []))
    for run in (dry, real):
        message = run.tasks["Install the configuration of every service"]["msg"]
        assert run.code != 0
        assert f"the new configuration of {service} was refused: {reason}" in message
        assert "\n" not in message
        assert "sesame" not in message
    assert dry.message == real.message
    assert request("/health/").status == 200
    assert serving(root) == before
    assert memory(root) == ""


def test_what_they_accept_is_applied_once(root: Any, playbook: Callable[..., Any]) -> None:
    values = ["-e", json.dumps(GOOD)]
    dry = playbook("deploy", "--check", *values)
    assert dry.code == 0, dry.message
    assert dry.tasks["Install the configuration of every service"]["unchecked"] == []
    assert memory(root) == ""
    first, second = (playbook("deploy", *values) for _ in range(2))
    assert (first.code, second.code) == (0, 0), first.message + second.message
    assert (first.changed == dry.changed, second.changed) == (True, [])
    assert ask_mysql(root, "select @@global.max_allowed_packet") == str(48 * 1024 * 1024)
    assert request("/health/").status == 200


def test_what_a_database_accepts_and_does_not_start_with_is_taken_back(root: Any, playbook: Callable[..., Any]) -> None:
    assert playbook("deploy").code == 0
    before = root.check_output(FILES)
    failed = playbook("deploy", "-e", json.dumps(UNUSABLE))
    assert failed.code != 0
    assert "mysql did not come up with its new configuration, and goes on with the one of before: " in failed.message
    assert "it says: The innodb_system data file './ibdata1' is of a different size" in failed.message
    assert request("/health/").status == 200
    assert root.check_output(FILES) == before
    # What the accounts are, and files that are only locked, stay; nothing that was noted of this run does.
    assert root.check_output(f"ls {STACK_DIR}/lock").split() == ["accounts.json", "data", "step"]
    again = playbook("deploy")
    assert (again.code, again.changed) == (0, []), again.message


def test_what_a_service_starts_with_and_does_not_work_with_is_taken_back(
    root: Any, playbook: Callable[..., Any]
) -> None:
    before = root.check_output(FILES)
    failed = playbook("deploy", "-e", json.dumps(USELESS))
    assert failed.code != 0
    assert "Prove that the site serves" in failed.message
    assert "mysql has the configuration of before again" in failed.message
    assert root.check_output(FILES) == before
    assert ask_mysql(root, "select @@global.max_allowed_packet") == str(64 * 1024 * 1024)
    assert request("/health/").status == 200
    # That nothing is left to do says of Nginx, too, that it has loaded the files of before.
    again = playbook("deploy")
    assert (again.code, again.changed) == (0, []), again.message


def test_whom_a_dry_run_cannot_ask_it_names(root: Any, playbook: Callable[..., Any]) -> None:
    root.check_output(f"docker stop {container_of(root, 'redis')}")
    dry = playbook("deploy", "--check", "-e", json.dumps({**GOOD, "redis_config": {"maxmemory-samples": "many"}}))
    assert dry.code == 0, dry.message
    configured = dry.tasks["Install the configuration of every service"]
    assert configured["unchecked"] == ["redis"]
    assert "could not ask redis" in " ".join(map(str, configured["warnings"]))
    # The real run asks, without the container.
    real = playbook("deploy", "-e", json.dumps({**GOOD, "redis_config": {"maxmemory-samples": "many"}}))
    assert "redis-server says: >>> 'maxmemory-samples many'" in real.message
    assert playbook("deploy").code == 0
    # Redis serves again; the worker, which was away from it for two runs, looks for it again at growing distances.
    for _ in range(120):
        if request("/health/").status == 200:
            return
        time.sleep(0.5)
    pytest.fail("the worker is not back within a minute")
