# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An `.env` file through the programs that read it: the real Compose CLI and python-decouple."""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TYPE_CHECKING
from unittest import mock

import decouple
import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.barehost.django.plugins.filter.dotenv import FilterModule, dotenv, dotenv_problems
from ansible_collections.barehost.django.plugins.module_utils import _dotenv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

    from support.compose import Compose

NASTY = (
    "", " ", "'", '"', "\\", "\\\\", "$", "$$", "#", " #", "it's", 'say "so"', "$HOME", "${HOME}", "${X:-y}", "$(id)", "a$",
    "a\\", "a\\\\", "a'\\", "\\'", "\\\\'", "'\\\"", "\\n", "\\$", "\\\\$", "'quoted'", '"quoted"', "'half", 'half"', "'a' 'b'", "# not a comment",
    "a # b", "a\t# b", "a#b", " padded ", "\ttab", "tab\t", "%41", "%", "{{ x }}", "{% raw %}",
    "a=b", "=", ":", "export X=1", "p$ab", "p'$a\"b\\",
    "line\nbreak", "\n",
    "a\n", "'\n$\"", "\u00a0x\u00a0", "\u3000", "\u2028", "\ufeff", "ñandú", "пароль", "密码", "\U0001f512", "e\u0301", "\u202eabc",
    "True", "null", "~", "0x10", "1e3", "!tag", "&a", "*a", "|", ">", "- a", "@", "`", "^", "a,b;c",
)  # fmt: skip


def read_by_decouple(path: Path) -> dict[str, str]:
    return dict(decouple.RepositoryEnv(str(path), encoding="utf-8").data)


def in_container(environment: dict[str, str]) -> dict[str, str]:
    """Return what an app that uses python-decouple sees in a container with this environment."""
    with mock.patch.dict(os.environ, environment, clear=True):
        config = decouple.Config(decouple.RepositoryEmpty())
        return {name: config(name) for name in environment}


def assert_survive(values: dict[str, str], clis: list[Compose], folder: Path) -> None:
    text = dotenv(values)
    for cli in clis:
        environment = cli.environment(folder, text)
        assert environment == values, cli.version
    assert in_container(environment) == values
    from_file = read_by_decouple(folder / ".env")
    for name, value in values.items():
        if _dotenv.shared_form(value) is not None:
            assert from_file[name] == value


def name_all(values: list[str]) -> dict[str, str]:
    return {f"V{index}": value for index, value in enumerate(values)}


def test_known_nasty_values(compose_clis: list[Compose], tmp_path: Path) -> None:
    assert_survive(name_all(list(NASTY)), compose_clis, tmp_path)


def test_every_pair_of_characters_with_a_meaning(compose_clis: list[Compose], tmp_path: Path) -> None:
    special = "'\"\\$# \t\n={}%a"
    values = [
        a + b + c + d for a in special for b in special for c in special for d in ("", special[0], special[2], "$", " ")
    ]
    assert_survive(name_all(values), compose_clis, tmp_path)


def test_every_printable_character(compose_clis: list[Compose], tmp_path: Path) -> None:
    chars = [char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char) not in ("Cc", "Cs")]
    # Each alone, at the start, in the middle and at the end as far as the file stays small; the rest in rows.
    alone = [form for char in chars[:700] for form in (char, f"{char}x", f"x{char}y", f"x{char}", f"{char}{char}")]
    rows = ["".join(chars[start : start + 1000]) for start in range(0, len(chars), 1000)]
    assert_survive(name_all(alone + rows), compose_clis, tmp_path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.text(st.sampled_from("'\"\\$# \t\n{}%a") | st.characters(exclude_categories=("Cc", "Cs")), max_size=12),
        min_size=20,
        max_size=60,
    )
)
def test_any_text(compose_clis: list[Compose], tmp_path: Path, values: list[str]) -> None:
    assert_survive(name_all(values), compose_clis, tmp_path)


def test_the_dotenv_beside_the_compose_file_is_read_twice_and_says_the_same(
    compose_cli: Compose, tmp_path: Path
) -> None:
    # Compose reads it for its own interpolation too; a value there must not change what the container gets.
    values = {"A": "one", "B": "$A ${A}"}
    assert compose_cli.environment(tmp_path, dotenv(values)) == values


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "True"), (False, "False"), (0, "0"), (3306, "3306"), (1.5, "1.5"), ("", ""), ("x", "x")],
)
def test_values_that_are_no_text(value: object, text: str) -> None:
    assert dotenv({"A": value}) == f"A='{text}'\n"


def test_sorted_by_name() -> None:
    assert dotenv({"B": "2", "A": "1"}) == "A='1'\nB='2'\n"


def test_booleans_are_what_decouple_casts() -> None:
    with mock.patch.dict(os.environ, {"A": _dotenv.text_of(False), "B": _dotenv.text_of(True)}):  # noqa: FBT003
        config = decouple.Config(decouple.RepositoryEmpty())
        assert config("A", cast=bool) is False
        assert config("B", cast=bool) is True


@pytest.mark.parametrize(
    ("name", "value", "fragment"),
    [
        ("A", "hunter2\0", "A: holds the control character U+0000 (character 8)"),
        ("A", "hunter2\r\n", "A: holds the control character U+000D (character 8)"),
        ("A", "hunter2\x1b[0m", "A: holds the control character U+001B"),
        ("A", "hunter2\x7f", "U+007F"),
        ("A", "hunter2\x85", "U+0085"),
        ("A", "hunter2\ud800", "A: is not valid Unicode (character 8)"),
        ("A", "hunter2" * 20_000, "A: is longer than 128 KiB"),
        ("A", None, "A: has no value"),
        ("A", ["hunter2"], "A: is a list"),
        ("A", {"hunter2": 1}, "A: is a mapping"),
        ("A", b"hunter2", "A: is a bytes"),
        ("A-B", "hunter2", "A-B: is no name"),
        ("A\n", "hunter2", "is no name"),
        ("1A", "hunter2", "1A: is no name"),
        ("", "hunter2", "is no name"),
        (1, "hunter2", "1: is no name"),
        ("COMPOSE_FILE", "hunter2", "COMPOSE_FILE: is a setting of Docker's own tools"),
        ("DOCKER_HOST", "hunter2", "DOCKER_HOST: is a setting of Docker's own tools"),
    ],
)
def test_refused_by_name_and_never_by_value(name: str, value: object, fragment: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        dotenv({name: value})
    message = str(caught.value)
    assert fragment in message
    assert "hunter2" not in message
    assert caught.value.__cause__ is None
    assert dotenv_problems({name: value, "GOOD": "x"}) == [message.removeprefix("dotenv: ")]


def test_all_problems_at_once() -> None:
    assert len(dotenv_problems({"A": None, "B": "ok", "C": "\0", "D": []})) == 3
    assert dotenv_problems({"B": "ok"}) == []


@pytest.mark.parametrize("values", [None, "A=1", ["A=1"], 3])
def test_not_a_mapping(values: object) -> None:
    with pytest.raises(AnsibleFilterError, match="expected a mapping"):
        dotenv(values)


def test_names_of_the_filters() -> None:
    assert set(FilterModule().filters()) == {"dotenv", "dotenv_problems"}
