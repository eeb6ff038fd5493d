# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What MySQL is asked for a backup, and what its answers mean."""

from __future__ import annotations

import json

import pytest
from ansible_collections.barehost.django.plugins.module_utils import _backup_source

ANSWER = {
    "version": "9.7.4",
    "charset": "utf8mb4",
    "collation": "utf8mb4_unicode_ci",
    "tables": ["b", "a"],
    "other_engines": [],
    "bytes": 32768,
    "objects": {"views": 1, "triggers": 0, "routines": 0, "events": 0},
}


def test_argv_of_a_dump() -> None:
    argv = _backup_source.dump_cmd("0a1b", "shop", 60)
    assert argv[:11] == [
        "docker", "exec", "0a1b", "nice", "-n", "19", "timeout", "--kill-after=10", "60", "mysqldump",
        "--defaults-extra-file=/run/secrets/backup.cnf",
    ]  # fmt: skip
    assert argv[-2:] == ["--", "shop"]


def test_argv_of_a_dump_into_a_pipe() -> None:
    argv = _backup_source.dump_cmd("0a1b", "shop", 60, "/run/x.fifo")
    assert argv[9:14] == ["sh", "-c", 'umask 077 && mkfifo -- "$0" && exec "$@" > "$0"', "/run/x.fifo", "mysqldump"]


def test_the_name_of_the_schema_is_escaped() -> None:
    assert "table_schema = 'o''x'" in _backup_source.facts_query("o'x")
    assert "FROM `o``x`.`django_migrations`" in _backup_source.migrations_query("o`x")


def test_facts() -> None:
    facts = _backup_source.parse_facts(json.dumps(ANSWER), "shop")
    assert (facts.tables, facts.bytes, facts.objects["views"]) == (["a", "b"], 32768, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "MySQL has no schema shop"),
        ("nonsense", "no JSON"),
        ('{"version": 1}', "what MySQL says of the schema shop cannot be read"),
        (json.dumps({**ANSWER, "bytes": "x"}), "cannot be read"),
    ],
)
def test_answers_that_are_none(text: str, message: str) -> None:
    with pytest.raises(_backup_source.SourceError, match=message):
        _backup_source.parse_facts(text, "shop")


def test_migrations_are_sorted() -> None:
    assert _backup_source.parse_migrations('[["b", "0001"], ["a", "0002"]]') == [["a", "0002"], ["b", "0001"]]


@pytest.mark.parametrize(
    ("code", "err", "message"),
    [
        (124, "", "it took longer than 60 seconds and was stopped"),
        (1, "warning\nERROR 1045 (28000): Access denied for user 'b'\n", "deploy again, which sets it"),
        (1, "", "ended with 1: it said nothing"),
        (126, "", "the container of MySQL was not there or went away meanwhile (docker exec ended with 126)"),
    ],
)
def test_why_a_client_has_failed(code: int, err: str, message: str) -> None:
    assert message in _backup_source.why_refused(code, err, 60)
