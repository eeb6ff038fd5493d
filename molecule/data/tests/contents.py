# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the stack holds: rows that are made quickly, and a look at all of it that tells whether anything is another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conftest import STACK_DIR

if TYPE_CHECKING:
    from conftest import Host

# Beat adds to it every two seconds.
NOT_STILL = frozenset({"traffic_tick"})


def sql(machine: Host, statements: str, database: str = "app") -> list[list[str]]:
    """Run SQL as root inside MySQL's container, and return the rows."""
    client = "exec mysql --user=root --batch --skip-column-names"
    shell = f"MYSQL_PWD=$(cat /run/secrets/root_password) {client} {database}"
    answer = machine.run(f"docker exec -i app-mysql-1 sh -c '{shell}'", given=statements)
    return [line.split("\t") for line in answer.splitlines()]


def redis(machine: Host, *words: str) -> str:
    """Ask Redis, as the one who may everything."""
    shell = 'REDISCLI_AUTH=$(cat /usr/local/etc/redis/password) exec redis-cli -e "$@"'
    return machine.run(f"docker exec app-redis-1 sh -c '{shell}' - {' '.join(words)}")


def make_rows(machine: Host, rows: int, prefix: str = "made") -> None:
    """Add rows to the ledger of the app, a million of them in some seconds; each has an id of its own."""
    digits = " ".join(f"CROSS JOIN digits d{number}" for number in range(1, len(str(rows))))
    number = " + ".join(f"d{place}.n * {10**place}" for place in range(len(str(rows))))
    sql(
        machine,
        "CREATE TEMPORARY TABLE ten (n int); INSERT INTO ten VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);"
        f"INSERT INTO traffic_entry (uid, `release`, agent, at)"
        f" WITH RECURSIVE digits (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM digits WHERE n < 9)"
        f" SELECT CONCAT('{prefix}-', x.n), REPEAT('r', 90), REPEAT('a', 180), NOW(6)"
        f" FROM (SELECT {number} AS n FROM digits d0 {digits}) x WHERE x.n < {rows};",
    )


def make_media(machine: Host, files: int, size: int = 4096, folder: str = "made") -> None:
    """Add uploaded files, of the owner that the app's container has: each has a content of its own."""
    machine.run(
        f"mkdir -p {STACK_DIR}/media/{folder} && cd {STACK_DIR}/media/{folder}"
        f" && head -c {files * size} /dev/urandom | split --bytes={size} --suffix-length=6 --numeric-suffixes - upload-"
        f" && chown -R 10001 . && chmod 0644 upload-*"
    )


def tables(machine: Host, database: str = "app") -> list[str]:
    """Return the names of the base tables."""
    where = f"table_schema = '{database}' AND table_type = 'BASE TABLE'"
    return [
        row[0] for row in sql(machine, f"SELECT table_name FROM information_schema.tables WHERE {where} ORDER BY 1")
    ]


def count_rows(machine: Host, database: str = "app") -> dict[str, int]:
    """Map each table to the exact number of its rows."""
    selects = " UNION ALL ".join(f"SELECT '{name}', COUNT(*) FROM `{name}`" for name in tables(machine, database))
    return {name: int(count) for name, count in sql(machine, selects, database)} if selects else {}


@dataclass(frozen=True)
class Contents:
    """All that must be as before."""

    # Name of a table to its checksum, and of an object that is none to its definition.
    tables: dict[str, str]
    # Path below the media directory to owner, mode and hash.
    media: dict[str, str]

    def differences(self, after: Contents) -> list[str]:
        """Say what is another, gone or new."""
        pairs = ((self.tables, after.tables), (self.media, after.media))
        return sorted(
            name for old, new in pairs for name in old.keys() | new.keys() if old.get(name, "") != new.get(name, "")
        )


def look(machine: Host, database: str = "app") -> Contents:
    """Return what is there; what grows by itself is left out."""
    names = [name for name in tables(machine, database) if name not in NOT_STILL]
    found = {}
    if names:
        answer = sql(machine, f"CHECKSUM TABLE {', '.join(f'`{name}`' for name in names)}", database)
        found = {row[0].partition(".")[2]: row[1] for row in answer}
    objects = (
        f"SELECT CONCAT('view ', table_name), SHA2(view_definition, 256) FROM information_schema.views"
        f" WHERE table_schema = '{database}' UNION ALL "
        f"SELECT CONCAT('trigger ', trigger_name), SHA2(action_statement, 256) FROM information_schema.triggers"
        f" WHERE trigger_schema = '{database}' UNION ALL "
        f"SELECT CONCAT('routine ', routine_name), SHA2(routine_definition, 256) FROM information_schema.routines"
        f" WHERE routine_schema = '{database}' UNION ALL "
        f"SELECT CONCAT('event ', event_name), SHA2(event_definition, 256) FROM information_schema.events"
        f" WHERE event_schema = '{database}'"
    )
    found |= {row[0]: row[1] for row in sql(machine, objects, database)}
    listing = machine.run(
        f"cd {STACK_DIR}/media && find . -printf '%P\\t%y %m %U %G %l\\n' | sort;"
        " find . -type f -print0 | sort -z | xargs -0r sha256sum"
    )
    media: dict[str, str] = {}
    for line in listing.splitlines():
        path, _, said = line.partition("\t") if "\t" in line else (line[66:].removeprefix("./"), "", line[:64])
        media[path] = f"{media.get(path, '')} {said}".strip()
    return Contents(found, media)


def broken(machine: Host, database: str = "app") -> list[list[str]]:
    """Return what the server itself finds wrong with the tables."""
    names = ", ".join(f"`{name}`" for name in tables(machine, database))
    return [row for row in sql(machine, f"CHECK TABLE {names} EXTENDED", database) if row[-1] != "OK"]
