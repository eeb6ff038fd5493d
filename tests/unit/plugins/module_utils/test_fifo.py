# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A pipe between a program and a reader that are told where it lies; no container is needed for that."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _fifo

if TYPE_CHECKING:
    from pathlib import Path

# Seen through this process, the file system of this host is that of a container.
PID = os.getpid()


def read(path: Path, *client: str) -> tuple[bytes, int, str]:
    with _fifo.reading(_fifo.writing_cmd(str(path), client), PID, str(path)) as (stream, ended):
        found = stream.read()
    assert not path.exists()
    return found, ended.code, ended.err


def test_what_a_program_writes_is_read_to_its_end(tmp_path: Path) -> None:
    text = "x" * 100_000
    assert read(tmp_path / "pipe", "printf", text) == (text.encode(), 0, "")


def test_how_it_ended_and_what_it_complained_of(tmp_path: Path) -> None:
    assert read(tmp_path / "pipe", "sh", "-c", "echo half; echo why >&2; exit 3") == (b"half\n", 3, "why\n")


def test_one_that_says_nothing_for_a_while_is_waited_for(tmp_path: Path) -> None:
    assert read(tmp_path / "pipe", "sh", "-c", "sleep 0.5; echo late") == (b"late\n", 0, "")


def test_one_that_never_says_anything_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "pipe", "false") == (b"", 1, "")


def test_one_that_cannot_make_the_pipe_is_empty(tmp_path: Path) -> None:
    found, code, err = read(tmp_path / "missing" / "pipe", "echo")
    assert (found, code) == (b"", 1)
    assert "mkfifo" in err


def test_something_else_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pipe").write_text("a secret of the host")
    with (
        pytest.raises(_fifo.FifoError, match="is no pipe"),
        _fifo.reading([sys.executable, "-c", "import time; time.sleep(60)"], PID, str(tmp_path / "pipe")),
    ):
        pass


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "pipe").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic"), _fifo.reading(["sleep", "60"], PID, str(tmp_path / "pipe")):
        pass


def stop_reading(path: Path) -> None:
    with _fifo.reading(_fifo.writing_cmd(str(path), ["yes"]), PID, str(path)) as (stream, _):
        stream.read(10)
        raise ZeroDivisionError


def test_a_reader_that_stops_ends_the_program(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        stop_reading(tmp_path / "pipe")
    assert time.monotonic() - begun < 30
    assert not (tmp_path / "pipe").exists()
