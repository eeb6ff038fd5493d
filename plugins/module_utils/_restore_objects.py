# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Views, triggers, routines and events of a dump: what they are, whose they are, and the SQL that makes them.

They stand between statements that set how their text is read. So all of those are run, in their order, and of the others
those that are wanted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ansible_collections.barehost.django.plugins.module_utils import _mysql_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

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
DELIMITER = ";;"


@dataclass(frozen=True)
class Item:
    """One statement: a setting, or what makes an object."""

    kind: str
    text: str
    name: str = ""
    qualified: bool = False

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


def head_end(text: str) -> int:
    """Return where the body of an object begins."""
    match = HEAD.match(text)
    return match.end() if match else 0


def plain(quoted: str) -> str:
    """Return a name without its quoting."""
    return quoted.replace("``", "`")


def owned(item: Item, accounts: Collection[tuple[str, str]], instead: tuple[str, str]) -> Item:
    """Return an object whose owner exists here: one that does not could never be used."""
    definer = item.definer
    if definer is None or definer in accounts:
        return item
    match = DEFINER.search(item.text, 0, head_end(item.text))
    if not match:
        return item
    account = "@".join("`" + part.replace("`", "``") + "`" for part in instead)
    return replace(item, text=f"{item.text[: match.start()]}DEFINER={account}{item.text[match.end() :]}")


def strangers(items: Sequence[Item], accounts: Collection[tuple[str, str]]) -> list[str]:
    """Return the owners that do not exist here."""
    found = {item.definer for item in items if item.definer and item.definer not in accounts}
    return sorted(f"{user}@{host}" for user, host in (pair for pair in found if pair))


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


def make(items: Sequence[Item], kinds: Collection[str] | None = None) -> str:
    """Return the SQL that makes all but the triggers, in an order in which each finds what it needs."""
    return "".join(script(items, [kind for kind in group if kinds is None or kind in kinds]) for group in MADE)


def drop(kind: str, database: str, name: str) -> str:
    """Return the statement that removes an object."""
    return f"DROP {kind.upper()} IF EXISTS {_mysql_text.identifier(database)}.{_mysql_text.identifier(name)};\n"
