# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names and shapes of variables: every kind of slip is found, named, and shows no secret."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.action.input_check import ROOT, load_known, misspelt
from ansible_collections.barehost.django.plugins.module_utils import _input

SPECS: dict[str, Any] = {
    "mysql": {
        "argument_specs": {
            "main": {
                "options": {
                    "mysql_database": {"type": "str", "default": "app"},
                    "mysql_password": {"type": "str", "no_log": True},
                    "stack_name": {"type": "str", "description": "as mysql sees it"},
                }
            }
        }
    },
    "redis": {"argument_specs": {"main": {"options": {"redis_password": {"type": "str"}}}}},
    "stack": {"argument_specs": {"main": {"options": {"stack_name": {"type": "str", "description": "its own"}}}}},
    "docker_engine": {"argument_specs": {"main": {"options": {"docker_engine_source": {"type": "str"}}}}},
}
KNOWN = _input.build_known(SPECS, ["stack_info"])


def test_a_shared_variable_is_described_by_the_role_of_its_name() -> None:
    assert KNOWN.options["stack_name"]["description"] == "its own"
    assert KNOWN.owners["stack_name"] == "stack"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mysql_databse", "mysql_databse is unknown: did you mean mysql_database?"),
        ("mysql_pasword", "mysql_pasword is unknown: did you mean mysql_password?"),
        ("docker_engine_sorce", "docker_engine_sorce is unknown: did you mean docker_engine_source?"),
        ("redis_zzzzzzzzzzzzzzzzz", "redis_zzzzzzzzzzzzzzzzz is unknown: role redis has no variable of that name."),
        ("msyql_database", "msyql_database is not read by any role: did you mean mysql_database?"),
        ("stak_name", "stak_name is not read by any role: did you mean stack_name?"),
        ("msql_database", "msql_database is not read by any role: did you mean mysql_database?"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(name: str, expected: str) -> None:
    assert [problem.split(" (")[0] for problem in _input.unknown_variables([name], KNOWN)] == [expected]


@pytest.mark.parametrize(
    ("left", "right", "count"),
    [("a", "a", 0), ("djnago", "django", 1), ("djago", "django", 1), ("djanggo", "django", 1), ("django", "djenga", 2),
     ("abcd", "badc", 2), ("abc", "xyz", 3), ("a", "abcdefgh", 3), ("", "ab", 2)],
)  # fmt: skip
def test_slips_are_counted(left: str, right: str, count: int) -> None:
    assert _input.slips(left, right) == _input.slips(right, left) == count


def test_two_slips_are_only_doubtful() -> None:
    names = ["rddis_passwird", "slick_nume", "mysql_database", "mysqldatabase", "ansible_mysql", "mine_database"]
    assert _input.unknown_variables(["rddis_passwird", "slick_nume"], KNOWN) == []
    (doubt,) = _input.doubtful_variables(names, KNOWN)
    assert doubt.startswith("rddis_passwird is not read by any role: if redis_password is meant, correct it")
    assert _input.doubtful_variables(names, KNOWN, ["rddis_*"]) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("superuser_pasword", "superuser_password"),
        ("superuser_name", "superuser_username"),
        ("superuser_mail", "superuser_email"),
        ("uninstall_delete_dta", "uninstall_delete_data"),
        ("unistall_delete_data", "uninstall_delete_data"),
        ("status_fromat", "status_format"),
        ("barehost_host", "barehost_hosts"),
    ],
)
def test_a_misspelt_name_of_a_playbook_is_answered_with_the_nearest(name: str, near: str) -> None:
    (problem,) = _input.playbook_variable_problems([name, near, "status_code", "my_password", "superuser"])
    assert problem.startswith(f"{name} is not read by any playbook: did you mean {near}?")
    assert _input.playbook_variable_problems([name], [name]) == []


def test_what_a_role_reads_is_no_misspelling_of_what_a_playbook_reads() -> None:
    assert misspelt(list(load_known(ROOT).options), []) == []
    assert len(misspelt(["restore_form", "release_allow_schema_mismatch"], [])) == 1


@pytest.mark.parametrize(
    "name",
    [
        "mysql_database",
        "mysql__result",
        "stack_info",
        "my_own_variable",
        "database",
        "ansible_user",
        "mysql",
        "inventory_hostname",
    ],
)
def test_names_that_are_nobodys_mistake_pass(name: str) -> None:
    assert _input.unknown_variables([name], KNOWN) == []


def test_allowed_names_and_globs_pass() -> None:
    names = ["mysql_exporter_port", "redis_sentinel"]
    assert _input.unknown_variables(names, KNOWN, ["mysql_exporter_*", "redis_sentinel"]) == []


def test_a_renamed_variable_names_its_new_name() -> None:
    renamed = {"mysql_db": {"old": "mysql_db", "new": "mysql_database"}}
    (problem,) = _input.unknown_variables(["mysql_db"], KNOWN, (), renamed)
    assert problem.startswith("mysql_db was renamed to mysql_database")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("str", "text"), ("str", 8), ("str", 1.5), ("int", 3), ("int", "3"), ("int", "-3"), ("float", "1.5"),
        ("float", 2), ("bool", True), ("bool", "false"), ("bool", "Yes"), ("bool", 1), ("list", []), ("dict", {}),
        ("path", "/a"), ("raw", [1]), ("raw", "x"),
    ],
)  # fmt: skip
def test_values_of_the_right_type_pass(kind: str, value: object) -> None:
    assert _input.shape_problems("app_x", value, {"type": kind}) == []


@pytest.mark.parametrize(
    ("kind", "value", "seen"),
    [
        ("str", ["a"], "must be a string, not a list of 1"),
        ("str", {"a": 1}, "must be a string, not a dictionary"),
        ("str", True, "must be a string, not true"),
        ("int", "abc", "must be an integer, not 'abc'"),
        ("int", True, "must be an integer, not true"),
        ("int", 1.5, "must be an integer, not 1.5"),
        ("bool", "maybe", "must be true or false, not 'maybe'"),
        ("bool", 2, "must be true or false, not 2"),
        ("list", "a,b", "must be a list, not 'a,b'"),
        ("dict", "a=b", "must be a dictionary, not 'a=b'"),
        ("dict", [], "must be a dictionary, not a list of 0"),
        ("path", 3, "must be a path, not 3"),
    ],
)
def test_values_of_the_wrong_type_are_named(kind: str, value: object, seen: str) -> None:
    assert _input.shape_problems("app_x", value, {"type": kind}) == [f"app_x {seen}"]


@pytest.mark.parametrize("value", ["hush-hush", ["hush-hush"], {"a": "hush-hush"}, True])
@pytest.mark.parametrize("spec", [{"type": "int", "no_log": True}, {"type": "int", "no_log": True, "choices": ["a"]}])
def test_a_secret_of_the_wrong_type_is_not_shown(value: object, spec: dict[str, Any]) -> None:
    (problem,) = _input.shape_problems("app_x", value, spec)
    assert "hush" not in problem
    assert problem.startswith("app_x must be an integer")


def test_a_name_makes_a_secret_where_the_spec_forgot_to_say_so() -> None:
    spec = {"type": "str", "choices": ["a", "b"]}
    (problem,) = _input.shape_problems("app_password", "hush-hush", spec)
    assert problem == "app_password must be one of a, b, not the value (not shown)"


def test_nothing_is_only_accepted_where_nothing_is_the_default() -> None:
    assert _input.shape_problems("app_x", None, {"type": "str"}) == []
    (problem,) = _input.shape_problems("app_x", None, {"type": "int", "default": 80})
    assert problem == "app_x is empty (null): give an integer, or leave the variable out (default: 80)"


def test_choices_suggest_the_nearest() -> None:
    spec = {"type": "str", "choices": ["docker_ce", "distro", "existing"]}
    (problem,) = _input.shape_problems("docker_engine_source", "docker-ce", spec)
    expected = (
        "docker_engine_source must be one of docker_ce, distro, existing, not 'docker-ce' (did you mean docker_ce?)"
    )
    assert problem == expected


NESTED = {
    "type": "list",
    "elements": "dict",
    "options": {
        "source": {"type": "path", "required": True},
        "mode": {"type": "str", "choices": ["ro", "rw"]},
        "token": {"type": "str"},
    },
}


def test_elements_and_nested_options_are_named_by_their_place() -> None:
    value = [{"sorce": "/a", "mode": "rx"}, "text", {"source": "/b", "token": ["hush"]}, {"source": "/c", "mode": "ro"}]
    assert _input.shape_problems("app_mounts", value, NESTED) == [
        "app_mounts[0].sorce is unknown: did you mean source?",
        "app_mounts[0].source is missing: give a path",
        "app_mounts[0].mode must be one of ro, rw, not 'rx'",
        "app_mounts[1] must be a dictionary, not 'text'",
        "app_mounts[2].token must be a string, not a list of 1",
    ]


def test_ansibles_own_rules_are_asked_as_well() -> None:
    spec = {"type": "dict", "options": {"a": {"type": "str"}, "b": {"type": "str"}}, "mutually_exclusive": [["a", "b"]]}
    (problem,) = _input.shape_problems("app_x", {"a": "1", "b": "2"}, spec)
    assert "mutually exclusive" in problem


GROUPS = {"all": ["a", "b", "c"], "web": ["a", "b"], "db": ["b"], "empty": []}


@pytest.mark.parametrize(
    ("pattern", "hosts"),
    [
        ("all", "abc"), ("web", "ab"), ("web:!db", "a"), ("web:&db", "b"), ("web,c", "abc"), ("c", "c"), ("w*", "ab"),
        ("empty", ""), ("nothing", ""), ("!db:all", "ac"),
    ],
)  # fmt: skip
def test_patterns_match_what_ansible_matches(pattern: str, hosts: str) -> None:
    assert _input.pattern_hosts(pattern, GROUPS, ["a", "b", "c"]) == list(hosts)


def test_a_host_that_does_not_take_part_does_not_count() -> None:
    assert _input.pattern_hosts("web", GROUPS, ["c"]) == []


def test_the_summary_counts() -> None:
    assert _input.summary(["a"]).startswith("1 problem with the inventory")
    assert _input.summary(["a", "b"]) == "2 problems with the inventory, nothing was changed:\n- a\n- b"


def test_long_values_are_cut() -> None:
    assert _input.shown("x" * 500) == f"'{'x' * 60}…'"
