# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Second runs, repairs, a reboot."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import docker
import pytest
from conftest import STACK_DIR, container_of, request

if TYPE_CHECKING:
    from collections.abc import Callable

BOOT_SECONDS = 180


def containers(root: Any) -> dict[str, str]:
    """Map each container's name to its id and start, which change when it is recreated or restarted."""
    listing = root.check_output("docker ps --all --quiet").split()
    items = json.loads(root.check_output("docker inspect " + " ".join(listing)))
    return {item["Name"]: item["Id"] + item["State"]["StartedAt"] for item in items}


def test_a_dry_run_on_the_deployed_host_changes_nothing_and_says_so(root: Any, playbook: Callable[..., Any]) -> None:
    before = containers(root)
    run = playbook("site", "--check", "--diff")
    assert run.code == 0, run.output
    assert (run.stats["changed"], run.changed) == (0, [])
    assert containers(root) == before


def test_exactly_what_was_broken_by_hand_is_repaired(root: Any, playbook: Callable[..., Any]) -> None:
    before = containers(root)
    worker = container_of(root, "worker")
    root.check_output(f"docker stop {worker}")
    root.check_output(f"sed -i 's/25m/26m/' {STACK_DIR}/nginx/site.conf")
    root.check_output("docker exec app-nginx-1 nginx -c /etc/nginx/stack/nginx.conf -s reload")
    run = playbook("site")
    assert run.code == 0, run.output
    site = run.tasks["Install the configuration of every service"]
    assert site["changes"] == [{"path": "nginx/site.conf", "service": "nginx", "action": "update"}]
    switch = run.part("switch")
    assert [(step["service"], step["action"]) for step in switch["steps"]] == [("worker", "start")]
    after = containers(root)
    assert {name for name in before if before[name] != after.get(name)} == {f"/{worker}"}
    assert "client_max_body_size 25m;" in root.check_output(
        "docker exec app-nginx-1 nginx -T -c /etc/nginx/stack/nginx.conf"
    )


def test_nginx_loads_what_an_earlier_run_left_unloaded(root: Any, playbook: Callable[..., Any]) -> None:
    # As if a run had died between the writing and the reload: the file is right, and what runs is not.
    root.check_output(f"cp {STACK_DIR}/nginx/stamp.conf /root/stamp.conf")
    root.check_output(f"sed -i 's/return 200 .*/return 200 \"old\";/' {STACK_DIR}/nginx/stamp.conf")
    root.check_output("docker exec app-nginx-1 nginx -c /etc/nginx/stack/nginx.conf -s reload")
    time.sleep(1)
    root.check_output(f"cp /root/stamp.conf {STACK_DIR}/nginx/stamp.conf")
    run = playbook("deploy")
    assert run.code == 0, run.output
    steps = run.tasks["Bring the edge up on its current configuration"]["steps"]
    assert [(step["service"], step["action"]) for step in steps] == [("nginx", "reload")]


def test_a_broken_configuration_never_lands(root: Any, playbook: Callable[..., Any]) -> None:
    before = root.check_output(f"md5sum {STACK_DIR}/nginx/nginx.conf")
    run = playbook("deploy", "-e", "nginx_worker_processes=many")
    assert run.code != 0
    assert "the new configuration of nginx was refused" in run.message
    assert "worker_processes" in run.message
    assert root.check_output(f"md5sum {STACK_DIR}/nginx/nginx.conf") == before
    assert root.run(f"ls -d {STACK_DIR}/.staging-*").rc != 0
    assert request("/health/").status == 200


def test_a_release_that_cannot_start_leaves_the_old_one_serving(root: Any, playbook: Callable[..., Any]) -> None:
    before = json.loads(request("/health/").body)["release"]
    arguments = json.dumps(
        {"django_build_args": {"UNUSED": "1"}, "django_command": ["gunicorn", "no.such:application"]}
    )
    run = playbook("deploy", "-e", arguments)
    assert run.code != 0
    assert "was not accepted" in run.message
    assert f"release {before} serves on" in run.message
    assert "No module named" in run.message
    answer = request("/health/live/")
    assert answer.status == 200
    assert json.loads(request("/health/").body)["release"] == before
    assert root.check_output(f"readlink {STACK_DIR}/releases/current") == f"{before}.json"
    assert playbook("deploy").code == 0
    assert json.loads(request("/health/").body)["release"] == before


def test_a_failed_release_with_a_process_more_goes_away_completely(root: Any, playbook: Callable[..., Any]) -> None:
    before = json.loads(request("/health/").body)["release"]
    extra = {"django_command": ["gunicorn", "no.such:application"], "django_processes": {"extra": ["sleep", "600"]}}
    run = playbook("deploy", "-e", json.dumps(extra))
    assert run.code != 0
    assert f"release {before} serves on" in run.message
    assert container_of(root, "extra") == ""
    assert json.loads(request("/health/").body)["release"] == before
    assert playbook("deploy").code == 0


def test_status_and_the_next_run_see_a_container_that_is_gone(root: Any, playbook: Callable[..., Any]) -> None:
    root.check_output(f"docker rm --force {container_of(root, 'beat')}")
    assert "beat is missing" in playbook("status").output
    run = playbook("deploy")
    switch = run.part("switch")
    assert [(step["service"], step["action"]) for step in switch["steps"]] == [("beat", "create")]


def test_a_lost_password_of_the_database_is_read_back(root: Any, playbook: Callable[..., Any]) -> None:
    before = root.check_output(f"cat {STACK_DIR}/secrets/mysql_password")
    for spoil in (f"rm {STACK_DIR}/secrets/mysql_password", f"truncate -s 0 {STACK_DIR}/secrets/mysql_password"):
        root.check_output(spoil)
        run = playbook("deploy")
        assert run.code == 0, run.output
        assert run.changed == ["Have every secret on the host"]
        assert "mysql_password was missing or empty: restored from" in run.output
        assert before not in run.output
        assert root.check_output(f"cat {STACK_DIR}/secrets/mysql_password") == before


def test_a_lost_password_that_stands_nowhere_else_is_refused_at_once(root: Any, playbook: Callable[..., Any]) -> None:
    kept = [f"{STACK_DIR}/{name}" for name in ("secrets/mysql_password", "mysql/secrets/client.cnf", ".env")]
    for path in kept:
        root.check_output(f"mv {path} {path}.kept")
    containers_before = containers(root)
    run = playbook("deploy")
    for path in kept:
        root.check_output(f"mv {path}.kept {path}")
    assert run.code != 0
    # The settings of the release that serves are put back; nothing else is touched.
    assert run.changed == ["Give the lock back, put the settings back after a failure, write the line of the audit log"]
    assert f"{STACK_DIR}/secrets/mysql_password is missing or empty" in run.message
    assert "from a backup" in run.message
    assert containers(root) == containers_before


def test_a_directory_that_was_opened_to_others_is_closed_again(root: Any, playbook: Callable[..., Any]) -> None:
    root.check_output(f"chmod 755 {STACK_DIR}")
    run = playbook("deploy", "--check", "--diff")
    assert run.changed == ["Install the configuration of every service"]
    assert playbook("deploy").code == 0
    assert root.file(STACK_DIR).mode == 0o750


def test_everything_serves_again_after_a_reboot(root: Any) -> None:
    tables = "docker exec app-redis-1 sh -c 'REDISCLI_AUTH=\"$(cat /usr/local/etc/redis/password)\" redis-cli set reboot kept'"
    root.check_output(tables)
    docker.from_env().containers.get("barehost-default").restart(timeout=120)
    deadline = time.monotonic() + BOOT_SECONDS
    while True:
        try:
            answer = request("/health/")
            if answer.status == 200:
                break
        except OSError:
            pass
        if time.monotonic() > deadline:
            pytest.fail(f"the site did not come back within {BOOT_SECONDS} s of the reboot")
        time.sleep(1)
    assert root.check_output(tables.replace("set reboot kept", "get reboot")) == "kept"


def test_the_second_run_after_all_that_changes_nothing(playbook: Callable[..., Any]) -> None:
    run = playbook("site")
    assert run.code == 0, run.output
    assert run.changed == []


@pytest.mark.parametrize("answer", ["json", "text"])
def test_status_shows_every_service(playbook: Callable[..., Any], answer: str) -> None:
    run = playbook("status", "-e", f"status_format={answer}")
    assert run.code == 0, run.output
    for name in ("mysql", "redis", "web", "worker", "beat", "nginx"):
        assert name in run.output
    if answer == "json":
        line = next(line for line in run.output.splitlines() if line.startswith('{"'))
        assert json.loads(line)


def test_an_account_of_the_run_needs_its_own_password(playbook: Callable[..., Any]) -> None:
    run = playbook("superuser", "-e", "superuser_username=somebody")
    assert run.code != 0
    assert "superuser_username is somebody, and superuser_password is not given" in run.message


def test_a_superuser_is_made_once_and_can_log_in(playbook: Callable[..., Any], tmp_path: Any) -> None:
    values = tmp_path / "superuser.json"
    values.write_text(
        json.dumps(
            {"superuser_username": "ops", "superuser_email": "ops@example.org", "superuser_password": "first one"}
        )
    )
    first, second = (playbook("superuser", "-e", f"@{values}") for _ in range(2))
    assert (first.code, second.code) == (0, 0), first.output + second.output
    assert first.changed
    assert not second.changed
    assert "first one" not in first.output + second.output
    answer = request("/api/jobs/", headers={"Authorization": "Basic b3BzOmZpcnN0IG9uZQ=="})
    assert answer.status == 200
