# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What goes into an archive, and what is said of that which does not."""

from __future__ import annotations

import errno
import io
import os
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _archive


def packed(root: Path, *names: str) -> tuple[dict[str, tarfile.TarInfo], _archive.Packed, tarfile.TarFile]:
    target = io.BytesIO()
    result = _archive.pack(root, names, target)
    target.seek(0)
    archive = tarfile.open(fileobj=target)  # noqa: SIM115 - the caller reads it
    return {member.name: member for member in archive.getmembers()}, result, archive


def test_all_that_is_below_is_in_it_with_its_mode(tmp_path: Path) -> None:
    (tmp_path / "media" / "a" / "empty").mkdir(parents=True)
    (tmp_path / "media" / "a" / "é.txt").write_text("content")
    (tmp_path / "media" / "a" / "é.txt").chmod(0o640)
    (tmp_path / "other").write_text("no")
    members, result, archive = packed(tmp_path, "media", "missing")
    assert list(members) == ["media", "media/a", "media/a/empty", "media/a/é.txt"]
    assert members["media/a/é.txt"].mode == 0o640
    content = archive.extractfile("media/a/é.txt")
    assert content is not None
    assert content.read() == b"content"
    assert (result.entries, result.plain_bytes, result.warnings) == (4, 7, [])


def test_links_stay_links_and_two_names_are_two_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 100)
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "link").symlink_to("../file")
    os.link(tmp_path / "file", tmp_path / "media" / "one")
    os.link(tmp_path / "file", tmp_path / "media" / "two")
    members, _, _ = packed(tmp_path, "media")
    assert (members["media/link"].type, members["media/link"].linkname) == (tarfile.SYMTYPE, "../file")
    assert [(members[f"media/{name}"].isreg(), members[f"media/{name}"].size) for name in ("one", "two")] == [
        (True, 100),
        (True, 100),
    ]


def test_what_is_left_out_takes_all_that_is_in_it(tmp_path: Path) -> None:
    for name in ("media/own/deep", "media/a/own"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("x")
    target = io.BytesIO()
    result = _archive.pack(tmp_path, ["media"], target, lambda path: str(path) == "media/own")
    target.seek(0)
    with tarfile.open(fileobj=target) as archive:
        assert archive.getnames() == ["media", "media/a", "media/a/own", "media/a/own/file"]
    assert result.entries == 4


def test_a_pipe_is_left_out_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    os.mkfifo(tmp_path / "media" / "pipe")
    members, result, _ = packed(tmp_path, "media")
    assert list(members) == ["media"]
    assert result.warnings == [f"{tmp_path}/media/pipe is neither a file nor a directory, and was left out"]


def test_a_file_that_shrinks_is_filled_up() -> None:
    padded = _archive.Padded(io.BytesIO(b"abc"), 5)
    assert (padded.read(4), padded.read(4), padded.read(4), padded.missing) == (b"abc\0", b"\0", b"", 2)


def test_a_file_that_grows_is_cut() -> None:
    padded = _archive.Padded(io.BytesIO(b"abcdef"), 3)
    assert (padded.read(), padded.read(), padded.missing) == (b"abc", b"", 0)


def to_link(path: Path) -> None:
    path.symlink_to("elsewhere")


def to_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as found:
        found.bind(str(path))


BECOMES = {
    "nothing": lambda _path: None,
    "file": Path.touch,
    "directory": Path.mkdir,
    "link": to_link,
    "pipe": os.mkfifo,
    "socket": to_socket,
}


@pytest.mark.parametrize("becomes", BECOMES)
@pytest.mark.parametrize("was", ["file", "directory"])
def test_what_goes_between_two_looks_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was: str, becomes: str
) -> None:
    if was == becomes:
        return
    monkeypatch.chdir(tmp_path)
    Path("media").mkdir()
    path = Path("media") / "it"
    path.touch() if was == "file" else path.mkdir()
    Path("media/last").touch()
    plain = Path.lstat

    def lstat(self: Path) -> os.stat_result:
        found = plain(self)
        if self == path:
            path.unlink() if was == "file" else path.rmdir()
            BECOMES[becomes](path)
        return found

    monkeypatch.setattr(Path, "lstat", lstat)
    members, result, _archive_of_it = packed(Path(), "media")
    # A link that has come is as good as one that was there.
    assert list(members) == ["media", *(["media/it"] if (was, becomes) == ("directory", "link") else []), "media/last"]
    assert len(result.warnings) == ((was, becomes) != ("directory", "link"))
    assert all(text.startswith("media/it was re") for text in result.warnings)


def test_what_cannot_be_read_ends_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "media").touch()

    def fail(path: Path) -> Any:
        raise OSError(errno.EIO, "the disk is broken", str(path))

    monkeypatch.setattr(_archive, "open_plain", fail)
    with pytest.raises(OSError, match="the disk is broken"):
        packed(tmp_path, "media")
