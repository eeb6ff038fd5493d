# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Units of systemd: what is seen of them, and what it takes to have them as they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _units

if TYPE_CHECKING:
    from pathlib import Path

WANTED = {"b.service": "[Service]\n", "b.timer": "[Timer]\n"}
KNOWN = ["b.service", "b.timer", "c.timer"]


def seen(**changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {name: {"digest": _units.digest(text), "enabled": True, "active": True} for name, text in WANTED.items()}
    for name, change in changes.items():
        found[name.replace("_", ".")] = {**found.get(name.replace("_", "."), {}), **change}
    return found


@pytest.mark.parametrize(
    ("there", "steps"),
    [
        ({}, [("b.service", "create"), ("b.timer", "create")]),
        (seen(), []),
        (seen(b_service={"digest": "x"}), [("b.service", "update")]),
        (seen(b_service={"enabled": False, "active": False}), []),
        (seen(b_timer={"enabled": False, "active": False}), [("b.timer", "enable")]),
        (seen(b_timer={"active": False}), [("b.timer", "start")]),
        (seen(c_timer={"digest": "x"}), [("c.timer", "remove")]),
    ],
)
def test_what_has_to_be_done(there: dict[str, Any], steps: list[tuple[str, str]]) -> None:
    assert [(step.name, step.action) for step in _units.steps(WANTED, KNOWN, there)] == steps


def test_what_is_wanted_no_longer_goes() -> None:
    assert [step.action for step in _units.steps({}, KNOWN, seen())] == ["remove", "remove"]


def test_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "b.timer").write_text("[Timer]\n")
    (tmp_path / "b.service").write_text("[Service]\n")
    (tmp_path / _units.WANTS).mkdir()
    (tmp_path / _units.WANTS / "b.timer").symlink_to("../b.timer")
    asked: list[list[str]] = []

    def run(argv: list[str]) -> tuple[int, str, str]:
        asked.append(argv)
        return 3, "inactive\n", ""

    assert _units.look(KNOWN, run, str(tmp_path)) == {
        "b.service": {"digest": _units.digest("[Service]\n"), "enabled": False, "active": False},
        "b.timer": {"digest": _units.digest("[Timer]\n"), "enabled": True, "active": False},
    }
    assert asked == [["systemctl", "is-active", "b.timer"]]


def test_where_there_are_none_nobody_is_asked(tmp_path: Path) -> None:
    assert _units.look(KNOWN, lambda _argv: pytest.fail("asked"), str(tmp_path)) == {}
