# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""stack_secrets: a secret that gets another value, and what a deploy that fails or is cut off goes back to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _before
from ansible_collections.barehost.django.plugins.modules import stack_secrets
from support.modules import run

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW, THIRD = (f"not-for-production-{word}" for word in ("old", "new", "third"))
SERVER = {"volume": "mysql"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the directory of a stack that serves."""
    (tmp_path / "compose.yaml").write_text("name: shop\n")
    assert ensure(tmp_path, OLD)["created"] == ["a"]
    return tmp_path


def ensure(root: Path, value: str = "", *, check: bool = False, **extra: Any) -> dict[str, Any]:
    """Ensure the secret of a server."""
    arguments = {"dir": str(root / "secrets"), "secrets": {"a": {"value": value, **SERVER}}, **extra}
    return run(stack_secrets.main, arguments, check=check)


def test_another_value_is_taken_and_the_one_of_before_noted(root: Path) -> None:
    dry = ensure(root, NEW, check=True)
    assert (dry["updated"], _before.load(root)) == (["a"], {})
    result = ensure(root, NEW)
    assert (result["updated"], result["values"]) == (["a"], {"a": NEW})
    assert NEW not in json.dumps(result["diff"])
    assert _before.put_back(root) == ["secrets/a"]
    assert (root / "secrets" / "a").read_text() == OLD
    assert (root / "secrets" / "a").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", [NEW, OLD, ""])
def test_a_rotation_that_was_cut_off_goes_on_or_back(root: Path, value: str) -> None:
    ensure(root, NEW)
    assert ensure(root, value)["values"] == {"a": value or NEW}
    assert _before.load(root)["secrets/a"]["content"] == OLD


def test_a_third_value_is_refused_until_the_second_has_come_to_its_end(root: Path) -> None:
    ensure(root, NEW)
    for check in (True, False):
        refused = ensure(root, THIRD, check=check)
        assert refused["failed"] is True
        assert refused["msg"].startswith("a: a deploy that replaced it was cut off")
        assert THIRD not in json.dumps(refused)
    assert (root / "secrets" / "a").read_text() == NEW
    _before.forget(root)
    assert ensure(root, THIRD)["updated"] == ["a"]


def test_a_generated_secret_is_made_anew_once_for_each_run(root: Path) -> None:
    first = ensure(root, rotate=["a"])
    assert first["updated"] == ["a"]
    assert len(first["values"]["a"]) == 50
    # That run was cut off: this one goes on with what it has made.
    assert ensure(root, rotate=["a"])["values"] == first["values"]
    _before.forget(root)
    assert ensure(root)["changed"] is False
    assert ensure(root, rotate=["a"])["values"] != first["values"]


def test_what_cannot_be_made_anew_is_refused(root: Path) -> None:
    assert "b is no secret of this stack" in ensure(root, rotate=["b"])["msg"]
    assert "a is given in the inventory" in ensure(root, NEW, rotate=["a"])["msg"]
    arguments = {"dir": str(root / "secrets"), "secrets": {"a": {"fixed": True}}, "rotate": ["a"]}
    assert "stands for the stack itself" in run(stack_secrets.main, arguments)["msg"]
    assert (root / "secrets" / "a").read_text() == OLD
