# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore is made from: found by name, and read to its end before anything is believed."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _manifest, _restore_source

ID = "20261126T030000Z"
SQL = (Path(__file__).parents[2] / "fixtures" / "dumps" / "everything.sql").read_bytes()
ROWS = {"c": 1, "log": 1, "odd`name": 2, "p": 4}
OBJECTS = {"views": 2, "triggers": 2, "routines": 2, "events": 1}
BOTH = ["database", "media"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path


def backup(root: Path, name: str = ID, **values: Any) -> Path:
    """Make a backup whose dump is not compressed: `zstd` is not on every machine that runs these tests."""
    folder = root / "backups" / name
    folder.mkdir()
    (folder / _manifest.DATABASE).write_bytes(SQL)
    entry = {"bytes": len(SQL), "sha256": hashlib.sha256(SQL).hexdigest(), "plain_bytes": len(SQL)}
    given: dict[str, Any] = {
        "id": name, "sequence": 1, "created": "2026-11-26T03:00:00Z", "seconds": 1.0, "stack": {}, "release": {}, "mysql": {},
        "tables": ROWS, "rows": sum(ROWS.values()), "objects": OBJECTS, "migrations": [["a", "1"]],
        "files": {_manifest.DATABASE: entry}, **values,
    }  # fmt: skip
    _manifest.write(folder, _manifest.Manifest(**given))
    return folder


@pytest.fixture(autouse=True)
def plain_zstd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_restore_source.PLAIN, ".zst", "cat")


def test_the_latest_one_is_that_of_the_highest_sequence(root: Path) -> None:
    backup(root, "20270101T000000Z", sequence=1)
    backup(root, ID, sequence=2)
    assert _restore_source.find(root, "latest", BOTH).name == ID


def test_the_latest_one_is_of_this_stack_and_of_another_where_there_is_no_other(root: Path) -> None:
    backup(root, "20261127T000000Z", sequence=9, stack={"id": "xyz"})
    (root / "secrets").mkdir()
    (root / "secrets" / "stack_id").write_text("abc\n")
    assert _restore_source.find(root, "latest", BOTH).name == "20261127T000000Z"
    backup(root, ID, stack={"id": "abc"})
    assert _restore_source.find(root, "latest", BOTH).name == ID


@pytest.mark.parametrize(
    ("wanted", "cause"),
    [
        ("", f"say what to restore with restore_from: in {{backups}} there are {ID}"),
        ("20200101T000000Z", f"is not there; in {{backups}} there are {ID}"),
        ("/nowhere/x.sql", "/nowhere/x.sql is not there"),
        (f"{ID}/manifest.json", "is not there"),
        ("note.txt", "is no dump by its name"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(root: Path, wanted: str, cause: str) -> None:
    backup(root)
    (root / "backups" / "note.txt").write_text("x")
    with pytest.raises(_restore_source.SourceError) as error:
        _restore_source.find(root, wanted, BOTH)
    assert cause.format(backups=root / "backups") in str(error.value)


def test_the_latest_one_is_never_an_older_one_in_the_place_of_one_that_is_damaged(root: Path) -> None:
    backup(root)
    damaged = root / "backups" / "20261127T030000Z"
    damaged.mkdir()
    with pytest.raises(
        _manifest.ManifestError,
        match=f"{damaged} is damaged and may be the newest .* another one with restore_from, of which there are {ID};",
    ):
        _restore_source.find(root, "latest", BOTH)
    damaged.rename(root / "backups" / "20261125T030000Z")
    assert _restore_source.find(root, "latest", BOTH).name == ID


def test_nothing_to_restore_at_all(root: Path) -> None:
    with pytest.raises(_restore_source.SourceError, match="no whole backup"):
        _restore_source.find(root, "latest", BOTH)


def test_a_part_that_is_not_in_it_is_refused(root: Path) -> None:
    backup(root)
    with pytest.raises(_restore_source.SourceError, match="holds no uploaded files"):
        _restore_source.find(root, ID, ["media"])
    (root / "backups" / "x.sql").write_bytes(SQL)
    with pytest.raises(_restore_source.SourceError, match="holds none of what restore_parts names: media"):
        _restore_source.find(root, "x.sql", ["media"])


@pytest.mark.parametrize(
    ("name", "folder", "own"),
    [
        ("20261126T030000Z-before-0a1b2c3d4e5f.sql.gz", "backups", True),
        ("20261126T030000Z-before-restore.sql.zst", "backups", True),
        ("20261126T030000Z-before-0a1b2c3d4e5f.sql.gz", "elsewhere", False),
        ("mine.sql.gz", "backups", False),
    ],
)
def test_our_own_dumps_are_known_by_place_and_name(root: Path, name: str, folder: str, own: bool) -> None:  # noqa: FBT001 - a column
    path = root / folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    assert _restore_source.find(root, str(path), BOTH).own == own


def test_a_whole_backup(root: Path) -> None:
    backup(root)
    verified = _restore_source.verify(_restore_source.find(root, "latest", BOTH))
    assert (verified.rows, verified.migrations, verified.found.schemas) == (ROWS, {"a.1"}, ["t1"])


def test_a_compressed_dump_by_hand(root: Path) -> None:
    (root / "x.sql.gz").write_bytes(gzip.compress(SQL))
    assert _restore_source.verify(_restore_source.find(root, str(root / "x.sql.gz"), BOTH)).rows == ROWS


def test_a_compressed_dump_that_was_cut(root: Path) -> None:
    (root / "x.sql.gz").write_bytes(gzip.compress(SQL)[:-9])
    with pytest.raises(_restore_source.SourceError, match=r"cannot be (read|restored)"):
        _restore_source.verify(_restore_source.find(root, str(root / "x.sql.gz"), BOTH))


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ({"tables": {**ROWS, "p": 5}, "rows": 9}, "p has 4 rows, and the manifest says 5"),
        ({"tables": {**ROWS, "q": 0}}, "q has no table and so no rows"),
        ({"tables": {"c": 1, "log": 1, "p": 4}, "rows": 6}, "odd`name is not in the manifest"),
        ({"objects": {**OBJECTS, "triggers": 3}}, "there are 2 triggers, and the manifest says 3"),
    ],
)
def test_a_dump_that_is_not_that_of_its_manifest(root: Path, values: dict[str, Any], cause: str) -> None:
    backup(root, **values)
    with pytest.raises(_restore_source.SourceError) as error:
        _restore_source.verify(_restore_source.find(root, "latest", BOTH))
    assert cause in str(error.value)


@pytest.mark.parametrize(
    ("content", "cause"),
    [(b"", "has 0 bytes"), (SQL[:-1], "and was written with"), (SQL.replace(b"'a;", b"'b;"), "its SHA-256 differs")],
)
def test_a_file_that_is_not_what_was_written(root: Path, content: bytes, cause: str) -> None:
    folder = backup(root)
    (folder / _manifest.DATABASE).write_bytes(content)
    with pytest.raises(_restore_source.SourceError, match=cause):
        _restore_source.verify(_restore_source.find(root, "latest", BOTH))


def test_a_dump_without_tables_is_none(root: Path) -> None:
    (root / "x.sql").write_bytes(b"-- MySQL dump 10.13\n-- Dump completed\n")
    with pytest.raises(_restore_source.SourceError, match="holds no table"):
        _restore_source.verify(_restore_source.find(root, str(root / "x.sql"), BOTH))


def test_a_program_that_is_missing_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup(root)
    monkeypatch.setitem(_restore_source.PLAIN, ".zst", "no-such-zstd")
    with pytest.raises(_restore_source.SourceError, match="no-such-zstd is not installed"):
        _restore_source.verify(_restore_source.find(root, "latest", BOTH))


TOP = b"-- MySQL dump 10.13\n-- Host: localhost    Database: shop\n\n"
# Something that is left out, two statements in one line, one of three lines, and rows as MariaDB's client writes them, sent as one line.
LINES = b"""/*!50717 EXECUTE s */;
SET @a = 1; SET @b = 2;

-- a comment
CREATE TABLE `t` (
  `id` int
);
INSERT INTO `t` VALUES
(1),
(2);
DROP TABLE IF EXISTS `u`;
"""


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_that_was_sent_is_found_in_the_dump(tmp_path: Path, end: bytes) -> None:
    text = TOP + LINES + b"-- Dump completed\n"
    path = tmp_path / "x.sql"
    path.write_bytes(text.replace(b"\n", end))
    source = _restore_source.Source(path, path)
    sent: list[bytes] = []
    _restore_source.read_dump(source, sent.append, lambda _size: None)
    lines = b"".join(sent).splitlines()
    assert len(lines) == 7
    first = TOP.count(b"\n") + 1
    begins = [first + 1, first + 1, *[first + 4] * 3, first + 7, first + 10]
    assert [_restore_source.line_of(source, number) for number in range(1, 8)] == begins
    assert (_restore_source.line_of(source, 8), _restore_source.line_of(source, 0)) == (0, 0)
