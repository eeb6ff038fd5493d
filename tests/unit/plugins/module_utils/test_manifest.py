# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a manifest must say to be one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _manifest

if TYPE_CHECKING:
    from pathlib import Path

GOOD: dict[str, Any] = {
    "id": "20261126T030000Z",
    "sequence": 4,
    "created": "2026-11-26T03:00:00Z",
    "seconds": 1.5,
    "stack": {"name": "shop", "id": "a1", "host": "one"},
    "release": {"id": "0a1b", "image": "shop/app:0a1b", "git_revision": ""},
    "mysql": {"version": "9.7.4", "image": "mysql:9.7", "database": "shop", "charset": "utf8mb4", "collation": "x"},
    "tables": {"a": 3, "b": 0},
    "rows": 3,
    "objects": {"views": 0},
    "migrations": [["shop", "0001_initial"]],
    "files": {"database.sql.zst": {"bytes": 10, "sha256": "0" * 64}},
    "warnings": [],
    "format": 1,
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    manifest = _manifest.parse(json.dumps(GOOD), "x")
    digest = _manifest.write(tmp_path, manifest)
    assert _manifest.read(tmp_path) == manifest
    assert digest == _manifest.sha256_of((tmp_path / _manifest.FILE).read_text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2, and this collection knows formats up to 1"),
        ({"id": "../x"}, "its id '../x' is none"),
        ({"rows": 4}, "it says 4 rows, and its tables add up to 3"),
        ({"tables": {"a": -1}, "rows": -1}, "its counts are none"),
        ({"tables": {"a": True}, "rows": 1}, "its counts are none"),
        ({"files": {}}, "it names no database.sql.zst"),
        ({"files": {**GOOD["files"], "../etc": {}}}, r"'../etc', which is no file"),
        ({"files": {"database.sql.zst": {"bytes": 1}}}, "no checksum of database.sql.zst"),
        ({"files": {"database.sql.zst": {"sha256": "0" * 64}}}, "no size of database.sql.zst"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(_manifest.ManifestError, match=message):
        _manifest.parse(json.dumps({**GOOD, **change}), "m")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}'])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(_manifest.ManifestError):
        _manifest.parse(text, "m")


def test_backups_are_ordered_by_their_sequence_and_not_by_the_clock(tmp_path: Path) -> None:
    for name, sequence in (("20261127T030000Z", 1), ("20261126T030000Z", 2)):
        (tmp_path / name).mkdir()
        text = json.dumps({**GOOD, "id": name, "sequence": sequence})
        (tmp_path / name / _manifest.FILE).write_text(text)
    (tmp_path / "20261128T030000Z").mkdir()
    (tmp_path / "20261129T030000Z").touch()
    (tmp_path / "note-Z").touch()
    whole, damaged = _manifest.survey(tmp_path)
    assert list(whole) == ["20261127T030000Z", "20261126T030000Z"]
    assert list(damaged) == ["20261128T030000Z", "20261129T030000Z"]
    assert "manifest.json is missing" in damaged["20261128T030000Z"]
    assert "is no directory" in damaged["20261129T030000Z"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(_manifest.ManifestError, match=r"manifest\.json is missing"):
        _manifest.read(tmp_path)
