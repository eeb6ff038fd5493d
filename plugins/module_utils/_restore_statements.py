# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
r"""What a dump may say to make tables and their rows: that which mysqldump and MariaDB's client write, and nothing else.

Whatever else there is would fail in the middle of loading, or do what nobody expects of a restore; so it is refused while the
dump is read, before anything is touched. The account that loads could not do much harm with it: this is to say so in time.
"""

from __future__ import annotations

import re

# Texts, names, comments and semicolons. What is not closed goes on to the end: nothing is looked through twice.
QUOTED = re.compile(
    rb"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|\\?\Z)|\"[^\"\\]*(?:(?:\\.|\"\")[^\"\\]*)*(?:\"|\\?\Z)|`[^`]*(?:``[^`]*)*(?:`|\Z)"
    rb"|/\*(?!M?!).*?(?:\*/|\Z)|--(?=[ \t\n]|\Z)[^\n]*|#[^\n]*|;",
    re.DOTALL,
)
# What may stand before the first word; a comment for servers of some version is none to ours.
BEFORE = re.compile(rb"(?:\s|--(?=\s)[^\n]*|#[^\n]*|/\*(?!M?!).*?(?:\*/|\Z))*(?:/\*!\d*\s*)?", re.DOTALL)
# mysqldump gives these to one table, whose name it quotes and never puts a schema's before.
NAME = rb"(?:`(?:[^`]|``)+`|[\w$\x80-\xff]+)"
OF_TABLES = re.compile(
    rb"(?:CREATE\s+TABLE(?:\s+IF\s+NOT\s+EXISTS)?|DROP\s+TABLE(?:\s+IF\s+EXISTS)?|ALTER\s+TABLE|LOCK\s+TABLES?|ANALYZE\s+TABLE)"
    rb"\s+(%s\s*\.)?" % NAME,
    re.IGNORECASE,
)
OTHERS = re.compile(rb"(?:SET\s|UNLOCK\s+TABLES?\b|COMMIT\b|START\s+TRANSACTION\b)", re.IGNORECASE)
FAR = re.compile(
    rb"(?:SET|,)\s*(?:@@)?(?:GLOBAL|PERSIST|PERSIST_ONLY)(?:\s|\.)|SET\s+(?:PASSWORD|ROLE|DEFAULT\s+ROLE|RESOURCE)\b",
    re.IGNORECASE,
)
DELIMITER = re.compile(rb"\bdelimiter\s", re.IGNORECASE)
# Rows, as they can be counted; the name of a table has at most 64 characters.
ROWS = re.compile(rb"INSERT INTO `(?:[^`]|``)+` (?:VALUES\b|\()")
LONGEST_HEAD = 320

ELSEWHERE = "it is for a table of another schema, or names that of its own"
CLIENTS = "it is a command of a client and no SQL"
UNCOUNTED = (
    "rows that are written like this are not counted: make the dump without --replace, --insert-ignore and the like"
)
SERVERS = "it is for the whole server and not for one schema"
REASONS = (
    (rb"(?:CREATE|ALTER|DROP|RENAME)\s+(?:USER|ROLE)\b|GRANT\b|REVOKE\b|SET\s+(?:PASSWORD|ROLE|DEFAULT\s+ROLE)\b",
     "the accounts of a server, and what they may do, are no part of its data: this stack has its own"),
    (rb"LOAD\s|IMPORT\s|SELECT\b.*\bINTO\s", "it reads or writes files of the server"),
    (rb"INSERT\b|REPLACE\b", UNCOUNTED),
    (rb"SOURCE\b|SYSTEM\b|DELIMITER\b|TEE\b|PAGER\b|CONNECT\b|\\", CLIENTS),
    (rb"SET\b|FLUSH\b|RESET\b|PURGE\b|START\b|STOP\b|CHANGE\b|INSTALL\b|UNINSTALL\b|SHUTDOWN\b|RESTART\b|KILL\b|CLONE\b", SERVERS),
    (rb"USE\b|(?:CREATE|ALTER|DROP)\s+(?:DATABASE|SCHEMA)\b", "it is for another schema"),
)  # fmt: skip
NONE_OF_IT = "mysqldump writes nothing like it to make tables and rows"


def parts(statement: bytes) -> list[bytes]:
    """Return the statements that the client makes of one: it ends one wherever a semicolon stands outside of a text."""
    ends = [match.start() for match in QUOTED.finditer(statement) if match[0] == b";"]
    if not ends:
        return [statement]
    begins = [0, *(end + 1 for end in ends)]
    found = [statement[begin:end] for begin, end in zip(begins, [*ends, len(statement)])]
    return [part for part in found if part.strip()]


def refusal(statement: bytes) -> str:
    """Say why a statement that is to make tables or rows is refused; empty where it is not."""
    text = statement[beginning(statement) :]
    bare = QUOTED.sub(b"''", text)
    if DELIMITER.search(bare):
        return CLIENTS
    of_table = OF_TABLES.match(text)
    if of_table:
        return ELSEWHERE if of_table[1] else ""
    if OTHERS.match(text) and not FAR.search(bare):
        return ""
    return next((why for sample, why in REASONS if re.match(sample, bare, re.IGNORECASE | re.DOTALL)), NONE_OF_IT)


def refusal_of_rows(head: bytes) -> str:
    """Say why an INSERT is refused, by as much of its beginning as holds the name of its table; empty where it is not."""
    if ROWS.match(head):
        return ""
    return ELSEWHERE if re.match(rb"INSERT INTO %s\s*\." % NAME, head) else UNCOUNTED


def beginning(statement: bytes) -> int:
    """Return where the first word of a statement is."""
    match = BEFORE.match(statement)
    return match.end() if match else 0


def advice(reason: str) -> str:
    """Say what to do about a statement that was refused: rows are not to be taken out."""
    return "" if reason == UNCOUNTED else "; take it out, then run the same again"


def named(statement: bytes) -> str:
    """Return how a message names a statement: what is in quotes may be a password, and what comes after it."""
    text = statement[beginning(statement) :]
    words = re.split(rb"['\"=(\n]", text[:80], maxsplit=1)[0]
    return repr(words.decode("utf-8", "replace").strip())
