# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every role keeps the same promises: know one, know all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import repo
import role_docs
import yaml
from ansible_collections.barehost.django.plugins.module_utils import _input

if TYPE_CHECKING:
    from pathlib import Path

MAX_TASK_LINES = 100
# A variable of another role with what is taken where nobody has set it.
BORROWED = re.compile(r"\b([a-z][a-z0-9_]+) \| default\(('[^']*'|[0-9.]+|true|false)\)")
every_role = pytest.mark.parametrize("role", repo.ROLES, ids=repo.ROLE_IDS)


def test_the_roles_are_the_ones_of_the_design() -> None:
    found = {path.parent.parent.name for path in repo.ROOT.glob("roles/*/tasks/main.yml")}
    assert found == set(repo.EXPECTED_ROLES)


@every_role
def test_a_role_has_the_usual_files(role: Path) -> None:
    wanted = ("README.md", "defaults/main.yml", "meta/argument_specs.yml", "tasks/main.yml")
    assert [name for name in wanted if not (role / name).is_file()] == []


@every_role
def test_specs_and_defaults_have_the_same_keys_and_values(role: Path) -> None:
    # Ansible ignores `default:` in a spec: only this test keeps the documentation from lying.
    options, defaults = repo.spec_options(role), repo.defaults(role)
    documented = {name: spec["default"] for name, spec in options.items() if "default" in spec}
    internal = {name for name in defaults if name.startswith(f"{role.name}__")}
    problems = [f"{name} is in defaults and not in the spec" for name in defaults if name not in {*options, *internal}]
    problems += [
        f"{name} has a default in the spec and none in defaults" for name in documented if name not in defaults
    ]
    problems += [
        f"{name}: the spec says {documented.get(name)!r}, defaults say {defaults[name]!r}"
        for name in options
        if name in defaults and (name not in documented or documented[name] != defaults[name])
    ]
    problems += [
        f"{name} is required and has a default"
        for name, spec in options.items()
        if spec.get("required") and name in defaults
    ]
    problems += [
        f"{name} is neither required nor has it a default"
        for name, spec in options.items()
        if not spec.get("required") and name not in defaults
    ]
    assert problems == []


@every_role
def test_every_option_has_a_type_and_a_sentence(role: Path) -> None:
    problems = []
    for name, spec in repo.all_options(repo.spec_options(role)):
        sentence = role_docs.sentences(spec.get("description"))
        if not sentence.endswith("."):
            problems.append(f"{name}: the description is no sentence that ends in a period: {sentence!r}")
        if "type" not in spec:
            problems.append(f"{name} has no type")
        if spec.get("type") == "list" and "elements" not in spec:
            problems.append(f"{name} does not say what its elements are")
    assert problems == []


@every_role
def test_every_default_has_the_shape_that_its_spec_demands(role: Path) -> None:
    problems = []
    for name, spec in repo.spec_options(role).items():
        value = spec.get("default")
        if value is not None and "{{" not in str(value):
            problems += _input.shape_problems(name, value, spec)
    assert problems == []


@every_role
def test_secrets_say_that_they_are(role: Path) -> None:
    options = repo.all_options(repo.spec_options(role))
    forgotten = [
        name
        for name, spec in options
        if _input.SECRET_NAME.search(name) and spec.get("type", "str") == "str" and not spec.get("no_log")
    ]
    assert forgotten == []


@every_role
def test_every_option_carries_the_prefix_or_is_shared(role: Path) -> None:
    names = [*repo.spec_options(role), *repo.defaults(role)]
    assert [name for name in names if not name.startswith(f"{role.name}_") and name not in repo.SHARED] == []


@every_role
def test_the_variable_table_is_current(role: Path) -> None:
    readme = role / "README.md"
    assert readme.exists(), "run tools/role_docs.py"
    text = readme.read_text(encoding="utf-8")
    assert role_docs.render(role, text) == text, "run tools/role_docs.py"


@every_role
def test_task_files_fit_a_screen_or_two(role: Path) -> None:
    sizes = {repo.short(path): len(path.read_text().splitlines()) for path in repo.task_files(role)}
    assert {name: size for name, size in sizes.items() if size > MAX_TASK_LINES} == {}


@every_role
def test_names_that_tasks_set_carry_the_prefix(role: Path) -> None:
    problems = []
    for path in repo.task_files(role):
        for task in repo.tasks_in(role_docs.load_yaml(path)):
            names = [task["register"]] if "register" in task else []
            names += [name for name in task.get("ansible.builtin.set_fact") or {} if name != "cacheable"]
            # Variables for another role are that role's.
            names += [] if "ansible.builtin.include_role" in task else list(task.get("vars") or {})
            names += repo.loop_names(task)
            problems += [
                f"{repo.short(path)}: {name}"
                for name in names
                if not name.startswith(f"{role.name}_") and name not in repo.SHARED
            ]
    assert problems == []


@every_role
def test_a_role_reads_only_its_own_variables(role: Path) -> None:
    """A foreign value appears in defaults/main.yml alone, as wiring that the inventory can change."""
    used: dict[str, set[str]] = {}
    for path in [*repo.task_files(role), *role.glob("vars/*.yml")]:
        used[repo.short(path)] = repo.value_variables(role_docs.load_yaml(path))
    for path in role.glob("templates/**/*"):
        if path.is_file():
            used[repo.short(path)] = repo.template_variables(repo.read(path))
    # What the plugin config_tree gives to every template that it renders is nobody's variable.
    own = (f"{role.name}_", "config_tree_")
    foreign = [
        f"{path}: {name}"
        for path, names in sorted(used.items())
        for name in sorted(names - repo.SHARED - repo.MAGIC)
        if not name.startswith(own)
    ]
    assert foreign == []


@every_role
def test_wiring_leads_to_variables_that_exist(role: Path) -> None:
    """A default that refers to another role's variable by a wrong name would silently take its own fallback."""
    known = {name for other in repo.ROLES for name in [*repo.spec_options(other), *repo.defaults(other)]}
    for other in repo.ROLES:
        for path in other.glob("vars/*.yml"):
            known.update(role_docs.load_yaml(path) or {})
        for path in repo.task_files(other):
            for task in repo.tasks_in(role_docs.load_yaml(path)):
                known.update(task.get("ansible.builtin.set_fact") or {})
                known.update([task["register"]] if "register" in task else [])
    used = repo.value_variables(repo.defaults(role))
    assert sorted(used - known - repo.SHARED - repo.MAGIC) == []


@every_role
def test_a_borrowed_default_is_what_the_owner_says(role: Path) -> None:
    """`tls_mode | default('off')` in one role and `self_signed` in the one that owns it: half of a deploy would go each way."""
    owned = {name: value for other in repo.ROLES for name, value in repo.defaults(other).items()}
    problems = [
        f"{repo.short(path)}: {name} falls back to {fallback}, its own default is {owned[name]!r}"
        for path in [*sorted(role.glob("*/**/*.yml")), *sorted((repo.ROOT / "playbooks").glob("*.yml"))]
        for name, fallback in BORROWED.findall(re.sub(r"\\\n\s*\\?", "", repo.read(path)))
        if name in owned and "{{" not in str(owned[name]) and owned[name] != yaml.safe_load(fallback)
    ]
    assert problems == []


@every_role
def test_every_action_is_called_by_its_full_name(role: Path) -> None:
    problems = []
    for path in repo.task_files(role):
        for task in repo.tasks_in(role_docs.load_yaml(path)):
            actions = repo.action_of(task)
            if len(actions) != ("block" not in task) or any(action.count(".") < 2 for action in actions):
                problems.append(f"{repo.short(path)}: {task.get('name')}: {actions}")
    assert problems == []


@every_role
def test_a_refusal_is_its_message_and_shows_no_internals(role: Path) -> None:
    """`assert` prints its expression, with the names of internals in it, before what it has to say."""
    found = [
        repo.short(path)
        for path in repo.task_files(role)
        for task in repo.tasks_in(role_docs.load_yaml(path))
        if "ansible.builtin.assert" in task
    ]
    assert found == []
