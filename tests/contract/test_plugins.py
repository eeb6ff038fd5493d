# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every plugin is documented, small, and honest about check mode."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import repo
import yaml

MAX_PYTHON_LINES = 400
MODULES = sorted((repo.ROOT / "plugins" / "modules").glob("*.py"))
ATTRIBUTES = ("check_mode", "diff_mode", "idempotent")
every_module = pytest.mark.parametrize("module", MODULES, ids=[path.stem for path in MODULES])


def constants(path: Path) -> dict[str, str]:
    """Return the strings that a file assigns at its top level."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ):
            found[node.targets[0].id] = str(node.value.value)
    return found


def documentation(path: Path) -> dict[str, Any]:
    """Return the documentation of a module."""
    return dict(yaml.safe_load(constants(path)["DOCUMENTATION"]))


def test_there_are_modules() -> None:
    assert MODULES


@every_module
def test_a_module_has_its_three_texts(module: Path) -> None:
    texts = constants(module)
    assert [name for name in ("DOCUMENTATION", "EXAMPLES", "RETURN") if not yaml.safe_load(texts.get(name, ""))] == []
    assert documentation(module)["module"] == module.stem


@every_module
def test_a_module_says_what_it_keeps(module: Path) -> None:
    attributes = documentation(module).get("attributes") or {}
    assert [
        name for name in ATTRIBUTES if attributes.get(name, {}).get("support") not in ("full", "partial", "none", "N/A")
    ] == []
    assert [name for name in ATTRIBUTES if not attributes[name].get("description")] == []


@every_module
def test_check_mode_is_what_the_code_says(module: Path) -> None:
    action = repo.ROOT / "plugins" / "action" / module.name
    code = module.read_text(encoding="utf-8") + (action.read_text(encoding="utf-8") if action.exists() else "")
    supported = documentation(module)["attributes"]["check_mode"]["support"] in ("full", "partial")
    promised = "supports_check_mode=True" in code or (action.exists() and "_supports_check_mode = False" not in code)
    assert promised == supported


def test_no_action_makes_a_folder_on_the_host_for_every_call() -> None:
    actions = sorted((repo.ROOT / "plugins" / "action").glob("*.py"))
    assert actions
    assert [path.name for path in actions if "TRANSFERS_FILES = False" not in path.read_text(encoding="utf-8")] == [
        "release_apply.py"  # which is one of release_image
    ]


@every_module
def test_examples_use_full_names(module: Path) -> None:
    examples = yaml.safe_load(constants(module)["EXAMPLES"])
    actions = [action for task in repo.tasks_in(examples) for action in repo.action_of(task)]
    assert f"barehost.django.{module.stem}" in actions
    assert [action for action in actions if action.count(".") < 2] == []


def option_problems(options: dict[str, Any], prefix: str = "") -> list[str]:
    """Name options without type or sentence."""
    problems = []
    for name, spec in options.items():
        text = spec.get("description") or ""
        last = text if isinstance(text, str) else str(text[-1])
        if "type" not in spec:
            problems.append(f"{prefix}{name} has no type")
        if not last.strip().endswith("."):
            problems.append(f"{prefix}{name}: the description is no sentence that ends in a period")
        problems += option_problems(spec.get("suboptions") or {}, f"{prefix}{name}.")
    return problems


@every_module
def test_every_option_has_a_type_and_a_sentence(module: Path) -> None:
    assert option_problems(documentation(module).get("options") or {}) == []


def test_ansible_doc_reads_every_module() -> None:
    names = [f"barehost.django.{path.stem}" for path in MODULES]
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(repo.ROOT / "collections")}
    argv = [str(Path(sys.executable).with_name("ansible-doc")), "--json", "--type", "module", *names]
    done = subprocess.run(argv, env=env, cwd=repo.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)) == sorted(names)


def filter_names() -> list[str]:
    """Return the filters that the collection registers."""
    names: list[str] = []
    for path in sorted((repo.ROOT / "plugins" / "filter").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "filters":
                keys = [key for item in ast.walk(node) if isinstance(item, ast.Dict) for key in item.keys]
                names += [str(key.value) for key in keys if isinstance(key, ast.Constant)]
    return names


def test_ansible_doc_reads_every_filter() -> None:
    names = [f"barehost.django.{name}" for name in filter_names()]
    assert names
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(repo.ROOT / "collections")}
    argv = [str(Path(sys.executable).with_name("ansible-doc")), "--json", "--type", "filter", *names]
    done = subprocess.run(argv, env=env, cwd=repo.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    documented = json.loads(done.stdout)
    assert [name for name in names if not (documented.get(name) or {}).get("doc", {}).get("description")] == []


def test_python_files_stay_small() -> None:
    sizes = {
        repo.short(path): len(repo.read(path).splitlines())
        for path in repo.tracked()
        if path.suffix == ".py" and "migrations" not in path.parts
    }
    assert {name: size for name, size in sizes.items() if size > MAX_PYTHON_LINES} == {}


def test_private_code_is_marked_private() -> None:
    names = [path.name for path in (repo.ROOT / "plugins" / "module_utils").glob("*.py")]
    assert [name for name in names if not name.startswith("_")] == []
