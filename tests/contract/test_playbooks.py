# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbooks are operator verbs: short, called by full names, and never a silent success."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import repo
from ansible_collections.barehost.django.plugins.module_utils import _input
from role_docs import load_yaml

if TYPE_CHECKING:
    from pathlib import Path

MAX_PLAYBOOK_LINES = 40
VERBS = {"site", "bootstrap", "deploy", "verify", "status", "superuser", "uninstall"}
# Not a verb: what every other playbook imports first.
GUARD = "require_hosts"
# Nor is the second half of a deploy, a play of its own.
PARTS = {GUARD, "settle"}
# What a run finds out by itself.
FACTS = {"stack_info", "release_verdict"}
LATER_VERBS = {"rollback", "backup", "restore", "restore_drill", "unlock", "upgrade_mysql"}
PLAYBOOKS = sorted((repo.ROOT / "playbooks").glob("*.yml"))
every_playbook = pytest.mark.parametrize("playbook", PLAYBOOKS, ids=[path.stem for path in PLAYBOOKS])


def plays(playbook: Path) -> list[dict[str, Any]]:
    """Return the plays of a playbook."""
    return list(load_yaml(playbook))


def test_the_verbs_are_the_ones_of_the_design() -> None:
    names = {path.stem for path in PLAYBOOKS} - PARTS
    assert names >= VERBS
    assert names <= VERBS | LATER_VERBS


@every_playbook
def test_a_name_is_a_word_that_a_full_name_can_end_in(playbook: Path) -> None:
    # With a hyphen in it barehost.django.<name> would not be found, and no linter says so.
    assert re.fullmatch(r"[a-z][a-z0-9_]*", playbook.stem)


@every_playbook
def test_a_playbook_fits_a_screen(playbook: Path) -> None:
    assert len(playbook.read_text().splitlines()) <= MAX_PLAYBOOK_LINES


@every_playbook
def test_everything_is_called_by_its_full_name(playbook: Path) -> None:
    problems = []
    for play in plays(playbook):
        if "hosts" not in play:
            problems += [
                key for key in play if key.endswith("import_playbook") and key != "ansible.builtin.import_playbook"
            ]
            continue
        roles = [role["role"] if isinstance(role, dict) else role for role in play.get("roles") or []]
        actions = [action for task in repo.tasks_in([play]) for action in repo.action_of(task)]
        problems += [name for name in [*roles, *actions] if name.count(".") < 2]
    assert problems == []


@pytest.mark.parametrize("verb", ["backup", "deploy", "restore", "restore_drill"])
def test_the_input_is_judged_before_a_host_is_touched(verb: str) -> None:
    (main,) = [play for play in plays(repo.ROOT / "playbooks" / f"{verb}.yml") if "tasks" in play]
    first = next(task for task in repo.tasks_in([main]) if "block" not in task)
    assert first["ansible.builtin.import_role"] == {"name": "barehost.django.preflight", "tasks_from": "input"}


def test_a_deploy_refuses_opens_serves_and_closes_in_this_order() -> None:
    """What is closed is what nobody goes back to any more, and that is known once all hosts have their verdict."""
    parts = [play for name in ("deploy", "settle") for play in plays(repo.ROOT / "playbooks" / f"{name}.yml")]
    tasks = repo.tasks_in([play for play in parts if "tasks" in play])
    roles = [task["ansible.builtin.import_role"] for task in tasks if "ansible.builtin.import_role" in task]
    steps = [(role["name"].rpartition(".")[2], role.get("tasks_from", "main")) for role in roles]
    order = [
        ("stack", "refuse"),
        ("docker_engine", "beforehand"),
        ("firewall", "beforehand"),
        ("release", "main"),
        ("verify", "main"),
        ("release", "settle"),
        ("firewall", "afterwards"),
        ("release", "conclude"),
    ]
    assert [step for step in steps if step in order] == order


@every_playbook
def test_facts_are_not_gathered(playbook: Path) -> None:
    # preflight looks at the inventory first, before any host is connected to, and at the host in one call.
    assert [play["name"] for play in plays(playbook) if "hosts" in play and play.get("gather_facts") is not False] == []


def test_the_guard_looks_for_hosts_in_a_play_that_always_runs() -> None:
    (guard,) = plays(repo.ROOT / "playbooks" / f"{GUARD}.yml")
    # With --limit an implicit localhost takes no part, and with an empty inventory nothing but it does.
    assert guard["hosts"] == "all:localhost"
    (task,) = guard["tasks"]
    assert task["run_once"] is True
    assert task["barehost.django.input_check"]["require_hosts"]


@every_playbook
def test_hosts_that_match_nothing_are_an_error(playbook: Path) -> None:
    """Ansible itself ends with 0 then."""
    content = plays(playbook)
    patterns = {play["hosts"] for play in content if "hosts" in play}
    if playbook.stem in PARTS or not patterns:
        return
    (guard,) = plays(repo.ROOT / "playbooks" / f"{GUARD}.yml")
    assert content[0].get("ansible.builtin.import_playbook") == f"barehost.django.{GUARD}"
    assert patterns == {guard["tasks"][0]["barehost.django.input_check"]["require_hosts"]}


def test_the_names_that_playbooks_read_are_checked_for_slips() -> None:
    options = {name for role in repo.ROLES for name in repo.spec_options(role)}
    used = {name for path in PLAYBOOKS for name in repo.value_variables(plays(path))} - repo.MAGIC - FACTS
    # A variable that is a role's in this collection is checked with the roles' ones.
    assert sorted(used - options) == sorted(_input.PLAYBOOK_VARIABLES)


def test_what_a_playbook_reads_passes_the_check_of_the_roles_and_the_other_way_round() -> None:
    known = _input.build_known({role.name: repo.spec_options(role) for role in repo.ROLES})
    assert _input.unknown_variables(_input.PLAYBOOK_VARIABLES, known) == []
    assert _input.playbook_variable_problems(list(known.options)) == []


@every_playbook
def test_nothing_depends_on_where_a_playbook_lies(playbook: Path) -> None:
    # playbook_dir is another one when a playbook is called by its full name.
    assert "playbook_dir" not in playbook.read_text()
