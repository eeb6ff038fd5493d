"""Releases as they lie on the host."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _release

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("bad", ["", "ab", "../etc", "A123", "-abc", "a/b", "a" * 64])
def test_an_id_that_is_no_file_name_and_tag_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="release id"):
        _release.check_id(bad)


def test_the_override_names_image_and_release_of_each_service() -> None:
    assert json.loads(_release.override_text("abc", "shop/app:abc", ["worker", "web"])) == {
        "services": {
            name: {"image": "shop/app:abc", "environment": {"RELEASE_ID": "abc"}} for name in ("web", "worker")
        },
    }


def test_writing_the_same_text_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "releases" / "abc.json"
    assert _release.write_text(path, "{}\n")
    before = path.stat().st_ino
    assert not _release.write_text(path, "{}\n")
    assert path.stat().st_ino == before
    assert [item.name for item in path.parent.iterdir()] == ["abc.json"]


def test_a_link_is_moved_and_left_alone_when_right(tmp_path: Path) -> None:
    link = tmp_path / "current"
    assert _release.point(link, "one")
    assert not _release.point(link, "one")
    assert _release.point(link, "two")
    assert _release.read_link(link) == "two"


def written(root: Path, name: str, minute: int, **more: object) -> None:
    """Write a record at a minute of the first hour of 2026."""
    path = _release.record_path(str(root), name)
    _release.write_record(path, {"id": name, **more})
    at = (START + timedelta(minutes=minute)).timestamp()
    os.utime(path, (at, at))


@pytest.mark.parametrize(
    ("begun", "serving", "expected"),
    [
        (30, "abc", {"from": "abc", "to": "def"}),  # died before its commit
        (30, "def", {"from": "abc", "to": "def"}),  # died after it
        (50, "abc", {"from": "abc", "to": ""}),  # died before there was a release
        (30, "", {"from": "", "to": "def"}),
    ],
)
def test_what_a_run_that_died_went_from_and_to_is_read_from_the_records(
    tmp_path: Path, begun: int, serving: str, expected: dict[str, str]
) -> None:
    written(tmp_path, "abc", 10)
    written(tmp_path, "def", 40, before={"id": "abc"})
    if serving:
        _release.point(tmp_path / "releases" / "current", f"{serving}.json")
    assert _release.touched(str(tmp_path), START + timedelta(minutes=begun)) == expected


def test_of_a_record_that_was_cut_short_only_the_name_is_left(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    path = tmp_path / "releases" / "abc.json"
    path.write_text('{"id": "ab')
    _release.point(path.parent / "current", path.name)
    assert _release.current_record(str(tmp_path)) == {"id": "abc"}
    path.write_text('{"id": "abc", "step": "done"}')
    assert _release.current_record(str(tmp_path)) == {"id": "abc", "step": "done"}


def test_what_does_not_speak_of_the_release_is_listed(tmp_path: Path) -> None:
    text = _release.override_text("abc", "shop/app:abc", ["web"])
    assert _release.differs(str(tmp_path), "abc", text, static=True) == [
        "compose.override.yaml",
        "static/current",
        "releases/current",
    ]
    (tmp_path / "static").mkdir()
    _release.write_text(tmp_path / "compose.override.yaml", text)
    _release.point(tmp_path / "static" / "current", "abc")
    _release.write_text(tmp_path / "releases" / "abc.json", '{"id": "abc"}')
    _release.point(tmp_path / "releases" / "current", "abc.json")
    assert _release.differs(str(tmp_path), "abc", text, static=True) == []


def configure(root: Path, content: str) -> None:
    """Write the files that a release is started with."""
    for name, mode in (("compose.yaml", 0o644), (".env", 0o600)):
        (root / name).write_text(f"{content} {name}\n")
        (root / name).chmod(mode)


def test_the_files_of_the_serving_release_come_back_with_their_modes(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    configure(tmp_path, "old")
    settings = _release.store_settings(str(tmp_path))
    _release.write_record(tmp_path / "releases" / "abc.json", {"id": "abc", "settings": settings})
    _release.point(tmp_path / "releases" / "current", "abc.json")
    folder = tmp_path / "releases" / "settings"
    assert folder.stat().st_mode & 0o777 == (folder / settings).stat().st_mode & 0o777 == 0o700
    assert (folder / settings / ".env").stat().st_mode & 0o777 == 0o600
    configure(tmp_path, "new")
    _release.restore_files(str(tmp_path))
    for name, mode in (("compose.yaml", 0o644), (".env", 0o600)):
        assert (tmp_path / name).read_text() == f"old {name}\n"
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


def test_no_file_is_touched_where_nothing_was_kept(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    configure(tmp_path, "new")
    _release.restore_files(str(tmp_path))
    assert (tmp_path / ".env").read_text() == "new .env\n"


def test_settings_are_kept_for_the_serving_release_and_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    names = []
    for content in ("first", "second", "third"):
        configure(tmp_path, content)
        names.append(_release.store_settings(str(tmp_path)))
    record = {"id": "abc", "settings": names[2], "before": {"settings": names[1]}}
    _release.write_record(tmp_path / "releases" / "abc.json", record)
    # Without a record nobody knows which ones are needed.
    _release.drop_settings(str(tmp_path))
    assert len(list((tmp_path / "releases" / "settings").iterdir())) == 3
    _release.point(tmp_path / "releases" / "current", "abc.json")
    _release.drop_settings(str(tmp_path))
    assert sorted(path.name for path in (tmp_path / "releases" / "settings").iterdir()) == sorted(names[1:])
    _release.restore_files(str(tmp_path), names[1])
    assert (tmp_path / ".env").read_text() == "second .env\n"


def serving(generation: str) -> str:
    """Return the override of a release that serves."""
    return _release.serving_text("abc", "shop/app:abc", {"web": generation}, networks={"web": []}, routed=[])


def test_what_is_committed_is_what_the_record_says(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    assert _release.committed(str(tmp_path)).generations == {}
    _release.name_current(str(tmp_path), "abc", serving("0a1b"))
    _release.write_record(tmp_path / "releases" / "abc.json", {"id": "abc", "override": serving("0a1b")})
    # A run was cut off between the two files of a commit.
    _release.write_text(tmp_path / "compose.override.yaml", serving("ffff"))
    found = _release.committed(str(tmp_path))
    assert (found.release_id, found.override, found.generations) == ("abc", serving("0a1b"), {"web": "0a1b"})


def test_what_is_committed_can_be_read_from_the_override_and_may_be_unknown(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    _release.name_current(str(tmp_path), "abc", serving("0a1b"))
    (tmp_path / "releases" / "abc.json").write_text("{")
    assert _release.committed(str(tmp_path)) == _release.Committed("abc", serving("0a1b"), {"web": "0a1b"})
    for damaged in ("{", "[]", '{"services": {"web": {}}}'):
        (tmp_path / "compose.override.yaml").write_text(damaged)
        assert _release.committed(str(tmp_path)).generations is None
    (tmp_path / "compose.override.yaml").unlink()
    assert _release.committed(str(tmp_path)) == _release.Committed("abc", None, None)


def test_which_release_serves_is_known_without_the_link(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    assert _release.serving_id(str(tmp_path)) == ""
    _release.name_current(str(tmp_path), "abc", serving("0a1b"))
    (tmp_path / "releases" / "current").unlink()
    assert _release.serving_id(str(tmp_path)) == "abc"
    assert _release.current_record(str(tmp_path)) == {"id": "abc"}
    for damaged in ("services: {}", '{"services": {"web": {"environment": {"RELEASE_ID": "../etc"}}}}'):
        (tmp_path / "compose.override.yaml").write_text(damaged)
        assert _release.serving_id(str(tmp_path)) == ""


def test_what_is_no_text_any_more_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "releases" / "abc.json"
    path.parent.mkdir()
    path.write_bytes(bytes([0xFF, 0xFE, 0x00]))
    assert _release.read_record(path) is None
    assert _release.write_text(path, "{}")
    assert path.read_text() == "{}"


def test_a_link_that_cannot_be_put_in_place_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "current" / "file").mkdir(parents=True)
    with pytest.raises(OSError, match="current"):
        _release.point(tmp_path / "current", "abc")
    assert [path.name for path in tmp_path.iterdir()] == ["current"]


def test_a_release_is_proven_with_the_settings_that_its_deploy_ended_with(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    for name in ("abc", "def"):
        _release.write_record(tmp_path / "releases" / f"{name}.json", {"id": name})
    _release.point(tmp_path / "releases" / "current", "abc.json")
    configure(tmp_path, "first")
    _release.prove(str(tmp_path), "def")
    assert _release.current_record(str(tmp_path)) == {"id": "abc"}
    for content in ("first", "second"):
        configure(tmp_path, content)
        _release.prove(str(tmp_path), "abc")
        configure(tmp_path, "refused")
        _release.restore_files(str(tmp_path))
        assert (tmp_path / ".env").read_text() == f"{content} .env\n"
    assert (_release.current_record(str(tmp_path)) or {})["proven"] is True
    assert len(list((tmp_path / "releases" / "settings").iterdir())) == 1


def test_a_release_that_serves_is_marked_and_the_edge_can_tell_its_containers() -> None:
    text = _release.serving_text(
        "abc",
        "shop/app:abc",
        {"web": "0a1b", "worker": "2c3d"},
        networks={"web": ["front", "back"], "worker": ["back"]},
        routed=["web"],
        static_root="/srv/static",
    )
    services = json.loads(text)["services"]
    assert services["web"]["networks"] == {name: {"aliases": ["web-0a1b"]} for name in ("front", "back")}
    assert "networks" not in services["worker"]
    assert {service["labels"]["barehost.django.generation"] for service in services.values()} == {"0a1b", "2c3d"}
    assert services["web"]["volumes"][0]["source"] == "./static/abc"


def test_what_a_record_says_stays_when_something_is_added(tmp_path: Path) -> None:
    path = tmp_path / "abc.json"
    _release.update_record(path, "abc", "shop/app:abc", {"step": "image"})
    created = json.loads(path.read_text())["created"]
    _release.update_record(path, "abc", "shop/app:abc", {"step": "done", "heads": {}})
    assert json.loads(path.read_text()) == {
        "id": "abc", "image": "shop/app:abc", "created": created, "step": "done", "heads": {},
    }  # fmt: skip


def test_which_release_serves_is_said_and_taken_back(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    current, override = tmp_path / "releases" / "current", tmp_path / "compose.override.yaml"
    _release.name_current(str(tmp_path), "abc", "first")
    _release.name_current(str(tmp_path), "def", "second")
    assert (_release.read_link(current), override.read_text()) == ("def.json", "second")
    _release.name_current(str(tmp_path), "abc", "first")
    assert (_release.read_link(current), override.read_text()) == ("abc.json", "first")
    _release.name_current(str(tmp_path), "", None)
    assert (current.is_symlink(), override.exists()) == (False, False)


@pytest.mark.parametrize("record", [{"id": "abc", "before": "x"}, {"id": 5}, {"id": ["abc"]}])
def test_a_damaged_record_says_nothing_of_a_run_that_died(tmp_path: Path, record: dict[str, object]) -> None:
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "abc.json").write_text(json.dumps(record))
    _release.point(tmp_path / "releases" / "current", "abc.json")
    known = _release.touched(str(tmp_path), START)
    assert known == ({"from": "", "to": "abc"} if "before" in record else {"from": "abc", "to": ""})
