# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One at a time on the data of a stack."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _data_lock

if TYPE_CHECKING:
    from pathlib import Path


def test_another_one_is_refused_by_name(tmp_path: Path) -> None:
    with (
        _data_lock.held(tmp_path, "backup"),
        pytest.raises(_data_lock.BusyError) as refused,
        _data_lock.held(tmp_path, "migrations", 0),
    ):
        pass
    assert str(refused.value).startswith(f"backup (process {os.getpid()}, since 20")


def test_it_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), _data_lock.held(tmp_path, "backup"):
        _ = 1 / 0
    with _data_lock.held(tmp_path, "migrations", 0) as waited:
        assert waited == 0


def test_who_comes_later_waits(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", "import fcntl,sys,time; f=open(sys.argv[1],'w'); fcntl.flock(f,2); print(1,flush=True); time.sleep(1)",
         str(tmp_path / "lock" / "data")], stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    begun = time.monotonic()
    with _data_lock.held(tmp_path, "backup", 30):
        assert time.monotonic() - begun > 0.1
    holder.wait()


def test_a_holder_that_has_not_said_who_it_is(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with (tmp_path / "lock" / "data").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(_data_lock.BusyError, match="another process is at work"), _data_lock.held(tmp_path, "x", 0):
            pass
