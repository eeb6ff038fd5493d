# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a backup asks the stack's MySQL, and how it is dumped: by the clients of its own image, as the account for backups."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _dump, _fifo, _mysql_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Where the role `mysql` puts it, as the server's container sees it.
OPTION_FILE = "/run/secrets/backup.cnf"
MIGRATIONS = "django_migrations"
# What serves goes first.
NICENESS = 19
# What `docker exec` ends with where there is nothing to run a program in, or it ends under its hands.
GONE = (126, 137)
# Masking policies are new in 9.7, of the whole server, and for its administrator alone to read; an older client does not know the
# option.
OPTIONS = (*_dump.OPTIONS, "--loose-skip-masking-policies")


class SourceError(Exception):
    """A database that cannot be asked, or answers what cannot be."""


@dataclass(frozen=True)
class Facts:
    """What the server says of the schema."""

    version: str
    charset: str
    collation: str
    tables: list[str]
    bytes: int
    other_engines: list[str]
    objects: Mapping[str, int]


def client_cmd(container: str, client: Sequence[str], seconds: int, pipe: str = "") -> list[str]:
    """Return the argv that runs a client of MySQL inside the container as the account for backups, for so long.

    The limit is inside: a `docker exec` that is ended leaves what it started. With pipe it writes there.
    """
    name, *rest = client
    limited = ["nice", "-n", str(NICENESS), "timeout", f"--kill-after={_dump.KILL_AFTER}", str(seconds)]
    argv = [name, f"--defaults-extra-file={OPTION_FILE}", *rest]
    return ["docker", "exec", container, *limited, *(_fifo.writing_cmd(pipe, argv) if pipe else argv)]


def query_cmd(container: str, query: str, seconds: int) -> list[str]:
    """Return the argv that prints the answer to a query, a row a line."""
    return client_cmd(container, ["mysql", "--batch", "--raw", "--skip-column-names", f"--execute={query}"], seconds)


def dump_cmd(container: str, database: str, seconds: int, pipe: str = "") -> list[str]:
    """Return the argv that prints a consistent dump of a schema, or writes it into a pipe in the container."""
    return client_cmd(container, ["mysqldump", *OPTIONS, "--", database], seconds, pipe)


def image_cmd(container: str) -> list[str]:
    """Return the argv that says which image a container was made from."""
    return ["docker", "container", "inspect", "--format", "{{.Config.Image}}", container]


def facts_query(database: str) -> str:
    """Return the query for everything that is asked of a schema, as one object."""
    schema = _mysql_text.literal(database)
    tables = f"information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema = {schema}"
    counts = {
        "views": f"information_schema.views WHERE table_schema = {schema}",
        "triggers": f"information_schema.triggers WHERE trigger_schema = {schema}",
        "routines": f"information_schema.routines WHERE routine_schema = {schema}",
        "events": f"information_schema.events WHERE event_schema = {schema}",
    }
    objects = ", ".join(f"'{name}', (SELECT COUNT(*) FROM {source})" for name, source in counts.items())  # noqa: S608
    names = "SELECT COALESCE(JSON_ARRAYAGG(table_name), JSON_ARRAY())"
    return (
        # Otherwise the sizes may be a day old.
        "SET SESSION information_schema_stats_expiry = 0; "  # noqa: S608 - the name is escaped
        "SELECT JSON_OBJECT('version', VERSION(), "
        f"'charset', s.default_character_set_name, 'collation', s.default_collation_name, "
        f"'tables', ({names} FROM {tables}), "
        f"'other_engines', ({names} FROM {tables} AND engine <> 'InnoDB'), "
        f"'bytes', (SELECT COALESCE(SUM(data_length + index_length), 0) FROM {tables}), "
        f"'objects', JSON_OBJECT({objects})) "
        f"FROM information_schema.schemata AS s WHERE s.schema_name = {schema}"
    )


def migrations_query(database: str) -> str:
    """Return the query for the migrations that are applied, as one list."""
    table = f"{_mysql_text.identifier(database)}.{_mysql_text.identifier(MIGRATIONS)}"
    return f"SELECT COALESCE(JSON_ARRAYAGG(JSON_ARRAY(app, name)), JSON_ARRAY()) FROM {table}"  # noqa: S608


def parse_facts(text: str, database: str) -> Facts:
    """Read the answer to the query for facts."""
    if not text.strip():
        raise SourceError(f"MySQL has no schema {database}: deploy the stack first (site playbook)")
    found: dict[str, Any] = _json(text)
    try:
        return Facts(
            version=str(found["version"]),
            charset=str(found["charset"]),
            collation=str(found["collation"]),
            tables=sorted(found["tables"]),
            bytes=int(found["bytes"]),
            other_engines=sorted(found["other_engines"]),
            objects={name: int(count) for name, count in found["objects"].items()},
        )
    except (KeyError, TypeError, ValueError):
        raise SourceError(f"what MySQL says of the schema {database} cannot be read: {text.strip()[:200]!r}") from None


def parse_migrations(text: str) -> list[list[str]]:
    """Read the answer to the query for migrations."""
    return sorted([str(app), str(name)] for app, name in _json(text))


def _json(text: str) -> Any:  # noqa: ANN401 - whatever was answered
    try:
        return json.loads(text)
    except ValueError:
        raise SourceError(f"MySQL answered what is no JSON: {text.strip()[:200]!r}") from None


def why_refused(code: int, err: str, seconds: int) -> str:
    """Say why a client of MySQL did not do what it should."""
    if code == _dump.TIMED_OUT:
        return f"it took longer than {seconds} seconds and was stopped"
    if code in GONE:
        return f"the container of MySQL was not there or went away meanwhile (docker exec ended with {code})"
    lines = [line.strip() for line in err.splitlines() if line.strip()] or ["it said nothing"]
    said = next((line for line in lines if "ERROR" in line or "error" in line), lines[-1])
    if "1045" in said:
        said += f" (the account for backups, whose password is in {OPTION_FILE}: deploy again, which sets it)"
    return f"MySQL's client ended with {code}: {said}"[:600]
