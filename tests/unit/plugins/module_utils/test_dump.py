# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is run for a dump, and what counts as one."""

from __future__ import annotations

import gzip
import io
import re
import stat
import subprocess
from pathlib import Path

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _dump

END = b"/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n\n-- Dump completed on 2026-11-24  8:41:30\n"


def test_argv_of_a_dump() -> None:
    assert _dump.dump_cmd("0a1b", "shop", 60) == [
        "docker", "exec", "0a1b", "sh", "-c", _dump.AS_ROOT, "sh", "timeout", "--kill-after=10", "60",
        "mysqldump", "--defaults-extra-file=/dev/stdin", "--single-transaction", "--quick", "--routines", "--triggers",
        "--events", "--hex-blob", "--set-gtid-purged=OFF", "--no-tablespaces", "--max-allowed-packet=1G", "--comments",
        "--", "shop",
    ]  # fmt: skip


def test_argv_of_the_size() -> None:
    argv = _dump.size_cmd("0a1b", "sh'op", 60)
    assert argv[10:14] == ["mysql", "--defaults-extra-file=/dev/stdin", "--batch", "--skip-column-names"]
    assert argv[14].endswith("AND table_schema = 'sh''op'")


def test_argv_that_finds_the_container() -> None:
    assert _dump.container_cmd("shop", "mysql") == [
        "docker", "ps", "--quiet", "--no-trunc", "--filter", "status=running",
        "--filter", "label=com.docker.compose.project=shop", "--filter", "label=com.docker.compose.service=mysql",
        "--filter", "label=com.docker.compose.oneoff=False",
    ]  # fmt: skip


@pytest.mark.parametrize(("password", "quoted"), [("abc", "abc"), ("a\"b\\c $x `y`'z", "a\\\"b\\\\c $x `y`'z")])
def test_the_password_travels_in_an_option_file_that_is_none(tmp_path: Path, password: str, quoted: str) -> None:
    secret = tmp_path / "root_password"
    secret.write_text(password)
    script = _dump.AS_ROOT.replace("/run/secrets/root_password", str(secret))
    done = subprocess.run(["sh", "-c", script, "sh", "cat"], capture_output=True, text=True, check=True)
    assert done.stdout == f'[client]\nuser=root\npassword="{quoted}"\n'
    secret.unlink()
    missing = subprocess.run(["sh", "-c", script, "sh", "cat"], capture_output=True, text=True, check=False)
    assert (missing.returncode != 0, missing.stdout) == (True, "")


@pytest.mark.parametrize(
    ("tail", "whole"),
    [
        (END, True),
        (b"x\n-- Dump completed\n", True),
        (END[:-1], False),
        (END + b"INSERT", False),
        (b"INSERT INTO a VALUES (1);\n", False),
        (b"", False),
    ],
)
def test_only_a_dump_with_its_end_is_whole(tail: bytes, *, whole: bool) -> None:
    assert _dump.complete(tail) is whole


@pytest.mark.parametrize(
    ("code", "tail", "err", "problem"),
    [
        (0, END, "", ""),
        (0, END, "mysqldump: [Warning] Using a password can be insecure.\nWarning: A partial dump\n", ""),
        (0, END, "mysqldump: Error: 'Access denied; you need PROCESS'", "mysqldump complained: mysqldump: Error: 'Acc"),
        (0, b"INSERT", "", "its end is missing, the line `-- Dump completed`: it said nothing"),
        (
            2,
            END,
            "mysqldump: Got error: 1045: Access denied\nmore",
            "mysqldump ended with 2: mysqldump: Got error: 1045",
        ),
        (1, b"", "sed: can't read /run/secrets/root_password", "mysqldump ended with 1: sed: can't read"),
        (124, END, "", "it took longer than 9 seconds and was stopped"),
        (137, END, "", "mysqldump was killed (exit 137)"),
    ],
)
def test_what_is_wrong_with_a_dump(code: int, tail: bytes, err: str, problem: str) -> None:
    found = _dump.why_bad(code, tail, err, 9)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    "said",
    ["mysqldump: Got error: 1045: Access denied", "ERROR 1045 (28000): Access denied", "MySQL said 1045: Access"],
)
def test_who_is_not_let_in_is_told_what_to_do(said: str) -> None:
    assert _dump.advised(said) == f"{said}; {_dump.SETTLED_BY}"
    assert _dump.why_bad(2, b"", "mysqldump: Got error: 1045: Access denied", 9).endswith("then run the same again")
    assert _dump.advised("ERROR 1062 (23000): Duplicate entry '1045' for key") == (
        "ERROR 1062 (23000): Duplicate entry '1045' for key"
    )
    # A statement was refused: whoever sent it was let in.
    of_statement = "ERROR 1045 (28000) at line 7: Access denied for user 'root'@'localhost' (using password: YES)"
    assert _dump.advised(of_statement) == of_statement


def test_sizes() -> None:
    assert _dump.parse_size("12\t4096\n") == (12, 4096)
    assert _dump.needed(1000) == 1200
    assert (_dump.megabytes(1), _dump.megabytes(2_600_000)) == ("1 MB", "3 MB")
    with pytest.raises(_dump.DumpError, match="cannot be read from 'ERROR'"):
        _dump.parse_size("ERROR")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "a b", "x" * 101])
def test_a_name_stays_in_its_folder(name: str) -> None:
    with pytest.raises(_dump.DumpError):
        _dump.file_name(name, "20261124T084129Z")


def test_the_dumps_that_are_pruned_are_those_that_the_role_makes() -> None:
    task = (Path(__file__).parents[4] / "roles/release/tasks/migrate.yml").read_text()
    assert 'name: "before-{{ release_id }}"' in task
    assert re.fullmatch(_dump.BEFORE, _dump.file_name("before-0123456789ab", "20261124T084129Z"))
    assert not re.fullmatch(_dump.BEFORE, _dump.file_name("before-the-move-1", "20261124T084129Z"))


def test_a_stream_is_compressed_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_dump, "CHUNK", 7)
    target = io.BytesIO()
    text = b"x" * 1000 + END
    assert _dump.compress(io.BytesIO(text), target) == text[-_dump.TAIL :]
    assert gzip.decompress(target.getvalue()) == text


def test_a_file_gets_its_name_last(tmp_path: Path) -> None:
    path = tmp_path / "backups" / _dump.file_name("before-a", "20261124T084129Z")
    target = _dump.Target(path)
    with target.open() as file:
        file.write(b"x")
    assert not path.exists()
    assert _dump.leftovers(path.parent, "before-a") == [target.temporary]
    assert _dump.leftovers(path.parent, "before-b") == []
    target.keep()
    assert path.read_bytes() == b"x"
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent)] == [0o600, 0o700]
    other = _dump.Target(path.with_name("other"))
    other.open().close()
    other.drop()
    assert list(path.parent.iterdir()) == [path]
