# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Views, triggers, routines and events of a dump: what they are, whose they are, and the SQL that makes them.

They stand between statements that set how their text is read. So all of those are run, in their order, and of the others
those that are wanted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ansible_collections.barehost.django.plugins.module_utils import _mysql_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

SET, PLACEHOLDER, VIEW, TRIGGER, PROCEDURE, FUNCTION, EVENT = (
    "set", "placeholder", "view", "trigger", "procedure", "function", "event",
)  # fmt: skip
# As a manifest counts them.
KINDS = {"views": (VIEW,), "triggers": (TRIGGER,), "routines": (PROCEDURE, FUNCTION), "events": (EVENT,)}
# In which order they are made: a view may call a function, and needs the views that it reads at least in outline.
MADE = ((PLACEHOLDER,), (PROCEDURE, FUNCTION), (VIEW,), (EVENT,))
SETTING = re.compile(r"/\*!50\d{3}\s+SET\s", re.IGNORECASE)
HEAD = re.compile(
    r"(?:/\*!\d{5,6}\s*)?CREATE\b((?:[^`']|`(?:[^`]|``)*`)*?)\b(TRIGGER|PROCEDURE|FUNCTION|EVENT|VIEW)\s+"
    r"(?:IF NOT EXISTS\s+)?`((?:[^`]|``)+)`(\s*\.)?",
    re.IGNORECASE,
)
DEFINER = re.compile(r"DEFINER\s*=\s*`((?:[^`]|``)*)`@`((?:[^`]|``)*)`", re.IGNORECASE)
# All that mysqldump writes between CREATE and what is made, without its comments for servers of some version; any other comment
# could show one account to us, and another one to the server.
BETWEEN = re.compile(
    r"\s*(?:ALGORITHM\s*=\s*\w+\s+)?DEFINER\s*=\s*`(?:[^`]|``)*`@`(?:[^`]|``)*`\s*(?:SQL\s+SECURITY\s+\w+\s*)?",
    re.IGNORECASE,
)
VERSIONED = re.compile(r"\*/|/\*!50\d{3}")
DELIMITER = ";;"
# All else that mysqldump writes among them: how the text is read, and what was there goes first.
HARMLESS = re.compile(
    r"/\*!50\d{3}\s+SET\s+(?:@saved?_\w+|character_set_client|character_set_results|collation_connection|sql_mode|time_zone)\s*="
    r"\s*(?:@@?\w+|\w+|'[\w,/+: -]*')\s*\*/",
    re.IGNORECASE,
)
# The name of a trigger stands there without its quotes (--add-drop-trigger).
REMOVAL = re.compile(
    r"/\*!50\d{3}\s+DROP\s+(?:VIEW|TABLE|TRIGGER|PROCEDURE|FUNCTION|EVENT)\s+IF\s+EXISTS\s+(?:`(?:[^`]|``)+`|[^`*;]+?)\s*\*/",
    re.IGNORECASE,
)
# The client would end the statement there, and run what follows as whoever makes the objects.
CLIENTS_OWN = re.compile(r";;|\bdelimiter\s", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One statement: a setting, or what makes an object."""

    kind: str
    text: str
    name: str = ""
    qualified: bool = False
    line: int = field(default=0, compare=False)  # of the dump, in which it begins

    @property
    def definer(self) -> tuple[str, str] | None:
        """Whose object it is; None where the text does not say it."""
        match = DEFINER.search(self.text, 0, head_end(self.text))
        return (plain(match[1]), plain(match[2])) if match else None


def item_of(statement: str) -> Item | None:
    """Read a statement; None for one that removes something, which is not needed where nothing is."""
    if SETTING.match(statement):
        return Item(SET, statement)
    match = HEAD.match(statement)
    if not match:
        return None
    kind = match[2].lower()
    if kind == VIEW and not match[1].strip():
        kind = PLACEHOLDER
    return Item(kind, statement, plain(match[3]), bool(match[4]))


def flaw(item: Item) -> str:
    """Say why a statement must not be run, which is done as root; empty where it may be."""
    if item.kind == SET:
        return "" if HARMLESS.fullmatch(item.text) else "it sets what no dump has to set"
    if item.qualified:
        return f"its {item.kind} {item.name} names a schema of its own: it would be made outside of this one"
    if CLIENTS_OWN.search(item.text):
        return f"its {item.kind} {item.name} holds ;; or the word delimiter, where the client would cut it in two"
    if item.kind != PLACEHOLDER and not says_whose(item.text):
        return f"its {item.kind} {item.name} does not say as whom it runs (DEFINER=`user`@`host`), as mysqldump does"
    return ""


def says_whose(text: str) -> bool:
    """Whether the beginning of what makes an object is as mysqldump writes it, with the account that it runs as."""
    match = HEAD.match(text)
    return match is not None and BETWEEN.fullmatch(VERSIONED.sub(" ", match[1])) is not None


def head_end(text: str) -> int:
    """Return where the body of an object begins."""
    match = HEAD.match(text)
    return match.end() if match else 0


def plain(quoted: str) -> str:
    """Return a name without its quoting."""
    return quoted.replace("``", "`")


def owned(item: Item, accounts: Collection[tuple[str, str]], instead: tuple[str, str]) -> Item:
    """Return an object whose owner is one of these: one of somebody else could never be used."""
    definer = item.definer
    if definer is None or definer in accounts:
        return item
    match = DEFINER.search(item.text, 0, head_end(item.text))
    if not match:
        return item
    account = "@".join("`" + part.replace("`", "``") + "`" for part in instead)
    return replace(item, text=f"{item.text[: match.start()]}DEFINER={account}{item.text[match.end() :]}")


@dataclass(frozen=True)
class Owners:
    """Who there is, and who may have objects of a kind: one whose owner may not fails later, with each write to its table."""

    accounts: Collection[tuple[str, str]]
    able: Mapping[str, Collection[tuple[str, str]]]  # of kinds that take a privilege of their own
    wanted: tuple[str, str]  # who gets what others may not have
    root: tuple[str, str]
    # Whose objects stay theirs, where it is the dump of somebody else: anybody can write `root` into a text.
    trusted: Collection[tuple[str, str]] | None = None

    @classmethod
    def of(cls, facts: Mapping[str, Any], definer: str, root: tuple[str, str], *, foreign: bool = False) -> Owners:
        """Read what the server says; with foreign everything is to be of the definer, whoever it was of."""
        named = {name: {(user, host) for user, host in facts[name] or ()} for name in ("accounts", TRIGGER, EVENT)}
        user, _at, host = definer.rpartition("@")
        trusted = {(user, host)} if foreign else None
        return cls(named["accounts"], {kind: named[kind] for kind in (TRIGGER, EVENT)}, (user, host), root, trusted)

    def fitting(self, kind: str) -> Collection[tuple[str, str]]:
        """Return who may have objects of a kind."""
        return {
            pair
            for pair in self.accounts
            if pair in self.able.get(kind, self.accounts) and (self.trusted is None or pair in self.trusted)
        }

    def instead(self, kind: str) -> tuple[str, str]:
        """Return who gets an object of a kind that nobody here may have."""
        if self.wanted in self.fitting(kind):
            return self.wanted
        if self.trusted is not None:
            raise ValueError(
                f"its {kind}s are of somebody who is not of this stack, and {'@'.join(self.wanted)}, who would get them, does not "
                "exist or may have none: give an account that may (backup_restore_definer)"
            )
        return self.root

    def settle(self, items: Sequence[Item]) -> tuple[list[Item], list[str]]:
        """Return the items as they will be, and whose are whose now."""
        settled = [
            item
            if item.definer is None or item.definer in self.fitting(item.kind)
            else owned(item, (), self.instead(item.kind))
            for item in items
        ]
        moved = {(old.definer, new.definer) for old, new in zip(items, settled) if old.definer != new.definer}
        return settled, sorted(f"{'@'.join(old)} to {'@'.join(new)}" for old, new in moved if old and new)


def script(items: Sequence[Item], kinds: Collection[str], names: Collection[str] | None = None) -> str:
    """Return the SQL that makes the objects of these kinds, and of these names where some are given."""
    wanted = [
        item for item in items if item.kind == SET or (item.kind in kinds and (names is None or item.name in names))
    ]
    if all(item.kind == SET for item in wanted):
        return ""
    texts = [
        re.sub(r"CREATE\b", "CREATE OR REPLACE", item.text, count=1) if item.kind in (VIEW, PLACEHOLDER) else item.text
        for item in wanted
    ]
    return f"DELIMITER {DELIMITER}\n" + "".join(f"{text}\n{DELIMITER}\n" for text in texts) + "DELIMITER ;\n"


def made_at(sql: str, line: int, items: Sequence[Item]) -> Item | None:
    """Return the object that the SQL of script() makes in the statement which begins in a line."""
    match = HEAD.match("\n".join(sql.splitlines()[line - 1 :])) if line else None
    if not match:
        return None
    named = (match[2].lower(), plain(match[3]))
    return next((item for item in items if (item.kind, item.name) == named and item.line), None)


def make(items: Sequence[Item], kinds: Collection[str] | None = None) -> str:
    """Return the SQL that makes all but the triggers, in an order in which each finds what it needs."""
    return "".join(script(items, [kind for kind in group if kinds is None or kind in kinds]) for group in MADE)


def drop(kind: str, database: str, name: str) -> str:
    """Return the statement that removes an object."""
    return f"DROP {kind.upper()} IF EXISTS {_mysql_text.identifier(database)}.{_mysql_text.identifier(name)};\n"
