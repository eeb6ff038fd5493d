# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Uploaded files out of a backup: what is never unpacked, and a swap that goes on or back from wherever it was left."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _restore_media
from hypothesis import given
from hypothesis import strategies as st

STAMP = "20261126T030000Z"
NAMES = st.sets(st.sampled_from(["a", "b", "c", "d e", "é"]), max_size=4)


def archive(*members: tarfile.TarInfo) -> io.BytesIO:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w|") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    target.seek(0)
    return target


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def test_an_archive_is_counted() -> None:
    good = [
        member("media", tarfile.DIRTYPE),
        member("media/a", size=3),
        member("media/d/b", size=4),
        member("media/l", tarfile.SYMTYPE, "d/../a"),
        member("media/d/up", tarfile.SYMTYPE, "../a"),
        member("media/h", tarfile.LNKTYPE, "media/a"),
    ]
    assert _restore_media.look_through(archive(*good))[:3] == (6, 7, 5)


def test_nothing_uploaded_is_no_file() -> None:
    found = _restore_media.look_through(archive(member("media", tarfile.DIRTYPE)))
    assert (found.files, found.changes) == (0, "new: 0, gone: 0, of other size or time: 0, the same: 0")


def test_it_is_said_what_becomes_of_the_files_that_are_there(tmp_path: Path) -> None:
    media = tmp_path / "media"
    for name in ("same", "longer", "later", "gone", "deep/same", "deep/gone", "folder/x", f".restore-{STAMP}.new/x"):
        (media / name).parent.mkdir(exist_ok=True, parents=True)
        (media / name).write_bytes(b"xx" if name == "longer" else b"x")
        os.utime(media / name, (9, 7 if name == "later" else 5))
    (media / "link").symlink_to("same")
    (media / "turned").symlink_to("same")
    (media / "nowhere").symlink_to("deep")
    named = ["same", "longer", "later", "deep/same", "new", "deep/new", "folder"]
    files = [member(f"media/{name}", size=1) for name in named]
    for info in files:
        info.mtime = 5.25
    links = [member("media/link", tarfile.SYMTYPE, "same"), member("media/turned", tarfile.SYMTYPE, "deep/same")]
    found = _restore_media.look_through(archive(member("media/deep", tarfile.DIRTYPE), *files, *links), media)
    assert (found.files, found.there) == (9, 10)
    # What goes: gone, deep/gone, folder/x, nowhere. Where a folder is, a file comes.
    assert found.changes == "new: 3, gone: 4, of other size or time: 3, the same: 3"


@pytest.mark.parametrize(
    "bad",
    [
        member("/etc/passwd"),
        member("etc/passwd"),
        member("../media/a"),
        member("media/../../a"),
        member("media/.restore-20261126T030000Z.before/a"),
        member("media/l", tarfile.SYMTYPE, "/etc"),
        member("media/l", tarfile.SYMTYPE, ".."),
        member("media/d/l", tarfile.SYMTYPE, "../../b"),
        member("media/h", tarfile.LNKTYPE, "secrets/root"),
        member("media/dev", tarfile.CHRTYPE),
        member("media/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda info: f"{info.name} {info.type!r} {info.linkname}",
)  # fmt: skip
def test_what_leads_out_is_refused(bad: tarfile.TarInfo) -> None:
    with pytest.raises(_restore_media.MediaError, match="must not be unpacked"):
        _restore_media.look_through(archive(member("media/a"), bad))


def test_an_archive_that_is_none() -> None:
    with pytest.raises(_restore_media.MediaError, match="is damaged"):
        _restore_media.look_through(io.BytesIO(b"x" * 2000))
    with pytest.raises(_restore_media.MediaError, match="is damaged"):
        _restore_media.look_through(io.BytesIO(archive(member("media/a", size=9000)).getvalue()[:3000]))


def test_the_directory_itself_is_not_unpacked(tmp_path: Path) -> None:
    packed = archive(member("media", tarfile.DIRTYPE), member("media/d/a", size=2)).getvalue()
    argv = [word for word in _restore_media.unpack_cmd(str(tmp_path)) if word != "--same-owner"]
    subprocess.run(argv, input=packed, check=True)
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["d", "d/a"]


class StoppedError(Exception):
    """The power is gone."""


def fill(folder: Path, names: set[str], content: str) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).mkdir()
        (folder / name / "file").write_text(content)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: (path / "file").read_text() for path in sorted(folder.iterdir())} if folder.is_dir() else {}


def stop_after(patch: pytest.MonkeyPatch, renames: int) -> None:
    """Let the power go after so many renames."""
    left = [renames]
    plain = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if left[0] == 0:
            raise StoppedError
        left[0] -= 1
        return plain(self, target)

    patch.setattr(Path, "rename", rename)


@given(old=NAMES, new=NAMES, first=st.integers(0, 9), second=st.integers(0, 9))
def test_a_swap_that_was_stopped_goes_on_or_back(
    tmp_path_factory: pytest.TempPathFactory, old: set[str], new: set[str], first: int, second: int
) -> None:
    root = tmp_path_factory.mktemp("swap")
    media, fresh, before = root / "media", root / "new", root / "before"
    fill(media, old, "old")
    fill(fresh, new, "new")
    names = sorted(new)
    for renames in (first, second):
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, renames)
            with contextlib.suppress(StoppedError):
                _restore_media.swap(media, fresh, before, names)
    _restore_media.swap(media, fresh, before, names)
    assert contents(media) == dict.fromkeys(names, "new")
    assert contents(before) == dict.fromkeys(sorted(old), "old")
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, second)
        with contextlib.suppress(StoppedError):
            _restore_media.put_back(media, fresh, before, names)
    _restore_media.put_back(media, fresh, before, names)
    assert contents(media) == dict.fromkeys(sorted(old), "old")
    assert contents(fresh) == dict.fromkeys(names, "new")


@given(old=NAMES, new=NAMES, first=st.integers(0, 9))
def test_a_swap_that_was_stopped_goes_back_from_there(
    tmp_path_factory: pytest.TempPathFactory, old: set[str], new: set[str], first: int
) -> None:
    root = tmp_path_factory.mktemp("back")
    media, fresh, before = root / "media", root / "new", root / "before"
    fill(media, old, "old")
    fill(fresh, new, "new")
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, first)
        with contextlib.suppress(StoppedError):
            _restore_media.swap(media, fresh, before, sorted(new))
    _restore_media.put_back(media, fresh, before, sorted(new))
    assert contents(media) == dict.fromkeys(sorted(old), "old")


def test_nothing_is_put_back_where_nothing_was_unpacked(tmp_path: Path) -> None:
    fill(tmp_path / "media", {"a"}, "old")
    _restore_media.put_back(tmp_path / "media", tmp_path / "gone", tmp_path / "before", ["a"])
    assert contents(tmp_path / "media") == {"a": "old"}


def test_what_a_restore_has_put_there_is_no_upload(tmp_path: Path) -> None:
    fill(tmp_path / "media", {"a", ".restore-20260101T000000Z.new"}, "x")
    assert _restore_media.entries(tmp_path / "media") == ["a"]


def test_everything_is_on_the_file_system_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "media").mkdir()
    new, old = _restore_media.place(tmp_path, tmp_path / "media", "20260101T000000Z")
    assert (new.parent, old.parent) == (tmp_path / "backups", tmp_path / "backups")
    new, old = _restore_media.place(tmp_path, Path("/proc"), "20260101T000000Z")
    if tmp_path.stat().st_dev != Path("/proc").stat().st_dev:
        assert (new.parent, old.parent) == (Path("/proc"), Path("/proc"))
        assert {new.name[:9], old.name[:9]} == {_restore_media.OWN}


def test_what_was_uploaded_since_a_swap_was_stopped_is_not_lost(tmp_path: Path) -> None:
    media, fresh, before = tmp_path / "media", tmp_path / "new", tmp_path / "before"
    fill(before, {"a", "gone"}, "old")
    fill(fresh, {"a"}, "new")
    # Somebody has uploaded to both names, which were moved away already.
    fill(media, {"a", "gone"}, "since")
    _restore_media.swap(media, fresh, before, ["a"])
    assert contents(media) == {"a": "new", "gone": "since"}
    assert contents(before) == {"a": "old", "a.1": "since", "gone": "old"}
