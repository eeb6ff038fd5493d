# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the contract tests read: files, roles, tasks, and the variables in templates."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
from role_docs import load_yaml

ROOT = Path(__file__).resolve().parents[2]
EXPECTED_ROLES = (
    "preflight",
    "docker_engine",
    "firewall",
    "tls",
    "mysql",
    "redis",
    "django",
    "celery",
    "nginx",
    "stack",
    "release",
    "backup",
    "verify",
)
ROLES = [ROOT / "roles" / role for role in EXPECTED_ROLES if (ROOT / "roles" / role).is_dir()]
ROLE_IDS = [role.name for role in ROLES]

# Values that all roles share; everything else reaches a role through its own defaults.
SHARED = frozenset(
    {
        "stack_name",
        "stack_dir",
        "stack_domain",
        "stack_scheme",
        "stack_secrets",
        "stack_info",
        "stack_environment",
    }
)
# What Ansible itself provides.
MAGIC = frozenset(
    {
        "ansible_managed",
        "ansible_check_mode",
        "ansible_host",
        "ansible_facts",
        "ansible_failed_result",
        "ansible_failed_task",
        "ansible_play_hosts_all",
        "group_names",
        "groups",
        "hostvars",
        "inventory_hostname",
        "item",
        "lookup",
        "omit",
        "query",
        "q",
        "role_path",
        "undef",
        "now",
    }
)
CONDITIONS = frozenset({"when", "changed_when", "failed_when", "until", "that", "var"})
TASK_KEYWORDS = frozenset({
    "action", "any_errors_fatal", "args", "async", "become", "become_user", "changed_when", "check_mode", "connection",
    "delay", "delegate_to", "delegate_facts", "diff", "environment", "failed_when", "listen", "loop", "loop_control",
    "name", "no_log", "notify", "poll", "register", "retries", "run_once", "tags", "throttle", "timeout", "until",
    "vars", "when", "block", "rescue", "always", "ignore_unreachable",
})  # fmt: skip


def tracked() -> list[Path]:
    """Return every file that belongs to the repository, the ones that are not yet added included."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    paths = (ROOT / name for name in names if name)
    return sorted(
        {path for path in paths if path.is_file() and not path.is_symlink() and "collections" not in path.parts}
    )


def read(path: Path) -> str:
    """Return the text of a file; a binary file has none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def short(path: Path) -> str:
    """Return a path as it stands in a message."""
    return path.relative_to(ROOT).as_posix()


def spec_options(role: Path) -> dict[str, dict[str, Any]]:
    """Return the options of a role's main entry point."""
    options: dict[str, dict[str, Any]] = load_yaml(role / "meta" / "argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]
    return options


def all_options(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every option with its place, nested ones included."""
    for name, spec in options.items():
        yield prefix + name, spec
        yield from all_options(spec.get("options") or {}, f"{prefix}{name}.")


def defaults(role: Path) -> dict[str, Any]:
    """Return a role's defaults, untemplated."""
    file = role / "defaults" / "main.yml"
    return dict(load_yaml(file) or {}) if file.exists() else {}


def tasks_in(content: object) -> Iterator[dict[str, Any]]:
    """Yield every task of a list, those in blocks included."""
    for task in content if isinstance(content, list) else []:
        if not isinstance(task, dict):
            continue
        if "hosts" in task:
            for section in ("pre_tasks", "tasks", "post_tasks", "handlers"):
                yield from tasks_in(task.get(section))
            continue
        yield task
        for section in ("block", "rescue", "always"):
            yield from tasks_in(task.get(section))


def task_files(role: Path) -> list[Path]:
    """Return the task and handler files of a role."""
    return sorted([*role.glob("tasks/**/*.yml"), *role.glob("handlers/**/*.yml")])


def action_of(task: Mapping[str, Any]) -> list[str]:
    """Return the keys of a task that name its action: exactly one, unless it is a block or a mistake."""
    return [key for key in task if key not in TASK_KEYWORDS and not key.startswith("with_")]


class _Anything(dict[str, Any]):
    """Filters and tests under any name: only the variables are of interest."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> Any:
        return lambda value, *_args, **_kwargs: value

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ARG002 - the signature of the base class
        return self[key]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=False)  # noqa: S701
    environment.filters = _Anything()
    environment.tests = _Anything()
    return environment


def template_variables(text: str) -> set[str]:
    """Return the variables that a template reads from outside."""
    environment = _environment()
    found = jinja2.meta.find_undeclared_variables(environment.parse(text))
    return {name for name in found if name not in jinja2.defaults.DEFAULT_NAMESPACE}


def value_variables(value: object, key: str = "") -> set[str]:
    """Return the variables in the strings of a YAML value; conditions are expressions without braces."""
    if isinstance(value, str):
        return template_variables(f"{{{{ {value} }}}}" if key in CONDITIONS and "{{" not in value else value)
    if isinstance(value, Mapping):
        return {name for inner, item in value.items() for name in value_variables(item, str(inner))}
    if isinstance(value, list):
        return {name for item in value for name in value_variables(item, key)}
    return set()


def loop_names(task: Mapping[str, Any]) -> set[str]:
    """Return the names that a task gives to its loop."""
    control = task.get("loop_control") or {}
    return {str(control[key]) for key in ("loop_var", "index_var", "extended_loop_var") if key in control}


def matching_lines(pattern: str, paths: list[Path]) -> list[str]:
    """Return the places where a pattern occurs."""
    expression = re.compile(pattern)
    return [
        f"{short(path)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(read(path).splitlines(), 1)
        if expression.search(line)
    ]
