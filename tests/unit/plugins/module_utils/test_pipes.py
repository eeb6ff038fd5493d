# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Streams through other programs into a file."""

from __future__ import annotations

import hashlib
import io
import signal
import tarfile
from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _pipes

TEXT = b"0123456789abcdef" * 200_000


def write(path: Path, filters: list[list[str]], pieces: int = 50, full: str = "") -> _pipes.Written:
    """Write the text in pieces; with full into another file than that which is given."""
    with _pipes.writing(path, filters) as writer:
        if full:
            writer._file.close()
            writer._file = Path(full).open("wb", buffering=0)  # noqa: SIM115 - the writer closes it
        size = len(TEXT) // pieces
        for at in range(0, len(TEXT), size):
            writer.write(TEXT[at : at + size])
        return writer.finish()


def test_what_is_written_is_hashed_and_whole(tmp_path: Path) -> None:
    written = write(tmp_path / "file", [["cat"], ["cat"]])
    assert (tmp_path / "file").read_bytes() == TEXT
    assert written == _pipes.Written(len(TEXT), hashlib.sha256(TEXT).hexdigest())
    assert written == _pipes.digest_of(tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_filter_that_fails_is_named_with_its_word(tmp_path: Path) -> None:
    failing = ["sh", "-c", "cat > /dev/null; echo no such key >&2; exit 3"]
    with pytest.raises(_pipes.PipeError, match="sh ended with 3: no such key"):
        write(tmp_path / "file", [["cat"], failing])


def test_a_filter_that_ends_early_does_not_hang(tmp_path: Path) -> None:
    with pytest.raises(_pipes.PipeError, match="sh ended with 1: full"):
        write(tmp_path / "file", [["sh", "-c", "echo full >&2; exit 1"]])


def divide(writer: _pipes.FileWriter) -> None:
    writer.write(TEXT)
    raise ZeroDivisionError


def test_an_error_in_between_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), _pipes.writing(tmp_path / "file", [["cat"]]) as writer:
        divide(writer)
    assert writer._processes[0].returncode is not None


def test_a_link_is_never_followed(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to("/dev/null")
    with pytest.raises(FileExistsError):
        write(tmp_path / "file", [["cat"]])


def test_a_full_disk_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "file", [["cat"]], full="/dev/full")


def pack(path: Path, full: str) -> None:
    """Write an archive into a file that has no room for it."""
    with _pipes.writing(path, [["cat"]]) as writer:
        writer._file.close()
        writer._file = Path(full).open("wb", buffering=0)  # noqa: SIM115 - the writer closes it
        with tarfile.open(mode="w|", fileobj=writer, bufsize=1 << 16) as archive:  # type: ignore[call-overload]
            for number in range(50):
                member = tarfile.TarInfo(str(number))
                member.size = len(TEXT)
                archive.addfile(member, io.BytesIO(TEXT))


def test_an_archive_that_ends_after_an_error_does_not_hide_it(tmp_path: Path) -> None:
    # Leaving the archive writes what it still holds, into a pipe that is closed by then.
    with pytest.raises(OSError, match="No space left"):
        pack(tmp_path / "file", "/dev/full")


def test_what_a_program_prints_and_how_it_ends() -> None:
    with _pipes.reading(["sh", "-c", "echo out; echo err >&2; exit 4"]) as (stream, ended):
        assert stream.read() == b"out\n"
    assert (ended.code, ended.err) == (4, "err\n")


def test_what_is_not_read_to_its_end_is_ended() -> None:
    with pytest.raises(ZeroDivisionError), _pipes.reading(["sleep", "60"]) as (_, ended):
        _ = 1 / 0
    assert ended.code == -signal.SIGKILL
