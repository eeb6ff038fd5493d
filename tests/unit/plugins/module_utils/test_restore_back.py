# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What becomes of a restore that was stopped, wherever that was: the data of before, or all that of the backup."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _data_lock,
    _restore,
    _restore_back,
    _restore_journal,
    _restore_media,
    _restore_mysql,
    _restore_sql,
)
from ansible_collections.barehost.django.plugins.module_utils._restore_objects import Item

if TYPE_CHECKING:
    from pathlib import Path

STAMP = "20261126T030000Z"
NAMES = _restore_sql.Schemas.of("shop", STAMP)
MOVE = re.compile(r"`(\w+)`\.`(\w+)` TO `(\w+)`\.`(\w+)`")
TRIGGER = Item(
    "trigger", "/*!50003 CREATE*/ /*!50003 TRIGGER `tr` AFTER INSERT ON `t` FOR EACH ROW SET @a = 1 */", "tr"
)


class StoppedError(BaseException):
    """The power is gone."""


class FakeServer:
    """Schemas with tables and triggers; stops before the statement that it is told to."""

    def __init__(self, **schemas: dict[str, str]) -> None:
        """Take the schemas with their tables."""
        self.schemas = {name: dict(tables) for name, tables in schemas.items()}
        self.triggers: set[str] = set()
        self.left = -1
        self.container = "0a1b"

    def run(self, sql: str, _database: str = "", _seconds: int = 0) -> str:
        """Run statements one after the other."""
        for line in sql.splitlines():
            if self.left == 0:
                raise StoppedError
            self.left -= 1
            self.step(line)
        return "1"

    def step(self, line: str) -> None:
        """Do one statement."""
        if line.startswith("RENAME"):
            for source, name, target, _same in MOVE.findall(line):
                assert name not in self.schemas[target]
                self.schemas[target][name] = self.schemas[source].pop(name)
        elif line.startswith("DROP DATABASE"):
            self.schemas.pop(line.split("`")[1], None)
        elif line.startswith("DROP TRIGGER"):
            self.triggers.discard(line.split("`")[3])
        elif "TRIGGER `" in line:
            self.triggers.add(line.split("`")[1])

    def ask(self, _sql: str) -> list[Any]:
        """Answer nothing."""
        return []

    def facts(self, _live: str) -> dict[str, Any]:
        """Say which schemas there are."""
        return {"schemas": list(self.schemas)}

    def contents(self, schema: str) -> _restore_sql.Contents:
        """Say what is in a schema."""
        objects = {kind: [] for kind in _restore_sql.MOVED}
        objects["trigger"] = sorted(self.triggers) if schema == "shop" else []
        return _restore_sql.Contents(sorted(self.schemas.get(schema, {})), objects)


class Scene:
    """A host in the middle of a restore."""

    def __init__(self, root: Path) -> None:
        """Have tables and files of before, and those that come."""
        self.root = root
        (root / "backups").mkdir(parents=True)
        self.server = FakeServer(shop={"t": "old", "u": "old"}, **{NAMES.new: {"t": "new"}, NAMES.old: {}})
        self.server.triggers = {"tr"}
        self.fill("media", {"a": "old", "b": "old"})
        self.fill("new", {"a": "new", "c": "new"})
        self.journal = _restore_journal.Journal(
            STAMP, "shop", media_new=str(root / "new"), media_old=str(root / "before"), media_names=["a", "c"], before=[TRIGGER]
        )  # fmt: skip

    def fill(self, folder: str, files: dict[str, str]) -> None:
        """Have files."""
        (self.root / folder).mkdir()
        for name, text in files.items():
            (self.root / folder / name).write_text(text)

    def back(self) -> _restore_back.Back:
        """Return what undoes it."""
        job = _restore.Job(self.root, "shop", "shop", "latest")
        return _restore_back.Back(job, self.server)  # type: ignore[arg-type]

    def write(self, phase: str) -> None:
        """Put the journal on the disk."""
        self.journal.phase = phase
        _restore_journal.write(self.root, self.journal)

    def swap_tables(self) -> None:
        """Let the tables change places."""
        way = _restore_sql.Way("shop", NAMES.old, NAMES.new)
        live, incoming = self.server.contents("shop"), self.server.contents(NAMES.new)
        self.server.run(_restore_sql.swap(way, live, incoming, self.journal.after, 1))

    def swap_files(self) -> None:
        """Let the files change places."""
        paths = (self.root / "media", self.root / "new", self.root / "before")
        _restore_media.swap(*paths, self.journal.media_names)

    def files(self) -> dict[str, str]:
        """Return the uploaded files."""
        return {path.name: path.read_text() for path in sorted((self.root / "media").iterdir())}

    def is_old(self) -> bool:
        """Whether all is as before."""
        old = self.server.schemas["shop"] == {"t": "old", "u": "old"} and self.files() == {"a": "old", "b": "old"}
        return old and self.server.triggers == {"tr"}

    def is_new(self) -> bool:
        """Whether all is that of the backup."""
        new = self.server.schemas["shop"] == {"t": "new"} and self.files() == {"a": "new", "c": "new"}
        return new and self.server.triggers == set()

    def is_tidy(self) -> bool:
        """Whether nothing lies around."""
        left = sorted(path.name for path in (self.root / "backups").iterdir())
        return NAMES.new not in self.server.schemas and not left and not (self.root / "new").exists()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "shop")


def test_killed_while_it_loaded(scene: Scene) -> None:
    scene.write(_restore_journal.LOAD)
    assert "was taken back" in scene.back().recover()[0]
    assert scene.is_old()
    assert scene.is_tidy()


def test_killed_with_its_triggers_gone_and_its_tables_in_place(scene: Scene) -> None:
    scene.write(_restore_journal.SWAP)
    scene.server.triggers = set()
    assert "was taken back" in scene.back().recover()[0]
    assert scene.is_old()
    assert scene.is_tidy()


@pytest.mark.parametrize("files", [False, True])
def test_killed_after_its_tables_have_moved(scene: Scene, files: bool) -> None:  # noqa: FBT001 - a column
    scene.write(_restore_journal.MEDIA if files else _restore_journal.SWAP)
    scene.swap_tables()
    if files:
        scene.swap_files()
    dump = scene.root / "backups" / f"{STAMP}-before-restore.sql.gz"
    dump.touch()
    said = scene.back().recover()[0]
    assert said.endswith(f"was brought to its end; what was there before it is in {dump} and {scene.root / 'before'}")
    dump.unlink()
    assert scene.is_new()
    assert scene.is_tidy()
    assert scene.server.schemas[NAMES.old] == {"t": "old", "u": "old"}


@pytest.mark.parametrize("stop", range(14))
def test_taking_back_may_be_stopped_as_well(scene: Scene, stop: int) -> None:
    scene.write(_restore_journal.MEDIA)
    scene.swap_tables()
    scene.swap_files()
    scene.server.left = stop
    try:
        assert scene.back().take_back(scene.journal) == ""
    except StoppedError:
        scene.server.left = -1
        scene.back().recover()
    assert scene.is_old()
    assert scene.is_tidy()


def test_what_cannot_be_taken_back_is_said(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.write(_restore_journal.LOAD)

    def refuse(*_args: Any) -> str:
        raise _restore_mysql.MysqlError("MySQL is gone")

    monkeypatch.setattr(scene.server, "run", refuse)
    assert scene.back().take_back(scene.journal) == "MySQL is gone"
    assert _restore_journal.left(scene.root) == [scene.journal]


def test_a_schema_without_a_journal_is_removed_and_others_are_left(scene: Scene) -> None:
    scene.server.schemas["shop__kept"] = {"t": "mine"}
    scene.server.schemas["blog__restore_20261126t030000z"] = {"t": "others"}
    assert scene.back().left() == [f"the schema {NAMES.new}"]
    assert f"the schema {NAMES.new}" in scene.back().recover()[0]
    assert sorted(scene.server.schemas) == sorted(["blog__restore_20261126t030000z", "shop", NAMES.old, "shop__kept"])


def test_status_names_a_restore_that_was_killed_and_none_that_is_at_work(scene: Scene) -> None:
    assert _restore_journal.problems(scene.root) == []
    scene.write(_restore_journal.SWAP)
    assert f"the restore {STAMP} was killed in the middle" in _restore_journal.problems(scene.root)[0]
    with _data_lock.held(scene.root, "restore", settles=True):
        assert _restore_journal.problems(scene.root) == []


def test_a_journal_of_another_schema_is_left_alone(scene: Scene) -> None:
    scene.journal.live = "blog"
    scene.write(_restore_journal.SWAP)
    assert "was left alone" in scene.back().recover()[0]
    assert len(_restore_journal.left(scene.root)) == 1


def test_a_journal_holds_texts_of_any_encoding(tmp_path: Path) -> None:
    journal = _restore_journal.Journal(STAMP, "shop", after=[Item("view", "CREATE VIEW `v` AS SELECT '\udce9 é'", "v")])
    (tmp_path / "backups").mkdir()
    _restore_journal.write(tmp_path, journal)
    assert _restore_journal.left(tmp_path) == [journal]
    _restore_journal.close(tmp_path, journal)
    assert _restore_journal.left(tmp_path) == []


def test_a_journal_that_was_cut_is_one_of_a_restore_that_had_not_begun(scene: Scene) -> None:
    scene.write(_restore_journal.LOAD)
    path = _restore_journal.path_of(scene.root, STAMP)
    path.write_text(path.read_text()[:20])
    scene.back().recover()
    assert not path.exists()
    assert NAMES.new not in scene.server.schemas


def record(release: str, known: list[str], **more: Any) -> dict[str, Any]:
    schema = [{"asked": "2026-01-01", "known": known, "unknown": [], "replacing": []}]
    return {"id": release, "created": "2026-01-01", "activated": "2026-02-01", "schema": schema, "heads": {}, **more}


def test_the_records_say_what_the_data_lacks(scene: Scene) -> None:
    releases = scene.root / "releases"
    releases.mkdir()
    entry = {"migration": "a.2", "kinds": ["destructive"], "state": "applied", "at": "2026-01-15", "dump": ""}
    for item in (record("rel1", ["a.1"]), record("rel2", ["a.1", "a.2"], migrations=[entry])):
        (releases / f"{item['id']}.json").write_text(json.dumps(item))
    (releases / "current").symlink_to("rel2.json")
    scene.journal.migrations = ["a.1"]
    scene.back().note_migrations(scene.journal)
    found = json.loads((releases / "rel2.json").read_text())
    assert (found["migrations"], found["lacks"]["migrations"]) == ([], ["a.2"])


def test_what_is_in_the_way_of_the_end_is_named_with_the_way_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.write(_restore_journal.LOAD)

    def refuse(*_args: Any) -> str:
        raise _restore_mysql.MysqlError("MySQL is gone")

    back = scene.back()
    monkeypatch.setattr(back, "end_sessions", lambda: None)
    monkeypatch.setattr(scene.server, "run", refuse)
    with pytest.raises(
        _restore.RestoreError, match=rf"MySQL is gone; mend that .* or remove .*\.restore-{STAMP}\.json"
    ):
        back.recover()
