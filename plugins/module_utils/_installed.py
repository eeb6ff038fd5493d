# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A part of the collection as a program that stays on the host: a module and all that it imports, as they are.

What a timer runs at night is so the very text that a playbook's module runs, and needs nothing but Python.
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

PACKAGE = "ansible_collections.barehost.django.plugins.module_utils"


def source_of(name: str) -> str:
    """Return the text of a module."""
    spec = importlib.util.find_spec(f"{PACKAGE}.{name}")
    if spec is None or not spec.origin:
        raise ImportError(f"there is no module {name} in the collection")
    return Path(spec.origin).read_text(encoding="utf-8")


def imported(text: str) -> set[str]:
    """Return the names of the collection's modules that a text imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            found.add(str(node.module).rpartition(".")[2])
    return found


def program(entry: str) -> dict[str, str]:
    """Return the files of a program below a directory that is to be in Python's path, path to text."""
    texts: dict[str, str] = {}
    left = [entry]
    while left:
        name = left.pop()
        if name not in texts:
            texts[name] = source_of(name)
            left += sorted(imported(texts[name]) - texts.keys())
    folder = PACKAGE.replace(".", "/")
    return {f"{folder}/{name}.py": text for name, text in sorted(texts.items())}
