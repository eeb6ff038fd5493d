# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""mysql_dump with an engine that answers, and a real process in the place of mysqldump."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _dump, _host
from ansible_collections.barehost.django.plugins.modules import mysql_dump
from support.modules import Engine, run

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "printf 'CREATE TABLE a;\\n-- Dump completed on 2026-11-24\\n'"


def server(size: str = "3\t4096\n", *, code: int = 0, container: str = "0a1b\n") -> Engine:
    engine = Engine().on("docker", "ps", reply=(0, container, ""))
    return engine.on("exec", "0a1b", "mysql", reply=(code, size if not code else "", "ERROR 1045: Access denied"))


def dump(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str = GOOD,
    engine: Engine | None = None,
    *,
    check: bool = False,
) -> dict[str, Any]:
    def dump_cmd(container: str, database: str, seconds: int) -> list[str]:
        assert (container, database, seconds) == ("0a1b", "shop", 9)
        return ["sh", "-c", script]

    monkeypatch.setattr(_dump, "dump_cmd", dump_cmd)
    args = {"project_dir": str(folder), "project": "shop", "database": "shop", "name": "before-abc", "timeout": 9}
    return run(mysql_dump.main, args, engine or server(), check=check)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "backups").iterdir()) if (folder / "backups").exists() else []


def test_a_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = dump(tmp_path, monkeypatch)
    assert (result["changed"], result["dumped"], result["tables"]) == (True, True, 3)
    (name,) = files(tmp_path)
    assert result["path"] == str(tmp_path / "backups" / name)
    assert name.endswith("Z-before-abc.sql.gz")
    packed = (tmp_path / "backups" / name).read_bytes()
    assert result["bytes"] == len(packed)
    assert gzip.decompress(packed).startswith(b"CREATE TABLE a;")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("printf 'CREATE TABLE a;\\n'", "its end is missing"),
        (f"{GOOD}; exit 3", "mysqldump ended with 3"),
        (f"{GOOD}; echo 'mysqldump: Error: PROCESS' >&2", "mysqldump complained: mysqldump: Error: PROCESS"),
        ("kill -9 $$", "mysqldump ended with -9"),
    ],
)
def test_a_bad_dump_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str) -> None:
    result = dump(tmp_path, monkeypatch, script)
    assert result["failed"] is True
    assert result["msg"].startswith(f"schema shop could not be dumped: the dump is no good and was removed: {problem}")
    assert (result["dumped"], result["path"], files(tmp_path)) == (False, "", [])


def test_an_empty_schema_is_not_dumped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = dump(tmp_path, monkeypatch, "exit 1", server("0\t0\n"))
    assert (result["changed"], result["dumped"], files(tmp_path)) == (False, False, [])


def test_check_mode_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = dump(tmp_path, monkeypatch, check=True)
    assert (result["changed"], result["dumped"], result["msg"]) == (True, False, "would dump 3 tables")
    assert files(tmp_path) == []


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_host, "free_mb", lambda _path: 100)
    result = dump(tmp_path, monkeypatch, engine=server("3\t100000000\n"))
    assert result["failed"] is True
    assert "has 105 MB free, and a dump of the schema may take 120 MB: make room, or" in result["msg"]
    assert files(tmp_path) == []


def test_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no container of service mysql runs" in dump(tmp_path, monkeypatch, engine=server(container=""))["msg"]
    result = dump(tmp_path, monkeypatch, engine=Engine(missing=("docker",)), check=True)
    assert (result["changed"], result["msg"]) == (True, "would dump, once mysql runs")


def test_a_server_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = dump(tmp_path, monkeypatch, engine=server(code=1))
    assert "let root ask for the size of the schema (exit 1): ERROR 1045: Access denied" in result["msg"]
    assert "is brought to its end by barehost.django.deploy" in result["msg"]


def test_what_a_killed_run_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / ".20260101T000000Z-before-abc.sql.gz.0a.partial").touch()
    (tmp_path / "backups" / ".20260101T000000Z-nightly.sql.gz.0a.partial").touch()
    dump(tmp_path, monkeypatch)
    assert [name for name in files(tmp_path) if name.startswith(".")] == [".20260101T000000Z-nightly.sql.gz.0a.partial"]
