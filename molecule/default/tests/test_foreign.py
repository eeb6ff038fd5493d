# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project that has never heard of us is deployed by variables alone, beside the other stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conftest import INVENTORY, SECOND_PORT, container_of, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VARIABLES = f"@{INVENTORY.parent / 'foreign' / 'inventory_vars.yml'}"
OURS = {"Host": "localhost"}


@pytest.fixture(scope="module")
def deployed(playbook: Callable[..., Any]) -> Iterator[Any]:
    """Have the project, whose ports the host's firewall has to let in too, and take it down again."""
    yield playbook("site", "-e", VARIABLES)
    playbook("uninstall", "-e", "stack_name=shopfront", "-e", "uninstall_delete_data=shopfront")


def test_it_is_deployed_and_verified_by_its_own_checks(deployed: Any) -> None:
    assert deployed.code == 0, deployed.message
    assert deployed.tasks["Prove that the site serves, and that nothing else answers"].get("failed") is not True


def test_its_values_arrive_unharmed(deployed: Any) -> None:
    assert deployed.code == 0
    assert request("/greeting", port=SECOND_PORT, headers=OURS).body.decode() == 'it\'s $5 # "today"'


def test_it_has_the_services_that_it_asked_for_and_no_others(root: Any, deployed: Any) -> None:
    assert deployed.code == 0
    names = root.check_output("docker ps --filter label=com.docker.compose.project=shopfront --format '{{.Names}}'")
    assert sorted(name.split("-")[1] for name in names.split()) == ["mysql", "nginx", "redis", "ticker", "web"]


def test_the_two_stacks_do_not_touch_each_other(root: Any, deployed: Any) -> None:
    assert deployed.code == 0
    assert request("/health/").status == 200
    assert root.run("docker exec shopfront-web-1 getent hosts app-mysql-1").rc != 0


def test_a_second_run_changes_nothing(root: Any, deployed: Any, playbook: Callable[..., Any]) -> None:
    assert deployed.code == 0
    assert playbook("deploy", "-e", VARIABLES).changed == []
    web = container_of(root, "web", "shopfront")
    assert root.check_output(f"docker inspect --format '{{{{.RestartCount}}}}' {web}") == "0"


def test_a_process_that_is_no_longer_asked_for_goes_away(
    root: Any, deployed: Any, playbook: Callable[..., Any]
) -> None:
    assert deployed.code == 0
    run = playbook("deploy", "-e", VARIABLES, "-e", '{"django_processes": {}, "verify_checks": []}')
    assert run.code == 0, run.message
    steps = run.tasks["Bring the edge up on its current configuration"]["steps"]
    assert [(step["service"], step["action"]) for step in steps] == [("ticker", "remove")]
    assert container_of(root, "ticker", "shopfront") == ""
