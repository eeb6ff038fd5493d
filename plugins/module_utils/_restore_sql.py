# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The SQL of a restore: a schema beside the one that serves, an account that reaches no other one, and the swap of their tables.

All tables change places in one statement, which is done as a whole or not at all. A table that has a trigger cannot leave its
schema; so triggers go and come while the session holds every table locked, and nobody writes past them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _restore_objects
from ansible_collections.barehost.django.plugins.module_utils._mysql_text import grant_pattern, identifier, literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ansible_collections.barehost.django.plugins.module_utils._restore_objects import Item

LOADER = "barehost_restore"
# Held by the session that swaps: it may outlive the program that began it.
GUARD = "barehost_restore"
ROOT = ("root", "localhost")
MAX_NAME = 64
STAMP = r"[0-9]{8}t[0-9]{6}z"
NEW, OLD = "restore", "before"
MOVED = ("trigger", "view", "procedure", "function", "event")


@dataclass(frozen=True)
class Schemas:
    """The schema that serves, the one beside it that a restore fills, and the one that the old tables go to."""

    live: str
    new: str
    old: str

    @classmethod
    def of(cls, live: str, restore_id: str) -> Schemas:
        """Name them."""
        return cls(live, beside(live, NEW, restore_id), beside(live, OLD, restore_id))


def beside(live: str, what: str, restore_id: str) -> str:
    """Return the name of a schema that belongs to another one."""
    end = f"__{what}_{restore_id.lower()}"
    return live[: MAX_NAME - len(end)] + end


def ours(live: str, what: str, names: Iterable[str]) -> list[str]:
    """Return those of these schemas that a restore of this one has made, the oldest first."""
    sample = beside(live, what, "00000000t000000z")
    stem = sample[: -len("00000000t000000z")]
    return sorted(name for name in names if re.fullmatch(re.escape(stem) + STAMP, name))


@dataclass(frozen=True)
class Contents:
    """What is in a schema: the names of its tables and other objects."""

    tables: Sequence[str] = ()
    objects: Mapping[str, Sequence[str]] = field(default_factory=dict)  # kind -> names

    def has(self, kind: str) -> bool:
        """Whether there is one of the kind."""
        return bool(self.objects.get(kind))


FACTS = """SET SESSION information_schema_stats_expiry = 0;
SELECT JSON_OBJECT(
  'version', VERSION(),
  'binlog', @@global.log_bin,
  'packet', @@global.max_allowed_packet,
  'charset', (SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = {live}),
  'collation', (SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = {live}),
  'bytes', (SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables
            WHERE table_schema = {live} AND table_type = 'BASE TABLE'),
  'schemas', (SELECT JSON_ARRAYAGG(schema_name) FROM information_schema.schemata),
  'accounts', (SELECT JSON_ARRAYAGG(JSON_ARRAY(user, host)) FROM mysql.user),
  'trigger', (SELECT JSON_ARRAYAGG(JSON_ARRAY(user, host)) FROM (
              SELECT user, host FROM mysql.user WHERE trigger_priv = 'Y' UNION
              SELECT user, host FROM mysql.db WHERE trigger_priv = 'Y' AND {live} LIKE db) AS able),
  'event', (SELECT JSON_ARRAYAGG(JSON_ARRAY(user, host)) FROM (
            SELECT user, host FROM mysql.user WHERE event_priv = 'Y' UNION
            SELECT user, host FROM mysql.db WHERE event_priv = 'Y' AND {live} LIKE db) AS able));
"""
CONTENTS = """SELECT JSON_OBJECT(
  'tables', (SELECT JSON_ARRAYAGG(table_name) FROM information_schema.tables
             WHERE table_schema = {name} AND table_type = 'BASE TABLE'),
  'view', (SELECT JSON_ARRAYAGG(table_name) FROM information_schema.views WHERE table_schema = {name}),
  'trigger', (SELECT JSON_ARRAYAGG(trigger_name) FROM information_schema.triggers WHERE trigger_schema = {name}),
  'procedure', (SELECT JSON_ARRAYAGG(routine_name) FROM information_schema.routines
                WHERE routine_schema = {name} AND routine_type = 'PROCEDURE'),
  'function', (SELECT JSON_ARRAYAGG(routine_name) FROM information_schema.routines
               WHERE routine_schema = {name} AND routine_type = 'FUNCTION'),
  'event', (SELECT JSON_ARRAYAGG(event_name) FROM information_schema.events WHERE event_schema = {name}));
"""


def facts(live: str) -> str:
    """Return the query for what has to be known of the server."""
    return FACTS.format(live=literal(live))


def contents(schema: str) -> str:
    """Return the query for what is in a schema."""
    return CONTENTS.format(name=literal(schema))


def counts(schema: str, tables: Iterable[str]) -> str:
    """Return the query for the exact number of rows of each table."""
    return "".join(
        f"SELECT JSON_ARRAY({literal(name)}, COUNT(*)) FROM {identifier(schema)}.{identifier(name)};\n"  # noqa: S608 - escaped
        for name in tables
    )


def prepare(schemas: Schemas, charset: str, collation: str, password: str) -> str:
    """Return the SQL that makes the new schema, and an account that reaches it alone.

    Whatever a dump holds, what it does to another schema is refused by the server.
    """
    words = (charset, collation)
    if not all(re.fullmatch(r"\w+", word) for word in words):
        raise ValueError(f"character set {charset!r} with collation {collation!r} cannot be")
    account = f"{literal(LOADER)}@'localhost'"
    return (
        f"CREATE DATABASE {identifier(schemas.new)} CHARACTER SET {charset} COLLATE {collation};\n"
        f"DROP USER IF EXISTS {account};\n"
        f"CREATE USER {account} IDENTIFIED BY {literal(password)};\n"
        f"GRANT ALL ON {grant_pattern(schemas.new)}.* TO {account};\n"
    )


def take_back_account() -> str:
    """Return the SQL that removes the account of a load, and ends what it may still be doing."""
    return f"DROP USER IF EXISTS {literal(LOADER)}@'localhost';\n"


def sessions() -> str:
    """Return the query for the sessions of a load."""
    return f"SELECT id FROM information_schema.processlist WHERE user = {literal(LOADER)};\n"  # noqa: S608 - a constant


def drop_schema(name: str) -> str:
    """Return the statement that removes a schema that a restore has made."""
    if not re.search(rf"__(?:{NEW}|{OLD})_{STAMP}\Z", name):
        raise ValueError(f"{name} is no schema that a restore has made")
    return f"DROP DATABASE IF EXISTS {identifier(name)};\n"


def packet(size: int) -> str:
    """Return the statement that sets the longest statement that the server takes from new sessions."""
    return f"SET GLOBAL max_allowed_packet = {int(size)};\n"


def prove_objects(items: Sequence[Item]) -> str:
    """Return the SQL that makes everything in the new schema, where nobody misses it: what fails there would fail later.

    But for events, which would run there. They are root's there, since their owners may have rights in the live schema alone.
    """
    items = [_restore_objects.owned(item, (), ROOT) for item in items]
    others = _restore_objects.make(items, ("placeholder", "procedure", "function", "view"))
    return others + _restore_objects.script(items, ("trigger",))


def clear_objects(schema: str, found: Contents, kinds: Iterable[str] = MOVED) -> str:
    """Return the SQL that removes the objects of a schema, but for its tables."""
    return "".join(_restore_objects.drop(kind, schema, name) for kind in kinds for name in found.objects.get(kind, ()))


@dataclass(frozen=True)
class Way:
    """Whose tables go where: those of the live schema to `out`, those of `back` to it."""

    live: str
    out: str
    back: str


def renames(way: Way, live: Contents, incoming: Contents) -> str:
    """Return the one statement that lets all tables change places; empty where there is none."""
    pairs = [(way.live, name, way.out) for name in live.tables] + [
        (way.back, name, way.live) for name in incoming.tables
    ]
    return ", ".join(
        f"{identifier(source)}.{identifier(name)} TO {identifier(target)}.{identifier(name)}"
        for source, name, target in pairs
    )


def swap(way: Way, live: Contents, incoming: Contents, items: Sequence[Item], lock_seconds: int) -> str:
    """Return the SQL of a swap, for one session in the live schema that ends with the first error.

    Before the one RENAME nothing is changed but triggers and events, which the caller can make again; what comes after it are
    views, routines and events, which are made from the texts that belong to the tables that have come.
    """
    tables = [(way.live, name) for name in live.tables] + [(way.back, name) for name in incoming.tables]
    triggers = _restore_objects.script(items, ("trigger",))
    locked = ", ".join(f"{identifier(schema)}.{identifier(name)} WRITE" for schema, name in tables)
    lock = bool(tables) and (live.has("trigger") or bool(triggers))
    moves = renames(way, live, incoming)
    # A table cannot take the name of a view.
    taken = Contents(objects={"view": sorted(set(live.objects.get("view", ())) & set(incoming.tables))})
    return "".join(
        [
            f"SELECT GET_LOCK({literal(GUARD)}, {lock_seconds});\n",
            f"SET SESSION lock_wait_timeout = {lock_seconds};\nSET SESSION sql_notes = 0;\n",
            clear_objects(way.live, live, ("event",)),
            clear_objects(way.live, taken),
            f"LOCK TABLES {locked};\n" if lock else "",
            clear_objects(way.live, live, ("trigger",)),
            f"RENAME TABLE {moves};\n" if moves else "",
            triggers,
            "UNLOCK TABLES;\n" if lock else "",
            clear_objects(way.live, live, ("view", "procedure", "function")),
            _restore_objects.make(items),
        ]
    )


def missing(items: Sequence[Item], found: Contents) -> str:
    """Return the SQL that makes those objects of a schema that it does not have; placeholders only for views that are missing."""
    lacking = {
        kind: {item.name for item in items if item.kind == kind} - set(found.objects.get(kind, ())) for kind in MOVED
    }
    texts = [
        _restore_objects.script(items, (kind,), lacking["view" if kind == "placeholder" else kind])
        for kind in ("trigger", "placeholder", "procedure", "function", "view", "event")
    ]
    return "".join(texts)


def wait_for_guard(seconds: int) -> str:
    """Return the query that waits until no swap of an earlier run is under way; 1 where none is."""
    return f"SELECT GET_LOCK({literal(GUARD)}, {seconds});\n"


def blockers(schema: str) -> str:
    """Return the query for the sessions that hold tables of a schema, the longest first."""
    return (
        "SELECT DISTINCT CONCAT('session ', t.processlist_id, ' of ', t.processlist_user, ', ', t.processlist_command, ' for ', "  # noqa: S608 - the name is escaped
        "t.processlist_time, ' s') FROM performance_schema.metadata_locks m JOIN performance_schema.threads t "
        f"ON t.thread_id = m.owner_thread_id WHERE m.object_schema = {literal(schema)} AND m.lock_status = 'GRANTED' "
        "AND t.processlist_id <> CONNECTION_ID() ORDER BY 1 LIMIT 5;\n"
    )
