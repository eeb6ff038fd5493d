# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""release_apply: one part after the other, each with what those before it have found, and none after one that fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _run_image, _run_prepare, _run_switch
from ansible_collections.barehost.django.plugins.modules import release_apply
from support.modules import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HUSH = "hush-hush-password"
IMAGE = {
    "changed": True,
    "release_id": "abc",
    "image": "shop/app:abc",
    "image_id": "sha256:1",
    "git_revision": "",
    "msg": "image: build",
}
PREPARE = {"changed": False, "plan": [], "plan_known": True, "heads": {"shop": "0002_price"}, "msg": "up to date"}
SWITCH = {"changed": True, "steps": [], "serving": "abc", "diff": {"before": "", "after": "release: abc\n"}}
WISH = {"services": ["web"], "repository": "shop/app", "source": "/src", "release_id": "abc"}
SERVICES = [{"name": "web", "rollover": "beside", "routed": True}]


class Parts:
    """Stands in for what the three parts do, and notes what each was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let all of them succeed."""
        self.told: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {"image": IMAGE, "prepare": PREPARE, "switch": SWITCH}
        for name, part in (("image", _run_image), ("prepare", _run_prepare), ("switch", _run_switch)):
            monkeypatch.setattr(part, "run", self.part(name))

    def part(self, name: str) -> Callable[[Any], dict[str, Any]]:
        """Return what a part does."""

        def run_part(module: Any) -> dict[str, Any]:
            self.told[name] = dict(module.params)
            result = dict(self.results[name])
            if result.pop("failed", False):
                module.fail_json(**result)
            return result

        return run_part


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    return Parts(monkeypatch)


def call(tmp_path: Path, **options: Any) -> dict[str, Any]:
    args: dict[str, Any] = {
        "project_dir": str(tmp_path),
        "image": WISH,
        "prepare": {"superuser": {"username": "admin"}},
        "switch": {"project": "shop", "services": SERVICES, "details": {"database": {"name": "shop"}}},
        "registry_password": HUSH,
        "superuser_password": HUSH,
        "git_revision": "1f0c2a",
        **options,
    }
    return run(release_apply.main, {name: value for name, value in args.items() if value is not None})


def test_each_part_is_told_what_those_before_it_have_found(tmp_path: Path, parts: Parts) -> None:
    result = call(tmp_path)
    assert (result["changed"], result["msg"]) == (True, "image: build; up to date")
    assert [name for name in ("image", "prepare", "switch") if result[name]["changed"]] == ["image", "switch"]
    assert result["diff"] == [SWITCH["diff"]]
    assert parts.told["image"]["registry_password"] == parts.told["prepare"]["superuser_password"] == HUSH
    assert parts.told["prepare"]["release_id"] == "abc"
    assert parts.told["prepare"]["compose_files"] == [f"{tmp_path}/compose.yaml", f"{tmp_path}/releases/abc.yaml"]
    assert [parts.told["switch"][key] for key in ("release_id", "image", "image_id")] == [
        "abc",
        "shop/app:abc",
        "sha256:1",
    ]
    assert parts.told["switch"]["details"] == {
        "database": {"name": "shop"},
        "heads": {"shop": "0002_price"},
        "git_revision": "1f0c2a",
    }
    assert HUSH not in json.dumps(result)


@pytest.mark.parametrize("found", [{"plan": [{"migration": "shop.0003_tax"}]}, {"plan_known": False}])
def test_nothing_is_switched_before_the_schema_is_known_to_be_there(
    tmp_path: Path, parts: Parts, found: dict[str, Any]
) -> None:
    parts.results["prepare"] = {**PREPARE, **found}
    assert "switch" not in call(tmp_path)
    assert list(parts.told) == ["image", "prepare"]


def test_after_a_short_build_one_call_does_all(tmp_path: Path, parts: Parts) -> None:
    parts.results["image"] = {**IMAGE, "seconds": 30.0}
    assert "switch" in call(tmp_path)


def test_after_a_long_build_it_is_asked_again_whether_to_go_on(tmp_path: Path, parts: Parts) -> None:
    parts.results["image"] = {**IMAGE, "seconds": 30.1}
    result = call(tmp_path)
    assert list(parts.told) == ["image"]
    assert (result["changed"], "prepare" in result) == (True, False)


def test_a_source_that_has_to_be_sent_first_ends_the_call(tmp_path: Path, parts: Parts) -> None:
    parts.results["image"] = {"changed": False, "needs": "context"}
    assert call(tmp_path)["needs"] == "context"
    assert list(parts.told) == ["image"]


def test_the_parts_that_are_left_go_on_without_an_image(tmp_path: Path, parts: Parts) -> None:
    switch = {"project": "shop", "services": SERVICES, "release_id": "abc", "image": "shop/app:abc"}
    result = call(tmp_path, image=None, prepare=None, switch=switch)
    assert list(parts.told) == ["switch"]
    assert parts.told["switch"]["release_id"] == "abc"
    assert "image" not in result


@pytest.mark.parametrize(("name", "after"), [("image", ["image"]), ("prepare", ["image", "prepare"])])
def test_what_fails_ends_the_call_and_what_was_done_before_it_is_told(
    tmp_path: Path, parts: Parts, name: str, after: list[str]
) -> None:
    parts.results[name] = {"failed": True, "msg": "no room", "serving": "old"}
    result = call(tmp_path)
    assert (result["failed"], result["msg"], result["serving"]) == (True, "no room", "old")
    assert list(parts.told) == after
    assert result["changed"] is ("image" in result) is (name != "image")
