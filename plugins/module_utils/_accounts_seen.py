# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a MySQL server says of its accounts and of one schema: one question, and how its answer is read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _mysql_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible_collections.barehost.django.plugins.module_utils._accounts import Wish

# Not the one of the first initialisation, which has no TCP.
SERVER = True
# The literals of this module know backslashes; a transaction that stays open must not make the application wait behind us.
SESSION = "SET SESSION sql_mode = '', lock_wait_timeout = 10;\n"
METADATA = "JSON_EXTRACT(User_attributes, '$.metadata')"
SECONDARY = "JSON_UNQUOTE(JSON_EXTRACT(User_attributes, '$.additional_password'))"
GRANTED = "GRANTEE, PRIVILEGE_TYPE, IS_GRANTABLE = 'YES'"
# As the tables of information_schema have it, where nothing is escaped.
WHO = "CONCAT('\\'', User, '\\'@\\'', Host, '\\'')"
# Whose objects nobody has made here.
SYSTEM = "('mysql', 'sys', 'information_schema', 'performance_schema')"
TO_WHOM = "CONCAT('\\'', TO_USER, '\\'@\\'', TO_HOST, '\\'')"
DEFINERS = tuple(
    (
        f"'definer', DEFINER, {kind}, {schema}, {name}, {runs}",
        f"information_schema.{table} WHERE {schema} NOT IN {SYSTEM}",
    )
    for table, kind, schema, name, runs in (
        ("TRIGGERS", "'TRIGGER'", "TRIGGER_SCHEMA", "TRIGGER_NAME", "TRUE"),
        ("EVENTS", "'EVENT'", "EVENT_SCHEMA", "EVENT_NAME", "TRUE"),
        ("VIEWS", "'VIEW'", "TABLE_SCHEMA", "TABLE_NAME", "SECURITY_TYPE = 'DEFINER'"),
        ("ROUTINES", "ROUTINE_TYPE", "ROUTINE_SCHEMA", "ROUTINE_NAME", "SECURITY_TYPE = 'DEFINER'"),
    )
)


@dataclass(frozen=True)
class Stored:
    """An account as `mysql.user` has it."""

    plugin: str
    primary: bytes
    secondary: bytes = b""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    locked: bool = False


@dataclass(frozen=True)
class Grants:
    """What an account may do."""

    everywhere: frozenset[str] = frozenset()
    # As granted, which may be a pattern -> privileges.
    schemas: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # Schema -> the words between REVOKE and FROM that take away what is granted on something in it, or a role.
    objects: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Defined:
    """An object that belongs to an account."""

    # As the server names it: TRIGGER, EVENT, VIEW, PROCEDURE or FUNCTION.
    kind: str
    schema: str
    name: str
    # Whether it runs with what that account may do.
    as_definer: bool = True


@dataclass(frozen=True)
class Seen:
    """What a server says."""

    # Whether it is the server itself: the one of the first initialisation has no TCP.
    ready: bool = False
    schema: tuple[str, str] | None = None
    accounts: Mapping[tuple[str, str], Stored] = field(default_factory=dict)
    grants: Mapping[str, Grants] = field(default_factory=dict)
    # As the server says it, which is user@host.
    definers: Mapping[str, tuple[Defined, ...]] = field(default_factory=dict)

    def defined_by(self, key: tuple[str, str]) -> tuple[Defined, ...]:
        """Return what belongs to an account."""
        return self.definers.get(f"{key[0]}@{key[1]}", ())

    def grants_of(self, key: tuple[str, str]) -> Grants:
        """Return what an account may do; nothing where there is none."""
        return self.grants.get(f"'{key[0]}'@'{key[1]}'", Grants())


def fresh(wish: Wish) -> Seen:
    """Return what a server says that has just been made, by the image and by the role's own file."""
    runtime = next((account.key for account in wish.accounts if account.kind == "runtime"), ("", ""))
    stored = Stored("", b"")
    first = {runtime: Grants(schemas={_mysql_text.escaped_pattern(wish.database): frozenset({"SELECT"})})}
    grants = {f"'{name}'@'{host}'": may for (name, host), may in first.items()}
    return Seen(SERVER, (wish.charset, wish.collation), {("root", "localhost"): stored, runtime: stored}, grants)


def question(database: str, accounts: Iterable[tuple[str, str]]) -> str:
    """Return the SQL that asks for all of it; each line of the answer is JSON."""
    keys = list(accounts)
    names = ", ".join(_mysql_text.literal(name) for name, _ in keys) or "''"
    # An account of the same name from elsewhere may be needed still.
    by_grantee = f"WHERE GRANTEE IN (SELECT {WHO} FROM mysql.user WHERE User IN ({names}))"  # noqa: S608 - names are escaped
    literal = _mysql_text.literal(database)
    # What is selected, and from where; all names in it are escaped.
    parts = (
        ("'server', @@skip_networking", ""),
        (
            "'schema', DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME",
            f"information_schema.SCHEMATA WHERE SCHEMA_NAME = {literal}",
        ),
        (
            f"'account', User, Host, plugin, HEX(authentication_string), HEX({SECONDARY}), {METADATA}, account_locked = 'Y'",
            "mysql.user",
        ),
        (f"'everywhere', {GRANTED}", f"information_schema.USER_PRIVILEGES {by_grantee}"),
        (f"'on schema', {GRANTED}, TABLE_SCHEMA", f"information_schema.SCHEMA_PRIVILEGES {by_grantee}"),
        (f"'on table', {WHO}, Db, Table_name", f"mysql.tables_priv WHERE User IN ({names})"),
        (f"'on routine', {WHO}, Db, Routine_name, Routine_type", f"mysql.procs_priv WHERE User IN ({names})"),
        (f"'role', {TO_WHOM}, FROM_USER, FROM_HOST", f"mysql.role_edges WHERE TO_USER IN ({names})"),
        *DEFINERS,
    )
    lines = [f"SELECT JSON_ARRAY({what}){f' FROM {source}' if source else ''}" for what, source in parts]  # noqa: S608 - names are escaped
    return SESSION + "".join(f"{line};\n" for line in lines)


def read(text: str) -> Seen:
    """Read the answer; ValueError where it is none."""
    rows: dict[str, list[list[Any]]] = {}
    for line in text.splitlines():
        if line.strip():
            kind, *values = json.loads(line)
            rows.setdefault(kind, []).append(values)
    if "server" not in rows:
        raise ValueError("the server has not said what it is")
    schema = rows.get("schema", [[]])[0]
    return Seen(
        ready=not rows["server"][0][0],
        schema=(schema[0], schema[1]) if schema else None,
        accounts={(row[0], row[1]): _stored(row) for row in rows.get("account", [])},
        grants=_grants(rows),
        definers=_definers(rows.get("definer", [])),
    )


def _definers(rows: list[list[Any]]) -> dict[str, tuple[Defined, ...]]:
    found: dict[str, tuple[Defined, ...]] = {}
    for definer, kind, schema, name, runs in rows:
        found[definer] = (*found.get(definer, ()), Defined(kind, schema, name, bool(runs)))
    return found


def _stored(row: list[Any]) -> Stored:
    _, _, plugin, primary, secondary, attributes, locked = row
    return Stored(plugin, bytes.fromhex(primary or ""), bytes.fromhex(secondary or ""), attributes or {}, bool(locked))


def _grants(rows: Mapping[str, list[list[Any]]]) -> dict[str, Grants]:
    everywhere: dict[str, set[str]] = {}
    schemas: dict[str, dict[str, set[str]]] = {}
    objects: dict[str, list[tuple[str, str]]] = {}
    for grantee, privilege, grantable in rows.get("everywhere", []):
        everywhere.setdefault(grantee, set()).update(_words(privilege, grantable))
    for grantee, privilege, grantable, schema in rows.get("on schema", []):
        schemas.setdefault(grantee, {}).setdefault(schema, set()).update(_words(privilege, grantable))
    for grantee, schema, table in rows.get("on table", []):
        where = f"{_mysql_text.identifier(schema)}.{_mysql_text.identifier(table)}"
        objects.setdefault(grantee, []).append((schema, f"ALL PRIVILEGES ON TABLE {where}"))
    for grantee, schema, routine, kind in rows.get("on routine", []):
        where = f"{_mysql_text.identifier(schema)}.{_mysql_text.identifier(routine)}"
        objects.setdefault(grantee, []).append((schema, f"ALL PRIVILEGES ON {kind} {where}"))
    for grantee, role, host in rows.get("role", []):
        objects.setdefault(grantee, []).append(("", f"{_mysql_text.literal(role)}@{_mysql_text.literal(host)}"))
    return {
        grantee: Grants(
            frozenset(everywhere.get(grantee, ())),
            {name: frozenset(words) for name, words in schemas.get(grantee, {}).items()},
            tuple(objects.get(grantee, ())),
        )
        for grantee in {*everywhere, *schemas, *objects}
    }


def _words(privilege: str, grantable: int) -> set[str]:
    """Return what a row stands for; USAGE is the word for nothing."""
    return ({privilege} - {"USAGE"}) | ({"GRANT OPTION"} if grantable else set())
