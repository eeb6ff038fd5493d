# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Taking the stack down: last, since nothing is left to test afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conftest import STACK_DIR, container_of, request

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = "docker ps --all --quiet --filter label=com.docker.compose.project=app"
VOLUMES = "docker volume ls --quiet --filter label=com.docker.compose.project=app"


def test_data_of_a_stack_that_is_not_named_is_not_deleted(root: Any, playbook: Callable[..., Any]) -> None:
    run = playbook("uninstall", "-e", "uninstall_delete_data=other")
    assert run.code != 0
    assert "other" in run.message
    assert len(root.check_output(COUNT).split()) == 6


def test_a_dry_run_takes_nothing_down(root: Any, playbook: Callable[..., Any]) -> None:
    beat = container_of(root, "beat")
    run = playbook("uninstall", "--check", "--diff")
    assert run.code == 0, run.output
    assert run.changed
    assert f"Would remove: containers {beat}, " in run.output
    assert "app_mysql, app_redis" in run.output
    assert len(root.check_output(COUNT).split()) == 6
    assert request("/health/").status == 200


def test_the_data_stays_and_comes_back(root: Any, playbook: Callable[..., Any]) -> None:
    table = "app_kept"
    client = "MYSQL_PWD=$(cat /run/secrets/root_password) mysql -u root -N -B app -e"
    root.check_output(f"docker exec app-mysql-1 sh -c '{client} \"CREATE TABLE {table} (id INT)\"'")
    run = playbook("uninstall")
    assert run.code == 0
    assert f"Kept: volumes app_mysql, app_redis and {STACK_DIR} with secrets" in run.output
    assert "-e uninstall_delete_data=app" in run.output
    assert root.check_output(COUNT) == ""
    assert sorted(root.check_output(VOLUMES).split()) == ["app_mysql", "app_redis"]
    assert root.file(f"{STACK_DIR}/secrets/django_secret_key").exists
    again = playbook("uninstall")
    assert again.changed == []
    # Without its description Compose takes nothing down; and without the secrets nobody could read what it leaves.
    root.check_output(f"mv {STACK_DIR}/compose.yaml /root/compose.yaml")
    refused = playbook("uninstall", "-e", "uninstall_delete_data=app")
    assert refused.code != 0
    assert "docker volume rm app_mysql app_redis" in refused.output
    assert sorted(root.check_output(VOLUMES).split()) == ["app_mysql", "app_redis"]
    assert root.file(f"{STACK_DIR}/secrets/django_secret_key").exists
    root.check_output(f"mv /root/compose.yaml {STACK_DIR}/compose.yaml")
    assert playbook("deploy").code == 0
    assert table in root.check_output(f"docker exec app-mysql-1 sh -c '{client} \"SHOW TABLES\"'").split()


def test_named_data_is_deleted_and_the_engine_stays(root: Any, playbook: Callable[..., Any]) -> None:
    cache = "/var/cache/barehost/app"
    root.check_output(f"mkdir -p {cache}")
    run = playbook("uninstall", "-e", "uninstall_delete_data=app")
    assert run.code == 0, run.output
    assert not root.file(cache).exists
    assert root.file("/var/log/barehost/app.jsonl").exists
    assert root.check_output(COUNT) == ""
    assert root.check_output(VOLUMES) == ""
    assert not root.file(STACK_DIR).exists
    assert root.run("docker info").rc == 0
    for verb in ("superuser", "verify", "rollback"):
        assert f"There is no stack in {STACK_DIR}: run barehost.django.site first" in playbook(verb).message
