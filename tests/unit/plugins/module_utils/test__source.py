# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The build context: one walk for the hash and for the archive."""

from __future__ import annotations

import io
import json
import os
import socket
import tarfile
from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _source

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Make a small source tree."""
    root = tmp_path / "app"
    files = {
        "Dockerfile": "FROM scratch\n",
        ".dockerignore": "**/*.pyc\n.env\nmedia\n!media/keep.txt\nDockerfile\n.dockerignore\n",
        ".env": "SECRET=1\n",
        "manage.py": "print()\n",
        "pkg/__init__.py": "",
        "pkg/a.pyc": "x",
        "media/upload.bin": "x",
        "media/keep.txt": "x",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "manage.py").chmod(0o755)
    (root / "link").symlink_to("./pkg//__init__.py")
    (root / "empty").mkdir()
    return root


def tree(root: Path) -> dict[str, str]:
    return {entry.path: entry.kind for entry in _source.walk(str(root))}


def packed(root: Path, dockerfile: str = "Dockerfile") -> bytes:
    buffer = io.BytesIO()
    _source.pack(str(root), dockerfile, buffer)
    return buffer.getvalue()


def test_walk(app: Path) -> None:
    assert tree(app) == {
        ".dockerignore": "file",
        "Dockerfile": "file",
        "empty": "directory",
        "link": "symlink",
        "manage.py": "file",
        "media": "directory",
        "media/keep.txt": "file",
        "pkg": "directory",
        "pkg/__init__.py": "file",
    }


def test_the_archive_holds_what_the_walk_says(app: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(app))) as tar:
        members = {member.name: member for member in tar.getmembers()}
        assert set(members) == set(tree(app))
        assert tar.extractfile("manage.py").read() == b"print()\n"
    assert members["link"].linkname == "./pkg//__init__.py"
    assert (members["manage.py"].mode, members["Dockerfile"].mode, members["pkg"].mode) == (0o755, 0o644, 0o755)
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members.values()} == {(0, 0, 0, "", "")}


def test_parents_come_before_what_is_in_them(app: Path) -> None:
    (app / "pkg-extra").mkdir()
    (app / "pkg-extra" / "x").write_text("")
    (app / "pkg.txt").write_text("")
    seen = set()
    for entry in _source.walk(str(app)):
        parent = entry.path.rpartition("/")[0]
        assert not parent or parent in seen
        seen.add(entry.path)


def test_two_clones_have_one_hash_and_one_archive(app: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    with tarfile.open(fileobj=io.BytesIO(packed(app))) as tar:
        # The Python of Debian 12 knows no extraction filters; the archive is ours.
        tar.extractall(clone)  # noqa: S202
    # Another umask, other times, and things that are ignored.
    for path in clone.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o020)
            os.utime(path, (1, 1))
    (clone / "pkg" / "b.pyc").write_text("y")
    (clone / "media" / "other.bin").write_text("y")
    assert packed(clone) == packed(app)
    assert _source.content_hash(str(clone)) == _source.content_hash(str(app))


def change_content(app: Path) -> None:
    (app / "pkg" / "__init__.py").write_text("x = 1\n")


def change_mode(app: Path) -> None:
    (app / "manage.py").chmod(0o644)


def change_link(app: Path) -> None:
    (app / "link").unlink()
    (app / "link").symlink_to("pkg/__init__.py")


def change_name(app: Path) -> None:
    (app / "manage.py").rename(app / "manage2.py")


def change_dockerfile(app: Path) -> None:
    (app / "Dockerfile").write_text("FROM scratch\nUSER 1\n")


def change_ignore_file(app: Path) -> None:
    (app / ".dockerignore").write_text((app / ".dockerignore").read_text() + "# a comment\n")


def change_directory(app: Path) -> None:
    (app / "empty2").mkdir()


def move_bytes_between_files(app: Path) -> None:
    (app / "manage.py").write_text("print()")
    (app / "media" / "keep.txt").write_text("\nx")


@pytest.mark.parametrize(
    "change",
    [
        change_content, change_mode, change_link, change_name, change_dockerfile, change_ignore_file, change_directory,
        move_bytes_between_files,
    ],
)  # fmt: skip
def test_what_counts(app: Path, change: object) -> None:
    before = _source.content_hash(str(app))
    change(app)
    assert _source.content_hash(str(app)) != before


def test_inputs_of_the_build_count(app: Path) -> None:
    hashes = {
        _source.content_hash(str(app)),
        _source.content_hash(str(app), build_args={"A": 1}),
        _source.content_hash(str(app), build_args={"A": 2}),
        _source.content_hash(str(app), base_images=["python:3.13-slim"]),
        _source.content_hash(str(app), extra=["linux/amd64"]),
    }
    assert len(hashes) == 5
    assert all(len(digest) == 64 for digest in hashes)
    one = _source.content_hash(str(app), build_args={"A": "1", "B": "2"}, base_images=["b", "a", "a"])
    assert one == _source.content_hash(str(app), build_args={"B": 2, "A": 1}, base_images=["a", "b"])


def test_the_ignore_file_of_the_dockerfile_goes_first(app: Path) -> None:
    (app / "docker").mkdir()
    (app / "docker" / "Web.Dockerfile").write_text("FROM scratch\n")
    (app / "docker" / "Web.Dockerfile.dockerignore").write_text("**\n!manage.py\n")
    assert [entry.path for entry in _source.walk(str(app), "docker/Web.Dockerfile")] == [
        "docker", "docker/Web.Dockerfile", "docker/Web.Dockerfile.dockerignore", "manage.py",
    ]  # fmt: skip
    assert _source.walk(str(app), "./docker/../docker/Web.Dockerfile")[0].path == "docker"


def test_names_that_are_no_unicode(app: Path) -> None:
    with (app / os.fsdecode(b"bad\xff")).open("w") as file:
        file.write("x")
    assert len(_source.content_hash(str(app))) == 64
    with tarfile.open(fileobj=io.BytesIO(packed(app)), encoding="utf-8", errors="surrogateescape") as tar:
        assert os.fsdecode(b"bad\xff") in tar.getnames()


def test_sockets_are_passed_over(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _source.content_hash(str(app))
    monkeypatch.chdir(app)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert _source.content_hash(str(app)) == before


def test_a_link_to_the_source_is_the_source(app: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(app)
    assert _source.content_hash(str(tmp_path / "alias")) == _source.content_hash(str(app))


def test_links_to_directories_are_not_followed(app: Path) -> None:
    (app / "loop").symlink_to(".")
    assert tree(app)["loop"] == "symlink"


@pytest.mark.parametrize(
    ("source", "dockerfile", "fragment"),
    [
        ("nowhere", "Dockerfile", "does not exist on the controller"),
        ("app/manage.py", "Dockerfile", "is not a directory"),
        ("app", "Other", "there is no file 'Other'"),
        ("app", "pkg", "there is no file 'pkg'"),
        ("app", "../Dockerfile", "is outside of the source"),
    ],
)
def test_refused(app: Path, tmp_path: Path, source: str, dockerfile: str, fragment: str) -> None:
    assert app.is_dir()
    with pytest.raises(_source.SourceError, match=fragment):
        _source.content_hash(str(tmp_path / source), dockerfile)


def test_a_malformed_ignore_file_is_named(app: Path) -> None:
    (app / ".dockerignore").write_text("ok\n[a\n")
    with pytest.raises(_source.SourceError, match=r"\.dockerignore: the pattern '\[a' has a \[ without a \]"):
        _source.walk(str(app))


RECORDED = json.loads((FIXTURES / "dockerignore_buildkit.json").read_text())


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: " ".join(case["patterns"]))
def test_the_walk_is_that_of_buildkit(tmp_path: Path, case: dict[str, list[str]]) -> None:
    for path in ("Dockerfile", *RECORDED["files"]):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".dockerignore").write_text("\n".join(case["patterns"]) + "\n")
    assert sorted(set(tree(tmp_path)) - {"Dockerfile", ".dockerignore"}) == case["kept"]
