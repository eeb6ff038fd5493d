# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a dump may take the place of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _manifest,
    _restore_checks,
    _restore_media,
    _restore_source,
    _restore_text,
)

OWN = _restore_checks.Identity("shop", "0a1b", "web1", "shop_db")
ID = "20261126T030000Z"
MB = 1 << 20


def manifest(**values: Any) -> _manifest.Manifest:
    given: dict[str, Any] = {
        "id": ID, "sequence": 1, "created": "2026-11-26T03:00:00Z", "seconds": 1.0,
        "stack": {"name": "shop", "id": "0a1b", "host": "web1"}, "release": {}, "mysql": {"version": "9.7.4"},
        "tables": {}, "rows": 0, "objects": {}, "migrations": [], "files": {}, **values,
    }  # fmt: skip
    return _manifest.Manifest(**given)


def source(**values: Any) -> _restore_source.Source:
    return _restore_source.Source(Path("/b"), Path("/b/d.sql.zst"), manifest(**values))


def plain(name: str = "backup.sql", *, own: bool = False) -> _restore_source.Source:
    path = Path("/opt/shop/backups") / name
    return _restore_source.Source(path, path, own=own)


def verified(*migrations: str, **found: Any) -> _restore_source.Verified:
    return _restore_source.Verified(_restore_text.Found(**found), {"t": 1}, set(migrations))


@pytest.mark.parametrize(
    ("stack", "stranger"),
    [
        ({"name": "shop", "id": "0a1b", "host": "web1"}, ""),
        # Moved to another host, with its secrets.
        ({"name": "shop", "id": "0a1b", "host": "web9"}, ""),
        ({"name": "shop", "id": "ffff", "host": "web1"}, "shop@web1"),
        ({"name": "shop", "id": "ffff", "host": "staging"}, "shop@staging"),
        ({"name": "blog", "id": "0a1b", "host": "web1"}, "blog@web1"),
        # Without an id on one side the host decides.
        ({"name": "shop", "id": "", "host": "web1"}, ""),
        ({"name": "shop", "id": "", "host": "staging"}, "shop@staging"),
    ],
)
def test_whose_backup_it_is(stack: dict[str, str], stranger: str) -> None:
    assert _restore_checks.stranger(source(stack=stack), verified(), OWN) == stranger


@pytest.mark.parametrize(
    ("own", "database", "stranger"),
    [(True, "shop_db", ""), (True, "blog", "blog"), (False, "shop_db", "shop_db"), (False, "", "backup.sql")],
)
def test_whose_plain_dump_it_is(own: bool, database: str, stranger: str) -> None:  # noqa: FBT001 - a column
    assert _restore_checks.stranger(plain(own=own), verified(database=database), OWN) == stranger


def test_a_strangers_name_has_to_be_typed() -> None:
    assert _restore_checks.confirmed("", "", OWN) == ""
    assert _restore_checks.confirmed("blog@x", "blog@x", OWN) == ""
    assert "restore_confirm=blog@x" in _restore_checks.confirmed("blog@x", "", OWN)
    assert "restore_confirm is 'blog'" in _restore_checks.confirmed("blog@x", "blog", OWN)


@pytest.mark.parametrize(
    ("dumped", "server", "refused"),
    [
        ("9.7.4", "9.7.1", False),
        ("8.0.36", "9.7.4", False),
        ("9.8.0", "9.7.4", True),
        ("10.0.0", "9.7.4", True),
        ("", "9.7.4", False),
    ],
)
def test_a_newer_series_is_refused(dumped: str, server: str, refused: bool) -> None:  # noqa: FBT001 - a column
    for kind in (source(mysql={"version": dumped}), plain()):
        said = _restore_checks.version(kind, verified(server=dumped), server)
        assert bool(said) == refused
        assert not refused or f"MySQL {dumped} and this server is {server}" in said


def test_mariadb_is_tried_with_a_warning() -> None:
    found = verified(server="11.8.3-MariaDB", mariadb=True)
    assert _restore_checks.version(plain(), found, "9.7.4") == ""
    assert "MariaDB server" in found.warnings[0]


def record(release: str, *known: str, **answer: Any) -> dict[str, Any]:
    return {
        "id": release,
        "activated": "2026-02-01",
        "schema": [{"asked": "2026-01-01", "known": list(known), "unknown": [], "replacing": [], **answer}],
    }


def judged(data: tuple[str, ...], *, allow: bool = False) -> tuple[str, _restore_source.Verified]:
    serving, older = record("r2", "a.1", "a.2"), record("r1", "a.1")
    newer = record("r3", "a.1", "a.2", "a.3")
    found = verified(*data)
    return _restore_checks.migrations(found, serving, [older, serving, newer], "", allow=allow), found


def test_data_of_the_release_that_serves_fits() -> None:
    said, found = judged(("a.1", "a.2"))
    assert (said, found.fits, found.warnings) == ("", True, [])


def test_data_that_is_behind_names_what_is_missing_and_the_release_that_fits() -> None:
    said, _found = judged(("a.1",))
    assert "behind release r2" in said
    assert "until it has a.2" in said
    assert "release_id=r1" in said
    said, found = judged(("a.1",), allow=True)
    assert (said, found.fits) == ("", False)
    assert "run barehost.django.deploy now" in found.warnings[0]


def test_data_that_is_ahead_names_the_release_that_fits() -> None:
    said, _found = judged(("a.1", "a.2", "a.3"))
    assert "ahead of release r2, which does not know a.3" in said
    assert "bring release r3 back first" in said
    said, found = judged(("a.1", "a.2", "a.3"), allow=True)
    assert (said, found.fits) == ("", False)


def test_a_squashed_migration_is_not_missing_and_a_strangers_not_unknown() -> None:
    serving = record("r2", "a.1", "a.squashed", unknown=["gone.1"], replacing=["a.squashed"])
    assert _restore_checks.migrations(verified("a.1", "gone.1"), serving, [serving], "", allow=False) == ""


@pytest.mark.parametrize("serving", [{}, {"id": "r1"}])
def test_what_nobody_knows_is_said(serving: dict[str, Any]) -> None:
    found = verified("a.1")
    assert _restore_checks.migrations(found, serving, [], "", allow=False) == ""
    assert "nobody can say" in found.warnings[0]


def room(data: int, files: int, *, one: bool, media: int = 0) -> _restore_checks.Room:
    """Have one file system or two, and one more for the uploaded files where they have any room of their own."""
    own = 1 if one else 2
    return _restore_checks.Room(data * MB, 1, files * MB, own, (media or files) * MB, 3 if media else own, 100 * MB)


@pytest.mark.parametrize(
    ("room_there", "binlog", "where"),
    [
        (room(700, 700, one=True), True, ""),
        (room(500, 500, one=True), True, "the file system of MySQL and of the backups"),
        (room(500, 500, one=True), False, ""),
        (room(401, 230, one=False), True, ""),
        (room(399, 230, one=False), True, "the file system of MySQL has"),
        (room(401, 220, one=False, media=110), True, ""),
        (room(401, 220, one=False, media=109), True, "the file system of the uploaded files has"),
        (room(401, 200, one=False), True, "the file system of the backups and of the uploaded files"),
    ],
)
def test_there_has_to_be_room(room_there: _restore_checks.Room, binlog: bool, where: str) -> None:  # noqa: FBT001 - a column
    found = verified(bytes=100 * MB)
    found.media = _restore_media.Uploads(1, 10 * MB)
    said = _restore_checks.room(room_there, found, binlog=binlog, schema_bytes=100 * MB)
    assert bool(said) == bool(where)
    assert where in said
