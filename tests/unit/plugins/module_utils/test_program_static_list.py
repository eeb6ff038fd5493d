# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that lists static files, with the real Django; what collectstatic does is what it has to foretell."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _program_collectstatic, _program_static_list
from support.project import SETTINGS, ask, done, failed, write_app

if TYPE_CHECKING:
    from pathlib import Path

DIRS = 'STATICFILES_DIRS = [("brand", "/brand"), "/plain"]\n'


def write(root: Path, **texts: str) -> None:
    """Write files; two underscores in a name are a slash."""
    for name, text in texts.items():
        path = root / f"{name.replace('__', '/')}.css"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def listed(app: Path, **parameters: str) -> dict[str, str]:
    """Return what is listed, but for the files of Django's own admin."""
    event = ask(app, _program_static_list, **parameters).first("files")
    assert event is not None
    return {name: found for name, found in event["files"].items() if not name.startswith("admin/")}


@pytest.fixture
def two(app: Path) -> Path:
    """Return a project with the files of its apps, and with folders of its own before them."""
    dirs = DIRS.replace("/brand", str(app / "brand")).replace("/plain", str(app / "plain"))
    (app / "site_settings.py").write_text(SETTINGS + dirs)
    write(app / "brand", logo="logo", deep__er="deeper")
    write(app / "plain", own="own", shop__a="of the folder")
    return app


def test_the_files_of_every_finder_by_their_names(two: Path) -> None:
    write(two / "shop" / "static", shop__b="b", empty="")
    assert listed(two) == {
        "brand/logo.css": digest("logo"),
        "brand/deep/er.css": digest("deeper"),
        "own.css": digest("own"),
        "shop/a.css": digest("of the folder"),
        "shop/b.css": digest("b"),
        "empty.css": digest(""),
    }


def test_the_files_of_installed_apps_are_among_them(app: Path) -> None:
    event = ask(app, _program_static_list).first("files")
    assert event is not None
    assert "admin/css/base.css" in event["files"]


def test_the_first_finder_wins(two: Path) -> None:
    assert listed(two)["shop/a.css"] == digest("of the folder")
    finders = ["AppDirectoriesFinder", "FileSystemFinder"]
    with (two / "site_settings.py").open("a") as file:
        file.write(f"STATICFILES_FINDERS = {[f'django.contrib.staticfiles.finders.{name}' for name in finders]}\n")
    assert listed(two)["shop/a.css"] == digest("a")


def test_what_collectstatic_ignores_is_not_listed(two: Path) -> None:
    for name in (".hidden", "CVS/x", "a.css~", "deep/.git"):
        path = two / "brand" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert sorted(listed(two)) == ["brand/deep/er.css", "brand/logo.css", "own.css", "shop/a.css"]


def test_a_change_of_content_changes_the_hash_of_that_file_alone(two: Path) -> None:
    before = listed(two)
    write(two / "plain", own="OWN")
    after = listed(two)
    assert after.pop("own.css") != before.pop("own.css")
    assert after == before


def test_a_file_of_many_blocks_is_hashed_as_a_whole(app: Path) -> None:
    text = "x" * (3 * _program_static_list.BLOCK + 1)
    write(app / "shop" / "static", large=text)
    assert listed(app)["large.css"] == digest(text)


def test_it_foretells_what_collectstatic_collects(two: Path) -> None:
    (two / "brand" / ".hidden").write_text("")
    event = ask(two, _program_static_list).first("files")
    done(two, _program_collectstatic, static_root=str(two / "out"))
    files = [path for path in (two / "out").rglob("*") if path.is_file()]
    collected = {str(path.relative_to(two / "out")): hashlib.sha256(path.read_bytes()) for path in files}
    assert event is not None
    assert event["files"] == {name: found.hexdigest()[:16] for name, found in collected.items()}


def test_nothing_is_written(two: Path) -> None:
    before = sorted(two.rglob("*"))
    listed(two)
    assert sorted(two.rglob("*")) == before


def test_the_files_of_a_source_that_was_sent_along(app: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = write_app(tmp_path_factory.mktemp("source"))
    write(source / "shop" / "static", shop__a="changed", shop__new="new")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        tar.add(source, "src")
    text = base64.b64encode(data.getvalue()).decode()
    assert listed(app) == {"shop/a.css": digest("a")}
    assert listed(app, source=text) == {"shop/a.css": digest("changed"), "shop/new.css": digest("new")}


def test_an_app_without_static_files(app: Path) -> None:
    (app / "site_settings.py").write_text(SETTINGS.replace('"django.contrib.staticfiles", ', ""))
    event = failed(app, _program_static_list)
    assert (event["stage"], event["error"]) == ("list", "LookupError")


def test_a_finder_that_fails(two: Path) -> None:
    with (two / "site_settings.py").open("a") as file:
        file.write('STATICFILES_FINDERS = ["shop.nowhere.Finder"]\n')
    event = failed(two, _program_static_list)
    assert (event["stage"], event["error"]) == ("list", "ModuleNotFoundError")


def test_settings_that_cannot_be_loaded(app: Path) -> None:
    assert failed(app, _program_static_list, settings_module="nowhere")["stage"] == "setup"
