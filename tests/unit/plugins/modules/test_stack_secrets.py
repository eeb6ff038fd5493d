# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""stack_secrets: given, or generated once and kept."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils import basic
from ansible_collections.barehost.django.plugins.module_utils import _secrets
from ansible_collections.barehost.django.plugins.modules import stack_secrets
from support.modules import Engine, run

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
    result = ensure(folder, {"a": {}})
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


def test_files_of_somebody_else_are_taken_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests: the file is not root's, and the module believes that it is root."""
    ensure(folder, {"a": {"value": "one"}})
    if os.geteuid() == 0:
        os.chown(folder / "a", 999, 999)
    given: list[tuple[str, int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: given.append((os.fspath(path), uid, gid)))
    assert ensure(folder, {"a": {}})["changed"] is True
    assert (os.fspath(folder / "a"), 0, 0) in given


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ({"../a": {}}, "the name '../a' is none"),
        ({"a-b": {}}, "the name 'a-b' is none"),
        ({"a": "hunter2"}, "a: expected a mapping with alphabet, copies, fixed, length, value, volume"),
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


VOLUMES = ("docker", "volume", "ls")
SPEC = {
    "volume": "mysql",
    "copies": [
        {"file": "mysql/secrets/client.cnf", "form": "option", "key": "password"},
        {"file": ".env", "form": "dotenv", "key": "DB_PASSWORD"},
    ],
}


def with_volume(folder: Path, volumes: str = "shop_mysql\n", *, check: bool = False, value: str = "") -> dict[str, Any]:
    """Ensure a protected secret on a host that has these volumes."""
    arguments = {
        "dir": str(folder),
        "secrets": {"mysql_password": {"value": value, **SPEC}},
        "project": "shop",
    }
    return run(stack_secrets.main, arguments, Engine().on(*VOLUMES, reply=(0, volumes, "")), check=check)


def render_copies(folder: Path) -> None:
    (folder.parent / "mysql" / "secrets").mkdir(parents=True)
    client = '[client]\nuser = "shop"\npassword = "a\\"b\\\\c"\n'
    (folder.parent / "mysql" / "secrets" / "client.cnf").write_text(client)
    (folder.parent / ".env").write_text("DB_NAME='shop'\nDB_PASSWORD='of-the-env-file'\n")


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_lost_secret_is_read_back_from_where_it_was_rendered(
    folder: Path, content: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    render_copies(folder)
    if content is not None:
        folder.mkdir(mode=0o700)
        (folder / "mysql_password").write_text(content)
    seen = with_volume(folder, check=True)
    assert (seen["changed"], seen["restored"], seen["ephemeral"]) == (True, ["mysql_password"], [])
    result = with_volume(folder)
    assert (result["changed"], result["restored"], result["created"]) == (True, ["mysql_password"], [])
    assert result["values"] == {"mysql_password": 'a"b\\c'}
    assert (folder / "mysql_password").read_text() == 'a"b\\c'
    # One of the dry run, one of the real one.
    assert warnings == 2 * [
        f"{folder}/mysql_password was missing or empty: restored from {folder.parent}/mysql/secrets/client.cnf"
    ]
    assert 'a"b' not in json.dumps(result["diff"])
    assert with_volume(folder)["changed"] is False


def test_the_environment_file_is_the_second_place_to_look(folder: Path) -> None:
    render_copies(folder)
    (folder.parent / "mysql" / "secrets" / "client.cnf").unlink()
    assert with_volume(folder)["values"] == {"mysql_password": "of-the-env-file"}


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_lost_secret_of_data_that_is_there_is_never_made_anew(folder: Path, content: str | None) -> None:
    if content is not None:
        folder.mkdir(mode=0o700)
        (folder / "mysql_password").write_text(content)
    for check in (True, False):
        result = with_volume(folder, check=check)
        assert result["failed"] is True
        assert f"{folder}/mysql_password is missing or empty" in result["msg"]
        assert "from a backup" in result["msg"]
        assert "remove" not in result["msg"]
    assert (folder / "mysql_password").exists() is (content is not None)
    assert with_volume(folder, value="the-one-from-the-backup")["values"] == {
        "mysql_password": "the-one-from-the-backup"
    }


def test_without_data_a_secret_is_made(folder: Path) -> None:
    assert with_volume(folder, "other_mysql\nshop_mysql_old\n")["created"] == ["mysql_password"]


def test_an_engine_that_does_not_answer_is_no_proof_that_there_is_no_data(folder: Path) -> None:
    (folder.parent / "compose.yaml").write_text("name: shop\n")
    arguments = {"dir": str(folder), "secrets": {"a": {"volume": "mysql"}}, "project": "shop"}
    assert run(stack_secrets.main, arguments, Engine().on(*VOLUMES, reply=(1, "", "")))["failed"] is True
    assert run(stack_secrets.main, arguments, Engine(missing=("docker",)))["failed"] is True
    (folder.parent / "compose.yaml").unlink()
    assert run(stack_secrets.main, arguments, Engine(missing=("docker",)))["created"] == ["a"]


def test_another_given_value_than_the_copy_is_refused(folder: Path) -> None:
    render_copies(folder)
    result = with_volume(folder, value="hunter2")
    assert result["failed"] is True
    assert f"write the right one into {folder}/mysql_password" in result["msg"]
    assert "hunter2" not in json.dumps(result)
    assert not folder.exists()
    assert with_volume(folder, value='a"b\\c')["restored"] == ["mysql_password"]


def test_nobody_is_told_to_throw_away_a_damaged_secret_of_data(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "mysql_password").write_bytes(b"\xff")
    message = with_volume(folder)["msg"]
    assert "restore it from a backup" in message
    assert "remove" not in message


def test_what_is_as_it_should_be_can_be_read_with_the_lock(folder: Path) -> None:
    values = ensure(folder, {"a": {}, "b": {}})["values"]
    assert _secrets.kept(folder) == values


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "a").chmod(0o640),
        lambda folder: (folder / "a").write_text("with a line break\n"),
        lambda folder: (folder / "a").write_text(""),
        lambda folder: (folder / "c").mkdir(),
        lambda folder: folder.chmod(0o755),
        lambda folder: folder.rename(folder.with_name("moved")),
    ],
)
def test_where_something_is_not_nothing_is_read(folder: Path, spoil: Any) -> None:
    ensure(folder, {"a": {}, "b": {}})
    spoil(folder)
    assert _secrets.kept(folder) == {}
