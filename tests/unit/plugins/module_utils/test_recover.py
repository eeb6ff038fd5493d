# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was rendered into a file is read back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.barehost.django.plugins.module_utils import _dotenv, _mysql_text, _recover
from hypothesis import example, given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[4]
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("'\"\\$# "), min_size=1, max_size=30)


@given(TEXT)
@example("it's")
@example("p$ab\\")
def test_an_environment_file_gives_back_what_was_put_in(value: str) -> None:
    text = _dotenv.render({"A": "other", "DB_PASSWORD": value, "Z": "DB_PASSWORD=no"})
    assert _recover.value_in(text, _recover.Copy(".env", "dotenv", "DB_PASSWORD")) == value


@given(TEXT)
def test_an_option_file_gives_back_what_was_put_in(value: str) -> None:
    text = f"# managed\n[client]\nuser = {_mysql_text.option('shop')}\npassword = {_mysql_text.option(value)}\n"
    assert _recover.value_in(text, _recover.Copy("client.cnf", "option", "password")) == value


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"\xff")
    (tmp_path / "c").write_text("")
    assert _recover.find(tmp_path, [_recover.Copy(name) for name in "abc"]) is None


@pytest.mark.parametrize(
    "entries",
    [
        "a",
        ["a"],
        [{}],
        [{"file": "/etc/shadow"}],
        [{"file": "../a"}],
        [{"file": "a", "form": "json", "key": "b"}],
        [{"file": "a", "form": "option"}],
        [{"file": "a", "key": "b"}],
        [{"file": "a", "more": "b"}],
    ],
)
def test_a_copy_that_cannot_be_read_is_refused(entries: Any) -> None:
    with pytest.raises(ValueError, match="cop"):
        _recover.read_copies(entries)


@pytest.mark.parametrize(
    ("role", "name"), [("mysql", "mysql_password"), ("mysql", "mysql_root_password"), ("redis", "redis_password")]
)
def test_every_password_of_data_says_where_else_it_stands(role: str, name: str) -> None:
    """A template that moves or renames what the role points at would make recovery find nothing."""
    variables = yaml.safe_load((ROOT / "roles" / role / "vars" / "main.yml").read_text())
    spec = variables[f"{role}_stack_secrets"][name]
    assert spec["volume"] in [item["source"] for item in variables[f"{role}_stack_services"][role]["volumes"]]
    for copy in _recover.read_copies(spec["copies"]):
        if copy.form == "dotenv":
            django = yaml.safe_load((ROOT / "roles" / "django" / "vars" / "main.yml").read_text())
            assert copy.key in django["django__environment"]
            continue
        template = (ROOT / "roles" / role / "templates" / f"{copy.file}.j2").read_text()
        assert "password }}" in template or f"{copy.key} = {{{{" in template
