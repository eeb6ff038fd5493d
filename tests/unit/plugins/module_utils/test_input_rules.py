# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Values of the right type that still cannot work."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _input_rules as rules
from hypothesis import given
from hypothesis import strategies as st

GOOD_KEY = "aZ3kQ9wE7rT1yU5iO2pL8mN4bV6cX0sD-fG_hJ=kA+qW.eR(tY)"


@pytest.mark.parametrize("name", ["ab", "demo", "my-app_2", "a" * 31])
def test_good_stack_names(name: str) -> None:
    assert rules.rule_problems({"stack_name": name}) == []


@pytest.mark.parametrize("name", ["", "a", "1app", "-app", "My App", "añb", "a" * 32, "app\n", "a/b", "a.b"])
def test_bad_stack_names(name: str) -> None:
    (problem,) = rules.rule_problems({"stack_name": name})
    assert problem.startswith(f"stack_name '{name}' is not usable")


def test_a_stack_name_that_can_be_corrected_is() -> None:
    assert "for example 'my-app'" in rules.stack_name_problems({"stack_name": "My App"})[0]


@pytest.mark.parametrize(
    "domain",
    [
        "localhost", "example.org", "a.b.example.org", "example.org:8080", "127.0.0.1", "127.0.0.1:8080",
        "[::1]",
        "[2001:db8::1]:443", "xn--maana-pta.example", "3com.example", "example.org.",
    ],
)  # fmt: skip
def test_good_domains(domain: str) -> None:
    assert rules.domain_problem(domain) is None


@pytest.mark.parametrize(
    ("domain", "part"),
    [
        ("https://example.org", "scheme"),
        ("example.org/path", "only a host name"),
        ("user@example.org", "only a host name"),
        ("exa mple.org", "only a host name"),
        ("example.org:99999", "port"),
        ("example.org:", "port"),
        ("2001:db8::1", "host name"),
        ("example.org:http", "port"),
        ("my_app.example.org", "'my_app'"),
        ("-a.example.org", "'-a'"),
        ("a..b", "''"),
        ("*.example.org", "'*'"),
        ("mañana.example", "'mañana'"),
        ("300.1.1.1", "neither"),
        ("[::1", "'[::1'"),
        ("", "1 to 253"),
        (".".join(["a" * 60] * 5), "1 to 253"),
    ],
)
def test_bad_domains(domain: str, part: str) -> None:
    (problem,) = rules.rule_problems({"stack_domain": domain})
    assert part in problem


@pytest.mark.parametrize("key", ["", GOOD_KEY])
def test_good_or_absent_keys(key: str) -> None:
    assert rules.secret_key_problems({"django_secret_key": key}) == []


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("django-insecure-" + GOOD_KEY, "placeholder"),
        ("tu_clave_secreta_muy_larga_y_compleja_aqui", "placeholder"),
        ("CHANGEME" * 10, "placeholder"),
        (GOOD_KEY[:49], "49 characters"),
        ("ab" * 30, "repeats itself"),
        ("abcdefghijklmno" * 4, "repeats itself"),
        ("x" * 60, "repeats itself"),
    ],
)
def test_bad_keys_are_refused_and_not_shown(key: str, part: str) -> None:
    (problem,) = rules.rule_problems({"django_secret_key": key})
    assert part in problem
    assert key not in problem


@given(st.text(alphabet=string.ascii_letters + string.digits, min_size=50, max_size=64))
def test_no_key_is_ever_shown(key: str) -> None:
    assert all(key not in problem for problem in rules.rule_problems({"django_secret_key": key}))


@pytest.mark.parametrize("debug", [True, "true", "Yes", 1])
def test_debug_is_refused_in_production_only(debug: object) -> None:
    (problem,) = rules.rule_problems({"django_debug": debug})
    assert "production inventory" in problem
    assert rules.rule_problems({"django_debug": debug, "stack_environment": "staging"})
    assert rules.rule_problems({"django_debug": debug, "stack_environment": "development"}) == []
    assert rules.rule_problems({"django_debug": False}) == []


def test_the_application_must_be_there_with_its_dockerfile(tmp_path: Path) -> None:
    (problem,) = rules.rule_problems({"django_source_path": str(tmp_path / "nowhere")})
    assert f"'{tmp_path}/nowhere' is not a directory" in problem
    (problem,) = rules.rule_problems({"django_source_path": str(tmp_path)})
    assert "has no Dockerfile" in problem
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "Dockerfile").touch()
    values = {"django_source_path": str(tmp_path), "django_dockerfile": "deploy/Dockerfile"}
    assert rules.rule_problems(values) == []


SHOP = {"django_source_path": "", "django_git_repository": "", "django_image": ""}
GIT = {**SHOP, "django_git_repository": "https://git.example.com/shop.git", "django_git_revision": "v1"}
READY = {**SHOP, "django_image": "registry.example.com/team/shop:1"}


def test_the_application_comes_from_exactly_one_place(tmp_path: Path) -> None:
    (problem,) = rules.rule_problems(SHOP)
    assert "the application has no source: django_source_path is empty" in problem
    (tmp_path / "Dockerfile").touch()
    for chosen in (GIT, READY, {**SHOP, "django_source_path": str(tmp_path)}):
        assert rules.rule_problems(chosen) == []
    (problem,) = rules.rule_problems({**GIT, "django_image": "shop:1"})
    assert "django_git_repository and django_image are both set" in problem


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({**GIT, "django_git_revision": ""}, "django_git_revision is empty"),
        ({**GIT, "django_git_repository": "https://me:hush@x/y.git"}, "django_git_repository holds a password"),
        ({**GIT, "django_git_subdirectory": "../x"}, "django_git_subdirectory '../x'"),
        ({**GIT, "django_git_repository": "git@x:y.git", "django_git_token": "hush"}, "a token only goes over https"),
        ({**READY, "django_image": "Shop:1"}, "django_image 'Shop:1' is not usable"),
        ({"django_registry_username": "", "django_registry_password": "hush"}, "django_registry_username is not"),
        ({"release_build_secrets": {"a,src=/x": "hush"}}, "release_build_secrets: build secret 'a,src=/x'"),
        ({"release_build_on": "controller", "release_push_to": ""}, "release_push_to '' is not usable: it is empty"),
        ({"release_build_on": "controller", "release_push_to": "x/y:1"}, "release_push_to 'x/y:1' is not usable"),
        ({**GIT, "release_build_on": "controller", "release_push_to": "x/y"}, "only builds a django_source_path"),
    ],
)
def test_origins_that_cannot_work_are_refused_by_name(values: dict[str, Any], part: str) -> None:
    (problem,) = rules.rule_problems(values)
    assert part in problem
    assert "hush" not in problem


@pytest.mark.parametrize("password", ["it's", "back\\slash"])
def test_root_passwords_that_break_the_entrypoint(password: str) -> None:
    (problem,) = rules.rule_problems({"mysql_root_password": password})
    assert "mysql_root_password" in problem
    assert password not in problem
    assert rules.rule_problems({"mysql_password": password}) == []


@pytest.mark.parametrize("char", ["\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85"])
@pytest.mark.parametrize(
    "name", ["redis_password", "mysql_root_password", "django_email_host_password", "django_superuser_password"]
)
def test_a_password_with_a_control_character_is_refused_by_name(name: str, char: str) -> None:
    for value in (f"hush{char}", f"{char}hush", f"hu{char}sh", char):
        (problem,) = rules.rule_problems({name: value})
        assert problem.startswith(f"{name} contains a line break or another control character")
        assert "hush" not in problem


def test_a_password_that_is_not_valid_unicode_is_refused_by_name() -> None:
    (problem,) = rules.rule_problems({"django_email_host_password": "hush\ud800"})
    assert problem.startswith("django_email_host_password is not valid Unicode")


def test_a_password_that_djangos_mail_cannot_send_is_refused() -> None:
    name = "django_email_host_password"
    (problem,) = rules.rule_problems({name: "hush\u00f1"})
    assert problem.startswith(f"{name} holds a letter that is not ASCII, which Python's smtplib cannot send")
    assert "hush" not in problem
    assert rules.rule_problems({name: "it's $X \\ #"}) == []
    assert rules.rule_problems({name: "hush\u00f1", "django_email_backend": "shop.mail.Backend"}) == []


@pytest.mark.parametrize(
    "name", ["mysql_password", "mysql_root_password", "mysql_migration_password", "mysql_backup_password"]
)
def test_a_password_that_mysql_does_not_take_is_refused_by_its_length(name: str) -> None:
    assert rules.rule_problems({name: "x" * 256}) == []
    assert rules.rule_problems({name: "\u00f1" * 128}) == []
    for value, size in (("x" * 257, 257), ("\u00f1" * 129, 258)):
        (problem,) = rules.rule_problems({name: value})
        assert problem == f"{name} takes {size} bytes, and MySQL takes no password of more than 256: give a shorter one"
    assert rules.rule_problems({"redis_password": "x" * 512, "django_email_host_password": "x" * 512}) == []
    assert "hush" not in problem


@pytest.mark.parametrize(
    ("env", "part"),
    [
        ({"MY NAME": "x"}, "django_env.MY NAME"),
        ({"A": "hush\x07"}, "django_env.A"),
        ({"A": ["hush"]}, "django_env.A"),
        ({"COMPOSE_FILE": "hush"}, "django_env.COMPOSE_FILE"),
    ],
)
def test_what_the_env_file_cannot_carry_is_refused_by_name(env: dict[str, Any], part: str) -> None:
    (problem,) = rules.rule_problems({"django_env": env})
    assert part in problem
    assert "hush" not in problem


def test_ordinary_environment_values_pass() -> None:
    assert rules.rule_problems({"django_env": {"A": "p$ab 'x' \"y\" \\ ñ", "B": 3, "C": True}}) == []


@pytest.mark.parametrize(
    ("key", "part"),
    [("short", "5 characters"), ("", "0 characters"), ("changeme" * 10, "placeholder"), (7, "1 characters")],
)
def test_a_key_among_the_applications_own_variables_keeps_the_same_rules(key: object, part: str) -> None:
    (problem,) = rules.rule_problems({"django_env": {"SECRET_KEY": key}})
    assert problem.startswith("django_env.SECRET_KEY ")
    assert part in problem
    assert rules.rule_problems({"django_env": {"SECRET_KEY": GOOD_KEY}}) == []


@pytest.mark.parametrize("debug", [True, "True", "1", 1, "on", " yes "])
def test_debug_among_the_applications_own_variables_keeps_the_same_rule(debug: object) -> None:
    (problem,) = rules.rule_problems({"django_env": {"DEBUG": debug}})
    assert problem.startswith("django_env.DEBUG is on in a production inventory")
    assert rules.rule_problems({"django_env": {"DEBUG": debug}, "stack_environment": "development"}) == []
    assert rules.rule_problems({"django_env": {"DEBUG": "False"}}) == []


@pytest.mark.parametrize(
    ("processes", "problem"),
    [
        ({"ticker": "python tick.py"}, "django_processes.ticker must be a list of words, not 'python tick.py'"),
        ({"ticker": []}, "django_processes.ticker must be a list of words, not an empty list"),
        ({"ticker": None}, "django_processes.ticker must be a list of words, not nothing"),
        ({"ticker": ["python", ["x"]]}, "django_processes.ticker holds something that is no word"),
        ({"ticker": ["python", True]}, "django_processes.ticker holds something that is no word"),
        ({"Ticker": ["x"]}, "django_processes.Ticker: a process is named with"),
        ({"my ticker": ["x"]}, "django_processes.my ticker: a process is named with"),
        ({1: ["x"]}, "django_processes.1: a process is named with"),
        ({"web": ["x"]}, "django_processes.web has the name of a service that the stack uses itself"),
        ({"redis": ["x"]}, "django_processes.redis has the name of a service that the stack uses itself"),
    ],
)
def test_a_process_that_cannot_be_a_service_is_refused_by_name(processes: dict[Any, Any], problem: str) -> None:
    (seen,) = rules.rule_problems({"django_processes": processes})
    assert seen.startswith(problem)


def test_all_processes_are_judged_at_once() -> None:
    assert len(rules.rule_problems({"django_processes": {"web": [], "A": "x"}})) == 4
    assert rules.rule_problems({"django_processes": {"ticker-2_b": ["sleep", 600, 1.5]}}) == []


def test_the_services_of_our_own_are_those_of_the_roles() -> None:
    """A role that gets a service and is forgotten here would let a process take its name."""
    root = Path(__file__).resolve().parents[4]
    text = "".join(path.read_text() for path in root.glob("roles/*/vars/main.yml"))
    blocks = re.findall(r"^\w+_stack_services:(.*?)(?=^\w|\Z)", text, re.MULTILINE | re.DOTALL)
    names = {name for block in blocks for name in re.findall(r"^  (\w+):$|\{'(\w+)':", block, re.MULTILINE)}
    assert {name for pair in names for name in pair if name} == set(rules.OWN_SERVICES)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"mysqll": {}}, "stack_service_overrides.mysqll: mysqll is no service; did you mean mysql?"),
        ({"tickr": {}}, "stack_service_overrides.tickr: tickr is no service; did you mean ticker?"),
        ({"zzz": {}}, "stack_service_overrides.zzz: zzz is no service; known are beat, "),
        ({"mysql": 5}, "stack_service_overrides.mysql must be a dictionary, not 5"),
        ({"mysql": {"memroy_mb": 5}}, "stack_service_overrides.mysql.memroy_mb is unknown: did you mean memory_mb?"),
    ],
)
def test_an_override_of_nothing_is_refused_by_name(overrides: dict[str, Any], problem: str) -> None:
    values = {"django_processes": {"ticker": ["x"]}, "stack_extra_services": {"search": {}}}
    (seen,) = rules.rule_problems({**values, "stack_service_overrides": overrides})
    assert seen.startswith(problem)
    good = {"mysql": {"memory_mb": 5}, "ticker": {}, "search": {}}
    assert rules.rule_problems({**values, "stack_service_overrides": good}) == []


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("release_keep", 0, 1),
        ("release_keep", "-1", 1),
        ("release_lock_wait", -1, 0),
        ("release_health_timeout_seconds", 0, 1),
        ("release_lock_expiry_seconds", 0, 1),
        ("nginx_http_port", 0, 1),
        ("mysql_buffer_pool_mb", -5, 0),
    ],
)
def test_numbers_that_make_no_sense_are_refused(name: str, value: object, least: int) -> None:
    assert rules.rule_problems({name: value}) == [f"{name} is {value}: it must be {least} or more"]


@pytest.mark.parametrize(
    "values",
    [
        {"release_keep": 1, "release_lock_wait": 0, "release_drain_timeout_seconds": 0, "redis_broker_db": 0},
        {"django_secret_keep": "no number", "release_keep": True, "my_offset": -5},
        {"release_serial": [1, "30%", "100%"], "release_audit_log": "/var/log/a.jsonl"},
        {"release_serial": 2, "release_hooks_on_failure": [__file__]},
    ],
)
def test_numbers_and_batches_that_make_sense(values: dict[str, object]) -> None:
    assert rules.rule_problems(values) == []


@pytest.mark.parametrize("value", [0, "0.0", -0.5, "0.001"])
def test_no_processors_at_all_are_refused_on_the_controller(value: object) -> None:
    assert rules.rule_problems({"mysql_cpus": value}) == [f"mysql_cpus is {value}: it must be 0.01 or more"]
    # Of this one it is said already, with a limit of its own.
    assert len(rules.rule_problems({"backup_drill_cpus": value})) == 1
    assert rules.rule_problems({"mysql_cpus": 900, "django_cpus": "0.5"}) == []


@pytest.mark.parametrize("value", [0, "0%", "101%", -1, "some", [1, 0]])
def test_batches_that_make_no_sense(value: object) -> None:
    (problem,) = rules.rule_problems({"release_serial": value})
    assert "give a number of hosts from 1, or 1% to 100%" in problem


@pytest.mark.parametrize(
    ("hook", "part"),
    [
        ("", "give the file's whole path"),
        ("tell.yml", "whole path"),
        (1, "whole path"),
        ("/no/such.yml", "no such file"),
    ],
)
def test_hooks_that_are_not_there(hook: object, part: str) -> None:
    (problem,) = rules.rule_problems({"release_hooks_after_switch": [hook]})
    assert problem.startswith("release_hooks_after_switch has ")
    assert part in problem


def test_an_audit_log_without_a_place() -> None:
    (problem,) = rules.rule_problems({"release_audit_log": "audit.jsonl"})
    assert "release_audit_log is 'audit.jsonl'" in problem
