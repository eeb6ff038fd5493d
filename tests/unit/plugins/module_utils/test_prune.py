# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of earlier releases is kept, and what goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _lock, _lock_state, _prune, _release
from ansible_collections.barehost.django.plugins.module_utils._prune import There

if TYPE_CHECKING:
    from pathlib import Path


def record(name: str, created: int, activated: int | None = None) -> dict[str, Any]:
    """Return the record of a release; the numbers are minutes."""
    served = {} if activated is None else {"activated": f"2026-01-01T00:{activated:02d}:00+00:00"}
    return {"id": name, "created": f"2026-01-01T00:{created:02d}:00+00:00", **served}


RECORDS = [
    record("111111111111", 1, 2),
    record("222222222222", 3, 4),
    record("badbadbadbad", 5),
    record("333333333333", 6, 7),
    record("444444444444", 8, 9),
]
NAMES = ["111111111111", "222222222222", "badbadbadbad", "333333333333", "444444444444"]


def test_the_last_that_served_are_kept() -> None:
    doomed = _prune.plan(RECORDS, There(NAMES, NAMES), keep=2, always=["444444444444"])
    assert doomed.images == doomed.static == ("111111111111", "222222222222", "badbadbadbad")
    assert doomed.records == ("111111111111", "222222222222", "badbadbadbad")


def test_a_release_gone_back_to_counts_from_when_it_served_last() -> None:
    again = [*RECORDS[1:], record("111111111111", 1, 30)]
    assert _prune.plan(again, There(NAMES), keep=2, always=["111111111111"]).images == (
        "222222222222",
        "333333333333",
        "badbadbadbad",
    )


def test_a_release_that_was_rejected_takes_no_good_ones_place() -> None:
    bad = {**record("555555555555", 10, 11), "rejected": {"reason": "no answer"}}
    doomed = _prune.plan([*RECORDS, bad], There([*NAMES, "555555555555"]), keep=2, always=["444444444444"])
    assert doomed.images == ("111111111111", "222222222222", "555555555555", "badbadbadbad")


def test_a_release_that_was_gone_back_from_stays_while_there_is_room() -> None:
    bad = {**record("555555555555", 10, 11), "rejected": {"reason": "rolled back"}}
    doomed = _prune.plan([*RECORDS, bad], There([*NAMES, "555555555555"]), keep=5, always=["444444444444"])
    assert doomed.images == ("badbadbadbad",)


def test_what_serves_and_what_is_being_made_stay_whatever_the_number() -> None:
    doomed = _prune.plan(RECORDS, There([*NAMES, "555555555555"]), keep=1, always=["222222222222", "555555555555"])
    assert doomed.images == ("111111111111", "333333333333", "444444444444", "badbadbadbad")


def test_the_record_of_a_failed_release_stays_while_there_is_an_earlier_one_to_go_back_to() -> None:
    assert _prune.plan(RECORDS, There(), keep=3, always=["444444444444"]).records == ("111111111111",)


def dump(minute: int, name: str = "before-111111111111") -> str:
    """Return the file of a dump."""
    return f"20260101T00{minute:02d}00Z-{name}.sql.gz"


def test_the_newest_dumps_stay_and_those_that_a_record_tells_of() -> None:
    records = [dict(item) for item in RECORDS]
    records[0]["migrations"] = [
        {"migration": "shop.0002_note", "dump": f"/opt/app/backups/{dump(1)}"}
    ]  # of a release whose record goes
    records[2]["migrations"] = [
        {"migration": "shop.0002_note", "dump": f"/opt/app/backups/{dump(2)}"}
    ]  # of one that failed, and whose record stays
    dumps = [dump(minute) for minute in (1, 2, 3, 4, 5)]
    assert _prune.plan(records, There(dumps=dumps), keep=3, always=["444444444444"]).dumps == (dump(1),)
    # With fewer to keep, that record goes as well.
    assert _prune.plan(records, There(dumps=dumps), keep=2, always=["444444444444"]).dumps == tuple(dumps[:3])
    records[3]["migrations"] = [{"migration": "shop.0002_note", "dump": f"/opt/app/backups/{dump(3)}"}]
    assert _prune.plan(records, There(dumps=dumps), keep=2, always=["444444444444"]).dumps == tuple(dumps[:2])
    assert _prune.plan(records, There(dumps=dumps), keep=9, always=["444444444444"]).dumps == ()


def test_of_the_backups_only_what_was_dumped_before_a_migration_goes(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    others = [dump(1, "nightly"), dump(1, "before-upgrade"), "notes", f"{dump(1)}.age", f".{dump(1)}.0a1b2c3d.partial"]
    for name in [*others, *(dump(minute) for minute in range(4))]:
        (tmp_path / "backups" / name).touch()
    doomed, problems = _prune.prune(lambda _argv: (0, "", ""), tmp_path, "app/app", keep=2, always=[])
    assert (doomed.dumps, problems) == ((dump(0), dump(1)), [])
    assert {path.name for path in (tmp_path / "backups").iterdir()} == {*others, dump(2), dump(3)}


@pytest.mark.parametrize("held", [False, True])
def test_what_killed_runs_left_goes_under_the_lock_only(tmp_path: Path, *, held: bool) -> None:
    _lock.acquire(str(tmp_path), _lock_state.Wish(_lock_state.new("t", {}, 1800)))
    (tmp_path / "static" / ".555555555555.abcdefgh").mkdir(parents=True)
    with _lock.hold(str(tmp_path), "t" if held else "", "switch"):
        _prune.prune(lambda _argv: (0, "", ""), tmp_path, "app/app", keep=2, always=[])
    assert (tmp_path / "static" / ".555555555555.abcdefgh").exists() is not held


def old_release(root: Path) -> None:
    """Have something of each kind that has to go."""
    for folder in ("releases", "static/111111111111", "backups"):
        (root / folder).mkdir(parents=True)
    for item in (RECORDS[0], RECORDS[4]):
        (root / "releases" / f"{item['id']}.json").write_text(json.dumps(item))
    (root / "backups" / dump(1)).touch()
    _release.point(root / "static" / "previous", "111111111111")


@pytest.mark.parametrize("method", ["unlink", "iterdir", "is_symlink"])
def test_a_disk_that_refuses_is_trouble_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    old_release(tmp_path)

    def refuse(path: Path, **_options: object) -> None:
        raise OSError(5, "Input/output error", str(path))

    with monkeypatch.context() as broken:
        broken.setattr(type(tmp_path), method, refuse)
        _, problems = _prune.prune(lambda _argv: (0, "", ""), tmp_path, "app/app", keep=0, always=["444444444444"])
    assert problems
    assert all("Input/output error" in problem for problem in problems)


def test_a_folder_that_cannot_be_read_keeps_none_of_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_release(tmp_path)
    read = type(tmp_path).iterdir

    def refuse(path: Path) -> Any:
        if path.name == "backups":
            raise OSError(116, "Stale file handle", str(path))
        return read(path)

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    doomed, problems = _prune.prune(lambda _argv: (0, "", ""), tmp_path, "app/app", keep=0, always=["444444444444"])
    assert (len(problems), doomed.static) == (1, ("111111111111",))
    assert "Stale file handle" in problems[0]


def test_a_record_without_an_id_that_is_one_is_trouble(tmp_path: Path) -> None:
    old_release(tmp_path)
    (tmp_path / "releases" / "x.json").write_text(json.dumps({"id": "../x", "created": "2025"}))
    _, problems = _prune.prune(lambda _argv: (0, "", ""), tmp_path, "app/app", keep=1, always=["444444444444"])
    assert "release id '../x'" in problems[0]


def test_the_record_of_a_release_that_was_built_early_and_failed_late_stays_too() -> None:
    late = {"migration": "shop.0002_drop", "kinds": ["destructive"], "at": "2026-01-01T00:10:00.000+00:00"}
    early = {**record("ea51ea51ea51", 0), "migrations": [late]}
    assert _prune.plan([early, *RECORDS], There(), keep=3, always=["444444444444"]).records == ("111111111111",)


@pytest.mark.parametrize("failing", ["", "app/app:111111111111"])
def test_files_and_images_go_by_name_and_trouble_is_told(tmp_path: Path, failing: str) -> None:
    (tmp_path / "releases").mkdir()
    for item in RECORDS:
        (tmp_path / "releases" / f"{item['id']}.json").write_text(json.dumps(item))
        (tmp_path / "releases" / f"{item['id']}.yaml").write_text("{}")
        (tmp_path / "static" / item["id"]).mkdir(parents=True)
    (tmp_path / "static" / ".555555555555.abc").mkdir()
    _release.point(tmp_path / "releases" / "current", "444444444444.json")
    _release.point(tmp_path / "static" / "current", "444444444444")
    _release.point(tmp_path / "static" / "previous", "222222222222")
    ran: list[list[str]] = []

    def run(argv: list[str]) -> tuple[int, str, str]:
        ran.append(argv)
        if argv == _prune.list_cmd("app/app"):
            return 0, "\n".join([*NAMES, "<none>", "latest"]), ""
        return (1, "", "image is being used") if argv[-1] == failing else (0, "", "")

    _, problems = _prune.prune(run, tmp_path, "app/app", keep=2, always=["444444444444"])
    assert bool(problems) == bool(failing)
    assert ["docker", "image", "rm", "app/app:111111111111"] in ran
    assert not [
        argv for argv in ran if "app/app:444444444444" in argv or "app/app:333333333333" in argv or "--force" in argv
    ]
    # The link to what is gone goes with it.
    assert {path.name for path in (tmp_path / "static").iterdir()} == {
        ".555555555555.abc",
        "current",
        "333333333333",
        "444444444444",
    }
    assert {path.name for path in (tmp_path / "releases").iterdir()} == {
        "current",
        "333333333333.json",
        "333333333333.yaml",
        "444444444444.json",
        "444444444444.yaml",
    }


def test_an_engine_that_does_not_answer_is_trouble_and_no_image_is_taken_for_gone(tmp_path: Path) -> None:
    _, problems = _prune.prune(lambda _argv: (1, "", "no engine"), tmp_path, "app/app", keep=1, always=["111111111111"])
    assert problems == ["images of app/app could not be listed: no engine"]
