"""The tree of rendered files: comparing, masking, writing."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _files, _tree

if TYPE_CHECKING:
    from pathlib import Path


def spec(path: str = "nginx/site.conf", content: str = "listen 80;\n", **more: object) -> _tree.FileSpec:
    """Describe a file that the user who runs the tests may own."""
    return _tree.FileSpec(path, content, "nginx", os.getuid(), os.getgid(), **more)  # type: ignore[arg-type]


def test_a_missing_file_is_created_with_its_mode_and_owner(tmp_path: Path) -> None:
    wanted = spec(mode=0o400)
    change = _tree.compare(wanted, _tree.read(tmp_path, wanted.path))
    assert change is not None
    assert change.action == "create"
    _tree.write(tmp_path, wanted)
    info = (tmp_path / wanted.path).stat()
    assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (os.getuid(), 0o400)
    assert _tree.compare(wanted, _tree.read(tmp_path, wanted.path)) is None


def test_an_edited_file_is_an_update_and_a_chmod_is_not(tmp_path: Path) -> None:
    wanted = spec()
    _tree.write(tmp_path, wanted)
    target = tmp_path / wanted.path
    target.chmod(0o666)
    change = _tree.compare(wanted, _tree.read(tmp_path, wanted.path))
    assert change is not None
    assert (change.action, change.before) == ("attributes", f"owner={os.getuid()} group={os.getgid()} mode=0666\n")
    target.write_text("listen 81;\n")
    change = _tree.compare(wanted, _tree.read(tmp_path, wanted.path))
    assert change is not None
    assert (change.action, change.before, change.after) == ("update", "listen 81;\n", "listen 80;\n")


def test_a_symlink_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").symlink_to(outside)
    wanted = spec("file", "ours\n")
    change = _tree.compare(wanted, _tree.read(tmp_path / "root", "file"))
    assert change is not None
    assert change.action == "create"
    _tree.write(tmp_path / "root", wanted)
    assert outside.read_text() == "mine"
    assert not (tmp_path / "root" / "file").is_symlink()


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = spec("file", "new\n")
    (tmp_path / "file").write_text("old\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _tree.write(tmp_path, wanted)
    assert (tmp_path / "file").read_text() == "old\n"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_strays_are_found_only_in_managed_directories(tmp_path: Path) -> None:
    for path in ("nginx/site.conf", "nginx/old/deep.conf", "releases/x.json"):
        _tree.make_parents(tmp_path, (tmp_path / path).relative_to(tmp_path).parent)
        (tmp_path / path).write_text("")
    assert _tree.strays(tmp_path, ["nginx"], ["nginx/site.conf"]) == ["nginx/old/deep.conf"]
    assert _tree.strays(tmp_path, ["missing"], []) == []


def test_a_masked_diff_shows_which_lines_changed_and_no_value() -> None:
    before = "# header\nSECRET_KEY='alpha'\nDB_PASSWORD='beta'\n"
    after = "# header\nSECRET_KEY='alpha'\nDB_PASSWORD='gamma'\nNEW=1\n"
    masked = _tree.mask(before, after, _tree.NAMES[".env"])
    assert masked == (
        "# header\nSECRET_KEY=******** #1\nDB_PASSWORD=******** #2\n",
        "# header\nSECRET_KEY=******** #1\nDB_PASSWORD=******** #3\nNEW=******** #4\n",
    )
    for secret in ("alpha", "beta", "gamma"):
        assert secret not in "".join(masked)


@pytest.mark.parametrize(
    "line", ["Q29ycmVjdA==", "abcSECRET:rest", "# SECRET", "SECRET = SECRET", "requirepass SECRET"]
)
def test_a_file_that_may_be_nothing_but_a_password_shows_nothing_of_it(line: str) -> None:
    change = _tree.Change("redis/password", "redis", "update", f"{line}\n", "other\n")
    diff = _tree.diff_of(change, "/opt/app", secret=True)
    assert (diff["before"], diff["after"]) == ("******** #1\n", "******** #2\n")


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85", "\x0c"])
def test_what_only_python_takes_for_the_end_of_a_line_begins_no_name(end: str) -> None:
    change = _tree.Change(".env", "app", "update", "A=1\n", f"A=first{end}SECOND_HALF=rest\n")
    assert _tree.diff_of(change, "/opt/app", secret=True)["after"] == "A=******** #2\n"


def test_a_directive_is_shown_by_its_name() -> None:
    before = 'requirepass "SECRET one"\nmaxmemory 64mb\nlone\n'
    change = _tree.Change("redis/redis.conf", "redis", "update", before, before.replace("64mb", "80mb"))
    diff = _tree.diff_of(change, "/opt/app", secret=True)
    assert diff["before"] == "requirepass ******** #1\nmaxmemory ******** #2\n******** #3\n"
    assert diff["after"] == "requirepass ******** #1\nmaxmemory ******** #4\n******** #3\n"


@pytest.mark.parametrize("path", ["nginx/stray.conf", "redis/stray.env"])
def test_of_a_file_that_nobody_asks_for_nothing_is_shown(path: str) -> None:
    change = _tree.Change(path, "nginx", "remove", "correct horse=battery staple\n")
    assert _tree.diff_of(change, "/opt/app", secret=True)["before"] == "******** #1\n"


def test_the_digest_depends_on_paths_and_contents_and_not_on_their_order() -> None:
    files = [("a", "1"), ("b", "2")]
    assert _tree.digest(files) == _tree.digest(reversed(files))
    assert _tree.digest(files) != _tree.digest([("a", "2"), ("b", "1")])
    assert _tree.digest([("a", "1b")]) != _tree.digest([("a1", "b")])


def test_a_directory_is_compared_by_its_mode(tmp_path: Path) -> None:
    (change,) = _tree.compare_directory(tmp_path, "media", 0o777, "web")
    assert (change.action, change.before, change.after) == ("directory", "", "0777")
    _tree.make_directory(tmp_path, "media", 0o777)
    assert _tree.compare_directory(tmp_path, "media", 0o777, "web") == []
    (tmp_path / "media").chmod(0o700)
    (change,) = _tree.compare_directory(tmp_path, "media", 0o777, "web")
    assert change.before == "0700"


@pytest.mark.parametrize(("mode", "looked_at"), [(0o755, True), (0o777, False)])
def test_whose_a_directory_is_matters_where_not_everybody_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, *, looked_at: bool
) -> None:
    _tree.make_directory(tmp_path, "static", mode)
    owner = os.geteuid()
    monkeypatch.setattr(_tree.os, "geteuid", lambda: owner + 1)
    changes = _tree.compare_directory(tmp_path, "static", mode, "nginx")
    said = [_tree.Change("static", "nginx", "directory", f"0755 owner={owner}", f"0755 owner={owner + 1}")]
    assert changes == (said if looked_at else [])
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(_tree.os, "chown", lambda _path, user, group: given.append((user, group)))
    _tree.make_directory(tmp_path, "static", mode)
    assert given == ([(owner + 1, -1)] if looked_at else [])


def test_directories_that_come_with_their_files_are_compared_once_they_are_there(tmp_path: Path) -> None:
    specs = [spec("mysql/conf.d/a.cnf"), spec("mysql/init/b.sql"), spec("compose.yaml")]
    assert _tree.compare_parents(tmp_path, specs, []) == []
    for wanted in specs:
        _tree.write(tmp_path, wanted)
    assert _tree.compare_parents(tmp_path, specs, []) == []
    (tmp_path / "mysql/conf.d").chmod(0o777)
    (change,) = _tree.compare_parents(tmp_path, specs, [])
    assert (change.path, change.action, change.before, change.after) == ("mysql/conf.d", "directory", "0777", "0755")
    # Another mode was asked for, or it is somebody else's behind a link.
    assert _tree.compare_parents(tmp_path, specs, ["mysql/conf.d"]) == []
    (tmp_path / "mysql/conf.d").rename(tmp_path / "elsewhere")
    (tmp_path / "mysql/conf.d").symlink_to(tmp_path / "elsewhere")
    assert _tree.compare_parents(tmp_path, specs, []) == []


@pytest.mark.parametrize("path", ["static", "static/deep"])
def test_behind_a_link_no_owner_is_looked_at_and_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    root = tmp_path / "root"
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    root.mkdir()
    (root / "static").symlink_to(tmp_path / "elsewhere")
    (root / path).chmod(0o755)
    owner = os.geteuid()
    monkeypatch.setattr(_tree.os, "geteuid", lambda: owner + 1)
    assert _tree.compare_directory(root, path, 0o755, "nginx") == []
    given: list[object] = []
    monkeypatch.setattr(_tree.os, "chown", lambda *args: given.append(args))
    _tree.make_directory(root, path, 0o755)
    assert given == []


def test_the_way_to_the_root_may_be_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "static").mkdir(parents=True)
    (tmp_path / "data" / "static").chmod(0o755)
    (tmp_path / "root").symlink_to(tmp_path / "data")
    owner = os.geteuid()
    monkeypatch.setattr(_tree.os, "geteuid", lambda: owner + 1)
    (change,) = _tree.compare_directory(tmp_path / "root", "static", 0o755, "nginx")
    assert change.after == f"0755 owner={owner + 1}"
    assert _tree.compare_directory(tmp_path / "root", ".", (tmp_path / "data").stat().st_mode & 0o777, "stack") == []
