# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every secret that there is has a canary, which the scenario `secrets` looks for wherever it must not be."""

from __future__ import annotations

from typing import Any

import pytest
import repo
import yaml
from ansible_collections.barehost.django.plugins.module_utils import _input

from tests.canary import given


def options() -> dict[str, dict[str, Any]]:
    """Return every option of every role, by its name."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(repo.ROOT.glob("roles/*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"].values():
            found.update(entry.get("options") or {})
    return found


def secret_names() -> set[str]:
    """Return all names that hold a secret: options that say so, and what the playbooks read."""
    marked = {name for name, spec in options().items() if _input.is_secret(name, spec)}
    return marked | {name for name in _input.PLAYBOOK_VARIABLES if _input.SECRET_NAME.search(name)}


def test_there_are_secrets() -> None:
    assert {"mysql_password", "tls_private_key", "superuser_password"} <= secret_names()


@pytest.mark.parametrize("name", sorted(secret_names()))
def test_every_secret_has_a_canary(name: str) -> None:
    assert name in given.covered(), f"{name} is a secret without a canary: give it one in tests/canary/given.py"


def test_no_canary_is_of_a_secret_that_is_none() -> None:
    assert given.covered() - secret_names() == set()


def test_no_secret_is_hidden_in_an_option_that_nobody_marks() -> None:
    nested = {name: spec.get("options") or {} for name, spec in options().items()}
    found = {name for name, inner in nested.items() if any(_input.is_secret(key, spec) for key, spec in inner.items())}
    assert found <= {*given.covered(), *given.FURTHER}
