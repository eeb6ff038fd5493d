# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""stack_secrets: given, or generated once and kept."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.barehost.django.plugins.modules import stack_secrets
from support.modules import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def ensure(folder: Path, secrets: dict[str, Any], *, check: bool = False, **extra: Any) -> dict[str, Any]:
    return run(stack_secrets.main, {"dir": str(folder), "secrets": secrets, **extra}, check=check)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_generated_once_and_kept(folder: Path) -> None:
    first = ensure(folder, {"a": {}, "b": {"length": 64, "alphabet": "0123456789abcdef"}})
    assert first["changed"] is True
    assert first["created"] == ["a", "b"]
    assert len(first["values"]["a"]) == 50
    assert first["values"]["a"].isalnum()
    assert len(first["values"]["b"]) == 64
    assert set(first["values"]["b"]) <= set("0123456789abcdef")
    assert (folder / "a").read_text() == first["values"]["a"]
    assert (mode(folder), mode(folder / "a")) == (0o700, 0o600)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    second = ensure(folder, {"a": {}, "b": {}})
    assert second["changed"] is False
    assert second["values"] == first["values"]
    assert (second["created"], second["updated"]) == ([], [])
    assert "diff" not in second


def test_given(folder: Path) -> None:
    value = 'it\'s "here" \\ ñ \U0001f512'
    first = ensure(folder, {"a": {"value": value}})
    assert (first["changed"], first["created"], first["values"]) == (True, ["a"], {"a": value})
    assert (folder / "a").read_bytes() == value.encode()
    assert ensure(folder, {"a": {"value": value}})["changed"] is False
    assert ensure(folder, {"a": {"value": ""}})["values"] == {"a": value}
    changed = ensure(folder, {"a": {"value": "other"}})
    assert (changed["changed"], changed["updated"], changed["values"]) == (True, ["a"], {"a": "other"})
    assert changed["diff"] == {"before": "a\n", "after": "a (given, replaced)\n"}


def test_values_are_whole_whatever_they_are_made_of(folder: Path) -> None:
    # Ansible's own masking would cut the short one out of the long one, and both out of the answer.
    result = ensure(folder, {"a": {"value": "x"}, "b": {"value": "xyxy"}, "c": {"length": 50}})
    assert (result["values"]["a"], result["values"]["b"]) == ("x", "xyxy")
    assert len(result["values"]["c"]) == 50


def test_only_the_values_hold_values(folder: Path) -> None:
    result = ensure(folder, {"a": {"value": "hunter2"}})
    assert result.pop("values") == {"a": "hunter2"}
    assert "hunter2" not in json.dumps(result)


def test_check_on_a_bare_host(folder: Path) -> None:
    result = ensure(folder, {"a": {}, "b": {"value": "given"}}, check=True)
    assert (result["changed"], result["created"], result["ephemeral"]) == (True, ["a", "b"], ["a"])
    assert len(result["values"]["a"]) == 50
    assert not folder.exists()


def test_check_on_a_finished_host(folder: Path) -> None:
    kept = ensure(folder, {"a": {}})["values"]
    result = ensure(folder, {"a": {}}, check=True)
    assert (result["changed"], result["values"], result["ephemeral"]) == (False, kept, [])


def test_check_writes_nothing(folder: Path) -> None:
    ensure(folder, {"a": {"value": "one"}})
    assert ensure(folder, {"a": {"value": "two"}}, check=True)["updated"] == ["a"]
    assert (folder / "a").read_text() == "one"


def test_a_change_can_be_refused_before_anything_is_written(folder: Path) -> None:
    ensure(folder, {"b": {"value": "hunter1"}})
    for check in (False, True):
        wanted = {"a": {}, "b": {"value": "hunter2"}}
        result = ensure(folder, wanted, refuse_change=["b"], check=check)
        assert result["failed"] is True
        assert result["msg"].startswith(f"b: the given value is not the one that {folder}/b keeps")
        assert "hunter" not in json.dumps(result)
        assert not (folder / "a").exists()
    assert ensure(folder, {"b": {"value": "hunter1"}}, refuse_change=["b"])["changed"] is False
    assert ensure(folder, {"b": {}}, refuse_change=["b", "unheard_of"])["changed"] is False
    assert ensure(folder, {"c": {"value": "new"}}, refuse_change=["c"])["created"] == ["c"]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"a\nb", b"a\r\n", b"a\0"])
def test_a_damaged_file_is_named(folder: Path, content: bytes) -> None:
    folder.mkdir(mode=0o700)
    (folder / "a").write_bytes(content)
    result = ensure(folder, {"a": {}, "b": {}})
    assert result["failed"] is True
    assert str(folder / "a") in result["msg"]
    assert not (folder / "b").exists()


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_what_is_no_file(folder: Path, kind: str) -> None:
    folder.mkdir(mode=0o700)
    if kind == "directory":
        (folder / "a").mkdir()
    else:
        (folder / "a").symlink_to("/etc/hostname")
    assert "is no file" in ensure(folder, {"a": {}})["msg"]


def test_the_line_break_of_an_editor_is_taken_off(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "a").write_text("edited\n")
    (folder / "a").chmod(0o600)
    result = ensure(folder, {"a": {}}, refuse_change=["a"])
    assert (result["changed"], result["updated"], result["values"]) == (True, ["a"], {"a": "edited"})
    assert (folder / "a").read_bytes() == b"edited"


def test_open_doors_are_closed(folder: Path) -> None:
    ensure(folder, {"a": {"value": "one"}})
    folder.chmod(0o755)
    assert ensure(folder, {"a": {}})["changed"] is True
    (folder / "a").chmod(0o644)
    result = ensure(folder, {"a": {}})
    assert (result["changed"], result["updated"]) == (True, [])
    assert (mode(folder), mode(folder / "a")) == (0o700, 0o600)
    assert ensure(folder, {"a": {}})["changed"] is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_of_somebody_else_are_taken_back(folder: Path) -> None:
    ensure(folder, {"a": {"value": "one"}})
    os.chown(folder / "a", 999, 999)
    assert ensure(folder, {"a": {}})["changed"] is True
    assert (folder / "a").stat().st_uid == 0


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({"../a": {}}, "the name '../a' is none"),
        ({"a-b": {}}, "the name 'a-b' is none"),
        ({"a": "hunter2"}, "a: expected a mapping with alphabet, length, value"),
        ({"a": {"valeu": "hunter2"}}, "a: expected a mapping"),
        ({"a": {"value": 12345678}}, "a: the value is a int and not text: put it in quotes"),
        ({"a": {"value": "hunter2\n"}}, "a: the value holds the control character U+000A (character 8): remove it"),
        ({"a": {"length": 8}}, "a: length 8 is not within 16 to 512"),
        ({"a": {"length": "long"}}, "a: length 'long' is not within 16 to 512"),
        ({"a": {"alphabet": "aaaaaaaaaaaa"}}, "a: the alphabet must be at least 10 different printable characters"),
        ({"a": {"alphabet": "0123456789\n"}}, "a: the alphabet must be"),
    ],
)
def test_refused_without_the_value(folder: Path, secrets: dict[str, Any], message: str) -> None:
    result = ensure(folder, {"ok": {}, **secrets})
    assert result["failed"] is True
    assert result["msg"].startswith(message)
    assert "hunter2" not in json.dumps(result)
    assert not folder.exists()


def test_the_directory_of_the_stack_is_made_too(tmp_path: Path) -> None:
    assert ensure(tmp_path / "stack" / "secrets", {"a": {}})["changed"] is True
    assert (mode(tmp_path / "stack"), mode(tmp_path / "stack" / "secrets")) == (0o750, 0o700)


def test_and_what_is_above_it(tmp_path: Path) -> None:
    folder = tmp_path / "no" / "stack" / "secrets"
    assert ensure(folder, {"a": {}}, check=True)["changed"] is True
    assert not (tmp_path / "no").exists()
    assert ensure(folder, {"a": {}})["changed"] is True
    assert mode(folder.parent) == 0o750


def test_a_file_in_the_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("")
    assert ensure(tmp_path / "secrets", {"a": {}})["failed"] is True
