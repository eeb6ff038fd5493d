# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Going to a source that was sent along, in a process of its own as in a container."""

from __future__ import annotations

import base64
import io
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import (
    _program_base,
    _program_migrate,
    _program_source,
    _serving,
    _source,
)
from support import look
from support.project import add_migration, ask, failed, query, write_app

if TYPE_CHECKING:
    from collections.abc import Mapping


def archive(files: Mapping[str, str], *others: tarfile.TarInfo) -> bytes:
    """Return an archive of files, and of members that are none, which come first."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for member in others:
            tar.addfile(member)
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return data.getvalue()


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def sent(files: Mapping[str, str]) -> str:
    return base64.b64encode(archive(files)).decode()


def seen(app: Path, **parameters: Any) -> dict[str, Any]:
    """Look around in a process of its own."""
    event = ask(app, look, **parameters).first("seen")
    assert event is not None
    return event


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def left() -> set[Path]:
    """Return the folders of sources that are still there."""
    return set(Path(_program_source.MEMORY).glob("barehost-*"))


def test_without_a_source_nothing_moves(tmp_path: Path) -> None:
    for source in ({}, {"source": ""}):
        event = seen(tmp_path, **source)
        assert (event["there"], event["cwd"]) == (True, str(tmp_path))


def test_the_settings_are_found_in_a_subfolder(tmp_path: Path) -> None:
    files = {"Dockerfile": "", "src/site_settings.py": "", "src/shop/a.py": "", "docs/a.md": ""}
    event = seen(tmp_path, source=sent(files))
    assert event["there"] is True
    assert Path(event["cwd"]).name == "src"
    assert Path(event["cwd"]).parent.parent == Path(_program_source.MEMORY)
    assert event["files"] == ["shop/a.py", "site_settings.py"]
    assert list(tmp_path.iterdir()) == []


def test_the_least_deep_folder_with_the_settings_wins(tmp_path: Path) -> None:
    files = dict.fromkeys(("a/b/shop/settings.py", "project/shop/settings.py", "z/shop/settings.txt"), "")
    event = seen(tmp_path, source=sent(files), settings_module="shop.settings")
    assert Path(event["cwd"]).name == "project"


def test_settings_may_be_a_package(tmp_path: Path) -> None:
    event = seen(tmp_path, source=sent({"src/shop/settings/__init__.py": ""}), settings_module="shop.settings")
    assert Path(event["cwd"]).name == "src"


def test_the_settings_of_the_environment_are_looked_for_where_none_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shop.settings")
    monkeypatch.setattr(_program_base, "AT_THE_END", [])
    monkeypatch.setattr(_program_source, "AT_THE_END", [])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [])
    files = {"src/shop/settings.py": "", "site_settings.py": ""}
    assert _program_source.go_to_source({"source": sent(files)}, _program_base.Reporter("m:"))
    here = Path.cwd()
    assert here.name == "src"
    [tidy] = _program_source.AT_THE_END
    tidy()
    assert not here.exists()


def test_the_path_leads_to_the_source_and_no_more_to_the_image(tmp_path: Path) -> None:
    add = ["/usr/lib/elsewhere", str(tmp_path), f"{tmp_path}/", f"{tmp_path}/shop"]
    event = seen(tmp_path, source=sent({"src/site_settings.py": ""}), add=add)
    root = event["cwd"]
    assert event["path"][-4:] == ["/usr/lib/elsewhere", root, root, f"{tmp_path}/shop"]
    assert event["path"][0] == ""
    assert str(tmp_path) not in event["path"]


def test_the_folder_is_gone_when_the_program_has_left(tmp_path: Path) -> None:
    event = seen(tmp_path, source=sent({"site_settings.py": ""}))
    assert not Path(event["cwd"]).exists()


def test_the_folder_is_gone_when_the_program_ends_in_another_way(tmp_path: Path) -> None:
    # As settings that call sys.exit.
    event = seen(tmp_path, source=sent({"site_settings.py": ""}), exit=True)
    assert not Path(event["cwd"]).exists()


@pytest.mark.parametrize(
    ("source", "settings_module", "error", "message"),
    [
        (sent({"a.py": ""}), "shop.settings", "ValueError", "the source has no module shop.settings"),
        (sent({"settings.py": ""}), "shop.settings", "ValueError", "the source has no module shop.settings"),
        (sent({"a.py": ""}), "", "ValueError", "the source has no module of settings"),
        (base64.b64encode(b"no archive").decode(), "a", "ReadError", "not a gzip file"),
        ("A", "a", "Error", "Invalid base64-encoded string"),
        (sent({"a": "", "a/b.py": ""}), "a.b", "FileExistsError", "File exists"),
    ],
)
def test_a_source_that_is_not_the_app_is_a_failure_of_its_own(
    tmp_path: Path, source: str, settings_module: str, error: str, message: str
) -> None:
    before = left()
    event = failed(tmp_path, _program_migrate, source=source, settings_module=settings_module)
    assert (event["stage"], event["error"]) == ("source", error)
    assert message in event["message"]
    # Another run of the tests has folders there, too, but not for long.
    deadline = time.monotonic() + 20
    while left() - before:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_no_place_for_a_source_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(_program_source, "MEMORY", "/nonexistent")
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    monkeypatch.setattr(_program_base.Reporter, "fail", lambda _self, stage, _error: said.append(stage))
    reporter = _program_base.Reporter("m:")
    assert not _program_source.go_to_source({"source": sent({}), "settings_module": "a"}, reporter)
    assert said == ["source"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "../in-other/x", "OUTSIDE/x", "..", ".", "a/.."])
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "in-other").mkdir()
    files = {name.replace("OUTSIDE", str(tmp_path)): "evil", "good": "", "b/../also": ""}
    _program_source.unpack(archive(files), str(folder))
    assert below(tmp_path) == ["in", "in-other", "in/also", "in/good"]


def test_what_is_no_file_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "in"
    folder.mkdir()
    others = [
        link("to-a-file", tarfile.SYMTYPE, "../secret"),
        link("to-a-folder", tarfile.SYMTYPE, ".."),
        link("hard", tarfile.LNKTYPE, "good"),
        link("empty", tarfile.DIRTYPE, ""),
        link("pipe", tarfile.FIFOTYPE, ""),
        link("device", tarfile.CHRTYPE, ""),
    ]
    # A file below a link stays inside, as the link is not there.
    _program_source.unpack(archive({"good": "g", "to-a-folder/x": "x"}, *others), str(folder))
    assert below(tmp_path) == ["in", "in/good", "in/to-a-folder", "in/to-a-folder/x", "secret"]
    assert not (folder / "to-a-folder").is_symlink()
    assert (folder / "good").read_text() == "g"


def test_the_plan_of_another_release_is_made_from_its_source(
    migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = write_app(tmp_path_factory.mktemp("source"))
    add_migration(source, "0002_more", "0001_initial", "migrations.RemoveField('item', 'name')")
    (source / "Dockerfile").write_text("FROM scratch\n")
    settings = source / "site_settings.py"
    settings.write_text(settings.read_text().replace('"db.sqlite3"', repr(str(migrated / "db.sqlite3"))))
    context = tmp_path_factory.mktemp("sent") / "context.tar"
    with context.open("wb") as file:
        _source.pack(str(source), "Dockerfile", file)
    before = below(migrated), query(migrated, "SELECT * FROM django_migrations")
    text = _serving.packed(str(context), "abc")
    plans = [ask(migrated, _program_migrate, apply=False, source=found).first("plan") for found in ("", text)]
    assert [[step["migration"] for step in (plan or {})["plan"]] for plan in plans] == [[], ["shop.0002_more"]]
    assert (below(migrated), query(migrated, "SELECT * FROM django_migrations")) == before
