# Copyright: (c) 2026, The barehost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the tests of restores are made with: data that has everything in it, what it looks like, and what a restore may leave."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conftest import STACK_DIR

if TYPE_CHECKING:
    from conftest import Host

BACKUPS = f"{STACK_DIR}/backups"
MYSQL = "docker exec -i app-mysql-1 sh -c 'MYSQL_PWD=$(cat /run/secrets/root_password) exec mysql -uroot -N -B --binary-mode'"
# The command of the reference text, without a terminal: the password is given instead of asked for.
BY_HAND = (
    "docker exec app-mysql-1 sh -c 'mysqldump -u root -p\"$(cat /run/secrets/root_password)\" {options} {schema} 2>&1'"
)
RESTORE = "Restore the data, or leave it as it is"

# Everything that a table, or something beside a table, can be; and enough rows to be caught in the middle.
EVERYTHING = r"""
USE app;
DROP TABLE IF EXISTS zoo_child, zoo, zoo_log;
CREATE TABLE zoo (
  id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60), raw_bytes BLOB, doc JSON, born DATETIME(6),
  upper_name VARCHAR(60) GENERATED ALWAYS AS (UPPER(name)) STORED, FULLTEXT KEY words (name)) AUTO_INCREMENT = 4711;
CREATE TABLE zoo_child (id INT AUTO_INCREMENT PRIMARY KEY, zoo_id BIGINT, CONSTRAINT of_zoo FOREIGN KEY (zoo_id) REFERENCES zoo (id));
CREATE TABLE zoo_log (id INT AUTO_INCREMENT PRIMARY KEY, said VARCHAR(80));
INSERT INTO zoo (name, raw_bytes, doc, born) VALUES
  ('it''s; -- Dump completed', 0x000D0A275C, '{"a": "),("}', '2026-01-02 03:04:05.678901'), ('ñandú 🦤', NULL, NULL, NULL);
INSERT INTO zoo_child (zoo_id) SELECT id FROM zoo;
CREATE OR REPLACE VIEW zoo_view AS SELECT id, name FROM zoo;
CREATE OR REPLACE VIEW zoo_view_of_view AS SELECT v.id FROM zoo_view v;
DROP TRIGGER IF EXISTS zoo_trigger;
DROP FUNCTION IF EXISTS zoo_function;
DROP EVENT IF EXISTS zoo_event;
DELIMITER ;;
CREATE TRIGGER zoo_trigger AFTER INSERT ON zoo FOR EACH ROW BEGIN INSERT INTO zoo_log (said) VALUES (CONCAT(NEW.name, ';')); END;;
CREATE FUNCTION zoo_function(a INT) RETURNS INT DETERMINISTIC BEGIN
-- USE `other`;
RETURN a + 1; END;;
CREATE EVENT zoo_event ON SCHEDULE EVERY 1 DAY DO DELETE FROM zoo_log WHERE id < 0;;
DELIMITER ;
"""
LOOK = """SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'app' ORDER BY 1;
SELECT trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema = 'app' ORDER BY 1;
SELECT routine_name, definer FROM information_schema.routines WHERE routine_schema = 'app' ORDER BY 1;
SELECT event_name, status FROM information_schema.events WHERE event_schema = 'app' ORDER BY 1;
SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = 'app' ORDER BY 1;
SELECT table_name, constraint_name, referenced_table_schema, referenced_table_name FROM information_schema.key_column_usage
WHERE table_schema = 'app' AND referenced_table_name IS NOT NULL ORDER BY 1, 2;
"""


def sql(machine: Host, text: str) -> str:
    """Run SQL as root and return the answer."""
    return machine.run(MYSQL, given=text)


def tables(machine: Host) -> list[str]:
    """Return the tables of the application."""
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'app' AND table_type = 'BASE TABLE' ORDER BY 1;"
    return sql(machine, query).split()


# What beat adds to by itself.
RESTLESS = {"traffic_tick"}


def state(machine: Host) -> dict[str, str]:
    """Return the data as it is: rows by their checksums, what is beside the tables, uploaded files."""
    names = ", ".join(f"app.`{name}`" for name in tables(machine) if name not in RESTLESS)
    return {
        "rows": sql(machine, f"CHECKSUM TABLE {names};"),
        "schema": sql(machine, LOOK),
        "files": machine.run(
            f"cd {STACK_DIR}/media && find . -type f -exec sha256sum {{}} + | sort; find . -printf '%p %y %U %G %l\\n' | sort"
        ),
    }


def litter(machine: Host) -> list[str]:
    """Return what a restore must not leave behind, however it ends."""
    schemas = sql(
        machine, "SHOW DATABASES LIKE 'app\\_\\_restore\\_%'; SELECT user FROM mysql.user WHERE user LIKE '%restore%';"
    )
    return [*schemas.split(), *machine.run(f"ls -A {BACKUPS} | grep -E '^[.]' || true").split()]


def old_schemas(machine: Host) -> list[str]:
    """Return the schemas with the tables of before."""
    return sql(machine, "SHOW DATABASES LIKE 'app\\_\\_before\\_%';").split()


def files(machine: Host, mark: str) -> None:
    """Have uploaded files that tell one time from another."""
    machine.run(
        f"cd {STACK_DIR}/media && rm -rf zoo && mkdir -p zoo/deep && printf {mark} > zoo/deep/file && ln -sfn deep zoo/link"
        " && printf x > 'zoo/a name with blanks' && chown -R 10001:10001 zoo"
    )


def many_rows(machine: Host, doublings: int) -> None:
    """Have a table that takes a while to load."""
    double = "INSERT INTO app.zoo_many (t) SELECT t FROM app.zoo_many;" * doublings
    sql(
        machine,
        "DROP TABLE IF EXISTS app.zoo_many; CREATE TABLE app.zoo_many (id INT AUTO_INCREMENT PRIMARY KEY, t VARCHAR(200), KEY (t));"
        f"INSERT INTO app.zoo_many (t) VALUES (REPEAT('x', 150)); {double}",
    )


@dataclass(frozen=True)
class Backup:
    """A backup on the host."""

    machine: Host
    id: str

    @property
    def folder(self) -> str:
        """Return where it lies."""
        return f"{BACKUPS}/{self.id}"

    def copy(self, name: str) -> Backup:
        """Return a copy of it, to be damaged."""
        self.machine.run(f"rm -rf {BACKUPS}/{name} && cp -a {self.folder} {BACKUPS}/{name}")
        copy = Backup(self.machine, name)
        copy.change(id=name)
        return copy

    def change(self, **values: object) -> None:
        """Write other values into its manifest."""
        found = json.loads(self.machine.run(f"cat {self.folder}/manifest.json"))
        for path, value in values.items():
            *parents, last = path.split("__")
            place = found
            for parent in parents:
                place = place[parent]
            place[last] = value
        self.machine.run(f"cat > {self.folder}/manifest.json", given=json.dumps(found))

    def settle(self, name: str, key: str = "") -> None:
        """Let the manifest say of a file what it has become, as whoever hides something would."""
        key = key or name
        size, digest = self.machine.run(
            f"stat -c %s {self.folder}/{name}; sha256sum {self.folder}/{name} | cut -d' ' -f1"
        ).split()
        found = json.loads(self.machine.run(f"cat {self.folder}/manifest.json"))
        found["files"][key].update(bytes=int(size), sha256=digest)
        self.machine.run(f"cat > {self.folder}/manifest.json", given=json.dumps(found))

    def remove(self) -> None:
        """Remove it."""
        self.machine.run(f"rm -rf {self.folder}")


def kill_restore(machine: Host) -> None:
    """End the module that holds the lock of the data, as a power cut would."""
    machine.run(
        f'kill -9 $(python3 -c \'import json; print(json.load(open("{STACK_DIR}/lock/data"))["pid"])\')', check=False
    )


def seen(machine: Host, query: str, seconds: float = 60) -> bool:
    """Wait until a query has an answer; say whether it came to that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if sql(machine, query).strip():
            return True
        time.sleep(0.05)
    return False
